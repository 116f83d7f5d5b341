"""One flipped bit in anything that the ledger reads from its rows is found when the log is opened, and located.

Every value of every row of a small log is changed bit by bit behind the store's back; then the log is opened, hashed
against its tiles, run from zero and resumed from its snapshot, as a replay and a start do. What is asked: somebody
says Corrupt or Refused, and the words name the leaf, the tile, the snapshot or the party. Numbers and names that lie
in the open are held against what was signed; all the rest is under AES-GCM.

What is not found so, and why:

- ``writer.epoch`` follows from nothing. A running writer that finds another number than its own is refused; a flip
  can stop the right writer, and lets none in who does not hold the very number that comes out.
- ``mark`` is how far a caller had come, not what the log says. Nothing vouches for it: a flip is seen by its reader or
  by nobody. That is a gap.
- ``personal.position``: personal fields may be gone at any time, so what was moved where no leaf is reads as erased.
  It is never taken for another leaf's. Nothing that is settled rests on it.
- The number of a party that neither signs nor owns a leaf, such as that of the snapshots, is used for nothing.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from community import NAME, NOON, gateway
from watched import Watched

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.replay import check_hashes, replay, resume
from commonwatt.flows.rulebook import bodies
from commonwatt.metering.batch import Item, encode_items
from commonwatt.metering.personal import PersonalItem, encode_personal
from commonwatt.model import Corrupt, Kind, Outcome, Refused

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
MASTER = MasterKey(bytes(range(32)))
SHORT_BITS = 100
SHORT_STEP, LONG_STEP = 7, 1_009
"""Of how many bits one is flipped, in numbers and names, and in longer values; every one nightly. Primes, so that the
sample walks over all places within a byte."""
APART = {("writer", "epoch"), ("personal", "position")}
"""See above; each has its own test."""
KEYS = {
    "party": ("id",),
    "leaf": ("position",),
    "personal": ("position",),
    "tile": ("level", "place"),
    "snapshot": ("size",),
    "writer": (),
}
Value = int | str | bytes


@dataclass(frozen=True)
class Flip:
    """One bit of one value: where it stands, what it was and becomes, and which words locate it."""

    table: str
    column: str
    key: tuple[Value, ...]
    old: Value
    new: Value
    place: str

    def write(self, db: sqlite3.Connection, value: Value, instead_of: Value) -> None:
        """Put a value in place of another, as the bytes that it has: text need not be UTF-8 any more."""
        cast = "CAST(? AS TEXT)" if isinstance(self.old, str) else "?"
        names = KEYS[self.table]
        keys = [instead_of if name == self.column else told for name, told in zip(names, self.key, strict=True)]
        where = " AND ".join(f"{name} = ?" for name in names) or "true"
        done = db.execute(f"UPDATE {self.table} SET {self.column} = {cast} WHERE {where}", (value, *keys))
        assert done.rowcount == 1


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log of a few dozen leaves: two slots with their checkpoints, and a snapshot between them."""
    path = tmp_path_factory.mktemp("flips") / "log.sqlite"
    with SqliteLog(path, MASTER) as log:
        town = Watched(store=log)
        town.slot(charge_wh=400)
        items = encode_items([Item(start_s=NOON, register=3, import_wh=1, export_wh=1)])
        personal = encode_personal([PersonalItem(indoor_decicelsius=205)], bytes(32))
        head = bodies.batch_head(gateway("anna"), items, personal)
        wire = town.wire(gateway("anna"), Kind.READING_BATCH, head, items=items) + personal
        assert town.send(wire) is Outcome.SET_ASIDE
        town.sequencer.save_snapshot()
        town.slot(load_wh=250)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")  # one file alone, so that one connection can spoil and mend it
    return path


def flips(path: Path) -> Iterator[Flip]:
    """Yield the flips of every value that is read, of long ones a sample."""
    with closing(sqlite3.connect(path)) as db:
        names = dict(db.execute("SELECT id, name FROM party"))
        used = {number for pair in db.execute("SELECT author, owner FROM leaf") for number in pair}
        for table, keys in KEYS.items():
            found = db.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in found.description]
            count = 0  # of each table, so that however long the others are, the sample begins with its first value
            for row in found.fetchall():
                told = dict(zip(columns, row, strict=True))
                for column, old in told.items():
                    unread = table == "party" and column == "id" and old not in used
                    if old is None or unread or (table, column) in APART:
                        continue
                    bits = 53 if isinstance(old, int) else 8 * len(_bytes(old))
                    step = 1 if NIGHTLY else SHORT_STEP if bits <= SHORT_BITS else LONG_STEP
                    for bit in range(bits):
                        sampled = count % step == 0
                        count += 1
                        if sampled:
                            key, place = tuple(told[name] for name in keys), _place(table, told, names)
                            yield Flip(table, column, key, old, _flipped(old, bit), place)


