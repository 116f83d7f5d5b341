"""What a run's folder can show: the evidence of a slot, what an inspector may read of an asset, and contracts."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.chain import make_chain, story
from commonwatt.flows.fairness import Fairness, fairness
from commonwatt.flows.inspect import Dossier, dossier
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import final_note
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.sequence import replay
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, KeyId, Refused, epoch, instant


def prove_slot(folder: Path, asset: str, slot: str) -> tuple[bytes, list[str]]:
    """Return the chain of evidence of an asset's slot from a run's log, and its story in plain words.

    Args:
        folder: The run's.
        asset: Its name.
        slot: When it began: an ISO date and time, in the community's own clock unless it tells an offset, or a time
            of the log's first day alone.

    Raises:
        Refused: There is no log, or a link of the chain is missing.
        InvalidValue: The time is none, or no quarter of an hour.
        Corrupt: The log contradicts itself.
    """
    rows = _rows(folder)
    note, size = final_note(rows)
    then = replay(rows[:size], read_head(rows[0].body).community, keep=True)
    slot_s = _slot_s(rows[0], slot)
    chain = make_chain(then.state, then.whole_tree(), rows, note, asset, slot_s)
    return chain, story(chain)


def inspect_asset(folder: Path, name: str, asset: str) -> Dossier:
    """Return what the holder of a key may read about an asset, as of the end of a run's log.

    Args:
        folder: The run's.
        name: Of the key, as its file in the folder's keys; that it can be opened is the proof that its holder asks.
        asset: About which.

    Raises:
        Refused: There is no log or no such key, or neither owner nor law lets it read.
        Corrupt: The log contradicts itself.
    """
    key = open_key(folder, name)
    rows = _rows(folder)
    note, _ = final_note(rows)
    now = replay(rows, read_head(rows[0].body).community, keep=True)
    return dossier(now.state, now.whole_tree(), rows, note, key.id, asset, now.last_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractWindow:
    """One window of one contract: Wh and micro, the latter from the utility's side."""

    contract: str
    offer: str
    utility: str
    member: str
    asset: str
    start_s: int
    end_s: int
    direction: str
    status: str
    promised_wh: int
    delivered_wh: int
    due_micro: int
    paid_micro: int


def contracts_of(folder: Path) -> list[ContractWindow]:
    """Return every window of every contract in a folder's log, in order of acceptance.

    Raises:
        Refused: There is no log.
        Corrupt: The log contradicts itself.
    """
    rows = _rows(folder)
    book = replay(rows, read_head(rows[0].body).community, keep=True).state.contracted.book
    return [
        ContractWindow(
            contract=one.id,
            offer=one.offer,
            utility=book.offers[one.offer].utility,
            member=one.member,
            asset=one.asset,
            start_s=call.start_s,
            end_s=call.end_s,
            direction=book.terms(one).windows[call.window].direction.value,
            status=call.status.value,
            promised_wh=call.promised_wh,
            delivered_wh=call.delivered_wh,
            due_micro=call.due.net_micro,
            paid_micro=call.paid_micro,
        )
        for one in book.contracts.values()
        for call in one.calls
    ]


def fairness_of(folder: Path) -> Fairness:
    """Return how the markets of a folder's log treated everyone; the keys in the folder are the platform's to use.

    Raises:
        Refused: There is no log.
        Corrupt: It contradicts itself.
    """
    rows = _rows(folder)
    return fairness(rows, read_head(rows[0].body).community, _kept(folder))


def _kept(folder: Path) -> set[KeyId]:
    """Return which keys for requests a folder holds, as far as they open."""
    kept = set()
    for path in (folder / "keys").glob("*.pem"):
        with suppress(Refused, Corrupt):
            kept.add(open_key(folder, path.stem).id)
    return kept


def _rows(folder: Path) -> list[LeafRow]:
    with open_log(folder) as log:
        rows = list(log.rows())
    if not rows:
        raise Refused("the log is empty", folder=folder)
    return rows


def _slot_s(first: LeafRow, slot: str) -> int:
    request = read_head(first.body)
    founding = bodies.read_body(request.kind, request.body)
    if not isinstance(founding, bodies.RegisterCommunity):
        raise Corrupt("the first leaf does not found a community")
    clock = ZoneInfo(founding.timezone)
    try:
        moment = datetime.fromisoformat(slot) if "-" in slot else _on_first_day(first.stamped_s, slot, clock)
    except ValueError as error:
        raise InvalidValue(f"a slot looks like 2018-11-14T17:30 or 17:30, was {slot!r}") from error
    slot_s = epoch(moment if moment.tzinfo else moment.replace(tzinfo=clock))
    if slot_s % SLOT_SECONDS:
        raise InvalidValue(f"a slot starts on a quarter of an hour, was {slot}")
    return slot_s


def _on_first_day(founded_s: int, text: str, clock: ZoneInfo) -> datetime:
    began = instant(founded_s).astimezone(clock)
    moment = datetime.combine(began.date(), time.fromisoformat(text), clock)
    return moment if moment >= began else moment + timedelta(days=1)
