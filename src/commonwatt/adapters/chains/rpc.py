"""Make the port of a chain: of the embedded one, or of a network's node by its URL."""

from web3 import HTTPProvider, Web3

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.provider import EmbeddedProvider
from commonwatt.adapters.chains.evm.chain import EvmChain

_TIMEOUT_S = 20


def embedded(chain: EmbeddedChain) -> EvmChain:
    """Return the port of a chain in this process."""
    return EvmChain(Web3(EmbeddedProvider(chain)))


def network(url: str, *, timeout_s: float = _TIMEOUT_S) -> EvmChain:
    """Return the port of the chain whose node answers at a URL.

    Args:
        url: Of its JSON-RPC, by http or https.
        timeout_s: For one answer.

    Raises:
        Unreachable: It gives no answer.
    """
    return EvmChain(Web3(HTTPProvider(url, {"timeout": timeout_s})))
