"""Run an application on a socket, and let nobody hold a connection who does not use it."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN_S = 10
"""Time for a request to arrive as a whole head, from its connection's or the last answer's moment."""
LIFETIME_S = 120
"""Time after which a connection ends, even where somebody only reads an answer very slowly."""
SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "log_config": None,  # what it says goes where the process writes, in the form that was chosen there
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 1,
        # Tries and asks are counted by where somebody comes from: uvicorn would believe what anybody here writes.
        "proxy_headers": False,
    }
)
"""What every server of ours is told; one that needs more adds to it."""
_MOST_CONNECTIONS = 256
_MOST_HEAD_BYTES = 16_384


class _Impatient(H11Protocol):
    """Drops connections on which no whole head arrives in time: uvicorn itself waits for the first for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in its parent
        super().connection_made(transport)
        self._watch = self.loop.call_later(HEAD_WITHIN_S, self._look, None)
        self._end = self.loop.call_later(LIFETIME_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        self._end.cancel()
        super().connection_lost(exc)

    def _look(self, idle_with: Any) -> None:
        """Close where nothing new was asked since the last look; an answer that is under way is left alone."""
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and cycle is idle_with):
            self.transport.abort()
            return
        self._watch = self.loop.call_later(HEAD_WITHIN_S, self._look, cycle)


def server(app: FastAPI) -> uvicorn.Server:
    """Return a server that is not running yet; ``run([socket])`` serves until the process is told to end."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Impatient,
            ws="none",
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
            timeout_keep_alive=HEAD_WITHIN_S,
            **SETTINGS,
        )
    )
