"""From a log's entries to a member's bill: its period, the one before, and where an entry stands in the books."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from commonwatt.flows.prove import sided_path
from commonwatt.flows.rulebook import State
from commonwatt.model import SLOT_SECONDS, AccountId, Entry, InvalidValue, Refused, epoch, instant, read_day
from commonwatt.model.wall_clock import moment, zone_of
from commonwatt.settlement.bill import Bill, LineClass, bill

_FIRST_YEAR, _LAST_YEAR = 1970, 2999
"""No request tells of a moment outside; and a period before or after still lies in the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEntry:
    """One entry of the books and its way up to the state root that a signed note tells.

    Args:
        number: In the journal, from 0.
        entry: What was booked.
        path: See `commonwatt.flows.evidence.ShownEntry`.
        sections: The roots of the state's sections, 64 hex digits each; the first is that of all entries.
        note: The signed checkpoint.
    """

    number: int
    entry: Entry
    path: list[str]
    sections: list[str]
    note: str


def make_bill(
    state: State,
    account: str,
    founded_s: int,
    span: tuple[str | None, str | None] = (None, None),
    tax_permille: Mapping[LineClass, int] | None = None,
    told: Sequence[tuple[int, Entry]] | None = None,
) -> Bill:
    """Return a member's bill from a replay that kept all entries, or from entries that somebody else kept.

    Args:
        state: Of that replay.
        account: The member, or whoever else holds money.
        founded_s: The log's first moment.
        span: First day and the day after the last, written YYYY-MM-DD, of the community's clock; without them all that
            is settled, from the founding on.
        tax_permille: See `commonwatt.settlement.bill.bill`.
        told: The member's entries of this period and the one before with their numbers, in order, where the replay
            keeps none.

    Returns:
        The bill, and the one of the period before where the log reaches that far: the month before a whole month, else
        as many days.

    Raises:
        Refused: Nobody has this account, or the period is not settled.
        InvalidValue: A date is none, or lies before 1970 or after 2999, or the period is empty.
    """
    who = AccountId(account)
    if not state.has_wallet(who):
        raise Refused("a bill is of somebody who holds money", account=account)
    start_s = founded_s // SLOT_SECONDS * SLOT_SECONDS
    first, last = (None if day is None else _midnight(state, day) for day in span)
    from_s = start_s if first is None else epoch(first)
    to_s = state.settled_to_s if last is None else epoch(last)
    if to_s > state.settled_to_s:
        settled = f"{instant(state.settled_to_s):%Y-%m-%d %H:%M} UTC"
        raise Refused("a bill is of settled slots", settled_to=settled, asked_to=f"{instant(to_s):%Y-%m-%d %H:%M} UTC")
    if to_s <= from_s:
        raise InvalidValue(f"a bill is of a period, was {from_s} to {to_s}")
    entries = list(enumerate(state.entries)) if told is None else told
    before = None
    if first is not None and last is not None:
        earlier_s = epoch(_before(state, first, last))
        if earlier_s >= start_s:
            before = bill(who, entries, earlier_s, from_s, tax_permille=tax_permille)
    final = to_s <= state.horizon_s
    return bill(who, entries, from_s, to_s, tax_permille=tax_permille, final=final, before=before)


def prove_entry(state: State, note: str, number: int) -> ProvenEntry:
    """Return one entry with its proof.

    Args:
        state: Of a replay up to the note that kept everything.
        note: The signed checkpoint.
        number: In the journal.

    Raises:
        Refused: The books had no such entry yet.
    """
    if not 0 <= number < len(state.entries):
        raise Refused(
            "the entry was booked before the last signed checkpoint", number=number, booked=len(state.entries)
        )
    return ProvenEntry(
        number=number,
        entry=state.entries[number],
        path=sided_path(state.journal.tree, number),
        sections=[section.hex() for section in state.sections()],
        note=note,
    )


def _midnight(state: State, day: str) -> datetime:
    """Return when a day begins on the community's clock."""
    shown = datetime.combine(read_day(day), time())
    if not _FIRST_YEAR <= shown.year <= _LAST_YEAR:
        raise InvalidValue(f"a day of a bill lies from {_FIRST_YEAR} to {_LAST_YEAR}, was {day}")
    return moment(shown, zone_of(state.charter.timezone))


def _before(state: State, first: datetime, last: datetime) -> datetime:
    """Return when the period before this one began: a month's is a month."""
    zone = zone_of(state.charter.timezone)
    begin, end = (at.astimezone(zone).replace(tzinfo=None) for at in (first, last))
    next_month = (begin.replace(day=1) + timedelta(days=32)).replace(day=1)
    if begin.day == 1 and end == next_month:
        return moment((begin - timedelta(days=1)).replace(day=1), zone)
    return moment(begin - (end - begin), zone)
