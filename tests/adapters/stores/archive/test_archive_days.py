import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from archived import MARK, STREET, DictBlobs, MasterKey, facts_of, tables_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from s3_server import S3Server

from commonwatt.adapters.stores.archive.blobs import Blobs, DiskBlobs, blob_name
from commonwatt.adapters.stores.archive.manifest import Manifest
from commonwatt.adapters.stores.archive.read import Archive
from commonwatt.adapters.stores.archive.sealing import seal, unseal
from commonwatt.adapters.stores.archive.tables import TABLES, Kind
from commonwatt.adapters.stores.archive.write import archive_day, sweep, unnamed
from commonwatt.model import CommunityId, Corrupt, InvalidValue, Refused

KEY = MasterKey()
FACTS = facts_of()
LATER_S = 2**40

counts = st.integers(1, 2**53 - 1)
values = {Kind.WHOLE: counts, Kind.TEXT: st.text(max_size=9), Kind.BYTES: st.binary(max_size=9)}


@st.composite
def days(draw: st.DrawFn) -> dict[str, dict[str, list[object]]]:
    tables: dict[str, dict[str, list[object]]] = {}
    for table, columns in TABLES.items():
        rows = FACTS.last_position + 1 if table == "leaf" else draw(st.integers(0, 4))
        tables[table] = {
            column.name: draw(
                st.lists(
                    values[column.kind] | st.none() if column.optional else values[column.kind],
                    min_size=rows,
                    max_size=rows,
                )
            )
            for column in columns
        }
    tables["leaf"]["position"] = list(range(FACTS.last_position + 1))
    tables["leaf"]["salt"] = [draw(st.binary(min_size=32, max_size=32)) for _ in range(FACTS.last_position + 1)]
    return tables


@pytest.mark.row("X8")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(days())
def test_whatever_was_archived_is_what_a_query_finds(tables: dict[str, dict[str, list[object]]]) -> None:
    blobs = DictBlobs()
    manifest = archive_day(blobs, KEY, FACTS, tables)
    archive = Archive(blobs, KEY, STREET)
    for table, columns in tables.items():
        expected = [(FACTS.day, *row) for row in zip(*columns.values(), strict=True)]
        assert archive.query(f"SELECT * FROM {table}", days=[FACTS.day]) == expected
        assert manifest.tables[table].rows == len(expected)
    assert archive.check(FACTS.day) == manifest


def test_arrays_are_taken_as_lists_are() -> None:
    lists = tables_of(FACTS)
    arrays: dict[str, dict[str, Any]] = {
        table: {name: np.array(column, dtype=object) for name, column in columns.items()}
        for table, columns in lists.items()
    }
    arrays["leaf"]["position"] = np.arange(3, dtype=np.uint8)
    for table, columns in TABLES.items():
        for column in columns:
            if column.kind is Kind.WHOLE and not column.optional:
                arrays[table][column.name] = np.array(lists[table][column.name], dtype=np.int64)[::1]
    arrays["entry"]["memo"] = np.array(lists["entry"]["memo"])
    level = [0 if value is None else value for value in lists["reading"]["level_wh"]]
    arrays["reading"]["level_wh"] = np.ma.masked_array(level, mask=[v is None for v in lists["reading"]["level_wh"]])
    one, other = DictBlobs(), DictBlobs()
    archive_day(one, KEY, FACTS, lists)
    archive_day(other, KEY, FACTS, arrays)
    for table in TABLES:
        found = [Archive(blobs, KEY, STREET).query(f"FROM {table}", days=[FACTS.day]) for blobs in (one, other)]
        assert found[0] == found[1]


