"""A community as who runs it sees it: who is in it, what needs a look, how commands fare, and money in and out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import ANYONE, PAYMENT_PORT, SLOT_SECONDS, AccountId, AssetKind, Commodity, epoch

_EVER_S = 2**62
_DAY_S = 86_400
LOSS_PERCENT = 5
"""Of what passed the feeder, what members' meters may miss before somebody looks: wires warm up by two or three."""
LEAST_LOSS_WH = 500
"""Below this in a slot it is counters that turn over."""
BEHIND_SLOTS = 2
"""How many slots a checkpoint may be behind what is settled."""


class AlarmKind(StrEnum):
    """What needs a look."""

    SET_ASIDE = "set aside"
    SILENT = "silent"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    LOSSES = "losses"
    UNSETTLED = "unsettled"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One thing that needs a look.

    Args:
        kind: What it is.
        thing: About which asset or gateway; empty where about none.
        since_s: Of which slot, or since when; None where it never was otherwise.
        why: What was found, where somebody said so in words.
        energy_wh: How much, where it is an amount.
        position: The request in the log that shows it, where there is one.
    """

    kind: AlarmKind
    thing: str = ""
    since_s: int | None = None
    why: str = ""
    energy_wh: int | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """A member by pseudonym: what is registered as theirs by kind, and when anything of it was last heard."""

    account: AccountId
    kinds: dict[str, int]
    last_slot_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What gateways answered to the last commands: how many took them, how many did not; None before the first."""

    slot_s: int | None
    taken: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLine:
    """What came in and went out through the payment port for one reason, ERGON micro."""

    memo: str
    in_micro: int
    out_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All of it, as of one moment; ``held_micro`` is what members hold that was paid in and not paid out."""

    as_of_s: int
    members: Sequence[MemberView]
    alarms: Sequence[Alarm]
    commands: Commands
    money: Sequence[MoneyLine]
    held_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How a community fares in numbers that name nobody; times are None where a thing never happened.

    Args:
        members, gateways: How many are registered.
        checked_s: The slot of the last checkpoint.
        read_to_s: The end of the last slot of which anything is believed.
        planned_s: When the last schedule was issued.
        settled_to_s: Up to where all is settled.
        silent: Gateways with a meter that was not heard for longer than the charter waits.
        suspended: Assets that failed their inspection.
        aside: Readings that were set aside.
        refused: Assets whose gateway did not take the last command.
    """

    members: int
    gateways: int
    checked_s: int | None
    read_to_s: int | None
    planned_s: int | None
    settled_to_s: int | None
    silent: int
    suspended: int
    aside: int
    refused: int


def totals(community: Community) -> Totals:
    """Return how a community fares in numbers, for whoever watches its programs: none of them is anybody's."""
    state, newest_s = community.state, community.chronicle.last_slot_s()
    return Totals(
        members=sum(1 for _ in state.members()),
        gateways=len({asset.gateway for asset in state.assets.values()}),
        checked_s=state.checked_s if state.checked_s >= 0 else None,
        read_to_s=None if newest_s is None else newest_s + SLOT_SECONDS,
        planned_s=max((epoch(one.issued) for one in state.schedules.values()), default=None),
        settled_to_s=state.settled_to_s if state.settled_to_s > 0 else None,
        silent=len(_silent(community)),
        suspended=len(_suspended(community)),
        aside=len(state.set_aside),
        refused=len(_refused(community)),
    )


def operations(community: Community, seat: Seat) -> Operations:
    """Return how a community runs.

    Raises:
        Refused: The role does not run it, nor audits it.
    """
    check(community, seat, Action.SEE_MEMBERS, ANYONE)
    state = community.state
    return Operations(
        as_of_s=community.told_s,
        members=[_member(community, account) for account in sorted(state.members())],
        alarms=_alarms(community),
        commands=_commands(community),
        money=_money(community),
        held_micro=-state.ergon(PAYMENT_PORT),
    )


def _member(community: Community, account: AccountId) -> MemberView:
    own = [one for one in community.state.assets.values() if one.owner == account]
    heard = [slot_s for one in own if (slot_s := community.chronicle.last_slot_s(one.id)) is not None]
    return MemberView(
        account=account,
        kinds=dict(sorted(Counter(one.kind.value for one in own).items())),
        last_slot_s=max(heard, default=None),
    )


