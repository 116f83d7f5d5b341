"""What the command line asks for, done over the wired street: run durably, replay a folder, plan under statements."""

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from multiprocessing import active_children, get_context
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.answered import ANSWERED
from commonwatt.adapters.stores.brought import BROUGHT
from commonwatt.adapters.stores.faults import FAULTS
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps import chain_terms
from commonwatt.apps.door_card import DOOR_CARD
from commonwatt.apps.publishing import cosigned
from commonwatt.apps.scenes import Scene, foreseen_by, scene
from commonwatt.apps.wiring import durable_day, keep_past, open_log, paper_day
from commonwatt.flows.foreseeing import Forecasts
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import default_case, final_note, make_evidence, trust_file
from commonwatt.flows.replay import community_of, replay, resume, store_tile
from commonwatt.flows.summary import Before, Summary, summarise
from commonwatt.flows.trading_day import Day
from commonwatt.ledger.checkpoint import parse_vkey, read_note, verify_note, vkey
from commonwatt.ledger.tiles import check_tiles
from commonwatt.ledger.tiles import root as tiles_root
from commonwatt.model import (
    SLOT_SECONDS,
    AssetKind,
    Corrupt,
    Kind,
    Refused,
    epoch,
    round_div,
)
from commonwatt.simulator.unmanaged import live_unmanaged

FINGERPRINT = "street.sha256"
RUN_FORMAT = "devices on wires"
"""Changed when a run of before cannot be gone on with."""
LEFT_BY_A_RUN = (
    FINGERPRINT,
    "evidence.json",
    "community.pub",
    "summary.json",
    "report.html",
    "gateways.json",
    BROUGHT,
    ANSWERED,
    FAULTS,
    DOOR_CARD,
    chain_terms.FILE,
)


def run_durably(
    stage: Scene,
    source: Path,
    folder: Path,
    *,
    fresh: bool = False,
    on_slot: Callable[[], None] = lambda: None,
) -> Summary:
    """Run a street's day in a folder, or go on with it, and leave evidence and figures there.

    Args:
        stage: What to replay.
        source: The street's folder, from which a second process reads it again for the curve without discharging.
        folder: The run's own.
        fresh: Throw away what an earlier run left there.
        on_slot: Called after every slot that is closed.

    Raises:
        Refused: The folder holds a run of another street, or something that is no run.
    """
    claim(stage, folder, RUN_FORMAT, fresh=fresh)
    with _aside() as aside, ExitStack() as doors:
        smart = aside.submit(curve_without_discharging, source, stage.street.day.isoformat(), stage.street.forecast)
        day = durable_day(stage, folder, doors)
        tell_keys(stage, day, folder)
        keep_past(stage, folder)
        for _ in day.run():
            on_slot()
        summary = _finish(stage, day, folder, smart.result())
    save_secret(folder / "summary.json", msgspec.json.format(msgspec.json.encode(summary)))
    return summary


@contextmanager
def _aside() -> Iterator[ProcessPoolExecutor]:
    """Yield a second process for work beside; who is interrupted does not wait for what it still works at."""
    others = set(active_children())
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_leave_interrupts_to_who_asked)
    try:
        yield pool
    except BaseException:
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_who_asked() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def curve_without_discharging(source: Path, day: str, forecast: Forecasts | None = None) -> list[int]:
    """Return the day's curve at the feeder, W per slot, had cars given nothing back: the same story on paper doors."""
    paper = paper_day(foreseen_by(scene(source, day), forecast), v2g=False)
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


def claim(stage: Scene, folder: Path, form: str, *, fresh: bool) -> None:
    """Make the folder this street's, or refuse where it is another's, or that of a run of another form.

    Raises:
        Refused: The folder holds a run that cannot be gone on with, or something that is no run.
    """
    mark = folder / FINGERPRINT
    own = sha256(f"{form} {stage!r}".encode()).hexdigest()
    if fresh and mark.exists():
        _throw_away(folder)
    if mark.exists() and mark.read_text() != own:
        rule = "folder holds a run of another street or an older version; take --fresh or another --output"
        raise Refused(rule, folder=folder)
    if not mark.exists() and folder.exists() and any(folder.iterdir()):
        raise Refused("folder holds something that is no run; take an empty --output", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(own)


def _throw_away(folder: Path) -> None:
    """Delete what a run leaves in its folder, and nothing else that somebody may have put there."""
    for name in ("keys", "gateways", "devices", chain_terms.FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)
    files = (f"{name}{end}" for name in ("log.sqlite", "notes.sqlite") for end in ("", "-wal", "-shm"))
    for path in (folder / name for name in (*LEFT_BY_A_RUN, *files)):
        path.unlink(missing_ok=True)


def tell_keys(stage: Scene, day: Day, folder: Path) -> None:
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
    summary = summarise(closed, rows, day.terms, before(stage), smart_w)
    try:
        account, slot_s = default_case(closed.state)
    except Refused as error:  # where everything is shared or firm no bundle shows a slot, and the log is the proof
        return msgspec.structs.replace(summary, unproven=str(error))
    evidence = make_evidence(closed.state, closed.whole_tree(), rows, cosigned(folder, note), account, slot_s)
    save_secret(folder / "evidence.json", evidence)
    return summary


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