@pytest.mark.parametrize(
    ("table", "column", "bad"),
    [
        ("reading", "import_wh", [1, 2, -1, 4, 5]),
        ("reading", "import_wh", [1, 2, 2**53, 4, 5]),
        ("reading", "import_wh", np.array([1, 2, 2**64 - 1, 4, 5], dtype=np.uint64)),
        ("reading", "import_wh", np.array([0, 1, 2, 3, 0.5])),
        ("reading", "import_wh", [0, 1, 2, 3, 2**70]),
        ("reading", "import_wh", [0, 1, 2, 3, True]),
        ("reading", "import_wh", [0, 1, 2, 3, None]),
        ("reading", "import_wh", np.zeros((5, 2), dtype=np.int64)),
        ("reading", "import_wh", [0, 1, 2, 3]),
        ("reading", "seconds", [0] * 5),
        ("entry", "amount", [0, 1]),
        ("entry", "memo", ["a", b"b"]),
        ("entry", "memo", ["a", None]),
        ("entry", "memo", ["a", "\ud800"]),
        ("leaf", "body", [b"a", b"b", "c"]),
        ("leaf", "body", np.array([b"a\0", b"b", b"c"])),
        ("leaf", "salt", [bytes(32), bytes(31), bytes(32)]),
        ("leaf", "position", [0, 1, 3]),
        ("leaf", "position", [0, 2, 1]),
        ("leaf", "position", [1, 2, 3]),
        ("leaf", "wrong_name", [0, 1, 2]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(table: str, column: str, bad: Any) -> None:
    tables = tables_of(FACTS)
    tables[table] = {**tables[table], column: bad}
    blobs = DictBlobs()
    with pytest.raises(InvalidValue, match=table if table != "leaf" or column != "position" else "leaves"):
        archive_day(blobs, KEY, FACTS, tables)
    assert blobs.kept == {}


@pytest.mark.parametrize("change", [lambda t: t.pop("entry"), lambda t: t.update(more=t["entry"])])
def test_a_day_has_all_its_tables_and_no_other(change: Any) -> None:
    tables = tables_of(FACTS)
    change(tables)
    with pytest.raises(InvalidValue, match="has the tables leaf, entry, reading"):
        archive_day(DictBlobs(), KEY, FACTS, tables)


def test_archiving_again_writes_nothing_and_says_the_same() -> None:
    blobs = DictBlobs()
    manifest = archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    before = dict(blobs.kept)
    assert archive_day(blobs, KEY, FACTS, tables_of(FACTS)) == manifest
    assert blobs.kept == before
    assert len(before) == 4


@pytest.mark.parametrize(
    "other", [replace(FACTS, log_root="e" * 64), replace(FACTS, state_root="e" * 64)], ids=["log", "state"]
)
def test_a_day_cannot_be_archived_as_something_else(other: Any) -> None:
    blobs = DictBlobs()
    archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    before = dict(blobs.kept)
    with pytest.raises(Refused, match="a day is archived once"):
        archive_day(blobs, KEY, other, tables_of(FACTS))
    with pytest.raises(Refused, match="a day is archived once"):
        archive_day(blobs, KEY, FACTS, tables_of(FACTS, readings=6))
    assert blobs.kept == before


def test_a_day_that_lost_a_blob_is_not_said_to_be_archived() -> None:
    blobs = DictBlobs()
    manifest = archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    blobs.delete(f"blob/{manifest.tables['entry'].blob}")
    with pytest.raises(Corrupt, match=f"blob {manifest.tables['entry'].blob} is missing: table entry of 2026-04-01"):
        archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    with pytest.raises(Corrupt, match="table entry of 2026-04-01"):
        Archive(blobs, KEY, STREET).check(FACTS.day)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class Dying:
    """Blobs whose caller is killed at the n-th call, before it is done or after."""

    def __init__(self, blobs: Blobs, calls: int, *, done: bool) -> None:
        self._blobs, self._calls, self._done = blobs, calls, done

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            self._calls -= 1
            if self._calls < 0 and not self._done:
                raise Killed
            answer = getattr(self._blobs, name)(*given)
            if self._calls < 0:
                raise Killed
            return answer

        return call


@pytest.mark.row("X8")
@pytest.mark.parametrize("done", [False, True])
def test_a_kill_at_any_call_leaves_a_day_or_blobs_that_no_manifest_names(tmp_path: Path, done: bool) -> None:
    calls, finished = 0, False
    while not finished:
        blobs = DiskBlobs(tmp_path / str(calls))
        try:
            archive_day(Dying(blobs, calls, done=done), KEY, FACTS, tables_of(FACTS))
            finished = True
        except Killed:
            pass
        manifest = archive_day(blobs, KEY, FACTS, tables_of(FACTS))
        left = sweep(blobs, written_before_s=LATER_S)
        assert len(list(blobs.list(""))) == 4
        assert len(left) <= 3
        assert Archive(blobs, KEY, STREET).check(FACTS.day) == manifest
        calls += 1
    # A list of manifests, three tables each looked for by the store, the manifest, and the list and its check again.
    assert calls >= 9


def test_a_killed_process_loses_no_day_and_leaves_nothing_that_a_sweep_does_not_find(tmp_path: Path) -> None:
    blobs, day = DiskBlobs(tmp_path), 0
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("archiver.py"), tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        # After a day or two the kill comes wherever the child is by then.
        for line in (child.stdout.readline() for _ in range(2)):
            day = max(day, int(line))
        child.send_signal(signal.SIGKILL)
        child.communicate()
    archive = Archive(blobs, KEY, STREET)
    found = archive.days()
    assert {facts_of(number).day for number in range(day)} <= set(found)
    for number in range(day):
        archive.check(facts_of(number).day)
    sweep(blobs, written_before_s=LATER_S)
    assert len(list(blobs.list(""))) == 4 * len(found)
    assert archive.days() == found


@pytest.mark.row("X8")
def test_a_server_that_dies_in_the_middle_of_a_day_costs_nothing_but_another_try(own_s3_server: S3Server) -> None:
    blobs = own_s3_server.blobs()

    class DiesBeforeThirdPut:
        puts = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(blobs, name)

        def put(self, name: str, data: bytes) -> None:
            self.puts += 1
            if self.puts == 3:
                own_s3_server.kill()
            blobs.put(name, data)

    with pytest.raises(ConnectionError):
        archive_day(DiesBeforeThirdPut(), KEY, FACTS, tables_of(FACTS))
    own_s3_server.start()
    assert Archive(blobs, KEY, STREET).days() == {}
    manifest = archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    assert len(sweep(blobs, written_before_s=LATER_S)) == 2
    assert Archive(blobs, KEY, STREET).check(FACTS.day) == manifest
    query = "SELECT sum(import_wh) FROM reading"
    assert Archive(blobs, KEY, STREET).query(query, days=[FACTS.day]) == [(100,)]


def test_two_writers_of_one_day_agree_and_lose_nothing(tmp_path: Path) -> None:
    for attempt in range(3):
        blobs, barrier = DiskBlobs(tmp_path / str(attempt)), Barrier(2)

        class Together:
            """Lets both look before either writes."""

            lists = 0

            def __getattr__(self, name: str) -> Any:
                return getattr(blobs, name)  # noqa: B023 - used up within the round

            def list(self, folder: str) -> Any:
                self.lists += 1
                found = list(blobs.list(folder)) if self.lists == 1 else None  # noqa: B023
                barrier.wait(10)  # noqa: B023
                return iter(found if found is not None else list(blobs.list(folder)))  # noqa: B023

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda _: archive_day(Together(), KEY, FACTS, tables_of(FACTS)), range(2)))
        assert told[0] == told[1] == Archive(blobs, KEY, STREET).check(FACTS.day)
        assert sweep(blobs, written_before_s=LATER_S) == []
        assert len(list(blobs.list(""))) == 8


def test_a_sweep_spares_the_young_the_named_the_foreign_and_the_neighbours() -> None:
    blobs = DictBlobs()
    archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    neighbour = facts_of(community=CommunityId("next street"))
    archive_day(blobs, KEY, neighbour, tables_of(neighbour))
    kept = set(blobs.kept)
    blobs.put(lost := blob_name("blob", b"half a day"), b"half a day")
    blobs.put(blob_name("log-tile", b"x"), b"x")
    assert unnamed(blobs, written_before_s=blobs.now_s) == []
    assert [stored.name for stored in unnamed(blobs, written_before_s=blobs.now_s + 1)] == [lost]
    assert sweep(blobs, written_before_s=blobs.now_s + 1) == [lost]
    assert set(blobs.kept) == kept | {blob_name("log-tile", b"x")}
    assert set(Archive(blobs, KEY, STREET).days()) == {FACTS.day}


def test_a_sweep_beside_a_damaged_manifest_deletes_nothing() -> None:
    blobs = DictBlobs()
    manifest = archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    name = f"manifest/2026-04-01/{manifest.digest()}"
    blobs.kept[name] = blobs.kept[name][:-1]
    before = dict(blobs.kept)
    with pytest.raises(Corrupt, match=name):
        sweep(blobs, written_before_s=LATER_S)
    assert blobs.kept == before


@pytest.mark.row("W6")
@pytest.mark.parametrize("memory", [True, False], ids=["memfd", "file without a name"])
def test_nothing_plain_rests_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: bool) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    shared = set(Path("/dev/shm").iterdir())
    if not memory:
        monkeypatch.delattr(os, "memfd_create")
    blobs = DiskBlobs(tmp_path / "archive")
    archive_day(blobs, KEY, FACTS, tables_of(FACTS, readings=200_000))
    archive = Archive(blobs, KEY, STREET)
    assert archive.query("SELECT count(*) FROM reading", days=[FACTS.day]) == [(200_000,)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert set(Path("/dev/shm").iterdir()) <= shared
    for path in files:
        data = path.read_bytes()
        assert b"PAR1" not in data
        assert MARK.encode() not in data


@pytest.mark.row("W6")
def test_only_the_master_key_opens_a_day() -> None:
    blobs = DictBlobs()
    archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    with pytest.raises(Refused, match="master key"):
        Archive(blobs, MasterKey(b"x" * 32), STREET).query("FROM leaf", days=[FACTS.day])


@pytest.mark.row("W6")
def test_every_flipped_bit_of_a_sealed_table_is_found() -> None:
    place = (STREET, FACTS.day, "leaf")
    sealed = seal(b"plain", KEY, *place)
    assert unseal(sealed, KEY, *place) == b"plain"
    for bit in range(8 * len(sealed)):
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupt, Refused)):
            unseal(bytes(damaged), KEY, *place)
    for end in range(len(sealed)):
        with pytest.raises((Corrupt, Refused)):
            unseal(sealed[:end], KEY, *place)
    assert seal(b"plain", KEY, *place) != sealed


