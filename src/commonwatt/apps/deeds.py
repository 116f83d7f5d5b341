"""What the command line asks for, done over the wired street: run durably, replay a folder, plan under statements."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, time
from difflib import get_close_matches
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.apps.wiring import Scene, durable_day, paper_day, scene
from commonwatt.flexibility import language
from commonwatt.flexibility.diary import schedules
from commonwatt.flexibility.plan import Unmet
from commonwatt.flows.constraint_to_command import plan_ahead
from commonwatt.flows.outlook import homes, outlook
from commonwatt.flows.prove import default_case, final_note, make_evidence, trust_file
from commonwatt.flows.sequence import read_request, replay
from commonwatt.flows.summary import Before, Summary, summarise
from commonwatt.flows.trading_day import Day
from commonwatt.ledger.checkpoint import Checkpoint, vkey
from commonwatt.model import SLOT_SECONDS, AssetKind, Constraint, InvalidValue, Kind, Refused, epoch, round_div
from commonwatt.simulator.box import Fault
from commonwatt.simulator.unmanaged import live_unmanaged

FINGERPRINT = "street.sha256"


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
        for _ in day.run():
            on_slot()
        summary = _finish(stage, day, folder, smart.result())
    (folder / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
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
    mark, log = folder / FINGERPRINT, folder / "log.sqlite"
    own = sha256(repr(stage).encode()).hexdigest()
    if fresh and mark.exists():
        shutil.rmtree(folder)
    if mark.exists() and mark.read_text() != own:
        raise Refused("folder holds a run of another street; take --fresh or another --output", folder=folder)
    if not mark.exists() and log.exists():
        raise Refused("folder holds a log that is not ours", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(own)


def _finish(stage: Scene, day: Day, folder: Path, smart_w: list[int]) -> Summary:
    with SqliteLog.open_readonly(folder / "log.sqlite") as log:
        rows = list(log.rows())
    note, size = final_note(rows)
    closed = replay(rows[:size], stage.street.community)
    account, slot_s = default_case(closed.state)
    evidence = make_evidence(closed.state, closed.tree, rows, note, account, slot_s)
    save_secret(folder / "evidence.json", evidence)
    operator, note_key = day.cast.operator, day.cast.note
    name = stage.street.community
    (folder / "community.pub").write_text(trust_file(operator.public, vkey(name, note_key.public), name))
    unmet = [_in_words(stage, item) for item in _worst(day)]
    return summarise(closed, rows, day.terms, before(stage), smart_w, unmet)


def _worst(day: Day) -> list[Unmet]:
    """Return each statement that some plan could not keep, once, at the last time it was planned."""
    last: dict[object, Unmet] = {}
    for slot_s in sorted(day.watched.unmet):
        for item in day.watched.unmet[slot_s]:
            last[item.constraint] = item
    return list(last.values())


def _in_words(stage: Scene, item: Unmet) -> str:
    unit = {"charge": "%", "power": "W"}.get(item.constraint.quantity.value, "Wh")
    return f"{language.text(item.constraint, stage.street.clock)}: short by {item.by:g} {unit}"


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to; the roots are those of the last signed checkpoint, which the replay reached too."""

    leaves: int
    checkpoints: int
    log_root: str
    state_root: str


def replay_folder(folder: Path) -> Roots:
    """Replay a run's log from zero; see `commonwatt.flows.sequence.replay` for what is checked.

    Raises:
        Corrupt: The log contradicts itself.
        Refused: There is no log.
    """
    path = folder / "log.sqlite"
    if not path.exists():
        raise Refused("no log in this folder", folder=folder)
    with SqliteLog.open_readonly(path) as log:
        rows = list(log.rows())
    if not rows:
        raise Refused("the log is empty", folder=folder)
    requests = [read_request(row.body) for row in rows]
    replay(rows, requests[0].community)
    note, _ = final_note(rows)
    last = Checkpoint.parse(note.split("\n\n")[0] + "\n")
    return Roots(
        leaves=len(rows),
        checkpoints=sum(request.kind is Kind.CHECKPOINT for request in requests),
        log_root=last.log_root.hex(),
        state_root=last.state_root.hex(),
    )


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
    slot_s = epoch(moment) // SLOT_SECONDS * SLOT_SECONDS
    if moment < span.start:
        slot_s += 24 * 3600
    day = paper_day(stage)
    for done_s in day.run():
        if done_s + SLOT_SECONDS >= slot_s:
            break
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    stated = tuple(language.parse(line, moment, clock) for line in lines if line)
    known = outlook(day.sequencer.state, day.terms, slot_s)
    state = day.sequencer.state
    _refuse_strangers(stated, {asset.zone for asset in state.assets.values()}, {*map(str, state.assets)})
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
    here = {str(item.asset.id) for item in known.stored}
    unmet = [f"{language.text(s, clock)}: not plugged in at {at}" for s in stated if s.at and not here & {*s.scope}]
    unmet += [_in_words(stage, item) for item in plan.unmet if item.constraint in stated]
    return Foreseen(statements=[language.text(s, clock) for s in stated], diary=diary, unmet=unmet)


def _refuse_strangers(stated: Sequence[Constraint], zones: set[str], assets: set[str]) -> None:
    for constraint in stated:
        known = zones if constraint.zones else assets
        for name in constraint.scope:
            if name not in known:
                near = get_close_matches(name, known, 1)
                raise Refused(
                    "no such thing in this street", named=repr(name), did_you_mean=near[0] if near else "nothing near"
                )


def _time(at: str) -> time:
    try:
        return time.fromisoformat(at)
    except ValueError as error:
        raise InvalidValue(f"a time of day looks like 17:30, was {at!r}") from error
