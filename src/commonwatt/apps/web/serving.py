"""How the app is served: what a web server must be told so that two hundred open pages are cheap."""

import asyncio
from ipaddress import ip_address
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from commonwatt.apps.api.serving import HEAD_WITHIN_S, SETTINGS
from commonwatt.flows.entrance.hall import line_of

MOST_CONNECTIONS = 900
"""Two hundred open pages with what their browsers hold open beside; a process may open 1,024 files, as a rule."""


MOST_OF_ADDRESS = 300
"""A third of these for one address (of IPv6, a /64), behind which a whole street may be. This machine's own has no
bound: behind it stands a proxy, which sees to fairness among those whom it brings."""
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PromptProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, but not for ever with whoever opens a line and does not say what they want.

    Nor with one address by so many lines that there is none left for others.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # noqa: D102  as asyncio has it
        super().connection_made(transport)
        self._wait()
        if self._too_many():
            transport.write(_TOO_MANY)
            transport.close()

    def on_message_begin(self) -> None:  # noqa: D102  as httptools has it
        super().on_message_begin()
        if self._waiting is None:
            self._wait()

    def on_headers_complete(self) -> None:  # noqa: D102  as httptools has it
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102  as asyncio has it
        self._wait_no_more()
        super().connection_lost(exc)

    def _too_many(self) -> bool:
        """Tell whether this line's address has more than its part; lines that became sockets count like others."""
        if self.client is None or of_this_machine(self.client[0]):
            return False
        mine = line_of(self.client[0])
        clients = (getattr(line, "client", None) for line in self.connections)
        return sum(client is not None and line_of(client[0]) == mine for client in clients) > MOST_OF_ADDRESS

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_WITHIN_S, self._too_slow)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        # A request that came before on this line may still be answered: it goes on, the line ends with it.
        self._waiting = None
        self.shutdown()


def of_this_machine(address: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def socket_settings() -> dict[str, Any]:
    """Return settings for uvicorn.

    Beyond `MOST_CONNECTIONS` at once everybody is answered 503. Messages are short, and a compressor for each open page
    would take more memory than all else of it.
    """
    return {
        **SETTINGS,
        "http": PromptProtocol,
        "limit_concurrency": MOST_CONNECTIONS,
        "loop": "uvloop",
        "ws": "websockets-sansio",
        "ws_per_message_deflate": False,
        "ws_max_size": 1_000_000,
    }
