"""What a seat wishes, signed with the key that is kept here and sent: one way for the API and the pages."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from commonwatt.apps.api.problems import of_outcome
from commonwatt.apps.community import Community, Done
from commonwatt.apps.views.seeing import check
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import (
    AccountId,
    AssetId,
    ConsentMode,
    Kind,
    Outcome,
    Quantity,
    Refused,
    instant,
    zone_of,
)

TARGET_FOR = timedelta(hours=2)
"""How long a target that somebody set by hand holds: so long one remembers, and then the plan is the community's."""


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

    Args:
        community: Through whose door it goes.
        seat: Who asks.
        action: What kind of thing it is, in the table of access.
        account: For whom.
        kind: Of the request.
        told: Its body, as `rulebook.bodies` has it.
        on_signed: See `Community.send`.

    Raises:
        Unseen, Refused: The seat may not, or the key is not kept here.
        InvalidValue: The body is none of this kind.
        OSError: The line to the door broke.
    """
    check(community, seat, action, account)
    body = bodies.read_body(kind, told)
    assert isinstance(body, msgspec.Struct)
    return await community.send(account, kind, body, on_signed=on_signed)


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
        raise of_outcome(done.outcome, kind.value, position=done.position)
    return done


async def say(community: Community, seat: Seat, line: str) -> Done:
    """State a line of the constraint language in one's own name; raises as `granted`."""
    told = {"text": line, "said_s": community.now_s()}
    return await granted(community, seat, Action.STATE_CONSTRAINT, _own(seat), Kind.CONSTRAINT, told)


async def ready_by(community: Community, seat: Seat, asset: AssetId, percent: int, clock: str) -> Done:
    """State that a store is charged by a time of day, in place of what was stated of its charge before."""
    await take_back(community, seat, asset)
    return await say(community, seat, f"charge of {asset} >= {percent}% at {clock}")


async def target(community: Community, seat: Seat, asset: AssetId, what: str) -> Done | None:
    """Let a store charge, hold or discharge for two hours (row W8); ``plan`` takes that back.

    Raises:
        Refused: It is none of these; or as `granted`.
    """
    lines = {
        "charge": "charge of {asset} >= 100% at {end}",
        "hold": "power of {asset} between 0 W and 0 W from {start} to {end}",
        "discharge": "charge of {asset} <= 5% at {end}",
        "plan": "",
    }
    if what not in lines:
        raise Refused("a store charges, holds, discharges, or follows the plan", found=what[:20])
    await take_back(community, seat, asset)
    if not lines[what]:
        return None
    zone = zone_of(community.state.charter.timezone)
    start = instant(community.now_s()).astimezone(zone)
    start -= timedelta(minutes=start.minute % 15, seconds=start.second)
    end = start + TARGET_FOR
    line = lines[what].format(asset=asset, start=f"{start:%H:%M}", end=f"{end:%H:%M}")
    return await say(community, seat, line)


async def take_back(community: Community, seat: Seat, asset: AssetId) -> None:
    """Take back what an account stated of one asset's charge or power and what still stands."""
    about, now_s = (Quantity.CHARGE, Quantity.POWER), community.now_s()
    standing = [
        one
        for one in community.state.stated
        if one.account == seat.account and one.ended_s is None and one.ends_s > now_s
    ]
    lines = {one.text for one in standing if asset in map(str, one.statement.scope) and one.statement.quantity in about}
    for line in sorted(lines):
        await say(community, seat, f"no longer: {line}")


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
