"""Make the port of a chain: of the embedded one, or of a network's node by its URL."""

import time
from typing import Any

import urllib3
from web3 import HTTPProvider, Web3

import requests
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.provider import EmbeddedProvider
from commonwatt.adapters.chains.evm.chain import EvmChain

_TIMEOUT_S = 20
MOST_BYTES = 1 << 26
"""Of an answer: more than 2,000 blocks of events; a node that says more would fill the memory of who asks it."""
_AT_ONCE = 1 << 16


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
    return EvmChain(Web3(HTTPProvider(url, {"timeout": timeout_s}, _Bounded(timeout_s))))


class _Bounded(requests.Session):
    """A session whose answers end, in size and time, and come from where they were asked.

    Args:
        within_s: For one answer.
    """

    def __init__(self, within_s: float) -> None:
        super().__init__()
        self._within_s = within_s

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request and read its answer.

        Raises:
            requests.RequestException: None came, it is too large, too slow, or leads elsewhere.
        """
        end_s = time.monotonic() + self._within_s
        answer = super().send(request, **kwargs | {"stream": True, "allow_redirects": False})
        if answer.is_redirect:
            raise requests.TooManyRedirects("a node answers where it is asked")
        content = bytearray()
        try:
            # By what comes, and not by the whole of it: one byte every ten seconds would never be too slow.
            while some := answer.raw.read1(_AT_ONCE, decode_content=True):
                content += some
                if len(content) > MOST_BYTES or time.monotonic() > end_s:
                    raise requests.exceptions.ChunkedEncodingError("a node's answer has no end")
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError("a node's answer broke off") from error
        finally:
            answer.close()
        answer._content = bytes(content)  # read here, so that requests does not
        return answer
