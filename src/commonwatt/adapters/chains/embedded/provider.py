"""Let web3 speak to the embedded chain by the same calls as to any node, in this process."""

from typing import Any

from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.methods import Methods, RpcError


class EmbeddedProvider(BaseProvider):
    """What web3 asks through.

    Args:
        chain: Whom it asks.
    """

    def __init__(self, chain: EmbeddedChain) -> None:
        super().__init__()
        self._methods = Methods(chain)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Return the chain's answer, or its error, as JSON-RPC has it."""
        try:
            return {"jsonrpc": "2.0", "id": 0, "result": self._methods.answer(method, params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 0, "error": error.told}  # type: ignore[typeddict-item]  # web3's type lacks data

    def is_connected(self, show_traceback: bool = False) -> bool:
        """Say yes: it is in this process."""
        return True
