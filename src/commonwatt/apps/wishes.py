"""What a seat wishes, signed with the key that is kept here and sent: one way for the API and the pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from commonwatt.apps.api.problems import of_objection, of_outcome
from commonwatt.apps.community import Community, Done
from commonwatt.apps.views import offering, responses, speaking
from commonwatt.apps.views.seeing import asset_of, check
from commonwatt.apps.views.wanted import EMPTY_PERCENT, TARGET_FOR, Target, departing, standing, target_of
from commonwatt.flexibility import language
from commonwatt.flexibility.language.grammar import MONTHS
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.flexibility.stated import Stated
from commonwatt.flows.rulebook.market.contracts.contract_bodies import MakeOffer
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    AssetId,
    ConsentMode,
    Constraint,
    Kind,
    Outcome,
    Quantity,
    Refused,
    Relation,
    Repeating,
    instant,
    zone_of,
)

READY_PERCENT = 80
"""How full a store is to be by a time that somebody only names: room is left for the sun, and its cells last longer."""


async def wish(
    community: Community,
    seat: Seat,
    action: Action,
    account: AccountId,
    kind: Kind,
    told: Mapping[str, Any],
    on_signed: Callable[[bytes], None] = lambda _: None,
) -> Done:
    """Sign and send what a seat wishes for an account, and return what the log made of it.

    Who it was, and by which session or token, is noted before it is sent: the account's key does not tell.

    Args:
        community: Through whose door it goes.
        seat: Who asks.
        action: What kind of thing it is, in the table of access.
        account: For whom.
        kind: Of the request.
        told: Its body, as `rulebook.bodies` has it.
        on_signed: See `Community.send`.

    Raises:
        Unseen, Refused: The seat may not, it is about another zone, or the key is not kept here.
        Problem: An offer may not stand; says why.
        InvalidValue: The body is none of this kind.
        OSError: The line to the door broke.
    """
    check(community, seat, action, account)
    body = bodies.read_body(kind, told)
    assert isinstance(body, msgspec.Struct)
    if isinstance(body, bodies.ConstraintBody):
        speaking.hold(community, seat, body)
    if isinstance(body, MakeOffer) and (no := offering.objection(community, seat, account, body)):
        raise of_objection(no, kind.value)

    def signed(wire: bytes) -> None:
        head = read_head(wire.partition(b"\n")[0])
        told = {"kind": kind.value, "account": account, "key": head.author, "seq": str(head.seq)}
        community.note(seat, Happened.REQUEST_SIGNED, told)
        on_signed(wire)

    return await community.send(account, kind, body, on_signed=signed)


async def granted(
    community: Community, seat: Seat, action: Action, account: AccountId, kind: Kind, told: Mapping[str, Any]
) -> Done:
    """Do the same where only a yes will do.

    Raises:
        Problem: The log said no.
        Unseen, Refused, InvalidValue, OSError: As in `wish`.
    """
    done = await wish(community, seat, action, account, kind, told)
    if done.outcome not in (Outcome.BOOKED, Outcome.WAITING):
        raise of_outcome(done.outcome, kind.value, position=done.position, **done.lacks)
    return done


async def say(community: Community, seat: Seat, line: str) -> Done:
    """State a line of the constraint language in one's own name; raises as `granted`."""
    told = {"text": line, "said_s": community.now_s()}
    return await granted(community, seat, Action.STATE_CONSTRAINT, _own(seat), Kind.CONSTRAINT, told)