def test_a_table_cannot_pass_for_another_days_or_communitys() -> None:
    blobs = DictBlobs()
    today, tomorrow = facts_of(0), facts_of(1)
    first = archive_day(blobs, KEY, today, tables_of(today))
    second = archive_day(blobs, KEY, tomorrow, tables_of(tomorrow))
    forged = replace(second, tables={**second.tables, "leaf": first.tables["leaf"]})
    blobs.delete(f"manifest/{tomorrow.day}/{second.digest()}")
    blobs.put(blob_name(f"manifest/{tomorrow.day}", forged.to_json()), forged.to_json())
    with pytest.raises(Corrupt, match="table leaf of 2026-04-02 of street does not open"):
        Archive(blobs, KEY, STREET).query("FROM leaf", days=[tomorrow.day])


def test_a_manifest_says_what_is_there() -> None:
    blobs = DictBlobs()
    manifest = archive_day(blobs, KEY, FACTS, tables_of(FACTS))
    (name,) = (name for name in blobs.kept if name.startswith("manifest/"))
    assert name == f"manifest/2026-04-01/{manifest.digest()}"
    assert Manifest.from_json(blobs.kept[name]) == manifest
    for place in manifest.tables.values():
        assert len(blobs.kept[f"blob/{place.blob}"]) == place.size_bytes
