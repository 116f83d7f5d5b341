"""What changes, as it does: server-sent events, and the same over a WebSocket."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from starlette.requests import HTTPConnection

from commonwatt.apps.api.guard import Seated, There, allows, community_of, held, hold, seat_of
from commonwatt.apps.api.held import seldom
from commonwatt.apps.api.limits import address_of
from commonwatt.apps.api.problems import Problem
from commonwatt.apps.community import Community
from commonwatt.apps.views.changes import Change, change, missed
from commonwatt.flows.chronicle import Chapter
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import Refused

router = APIRouter(tags=["live"])
MOST_WAITING = 256
"""Changes that may wait for a slow reader; beyond, it is let go, and asks again for what it missed."""
MOST_LINES = 20
"""Of one caller at once: each costs something at every step of the log."""
AGAIN_S = 10
PULSE_S = 15.0
"""Between two signs of life on a quiet line."""
_SIGN_OF_LIFE = b": still here\n\n"


_TEXT = {"type": "string"}
_EVENT = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "event": {"const": "change"},
        "data": {"type": "string", "contentMediaType": "application/json",
                 "contentSchema": {"$ref": "#/components/schemas/Change"}},
    },
}  # fmt: skip
"""One event, as who reads the stream takes it apart."""


class EventStream(StreamingResponse):
    """Events until who hears them goes away."""

    media_type = "text/event-stream"


@router.get("/live", response_model=Change, response_class=EventStream,
            summary="Follow what changes (server-sent events)",
            responses={200: {"content": {"text/event-stream": {"schema": _EVENT}}}},
            **allows(Action.SEE_COMMUNITY))  # fmt: skip
async def live(
    request: Request, community: There, seat: Seated, last_event_id: Annotated[str, Header(max_length=40)] = ""
) -> EventStream:
    """Each event `change` tells one step of the log; its id is the log's size by then.

    Whoever comes back with the id of the last event that they heard is told at once whether they missed any: in one
    `change` that names all they may know of, since what was missed is asked for, not told again.
    """
    lines, caller = lines_of(request), _caller(request, seat)
    if lines.full(caller):
        rule = "a caller follows on so many lines at most"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, rule, most=MOST_LINES, retry_after_s=AGAIN_S)

    still = seldom(held(request), asyncio.get_running_loop().time)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    told = told_on(lines, community, seat, caller, since=last_event_id, still=still)
    return EventStream(told, headers=headers)


async def told_on(
    lines: "Lines", community: Community, seat: Seat, caller: str, *, since: str, still: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield what a line of server-sent events carries, until it is to end.

    Args:
        lines: All who follow.
        community: Whose log is followed.
        seat: Who follows.
        caller: Whose line it counts as.
        since: The id of the last event that they heard; empty where they come for the first time.
        still: Whether they may still hear.
    """
    with lines.queue(community, seat, caller) as queue:
        yield b"retry: 2000\n\n"
        if since and since != str(community.size):
            yield _event(missed(community, seat))
        while (told := await _next(queue)) is not None and still():
            yield told


@router.websocket("/live/ws")
async def live_ws(socket: WebSocket) -> None:
    """The same, a JSON text a change; what comes in is not read."""
    try:
        seat = await seat_of(socket)
        hold(seat, Action.SEE_COMMUNITY)
        still = seldom(held(socket), asyncio.get_running_loop().time)
    except (Problem, Refused):
        await socket.close(1008)
        return
    lines, caller = lines_of(socket), _caller(socket, seat)
    if lines.full(caller):
        await socket.close(1013)
        return
    await socket.accept()
    with lines.queue(await community_of(socket), seat, caller) as queue:
        hearing = asyncio.ensure_future(_until_gone(socket))
        try:
            while not hearing.done():
                taking = asyncio.ensure_future(queue.get())
                await asyncio.wait({taking, hearing}, timeout=PULSE_S, return_when=asyncio.FIRST_COMPLETED)
                if not still():
                    taking.cancel()
                    await socket.close(1008)
                    return
                if not taking.done():
                    taking.cancel()
                    continue
                found = taking.result()
                if found is None:
                    await socket.close(1013)
                    return
                await socket.send_text(msgspec.json.encode(found).decode())
        except WebSocketDisconnect:
            return
        finally:
            hearing.cancel()


class Lines:
    """All who follow: so many lines a caller, and what a step changed for a seat worked out once for all its lines."""

    def __init__(self) -> None:
        self._open = Counter[str]()
        self._of: Chapter | None = None
        self._made: dict[Seat, Change] = {}

    def full(self, caller: str) -> bool:
        """Tell whether a caller has as many lines as anybody may."""
        return self._open[caller] >= MOST_LINES

    @contextmanager
    def queue(self, community: Community, seat: Seat, caller: str) -> Iterator["asyncio.Queue[Change | None]"]:
        """Hear of changes as long as the block runs; None comes last where the reader is too slow or has too many."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue(MOST_WAITING)
        if self.full(caller):  # whoever came at the same time was first
            queue.put_nowait(None)
            yield queue
            return

        def hear(chapter: Chapter) -> None:
            if queue.full():
                end()
                queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(self._change(community, chapter, seat))

        end = community.on_chapter(hear)
        self._open[caller] += 1
        try:
            yield queue
        finally:
            end()
            self._open[caller] -= 1
            self._open += Counter()  # forgets who has none left

    def _change(self, community: Community, chapter: Chapter, seat: Seat) -> Change:
        if self._of is not chapter:
            self._of, self._made = chapter, {}
        if seat not in self._made:
            self._made[seat] = change(community, chapter, seat)
        return self._made[seat]


def lines_of(connection: HTTPConnection) -> Lines:
    """Return who follows an application."""
    found: Lines = connection.app.state.lines
    return found


def _caller(connection: HTTPConnection, seat: Seat) -> str:
    return seat.person or address_of(connection.scope)


async def _next(queue: "asyncio.Queue[Change | None]") -> bytes | None:
    try:
        async with asyncio.timeout(PULSE_S):
            found = await queue.get()
    except TimeoutError:
        return _SIGN_OF_LIFE
    if found is None:
        return None
    return _event(found)


def _event(told: Change) -> bytes:
    return b"id: %d\nevent: change\ndata: %b\n\n" % (told.size, msgspec.json.encode(told))


async def _until_gone(socket: WebSocket) -> None:
    told: MutableMapping[str, Any] = {}
    while told.get("type") != "websocket.disconnect":
        told = await socket.receive()
