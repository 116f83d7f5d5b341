"""What the command line asks for, done over the wired street: run durably, replay a folder, plan under statements."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, time, timedelta
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.publishing import cosigned
from commonwatt.apps.wiring import Scene, durable_day, open_log, paper_day, scene
from commonwatt.flexibility import language
from commonwatt.flexibility.diary import schedules
from commonwatt.flexibility.problem import Unmet
from commonwatt.flows.constraint_to_command import HORIZON, plan_ahead
from commonwatt.flows.intake import read_head
from commonwatt.flows.outlook import homes, outlook
from commonwatt.flows.prove import default_case, final_note, make_evidence, trust_file
from commonwatt.flows.replay import community_of, replay, resume, store_tile
from commonwatt.flows.rulebook import State
from commonwatt.flows.summary import Before, Summary, summarise
from commonwatt.flows.trading_day import Day
from commonwatt.ledger.checkpoint import parse_vkey, read_note, verify_note, vkey
from commonwatt.ledger.tiles import check_tiles
from commonwatt.ledger.tiles import root as tiles_root
from commonwatt.model import (
    SLOT,
    SLOT_SECONDS,
    AssetKind,
    Corrupt,
    Interval,
    InvalidValue,
    Kind,
    Quantity,
    Reach,
    Refused,
    Repeating,
    epoch,
    round_div,
)
from commonwatt.simulator.box import Fault
from commonwatt.simulator.unmanaged import live_unmanaged

FINGERPRINT = "street.sha256"
LEFT_BY_A_RUN = (FINGERPRINT, "evidence.json", "community.pub", "summary.json", "report.html")


def run_durably(
    stage: Scene,
    source: Path,
    folder: Path,
    *,
    fresh: bool = False,
    on_slot: Callable[[], None] = lambda: None,
    faults: Sequence[Fault] = (),
) -> Summary:
    """Run a street's day in a folder, or go on with it, and leave evidence and figures there.

    Args:
        stage: What to replay.
        source: The street's folder, from which a second process reads it again for the curve without discharging.
        folder: The run's own.
        fresh: Throw away what an earlier run left there.
        on_slot: Called after every slot that is closed.
        faults: What goes wrong on purpose.

    Raises:
        Refused: The folder holds a run of another street, or something that is no run.
    """
    _claim(stage, folder, fresh=fresh)
    with ProcessPoolExecutor(1, get_context("spawn")) as aside, ExitStack() as doors:
        smart = aside.submit(curve_without_discharging, source, stage.street.day.isoformat())
        day = durable_day(stage, folder, doors, faults)
        _tell_keys(stage, day, folder)
        for _ in day.run():
            on_slot()
        summary = _finish(stage, day, folder, smart.result())
    save_secret(folder / "summary.json", msgspec.json.format(msgspec.json.encode(summary)))
    return summary


def curve_without_discharging(source: Path, day: str) -> list[int]:
    """Return the day's curve at the feeder, W per slot, had cars given nothing back: the same story on paper doors."""
    paper = paper_day(scene(source, day), v2g=False)
    for _ in paper.run():
        pass
    return feeder_w(paper)


def feeder_w(day: Day) -> list[int]:
    """Return what the feeder's meter saw, in mean W per slot, import positive."""
    state = day.sequencer.state
    feeder = next(asset.id for asset in state.assets.values() if asset.kind is AssetKind.FEEDER)
    slots = range(epoch(day.terms.span.start), epoch(day.terms.span.end), SLOT_SECONDS)
    told = [state.readings[slot_s][feeder] for slot_s in slots]
    return [round_div((reading.import_wh - reading.export_wh) * 3600, SLOT_SECONDS) for reading in told]


def before(stage: Scene) -> Before:
    """Return the same day without us."""
    alone = live_unmanaged(stage.street, stage.recorded)
    return Before(
        net_wh=list(alone.net_wh),
        demand_wh=list(alone.demand_wh),
        bills_micro={str(member): micro for member, micro in alone.bills_micro.items()},
        stored_wh=alone.stored_wh,
    )