async def target(community: Community, seat: Seat, asset: AssetId, what: Target) -> Done | None:
    """Let a store charge, hold or discharge for two hours, in place of what was wanted so before (row W8).

    What else was said of it stays. PLAN only takes back; nothing is returned then.

    Raises:
        Refused: As in `granted`.
    """
    owned, now_s = asset_of(community, seat, asset, Action.SEE_CONSTRAINTS), community.now_s()
    before = [
        one
        for one in standing(community, _own(seat))
        if one.statement.scope == (owned.id,) and target_of(one.statement, now_s) is not Target.PLAN
    ]
    await _end(community, seat, before)
    if what is Target.PLAN:
        return None
    start = instant(now_s // SLOT_SECONDS * SLOT_SECONDS).astimezone(zone_of(community.state.charter.timezone))
    end = (start.astimezone(UTC) + TARGET_FOR).astimezone(start.tzinfo)
    lines = {
        Target.CHARGE: f"charge of {asset} >= 100% at {_clock(end)} on {_day(end)}",
        Target.HOLD: f"power of {asset} between 0 W and 0 W from {_clock(start)} to {_clock(end)} on {_day(start)}",
        Target.DISCHARGE: f"charge of {asset} <= {EMPTY_PERCENT}% at {_clock(end)} on {_day(end)}",
    }
    return await say(community, seat, lines[what])


async def depart(community: Community, seat: Seat, asset: AssetId, at_s: int) -> Done | None:
    """Move the time by which a store is to be charged: what its owner stated of it next is stated anew.

    What comes again and again is moved on all of its days. Where nothing was stated, `READY_PERCENT` is, once.

    Args:
        community: Through whose door it goes.
        seat: The owner's.
        asset: The store.
        at_s: When it is to be ready, seconds since 1970.

    Returns:
        What the log made of the new statement; None where it says so already.

    Raises:
        Refused: The time is over; or as `granted`.
    """
    found = asset_of(community, seat, asset, Action.SEE_CONSTRAINTS)
    if at_s <= community.now_s():
        raise Refused("a departure is ahead", asset=asset, found_s=at_s)
    zone = zone_of(community.state.charter.timezone)
    before = departing(community, found)
    if before is not None and before[1].at == instant(at_s):
        return None
    wanted: Constraint | Repeating = Constraint(
        quantity=Quantity.CHARGE,
        scope=(asset,),
        relation=Relation.AT_LEAST,
        value=READY_PERCENT,
        at=instant(at_s),
    )
    if before is not None:
        wanted = _moved(before[0].statement, at_s)
    # The new one first: should it be refused, the old one stands.
    done = await say(community, seat, language.text(wanted, zone))
    if before is not None:
        await _end(community, seat, [before[0]])
    return done


async def no_longer(community: Community, seat: Seat, position: int) -> None:
    """Take back the line that stands at a position of the log.

    Raises:
        Refused: No line of this seat's account stands there; or as `granted`.
    """
    found = [one for one in standing(community, _own(seat)) if one.position == position]
    if not found:
        raise Refused("what is taken back stands", position=position)
    await _end(community, seat, found)


async def offer(community: Community, seat: Seat, told: Mapping[str, Any]) -> Done:
    """Offer a contract in one's own name, see `views.offering.weigh`; raises as `granted`."""
    whole = offering.completed(told)
    return await granted(community, seat, Action.OFFER_CONTRACT, _own(seat), Kind.CONTRACT, whole)


async def withdraw(community: Community, seat: Seat, name: str) -> Done:
    """Take an offer back: nobody accepts it any more, and what was accepted goes on; raises as `granted`."""
    told = {"what": "close", "offer": name}
    return await granted(community, seat, Action.OFFER_CONTRACT, _own(seat), Kind.CONTRACT, told)


async def call_response(community: Community, seat: Seat, name: str, lasts_s: int, start_s: int | None = None) -> Done:
    """Call the next window of one's own offer that stands by, see `views.responses.event`; raises as `granted`."""
    account = _own(seat)
    told = responses.event(community, seat, account, name, lasts_s, start_s)
    return await granted(community, seat, Action.OFFER_CONTRACT, account, Kind.FACT, told)


async def decide(community: Community, seat: Seat, asset: AssetId, issued_s: int, *, accept: bool) -> Done:
    """Accept or decline the schedule that waits for a seat's word; raises as `granted`."""
    told = {"what": "decision", "asset": asset, "issued_s": issued_s, "accept": accept}
    return await granted(community, seat, Action.DECIDE_SCHEDULE, _own(seat), Kind.CONSENT, told)


async def _end(community: Community, seat: Seat, statements: Iterable[Stated]) -> None:
    # With their days written out: in words like "tomorrow" they would mean another time by now.
    zone = zone_of(community.state.charter.timezone)
    for line in sorted({language.text(one.statement, zone) for one in statements}):
        await say(community, seat, f"no longer: {line}")


def _clock(at: datetime) -> str:
    # Of an hour that comes twice in autumn the language takes the first unless told otherwise.
    return f"{at:%H:%M}{' (second)' if at.fold else ''}"


def _day(at: datetime) -> str:
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def _moved(statement: Constraint | Repeating, at_s: int) -> Constraint | Repeating:
    """Return a statement about an instant with another one: of what repeats, the time of day."""
    if isinstance(statement, Constraint):
        return replace(statement, at=instant(at_s))
    local = instant(at_s).astimezone(zone_of(statement.zone))
    return replace(statement, start_minute=local.hour * 60 + local.minute)


async def pause(community: Community, seat: Seat, *, on: bool) -> Done:
    """End all control of what an account owns at once, or let it be as it was said last before that."""
    account = _own(seat)
    told: Mapping[str, Any] = {"what": "consent", "mode": ConsentMode.OFF.value}
    if not on:
        told = _before(community, account)
    return await granted(community, seat, Action.DECIDE_SCHEDULE, account, Kind.CONSENT, told)


def _before(community: Community, account: AccountId) -> Mapping[str, Any]:
    """Return the last consent about all that an account owns which let anything be; else that every plan may be."""
    for leaf in community.chronicle.leaves(kinds=[Kind.CONSENT], account=account, outcome=Outcome.BOOKED, limit=50):
        body = read_head(leaf.body).body
        if body.get("what") == "consent" and "asset" not in body and body.get("mode") != ConsentMode.OFF.value:
            return body
    return {"what": "consent", "mode": ConsentMode.ALWAYS.value}


def _own(seat: Seat) -> AccountId:
    if seat.account is None:
        raise Refused("a wish is somebody's", role=seat.role.value)
    return seat.account
