"""Where the chain is: contracts, the embedded chain, and any network by URL."""