def _bytes(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b""


def _flipped(old: Value, bit: int) -> Value:
    if isinstance(old, int):
        return old ^ 1 << bit
    content = bytearray(_bytes(old))
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def _place(table: str, told: dict[str, Value], names: dict[int, str]) -> str:
    """Return a pattern of the words that locate a damage in a row."""
    match table:
        case "leaf" | "personal":
            return rf"\b(leaf|position) {told['position']}\b"
        case "tile":
            return r"\btile\b"
        case "snapshot":
            return r"\bthe snapshot of \d+ leaves\b"
        case "party":
            # Who is named wrongly shows at the first leaf that they signed or own.
            return rf"\b(leaf|position) \d+\b|{re.escape(str(told['name']))}|snapshot"
        case _:
            return r"\b(leaf|position) 0\b|pruned"


def told_of(path: Path, whole: object) -> str | None:
    """Return what is said of a damaged log when it is opened and checked, None where everything reads as it was."""
    try:
        with SqliteLog.open_readonly(path, MASTER) as log:
            check_hashes(log)
            state = replay(log.rows(), NAME).state.root()
            resumed = resume(log, NAME).state.root()
            found = (state, resumed, list(log.rows()), list(log.snapshots()), log.size, log.pruned_to)
    except (Corrupt, Refused) as error:
        return str(error)
    return None if found == whole else "nothing, and reads otherwise"


def whole_log(path: Path) -> object:
    with SqliteLog.open_readonly(path, MASTER) as log:
        root = replay(log.rows(), NAME).state.root()
        assert (root, log.size) == (resume(log, NAME).state.root(), check_hashes(log))
        return root, root, list(log.rows()), list(log.snapshots()), log.size, log.pruned_to


@pytest.fixture
def spoiled(stored: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(stored, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        yield db


@pytest.mark.row("M5")
def test_every_flipped_bit_is_found_and_located(stored: Path, spoiled: sqlite3.Connection) -> None:
    whole, unfound, tried = whole_log(stored), list[str](), set[tuple[str, str]]()
    for flip in flips(stored):
        try:
            flip.write(spoiled, flip.new, flip.old)
        except sqlite3.IntegrityError:
            continue  # no row can be so: the place is taken
        said = told_of(stored, whole)
        flip.write(spoiled, flip.old, flip.new)
        tried.add((flip.table, flip.column))
        if said is None or not re.search(flip.place, said):
            unfound.append(f"{flip.table}.{flip.column} {flip.key} {flip.old!r:.40} -> {flip.new!r:.40}: {said}")
    assert not unfound, unfound[:10]
    assert whole_log(stored) == whole
    assert {table for table, _ in tried} == {*KEYS}


def test_a_flipped_epoch_stops_the_writer_and_lets_no_old_one_in(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with SqliteLog(path, MASTER) as old, SqliteLog(path, MASTER) as new, closing(sqlite3.connect(path)) as db:
        for bit in range(2, 53):
            with db:
                db.execute("UPDATE writer SET epoch = ?", (new.epoch ^ 1 << bit,))
            for log in (old, new):
                with pytest.raises(Refused, match="another writer"):
                    log.append([], {"a": "b"})


def test_a_moved_personal_part_is_nobodys(stored: Path, spoiled: sqlite3.Connection) -> None:
    whole = whole_log(stored)
    ((position,),) = spoiled.execute("SELECT position FROM personal").fetchall()
    for bit in range(53):
        spoiled.execute("UPDATE personal SET position = ?", (position ^ 1 << bit,))
        try:
            with SqliteLog.open_readonly(stored, MASTER) as log:
                assert not any(row.personal for row in log.rows())
        except Corrupt as error:
            assert f"leaf {position ^ 1 << bit} " in str(error)
        spoiled.execute("UPDATE personal SET position = ?", (position,))
    assert whole_log(stored) == whole


def test_a_leaf_whose_signer_is_gone_is_named(stored: Path, spoiled: sqlite3.Connection) -> None:
    (last, author), *_ = spoiled.execute("SELECT position, author FROM leaf ORDER BY position DESC LIMIT 1").fetchall()
    spoiled.execute("UPDATE leaf SET author = 99 WHERE position = ?", (last,))
    with SqliteLog.open_readonly(stored, MASTER) as log:
        for check in (lambda: check_hashes(log), lambda: resume(log, NAME)):
            with pytest.raises(Corrupt, match=f"leaf {last} in .* is of party 99, who is not there"):
                check()
    spoiled.execute("UPDATE leaf SET author = ? WHERE position = ?", (author, last))
