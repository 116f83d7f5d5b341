"""The port of chains on web3: the embedded chain and any network's node alike."""