def _alarms(community: Community) -> list[Alarm]:
    state = community.state
    doubts = [
        Alarm(kind=AlarmKind.SET_ASIDE, thing=one.asset, since_s=one.slot_s, why=one.why, position=one.position)
        for one in state.set_aside
    ]
    return [
        *_behind(community),
        *_silent(community),
        *doubts,
        *_refused(community),
        *_suspended(community),
        *_losses(community),
    ]


def _refused(community: Community) -> list[Alarm]:
    """Tell which assets' gateways did not take the last command."""
    return [
        Alarm(kind=AlarmKind.REFUSED, thing=str(asset), since_s=answer.slot_s, why=answer.ack.why)
        for asset, answer in community.state.answers.items()
        if answer.ack.taken is None
    ]


def _suspended(community: Community) -> list[Alarm]:
    """Tell which assets failed their inspection."""
    state = community.state
    return [
        Alarm(kind=AlarmKind.SUSPENDED, thing=str(asset)) for asset in state.assets if state.trusted.suspended(asset)
    ]


def _behind(community: Community) -> list[Alarm]:
    """Tell where settlement waits for meters longer than the charter has it, or checkpoints lag."""
    state, found = community.state, list[Alarm]()
    waits_s = (state.charter.grace_slots + 1) * SLOT_SECONDS
    if 0 < state.settled_to_s < community.now_s() - waits_s:
        found.append(Alarm(kind=AlarmKind.UNSETTLED, since_s=state.settled_to_s))
    if 0 <= state.checked_s < state.settled_to_s - (BEHIND_SLOTS + 1) * SLOT_SECONDS:
        found.append(Alarm(kind=AlarmKind.UNCHECKED, since_s=state.checked_s))
    return found


def _silent(community: Community) -> list[Alarm]:
    """Tell which gateways have a meter that was not heard for longer than the charter waits for one."""
    newest_s = community.chronicle.last_slot_s()
    if newest_s is None:
        return []
    before_s = newest_s - community.state.charter.grace_slots * SLOT_SECONDS
    last: dict[str, int | None] = {}
    for asset in community.state.assets.values():
        heard_s = community.chronicle.last_slot_s(asset.id)
        known = last.setdefault(asset.gateway, heard_s)
        last[asset.gateway] = None if heard_s is None or known is None else min(known, heard_s)
    return [
        Alarm(kind=AlarmKind.SILENT, thing=gateway, since_s=heard_s)
        for gateway, heard_s in sorted(last.items())
        if heard_s is None or heard_s < before_s
    ]


def _losses(community: Community) -> list[Alarm]:
    """Tell in which slots of the last day feeder and members' meters differed by more than wires explain."""
    state, to_s = community.state, community.state.settled_to_s
    feeder = next((one.id for one in state.assets.values() if one.kind is AssetKind.FEEDER), None)
    if feeder is None:
        return []
    passed = {
        one.slot_s: one.reading.import_wh + one.reading.export_wh
        for one in community.chronicle.readings(feeder, to_s - _DAY_S, to_s)
    }
    return [
        Alarm(kind=AlarmKind.LOSSES, since_s=slot_s, energy_wh=wh)
        for slot_s, wh in sorted(community.chronicle.losses_wh(to_s - _DAY_S, to_s).items())
        if abs(wh) > max(LEAST_LOSS_WH, passed.get(slot_s, 0) * LOSS_PERCENT // 100)
    ]


def _commands(community: Community) -> Commands:
    answers = community.state.answers.values()
    slot_s = max((one.slot_s for one in answers), default=None)
    last = [one.ack for one in answers if one.slot_s == slot_s]
    taken = sum(ack.taken is not None for ack in last)
    return Commands(slot_s=slot_s, taken=taken, refused=len(last) - taken)


def _money(community: Community) -> list[MoneyLine]:
    sums = community.chronicle.sums(PAYMENT_PORT, 0, _EVER_S)
    return [
        MoneyLine(memo=one.memo, in_micro=one.gave, out_micro=one.gained)
        for one in sums
        if one.commodity is Commodity.ERGON
    ]
