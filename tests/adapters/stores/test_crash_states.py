"""Show that the log keeps its word after a power cut at any moment, on a disk that owes only what was synced.

The statements that the real `SqliteLog` runs are overheard and run again through apsw, whose VFS can be written in
Python; shared memory works there as ever, so nothing is set differently. What differs: the recorded SQLite is the one
that apsw brings along, not Python's own, which then reads every state.
"""

import os
import shutil
import sqlite3
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice, product
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any
from unittest import mock

import apsw
import pytest
from crash_disk import (
    SECTOR,
    Crash,
    Event,
    Make,
    Recorder,
    Say,
    Sync,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
    crashes,
)

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, Outcome, Refused

MASTER = MasterKey(bytes(32))
NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
# Ten stories of 100,000 states each make the nightly million.
STORIES, STATES = (10, 100_000) if NIGHTLY else (1, 4_000)
RESUMED, STATES_PER_RESUMED = (1_000, 100) if NIGHTLY else (10, 40)
# Writing into a state, too, costs several times as much as reading it.
WRITE_EVERY = 40
CHECKPOINT_PAGES = 12


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_power_cut_at_any_moment_loses_nothing_that_was_answered(
    ram: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    story = long_story(ram / "told", seed)
    events = record(story, ram / "replayed")
    assert syncs_of_the_database(events) >= 8
    found, begun = Counter[str](), monotonic()
    for number, crash in enumerate(crashes(events, STATES, Random(seed)), start=1):
        found[judged(crash, story, ram / "crashed", write=number % WRITE_EVERY == 0)] += 1
        if number % 25_000 == 0:
            with capsys.disabled():
                took_s = monotonic() - begun
                print(f"story {seed}: {number:,} crash states in {took_s:.0f} s, {dict(found)}", file=sys.stderr)
    assert found == {"whole": STATES}


def test_a_second_power_cut_during_recovery_loses_nothing_either(ram: Path) -> None:
    first = long_story(ram / "told")
    first_events = record(first, ram / "replayed")
    made = next(i for i, event in enumerate(first_events) if isinstance(event, Say) and event.known.opened)
    # Some of the rare moments in which a log is made, with a rollback journal in the folder, and some of all.
    early = crashes(first_events[:made], 15, Random(2))
    sample = islice(crashes(first_events, RESUMED * 30, Random(2)), 0, None, 30)
    found = Counter[str]()
    for crash in chain(early, sample):
        story = resumed(first, crash, ram / "resumed")
        events = record(story, ram / "again", crash.files)
        found.update(
            judged(next_crash, story, ram / "crashed") for next_crash in crashes(events, STATES_PER_RESUMED, Random(3))
        )
    assert set(found) == {"whole"}
    assert found.total() > RESUMED * STATES_PER_RESUMED // 2


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_a_log_that_syncs_less_would_be_found_to_lose_what_it_answered(ram: Path, level: str) -> None:
    story = long_story(ram / "told")
    events = record(
        story, ram / "replayed", edit=lambda sql: sql.replace("synchronous = EXTRA", f"synchronous = {level}")
    )
    assert faults(events, story, ram)["lost what was answered"] > 10


def test_a_disk_that_ignores_fsync_would_be_found_out(ram: Path) -> None:
    story = long_story(ram / "told")
    events = [event for event in record(story, ram / "replayed") if not isinstance(event, Sync | SyncFolder)]
    found = faults(events, story, ram)
    # Where nothing is synced, most logs come back too damaged to lose a thing.
    assert found["lost what was answered"] > 10
    assert found["damaged"] + found["does not open"] > found.total() / 2


def test_a_folder_that_is_never_synced_would_be_found_out(ram: Path) -> None:
    story = long_story(ram / "told")
    events = [event for event in record(story, ram / "replayed") if not isinstance(event, SyncFolder)]
    assert faults(events, story, ram)["does not open"] > 50


def test_a_log_without_transactions_would_be_found_with_half_a_batch(ram: Path) -> None:
    story = long_story(ram / "told")
    events = record(
        story, ram / "replayed", edit=lambda sql: "" if sql in ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK") else sql
    )
    assert faults(events, story, ram)["rows and marks of no one batch"] > 50


def test_a_disk_keeps_what_was_synced_and_tears_the_rest_at_sectors() -> None:
    old, new = b"o" * 3 * SECTOR, b"n" * 3 * SECTOR
    events = [Make("a", 1), Write(1, 0, old), Sync(1), SyncFolder(), Write(1, 0, new)]
    thirds = {"".join(third) for third in product("on", repeat=3)}
    assert left(events) == {(("a", "".join(letter * SECTOR for letter in third)),) for third in thirds}
    assert left([*events, Sync(1)]) == {(("a", new.decode()),)}


def test_a_disk_reorders_and_drops_what_was_not_synced() -> None:
    events = [Make("a", 1), SyncFolder(), Write(1, 0, b"1"), Write(1, 0, b"2"), Truncate(1, 3)]
    assert left(events) == {(("a", content),) for content in ("", "1", "2", "1\0\0", "2\0\0", "\0\0\0")}


def test_a_name_stands_or_not_until_its_folder_is_synced() -> None:
    events = [Make("a", 1), Write(1, 0, b"1"), Sync(1), Unlink("a"), Make("a", 2)]
    assert left(events) == {(), (("a", "1"),), (("a", ""),)}
    assert left([*events, SyncFolder()]) == {(("a", ""),)}


@dataclass(frozen=True, slots=True)
class Known:
    """What the world was told: how many batches were asked for and answered, and likewise openings for writing."""

    answered: int = 0
    asked: int = 0
    opened: int = 0
    opening: int = 0


@dataclass(frozen=True, slots=True)
class Connect:
    number: int


@dataclass(frozen=True, slots=True)
class Run:
    number: int
    sql: str


@dataclass(frozen=True, slots=True)
class Close:
    number: int


class Story:
    """What happened to one log: each statement, each effect on its folder, and all that was asked and answered."""

    def __init__(self, path: Path, rows: list[LeafRow], marks: list[dict[str, str]], opened: int, seed: int) -> None:
        self.path, self.rows, self.marks = path, rows, marks
        """All leaves, and the marks after each batch, from none at all; these tell how many leaves stand there."""
        batches = len(marks) - 1
        self.known = Known(batches, batches, opened, opened)
        self.script: list[Connect | Run | Close | Make | SyncFolder | Say] = [Say(self.known)]
        self._chance = Random(seed)
        self._connections = 0

    def open(self) -> SqliteLog:
        self._say(opening=self.known.opening + 1)
        with self._overhearing():
            log = SqliteLog(self.path, MASTER)
        self._say(opened=log.epoch)
        return log

    def append(self, log: SqliteLog, batches: int = 1) -> None:
        for _ in range(batches):
            rows = [self._leaf(len(self.rows) + place) for place in range(self._chance.randint(0, 5))]
            self.rows += rows
            self.marks.append({"batch": str(len(self.marks)), "size": str(len(self.rows))})
            self._say(asked=self.known.asked + 1)
            log.append(rows, self.marks[-1], {(0, 0): tile(self.rows)})
            self._say(answered=self.known.asked)

    def _leaf(self, position: int) -> LeafRow:
        body = self._chance.randbytes(self._chance.choice([20, 300, 300, 9_000]))
        return leaf(position, body, self._chance.randbytes(32))

    def _say(self, **news: int) -> None:
        self.known = replace(self.known, **news)
        self.script.append(Say(self.known))

    @contextmanager
    def _overhearing(self) -> Iterator[None]:
        script, connect, os_open, os_fsync = self.script, sqlite3.connect, os.open, os.fsync

        class Overheard(sqlite3.Connection):
            number = self._connections

            def close(self) -> None:
                super().close()
                script.append(Close(self.number))

        def overheard_connect(*args: Any, **options: Any) -> sqlite3.Connection:
            db = connect(*args, **options, factory=Overheard)
            script.append(Connect(Overheard.number))
            db.set_trace_callback(lambda sql: script.append(Run(Overheard.number, sql)))
            return db

        def overheard_open(path: Path, *args: Any) -> int:
            if not Path(path).exists():
                script.append(Make(Path(path).name, 0))
            return os_open(path, *args)

        def overheard_fsync(file: int) -> None:
            os_fsync(file)
            assert stat.S_ISDIR(os.fstat(file).st_mode), "so far a log syncs only its folder by itself"
            script.append(SyncFolder())

        self._connections += 1
        with ExitStack() as spies:
            # So that a short story has many checkpoints; the one thing that is not as in the real log.
            pages = "commonwatt.adapters.stores.sqlite.CHECKPOINT_PAGES"
            spies.enter_context(mock.patch(pages, CHECKPOINT_PAGES))
            spies.enter_context(mock.patch("sqlite3.connect", overheard_connect))
            spies.enter_context(mock.patch("os.open", overheard_open))
            spies.enter_context(mock.patch("os.fsync", overheard_fsync))
            yield


def leaf(position: int, body: bytes, salt: bytes) -> LeafRow:
    """Return a leaf; now and then somebody new signs, and somebody new owns."""
    return LeafRow(
        position=position,
        stamped_s=position,
        salt=salt,
        body=body,
        outcome=Outcome.BOOKED,
        author=f"key-{position // 30}",
        seq=position + 1,
        owner=f"member-{position // 15}",
        closes=True,
        items=body[:48],
        personal=body[:16] if position % 4 == 0 else b"",
    )


def tile(rows: list[LeafRow]) -> bytes:
    """Return what stands in the one tile of a log."""
    return b"".join(row.salt for row in rows)


def long_story(folder: Path, seed: int = 0) -> Story:
    """Tell of 30 batches in four openings, the second of which is taken over by the third."""
    folder.mkdir()
    story = Story(folder / "log.sqlite", [], [{}], opened=0, seed=seed)
    with story.open() as log:
        story.append(log, 9)
    with story.open() as old:
        story.append(old, 7)
        new = story.open()
        story.append(new)
        with pytest.raises(Refused, match="another writer has taken over"):
            old.append([], {"batch": "none"})
    with new:
        story.append(new, 7)
    with story.open() as log:
        story.append(log, 6)
    return story


def resumed(first: Story, crash: Crash, folder: Path) -> Story:
    """Tell how a log goes on after a crash of its first story."""
    path = materialised(crash, folder)
    batches, epoch = 0, 0
    if seen := look(path):
        _, marks, epoch, _ = seen
        batches = int(marks.get("batch", "0"))
    # From the untouched files: reading may have left its traces.
    path = materialised(crash, folder)
    marks_until = first.marks[: batches + 1]
    story = Story(path, first.rows[: int(marks_until[-1].get("size", "0"))], marks_until, epoch, seed=batches)
    with story.open() as log:
        story.append(log, 4)
    return story


def record(
    story: Story, folder: Path, before: Mapping[str, bytes] | None = None, edit: Callable[[str], str] = str
) -> list[Event]:
    """Run the statements of a story again, as edited, and return what they did to the disk."""
    path = materialised(Crash(dict(before or {}), None, 0), folder)
    with Recorder(folder) as recorder:
        connections: dict[int, apsw.Connection] = {}
        for line in story.script:
            match line:
                case Connect(number):
                    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
                    connections[number] = apsw.Connection(f"file:{path}?mode=rw", flags=flags, vfs=recorder.name)
                case Run(number, sql):
                    connections[number].execute(edit(sql)).fetchall()
                case Close(number):
                    connections[number].close()
                case Make(name):
                    (folder / name).touch()
                    recorder.make(name)
                case other:
                    recorder.events.append(other)
    with SqliteLog.open_readonly(path, MASTER) as replayed, SqliteLog.open_readonly(story.path, MASTER) as told:
        assert list(replayed.rows()) == list(told.rows()) == story.rows
        assert replayed.marks() == told.marks() == story.marks[-1]
        assert epoch_of(replayed) == epoch_of(told) == story.known.opened
    return recorder.events


def faults(events: list[Event], story: Story, ram: Path) -> Counter[str]:
    return Counter(judged(crash, story, ram / "crashed") for crash in crashes(events, 1_500, Random(4)))


def judged(crash: Crash, story: Story, folder: Path, *, write: bool = False) -> str:
    """Return what is wrong with the log that a crash left, or that it is whole; where asked, go on writing it, too."""
    path, known = materialised(crash, folder), crash.known
    early = 0
    try:
        seen = look(path)
        if seen is None:
            if known.opened:
                return "does not open"
            # No opening was ever answered: the next writer has to make a log of what there is.
            SqliteLog(path, MASTER).close()
            early, seen = 1, look(path)
    except (Corrupt, sqlite3.DatabaseError):
        return "damaged"
    if seen is None:
        return "does not open"
    rows, marks, epoch = seen[0], seen[1], seen[2] - early
    batch = int(marks.get("batch", "0"))
    if batch > known.asked or marks != story.marks[batch] or rows != story.rows[: int(marks.get("size", "0"))]:
        return "rows and marks of no one batch"
    if seen[3] != tile(rows):
        return "a tile of another batch"
    if batch < known.answered or epoch < known.opened:
        return "lost what was answered"
    if epoch > known.opening:
        return "an epoch that nobody took"
    if write:
        add = leaf(len(rows), b"", bytes(32))
        with SqliteLog(path, MASTER) as log:
            assert log.epoch == epoch + early + 1
            log.append([add], {})
            assert log._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with SqliteLog.open_readonly(path, MASTER) as log:
            assert (list(log.rows()), log.marks()) == ([*rows, add], marks)
    return "whole"


def look(path: Path) -> tuple[list[LeafRow], dict[str, str], int, bytes] | None:
    """Return leaves, marks, epoch and the one tile as a reader finds them; none where no log could be opened yet."""
    try:
        log = SqliteLog.open_readonly(path, MASTER)
    except (Refused, sqlite3.OperationalError):
        return None
    with log:
        return list(log.rows()), log.marks(), epoch_of(log), log.tile(0, 0)


def epoch_of(log: SqliteLog) -> int:
    (epoch,) = log._db.execute("SELECT epoch FROM writer").fetchone()
    return int(epoch)


def materialised(crash: Crash, folder: Path) -> Path:
    """Put the files of a crash into a fresh folder, some beside useless shared memory, and return the log's path."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in crash.files.items():
        (folder / name).write_bytes(content)
    if crash.after % 3 == 1:
        (folder / "log.sqlite-shm").write_bytes(Random(crash.after).randbytes(32_768))
    return folder / "log.sqlite"


def syncs_of_the_database(events: list[Event]) -> int:
    """Return how often the database itself was synced: once when it was made, then at every checkpoint."""
    (database,) = {event.file for event in events if isinstance(event, Make) and event.name == "log.sqlite"}
    return sum(isinstance(event, Sync) and event.file == database for event in events)


def left(events: list[Event]) -> set[tuple[tuple[str, str], ...]]:
    """Return all that a power cut after the last event may leave."""
    found = [crash for crash in crashes([*events, Say("over")], 1_000, Random(0)) if crash.known == "over"]
    return {tuple((name, content.decode()) for name, content in crash.files.items()) for crash in found}


@pytest.fixture
def ram(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the system has one: a million states are too many for a disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
