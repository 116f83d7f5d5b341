"""What deserves telling: of the log's books and proposals, of the calendar, and of the trail of the entrance."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.notices.records import Facts, Mark, Topic
from commonwatt.flows.rulebook import State
from commonwatt.identity.signing_in.trail import Event, Happened
from commonwatt.model import AccountId, Entry, Memo, epoch, instant, moment

MOST_MONTHS = 2
"""How many months back bills are told: an app may have been closed, but what was told is not remembered for ever."""
_LACKED = frozenset({Memo.IMBALANCE, Memo.FLEXIBILITY_PENALTY})
_ACCESS: Mapping[Happened, tuple[Topic, bool]] = {
    Happened.SIGNED_IN: (Topic.SIGNED_IN, False),
    Happened.TOKEN_MADE: (Topic.ACCESS, False),
    Happened.CHANNEL_ADDED: (Topic.ACCESS, False),
    Happened.CREDENTIAL_ADDED: (Topic.ACCESS, True),
    Happened.CREDENTIAL_REMOVED: (Topic.ACCESS, True),
    Happened.ROLE_CHANGED: (Topic.ACCESS, True),
    Happened.GUARDIANS_CHANGED: (Topic.ACCESS, True),
    Happened.RECOVERY_BEGUN: (Topic.RECOVERY, True),
    Happened.RECOVERY_AGREED: (Topic.RECOVERY, True),
    Happened.RECOVERY_VETOED: (Topic.RECOVERY, True),
    Happened.RECOVERED: (Topic.RECOVERY, True),
}
"""What of the trail is told about what, and whether the entrance writes a letter of its own about it."""
_TOLD_OF_ACCESS = ("way", "label", "change", "device", "address", "scopes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that deserves telling.

    Args:
        topic: About what.
        key: What tells it from all others of its topic: the same again is the same happening.
        at_s: When.
        facts: What.
        account: Whose thing it is; None for a person's own access, and for what is everybody's.
        until_s: From when on, by the log's time, it is of no use.
        lettered: Whether the entrance writes a letter about it by itself.
    """

    topic: Topic
    key: str
    at_s: int
    facts: Facts
    account: AccountId | None = None
    until_s: int | None = None
    lettered: bool = False


def of_plans(state: State, mark: Mark, now_s: int) -> Iterator[Happening]:
    """Yield the plans that came since and wait for their owner's word.

    Args:
        state: As of now.
        mark: How far the log was looked through.
        now_s: By the log's time.
    """
    for asset, proposal in state.proposals.items():
        known = state.assets.get(asset)
        if known is None or proposal.position < mark.leaves or not proposal.waits(now_s):
            continue
        yield Happening(
            topic=Topic.DECIDE,
            key=f"{asset} {proposal.position}",
            at_s=epoch(proposal.schedule.issued),
            facts={"asset": asset, "deadline_s": proposal.deadline_s, "position": proposal.position},
            account=known.owner,
            until_s=proposal.deadline_s,
        )


def of_entries(entries: Iterable[tuple[int, Entry]]) -> Iterator[Happening]:
    """Yield what entries come to: money that came in, and what was agreed and not kept, once a slot."""
    lacked: dict[tuple[AccountId, int], int] = {}
    for number, entry in entries:
        if entry.memo == Memo.PURCHASE:
            facts = {"amount_micro": entry.amount, "entry": number}
            yield Happening(topic=Topic.MONEY_IN, key=str(number), at_s=entry.slot_s, facts=facts, account=entry.target)
        elif entry.memo in _LACKED:
            place = entry.source, entry.slot_s
            lacked[place] = lacked.get(place, 0) + entry.amount
    for (account, slot_s), owed_micro in lacked.items():
        told = {"slot_s": slot_s, "owed_micro": owed_micro}
        yield Happening(topic=Topic.UNDELIVERED, key=f"{account} {slot_s}", at_s=slot_s, facts=told, account=account)


def of_months(account: AccountId, settled_to_s: int, begun_s: int, zone: ZoneInfo) -> Iterator[Happening]:
    """Yield the bills of months that were settled since somebody began to be told, the newest first."""
    over = instant(settled_to_s).astimezone(zone).replace(tzinfo=None, fold=0, day=1, hour=0, minute=0, second=0)
    for _ in range(MOST_MONTHS):
        over_s = epoch(moment(over, zone))
        if over_s <= begun_s:
            return
        over = (over - timedelta(days=1)).replace(day=1)
        month = f"{over:%Y-%m}"
        yield Happening(
            topic=Topic.BILL, key=f"{account} {month}", at_s=over_s, facts={"month": month}, account=account
        )


def of_demands(called: Iterable[Called]) -> Iterator[Happening]:
    """Yield the DEMANDs that stand; they are everybody's."""
    for one in called:
        facts: dict[str, str | int] = {"id": one.id, "start_s": one.start_s, "end_s": one.end_s}
        key = f"{one.id} {one.start_s} {one.end_s}"
        yield Happening(topic=Topic.DEMAND, key=key, at_s=one.start_s, facts=facts, until_s=one.end_s)


def of_event(event: Event, told: Mapping[str, str] | None) -> Happening | None:
    """Return what an event of the entrance comes to for whom it happened to; None where it is not told."""
    found = _ACCESS.get(event.what)
    if found is None or told is None:
        return None
    topic, lettered = found
    facts: dict[str, str | int] = {"what": event.what.value}
    for name in _TOLD_OF_ACCESS:
        if name in told:
            facts[name] = told[name]
    return Happening(topic=topic, key=f"event {event.number}", at_s=event.at_s, facts=facts, lettered=lettered)
