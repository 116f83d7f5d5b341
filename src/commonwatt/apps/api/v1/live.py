"""What changes, as it does: server-sent events, and the same over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import msgspec
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from commonwatt.apps.api.guard import Seated, There, allows, community_of, held, hold, seat_of
from commonwatt.apps.api.held import seldom
from commonwatt.apps.api.problems import Problem
from commonwatt.apps.community import Community
from commonwatt.apps.views.changes import Change, change
from commonwatt.flows.chronicle import Chapter
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import Refused

router = APIRouter(tags=["live"])
MOST_WAITING = 256
"""Changes that may wait for a slow reader; beyond, it is let go, and asks again for what it missed."""
PULSE_S = 15.0
"""Between two signs of life on a quiet line."""
_SIGN_OF_LIFE = b": still here\n\n"


class EventStream(StreamingResponse):
    """Events until who hears them goes away."""

    media_type = "text/event-stream"


@router.get("/live", response_model=Change, response_class=EventStream,
            summary="Follow what changes (server-sent events)", **allows(Action.SEE_COMMUNITY))  # fmt: skip
async def live(request: Request, community: There, seat: Seated) -> EventStream:
    """Each event `change` tells one step of the log; its id is the log's size by then."""

    still = seldom(held(request), asyncio.get_running_loop().time)

    async def events() -> AsyncIterator[bytes]:
        with _queue(community, seat) as queue:
            yield b"retry: 2000\n\n"
            while (told := await _next(queue)) is not None and still():
                yield told

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventStream(events(), headers=headers)


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
    await socket.accept()
    with _queue(await community_of(socket), seat) as queue:
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


@contextmanager
def _queue(community: Community, seat: Seat) -> Iterator["asyncio.Queue[Change | None]"]:
    """Hear of changes as long as the block runs; None comes last, where its reader is too slow."""
    queue: asyncio.Queue[Change | None] = asyncio.Queue(MOST_WAITING)

    def hear(chapter: Chapter) -> None:
        if queue.full():
            end()
            queue.get_nowait()
            queue.put_nowait(None)
        else:
            queue.put_nowait(change(community, chapter, seat))

    end = community.on_chapter(hear)
    try:
        yield queue
    finally:
        end()


async def _next(queue: "asyncio.Queue[Change | None]") -> bytes | None:
    try:
        found = await asyncio.wait_for(queue.get(), PULSE_S)
    except TimeoutError:
        return _SIGN_OF_LIFE
    if found is None:
        return None
    return b"id: %d\nevent: change\ndata: %b\n\n" % (found.size, msgspec.json.encode(found))


async def _until_gone(socket: WebSocket) -> None:
    told: MutableMapping[str, Any] = {}
    while told.get("type") != "websocket.disconnect":
        told = await socket.receive()
