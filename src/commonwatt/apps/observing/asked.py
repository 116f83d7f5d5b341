"""Look at every ask of an application from outside: its route, its status, and how long the answer took to begin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commonwatt.apps.observing.spans import NO_SPANS, Spans

UNROUTED = "unrouted"
"""In a route's place where none was found, or none answers: files of the web framework, refusals, and guesses."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BEGINS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept", "websocket.close"})
_OPENED, _NOT_OPENED, _BROKEN = 101, 403, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One ask as others may know of it: nothing in it is a person's, not even the path, which names things.

    Args:
        method: Of HTTP; ``WEBSOCKET`` for a socket that opens, ``other`` for what nobody speaks.
        route: As the application describes it, such as ``/api/v1/homes/{account}``; else `UNROUTED`.
        status: Of HTTP; 101 for a socket that was opened.
        took_ns: Until the answer began.
        trace: The trace that it is part of, 32 hex digits; empty where there is none.
    """

    method: str
    route: str
    status: int
    took_ns: int
    trace: str


class Watched:
    """Tells listeners of every ask, once its answer begins; a stream's end may be hours away.

    Args:
        app: What is looked at; the other middlewares are in it.
        ticks_ns: A clock that is never set, nanoseconds.
        hear: Who is told; short work, on the loop.
        spans: Keeps traces; keeps none where that is left out.
        under: Where routers stand that tell their routes without it, as FastAPI has it.
    """

    def __init__(
        self,
        app: ASGIApp,
        ticks_ns: Callable[[], int],
        hear: Sequence[Callable[[Answered], None]],
        spans: Spans = NO_SPANS,
        under: str = "",
    ) -> None:
        self._under = under
        self._app, self._ticks_ns, self._hear, self._spans = app, ticks_ns, hear, spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  as ASGI has it
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began_ns, told = self._ticks_ns(), False
        with self._spans.asked(_parent(scope)) as span:

            def tell(status: int) -> None:
                nonlocal told
                told = True
                answered = Answered(
                    method=_method(scope),
                    route=self._route(scope),
                    status=status,
                    took_ns=self._ticks_ns() - began_ns,
                    trace=span.trace,
                )
                span.answered(answered.method, answered.route, status)
                for hear in self._hear:
                    hear(answered)

            async def watch(message: Message) -> None:
                if not told and message["type"] in _BEGINS:
                    tell(_status(message))
                await send(message)

            try:
                await self._app(scope, receive, watch)
            except Exception:
                if not told:
                    tell(_BROKEN)
                raise

    def _route(self, scope: Scope) -> str:
        found: str = getattr(scope.get("route"), "path", "")
        below = scope["path"].startswith(f"{self._under}/") and not found.startswith(self._under)
        return f"{self._under}{found}" if found and below else found or UNROUTED


def _method(scope: Scope) -> str:
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    return scope["method"] if scope["method"] in _METHODS else "other"


def _status(message: Message) -> int:
    if message["type"] == "websocket.accept":
        return _OPENED
    return int(message.get("status", _NOT_OPENED))


def _parent(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
