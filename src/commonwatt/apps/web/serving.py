"""How the app is served: what a web server must be told so that two hundred open pages are cheap."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from commonwatt.apps.api.serving import HEAD_WITHIN_S, SETTINGS

MOST_CONNECTIONS = 900
"""Two hundred open pages with what their browsers hold open beside; a process may open 1,024 files, as a rule."""


class PromptProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, but not for ever with whoever opens a line and does not say what they want."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # noqa: D102  as asyncio has it
        super().connection_made(transport)
        self._wait()

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
