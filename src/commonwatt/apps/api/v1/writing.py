"""Every write is a signed request: with the account's key that is kept here, or as somebody signed it themselves."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Header, Request, Response
from starlette.requests import ClientDisconnect

from commonwatt.adapters.stores.written import WrittenFile
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.problems import Problem, of_outcome
from commonwatt.apps.community import Community, Done
from commonwatt.apps.views.seeing import check
from commonwatt.apps.wishes import wish
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, InvalidValue, Kind, Outcome, Refused

MOST_BYTES = 2**20
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Asked again under the same key within a day, the same request is answered and not made anew.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDone:
    """What the log made of a request, and its place there."""

    outcome: Outcome
    position: int | None


async def write(
    request: Request,
    community: Community,
    seat: Seat,
    action: Action,
    account: AccountId,
    kind: Kind,
    told: dict[str, Any],
    key: str | None,
    asked: dict[str, Any] | None = None,
) -> Response:
    """Sign what a seat asks for an account with the key that is kept here, and answer what the log made of it.

    Args:
        request: What was asked.
        community: Through whose door it goes.
        seat: Who asks.
        action: What kind of thing it is, in the table of access.
        account: For whom.
        kind: Of the request.
        told: Its body, as `rulebook.bodies` has it.
        key: The idempotency key, where one was given.
        asked: What came in, where the body holds more than that, as the time of asking.

    Raises:
        Unseen, Refused: The seat may not, or the key is not kept here.
        Problem: The log said no; 503 where it was not heard, and the same may be asked again; 422 where the body is
            none of this kind, or another request was made under this key.
    """
    check(community, seat, action, account)
    _hold_to_shape(kind, told)  # What is malformed takes no key: it is mended, and asked again under the same.
    if key is None:
        return _answer(request, await wish(community, seat, action, account, kind, told), kind)
    written: WrittenFile = request.app.state.written
    caller = f"{seat.person}|{seat.role.value}|{account}"
    # Whoever asks the same again meanwhile waits for the first: nothing is signed for it before its turn comes.
    async with request.app.state.writing.setdefault((caller, key), asyncio.Lock()):
        try:
            before = written.begin(caller, key, msgspec.json.encode([kind, asked or told], order="sorted"))
        except Refused as other:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, other.rule, "Idempotency-Key", **other.found) from other
        if before.outcome is not None:
            return _answer(request, Done(outcome=before.outcome, position=before.position), kind)
        if before.wire is not None:
            done = await community.pass_on(before.wire)
        if before.wire is None or done.outcome is Outcome.WRONG_SEQUENCE:
            done = await wish(
                community, seat, action, account, kind, told, lambda wire: written.signed(caller, key, wire)
            )
        if done.outcome.admitted:
            written.done(caller, key, done.outcome, done.position)
    return _answer(request, done, kind)


def _hold_to_shape(kind: Kind, told: dict[str, Any]) -> None:
    """Refuse a body that is none of its kind, and say where.

    Raises:
        Problem: Says so.
    """
    try:
        bodies.read_body(kind, told)
    except InvalidValue as error:
        says, _, where = str(error.__cause__ or error).partition(" - at ")
        rule = "a request has the shape that the API tells"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, rule, where.strip("`"), kind=kind, says=says) from error


async def hand_in(request: Request, community: Community, wire: bytes) -> Response:
    """Pass on what somebody signed themselves, and answer what the log made of it.

    Raises:
        Problem, InvalidValue: As in `write`.
    """
    return _answer(request, await community.pass_on(wire), "request")


async def body_of(request: Request, most_bytes: int = MOST_BYTES) -> bytes:
    """Return a request's content.

    Raises:
        Problem: 413 where it is larger than anything that is asked for here.
        InvalidValue: It ended before it was whole.
    """
    content = bytearray()
    try:
        async for chunk in request.stream():
            content.extend(chunk)
            if len(content) > most_bytes:
                rule = "what is handed in is no larger than this"
                raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, rule, most_bytes=most_bytes)
    except ClientDisconnect as error:
        raise InvalidValue("what is handed in arrives whole") from error
    return bytes(content)


def _answer(request: Request, done: Done, kind: str) -> Response:
    if done.outcome not in (Outcome.BOOKED, Outcome.WAITING):
        raise of_outcome(done.outcome, kind, position=done.position, **done.lacks)
    return answer(request, WriteDone(outcome=done.outcome, position=done.position), status=HTTPStatus.CREATED)
