"""Signed requests over HTTP, as their authors wrote them: one, a batch of them packed, and the number of the next."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from commonwatt.adapters.door.wire import split_frames
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import There, allows
from commonwatt.apps.api.v1.writing import WriteDone, body_of, hand_in
from commonwatt.identity.access import Action
from commonwatt.model import InvalidValue, KeyId

router = APIRouter(tags=["requests"])
FRAMES = "application/vnd.commonwatt.requests"
"""Requests as the door takes them: each with its length before it, 4 bytes big-endian."""
MOST_AT_ONCE = 2_048
MOST_BATCH_BYTES = 8 * 2**20
_BYTES = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
_WIRE = {"required": True, "content": {"application/octet-stream": _BYTES}}
_FRAMES = {"required": True, "content": {FRAMES: _BYTES}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """What somebody needs to sign the next request: for which log it is, and the number that it has."""

    community: str
    next_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone:
    """What became of each request of a batch, in order."""

    done: list[WriteDone]


@router.post("/requests", response_model=WriteDone, status_code=201, summary="Hand in a signed request",
             **allows(Action.HAND_IN, requestBody=_WIRE))  # fmt: skip
async def signed(request: Request, community: There) -> Response:
    """One request as it travels: canonical JSON with its signature, and after a line break the records of a batch.

    Whoever brings it, the log judges who signed it. The same bytes again get the first outcome.
    """
    return await hand_in(request, community, await body_of(request))


@router.post("/requests/batch", response_model=BatchDone, summary="Hand in many signed requests, packed",
             **allows(Action.HAND_IN, requestBody=_FRAMES))  # fmt: skip
async def batch(request: Request, community: There) -> Response:
    """Up to 2048 requests, each after its length (4 bytes, big-endian): 8 MiB in all, 256 KiB each.

    Each has an outcome of its own, also where the log refused it. The same bytes again get the first outcomes.
    """
    buffer = bytearray(await body_of(request, MOST_BATCH_BYTES))
    wires = split_frames(buffer)
    if buffer:
        raise InvalidValue(f"a batch is whole requests, each after its length; {len(buffer)} bytes are left over")
    if not 0 < len(wires) <= MOST_AT_ONCE:
        raise InvalidValue(f"a batch has 1 to {MOST_AT_ONCE} requests, was {len(wires)}")
    done = await community.pass_on_all(wires)
    return answer(request, BatchDone(done=[WriteDone(outcome=one.outcome, position=one.position) for one in done]))


@router.get("/requests/next", response_model=Numbered, summary="The number of a key's next request",
            **allows(Action.HAND_IN))  # fmt: skip
async def next_number(
    request: Request,
    community: There,
    author: Annotated[str, Query(pattern="^0x[0-9a-f]{40}$", description="The key's address.")],
) -> Response:
    """1 for a key that nobody registered: whether it is known is not told."""
    seq = community.state.keys.next_seq(KeyId(author))
    return answer(request, Numbered(community=community.name, next_seq=seq))