def _claim(stage: Scene, folder: Path, *, fresh: bool) -> None:
    """Make the folder this street's, or refuse where it is another's."""
    mark = folder / FINGERPRINT
    own = sha256(repr(stage).encode()).hexdigest()
    if fresh and mark.exists():
        _throw_away(folder)
    if mark.exists() and mark.read_text() != own:
        raise Refused("folder holds a run of another street; take --fresh or another --output", folder=folder)
    if not mark.exists() and folder.exists() and any(folder.iterdir()):
        raise Refused("folder holds something that is no run; take an empty --output", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(own)


def _throw_away(folder: Path) -> None:
    """Delete what a run leaves in its folder, and nothing else that somebody may have put there."""
    for name in ("keys", "gateways"):
        shutil.rmtree(folder / name, ignore_errors=True)
    files = (f"{name}{end}" for name in ("log.sqlite", "notes.sqlite") for end in ("", "-wal", "-shm"))
    for path in (folder / name for name in (*LEFT_BY_A_RUN, *files)):
        path.unlink(missing_ok=True)


def _tell_keys(stage: Scene, day: Day, folder: Path) -> None:
    """Write down whom to trust; witnesses need it while the day is still on."""
    name = stage.street.community
    trust = trust_file(
        day.cast.operator.public,
        vkey(name, day.cast.note.public),
        name,
        witnesses=stage.street.witness,
        rehearsal=True,
    )
    (folder / "community.pub").write_text(trust)


def _finish(stage: Scene, day: Day, folder: Path, smart_w: list[int]) -> Summary:
    with open_log(folder) as log:
        rows = list(log.rows())
    note, size = final_note(rows)
    closed = replay(rows[:size], stage.street.community, keep=True)
    account, slot_s = default_case(closed.state)
    evidence = make_evidence(closed.state, closed.whole_tree(), rows, cosigned(folder, note), account, slot_s)
    save_secret(folder / "evidence.json", evidence)
    return summarise(closed, rows, day.terms, before(stage), smart_w)


_SHORT_BY = {
    Quantity.CHARGE: ("%", 1),
    **dict.fromkeys((Quantity.POWER, Quantity.RAMP, Quantity.RESERVE_UP, Quantity.RESERVE_DOWN), ("W", 1)),
    Quantity.TEMPERATURE: ("C", 1000),
    Quantity.RUN_TIME: ("min", 1),
    Quantity.CYCLES: ("", 1000),
}
"""In which unit a shortfall is told, and how many of what `Quantity` counts in make one."""


def _in_words(stage: Scene, item: Unmet) -> str:
    unit, per = _SHORT_BY.get(item.constraint.quantity, ("Wh", 1))
    return f"{language.text(item.constraint, stage.street.clock)}: short by {item.by / per:g} {unit}".rstrip()


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to; the roots are those of the last signed checkpoint, which the replay reached too.

    Args:
        leaves: All that the log holds or held.
        from_leaf: Where the replay started; above zero where leaves before were erased or pruned.
        checkpoints: Signed ones among the leaves that were replayed.
        log_root: 64 hex digits.
        state_root: Likewise.
    """

    leaves: int
    from_leaf: int = 0
    checkpoints: int
    log_root: str
    state_root: str


def replay_folder(folder: Path) -> Roots:
    """Replay a run's log from zero, or from its last snapshot where leaves before were erased or pruned.

    See `commonwatt.flows.replay` for what is checked. A snapshot is believed where a signed checkpoint comes after it,
    since that tells the roots to which it leads; and all hashes in the tiles are checked, those of the erased too.

    Raises:
        Corrupt: The log contradicts itself.
        Refused: There is no log, or none that can be replayed from where it is whole.
    """
    with open_log(folder) as log:
        from_leaf = next(log.snapshots())[0] if log.whole_from else 0
        rows = list(log.rows(from_leaf))
        if not rows:
            raise Refused("nothing in the log can be replayed", folder=folder, from_leaf=from_leaf)
        if from_leaf:
            found = resume(log, community_of(log))
            check_tiles(len(found.tree), found.tree.root(), store_tile(log))
        else:
            found = replay(rows, community_of(log), keep=True)
        read_tile = store_tile(log)
        root = found.whole_tree().root if not from_leaf else lambda size: tiles_root(size, read_tile)
        told = [request for request in (read_head(row.body) for row in rows) if request.kind is Kind.CHECKPOINT]
        note, _ = final_note(rows)
        _hold_against(folder, len(found.tree), root, [request.body["note"] for request in told])
    last = read_note(note)
    return Roots(
        leaves=len(found.tree),
        from_leaf=from_leaf,
        checkpoints=len(told),
        log_root=last.log_root.hex(),
        state_root=last.state_root.hex(),
    )


def _hold_against(folder: Path, size: int, root: Callable[[int], bytes], notes: Sequence[object]) -> None:
    """Compare a replayed log with what was given out beside it: who signed its notes, and how far it had come.

    A log that was cut short, or signed by another, still agrees with itself.

    Raises:
        Corrupt: A note is not signed by the community's key, or evidence shows a log that this one does not hold.
    """
    pub, shown = folder / "community.pub", folder / "evidence.json"
    if pub.exists():
        name, public = parse_vkey(msgspec.json.decode(pub.read_bytes())["note"])
        for note in notes:
            verify_note(str(note), {name: public})
    if shown.exists():
        given = read_note(msgspec.json.decode(shown.read_bytes())["note"])
        if given.size > size or root(given.size) != given.log_root:
            raise Corrupt(f"evidence beside the log shows {given.size} leaves that this log of {size} does not hold")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One diary entry of a plan, in the street's clock."""

    asset: str
    start: str
    end: str
    verb: str
    power_w: int
    expected_wh: int
    reason: str


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """A plan under statements: what was read, what would be done, and what cannot be kept."""

    statements: list[str]
    diary: list[Planned]
    unmet: list[str]


def plan_statements(stage: Scene, text: str, at: str) -> Foreseen:
    """Plan a street's next 24 hours from a time of its day under the statements of a text.

    The street lives on paper up to that time, so levels and plugged cars are real; the owners' own statements of
    that day are replaced by the text's.

    Raises:
        Refused: A line is not in the language; says which.
        InvalidValue: The time is not one of the day's quarter-hours.
    """
    clock, span = stage.street.clock, stage.street.span
    moment = datetime.combine(stage.street.day, _time(at), clock)
    if moment < span.start:
        moment += timedelta(days=1)
    slot_s = epoch(moment)
    if slot_s % SLOT_SECONDS:
        raise InvalidValue(f"a plan starts on a quarter of an hour, was {at}")
    day = paper_day(stage)
    for done_s in day.run():
        if done_s + SLOT_SECONDS >= slot_s:
            break
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    known = outlook(day.sequencer.state, day.terms, slot_s)
    state = day.sequencer.state
    asked = [one for line in lines if line for one in _asked(line, moment, clock, _names(state))]
    ahead = Interval(known.now, known.now + HORIZON * SLOT)
    stated = tuple(each for one in asked for each in (one.occurrences(ahead) if isinstance(one, Repeating) else [one]))
    plan, problem = plan_ahead(replace(known, constraints=stated, end=None))
    behind = {a[AssetKind.BATTERY].id: [asset.id for asset in a.values()] for a in homes(state, day.terms).values()}
    diary = [
        Planned(
            asset=schedule.asset,
            start=f"{entry.interval.start.astimezone(clock):%H:%M}",
            end=f"{entry.interval.end.astimezone(clock):%H:%M}",
            verb=entry.verb.value,
            power_w=entry.power_w,
            expected_wh=entry.expected_wh,
            reason=entry.reason,
        )
        for schedule in schedules(plan, problem, behind, {}, clock)
        for entry in schedule.instructions
    ]
    end = plan.start + HORIZON * SLOT
    late = [s for s in stated if (s.at and s.at > end) or (s.window and s.window.start >= end)]
    past = [s for s in stated if (s.at and s.at <= plan.start) or (s.window and s.window.end <= plan.start)]
    here = {str(item.asset.id) for item in known.stored}
    here_at = [s for s in stated if s.at and s.reach is Reach.ASSET]
    unmet = [f"{language.text(s, clock)}: not plugged in at {at}" for s in here_at if not here & {*s.scope}]
    unmet += [f"{language.text(s, clock)}: lies beyond the 24 hours that are planned" for s in late]
    unmet += [f"{language.text(s, clock)}: lies before {at}" for s in past]
    never = [one for one in asked if isinstance(one, Repeating) and not one.occurrences(ahead)]
    unmet += [f"{language.text(one, clock)}: does not come in the 24 hours that are planned" for one in never]
    unmet += [_in_words(stage, item) for item in plan.unmet if item.constraint in stated]
    return Foreseen(statements=[language.text(one, clock) for one in asked], diary=diary, unmet=unmet)


def _asked(line: str, moment: datetime, clock: ZoneInfo, names: language.Names) -> tuple[language.Statement, ...]:
    said = language.read(line, moment, clock, names)
    if said.no_longer:
        raise Refused("a plan is asked for with what holds; leave out what no longer does", line=repr(line))
    return said.statements


def _names(state: State) -> language.Names:
    """Return what a statement may name in a street."""
    assets = state.assets.values()
    return {
        Reach.ASSET: [asset.id for asset in assets],
        Reach.OWNER: sorted({asset.owner for asset in assets}),
        Reach.CONNECTION: [asset.id for asset in assets if asset.kind is AssetKind.CONNECTION],
        Reach.ZONE: sorted({asset.zone for asset in assets}),
        Reach.FEEDER: [asset.id for asset in assets if asset.kind is AssetKind.FEEDER],
    }


def _time(at: str) -> time:
    try:
        return time.fromisoformat(at)
    except ValueError as error:
        raise InvalidValue(f"a time of day looks like 17:30, was {at!r}") from error
