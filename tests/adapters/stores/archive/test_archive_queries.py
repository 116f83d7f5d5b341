import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from archived import FIRST_DAY, STREET, DictBlobs, MasterKey, facts_of, tables_of

from commonwatt.adapters.stores.archive.blobs import blob_name
from commonwatt.adapters.stores.archive.manifest import Manifest
from commonwatt.adapters.stores.archive.read import Archive, Limits, sandbox
from commonwatt.adapters.stores.archive.tables import checked_columns, to_parquet
from commonwatt.adapters.stores.archive.write import archive_day
from commonwatt.model import CommunityId, Corrupt, InvalidValue, Refused

KEY = MasterKey()
DAYS = [facts_of(number).day for number in range(3)]


@pytest.fixture(scope="module")
def kept() -> tuple[dict[str, bytes], list[Manifest]]:
    blobs = DictBlobs()
    told = [archive_day(blobs, KEY, facts_of(number), tables_of(facts_of(number))) for number in range(3)]
    return blobs.kept, told


@pytest.fixture
def blobs(kept: tuple[dict[str, bytes], list[Manifest]]) -> DictBlobs:
    blobs = DictBlobs()
    blobs.kept = dict(kept[0])
    return blobs


@pytest.fixture
def archive(blobs: DictBlobs) -> Archive:
    return Archive(blobs, KEY, STREET)


@pytest.mark.row("X8")
def test_days_are_asked_together_and_apart(archive: Archive) -> None:
    query = "SELECT day, count(*), sum(import_wh) FROM reading GROUP BY day ORDER BY day"
    assert archive.query(query, days=DAYS) == [(day, 5, 100) for day in DAYS]
    assert archive.query(query, days=DAYS[1:2]) == [(DAYS[1], 5, 100)]
    assert archive.query("SELECT position FROM leaf ORDER BY 1", days=DAYS) == [(n,) for n in range(9)]
    both = "WITH l AS (FROM leaf) SELECT count(*) FROM l JOIN entry USING (day) -- ;"
    assert archive.query(both, days=DAYS) == [(18,)]
    assert archive.query("SELECT 1;", days=DAYS) == [(1,)]


def test_parameters_stay_values(archive: Archive) -> None:
    query = "SELECT count(*) FROM reading WHERE asset = ? OR start_s >= ?"
    assert archive.query(query, ["asset-1", 3_600], days=DAYS) == [(6,)]
    assert archive.query(query, ["' OR 1=1 --", 10**9], days=DAYS) == [(0,)]


@pytest.mark.parametrize("bad", [[], [1, 2], [object()], ["\ud800"], [2**200]])
def test_parameters_that_do_not_fit_are_refused(archive: Archive, bad: list[object]) -> None:
    with pytest.raises(Refused, match="cannot be answered"):
        archive.query("SELECT position FROM leaf WHERE position = ?", bad, days=DAYS)


def test_columns_come_as_arrays_and_missing_values_masked(archive: Archive) -> None:
    columns = archive.query_columns("SELECT start_s, level_wh, asset FROM reading ORDER BY start_s", days=DAYS[:1])
    assert columns["start_s"].dtype == np.int64
    assert columns["start_s"].tolist() == [0, 900, 1800, 2700, 3600]
    assert columns["level_wh"].tolist() == [0, None, 2, None, 4]
    assert columns["asset"].tolist() == [f"asset-{number}" for number in range(5)]


def test_only_the_days_and_tables_that_are_asked_for_are_fetched(
    blobs: DictBlobs, archive: Archive, kept: tuple[dict[str, bytes], list[Manifest]]
) -> None:
    archive.query("SELECT 1 FROM Reading", days=DAYS[1:])
    fetched = {name for name in blobs.fetched if name.startswith("blob/")}
    assert fetched == {f"blob/{manifest.tables['reading'].blob}" for manifest in kept[1][1:]}


def test_a_condition_on_the_day_skips_the_others_unread() -> None:
    columns = checked_columns("reading", tables_of(facts_of())["reading"])
    plain = [to_parquet("reading", day, columns) for day in DAYS]
    query = "SELECT count(*) FROM reading WHERE day = DATE '2026-04-02' AND import_wh >= 0"
    with sandbox({"reading": plain}, memory_mb=100) as db:
        assert db.execute(query).fetchall() == [(5,)]
        plan = db.execute(f"EXPLAIN ANALYZE {query}").fetchall()[0][1]
    assert "Row Groups Scanned: 1 / 3" in plan


@cache
def leaves() -> bytes:
    return to_parquet("leaf", FIRST_DAY, checked_columns("leaf", tables_of(facts_of())["leaf"]))


REACHING_OUT = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_parquet('file:///etc/passwd')",
    "SELECT * FROM read_parquet('/proc/self/fd/0')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM read_csv('/dev/stdin')",
    "SELECT * FROM read_csv('/proc/self/environ')",
    "SELECT * FROM read_text('http://127.0.0.1:9/x')",
    "SELECT * FROM read_parquet('s3://bucket/x')",
    "SELECT * FROM secret_of_the_caller",
    "SELECT getenv('HOME')",
    "COPY leaf TO '{folder}/out.csv'",
    "COPY leaf TO '{folder}/out.parquet' (FORMAT parquet)",
    "COPY leaf TO '{leaf}' (FORMAT parquet, USE_TMP_FILE false)",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY leaf FROM '/etc/passwd'",
    "EXPORT DATABASE '{folder}/export'",
    "IMPORT DATABASE '/etc'",
    "ATTACH '{folder}/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SET allowed_paths = ['/etc/passwd']",
    "SET memory_limit = '100GB'",
    "SET temp_directory = '{folder}'",
    "SET python_enable_replacements = true",
    "RESET lock_configuration",
    "SET lock_configuration = false",
    "SET profiling_output = '{folder}/profile'",
    "SET log_query_path = '{folder}/queries'",
    "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'x')",
    "EXPLAIN ANALYZE COPY leaf TO '{folder}/out.csv'",
]


@pytest.mark.row("W6")
@pytest.mark.parametrize("sql", REACHING_OUT)
def test_sql_reaches_no_file_network_setting_or_variable(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    secret_of_the_caller = np.arange(3)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    asked = sql.format(folder=tmp_path, leaf="/proc/self/fd/3")
    with pytest.raises(Refused):
        archive.query(asked, days=DAYS[:1])
    # Behind the first wall, that it be one SELECT, stands a second.
    with sandbox({"leaf": [leaves()]}, memory_mb=100) as db:
        # The wall must stand where the path is a real one, too.
        (path,) = db.execute("SELECT current_setting('allowed_paths')").fetchone()[0]
        with pytest.raises(duckdb.Error):
            db.execute(sql.format(folder=tmp_path, leaf=path))
        if not sql.startswith("CREATE"):
            assert db.execute("SELECT count(*) FROM leaf").fetchall() == [(3,)]
    assert list(tmp_path.iterdir()) == []
    assert len(secret_of_the_caller) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW leaf",
        "INSERT INTO leaf VALUES (1)",
        "ATTACH ':memory:' AS mine",
        "SELECT nonsense FROM leaf",
        "SELEC 1",
        "SELECT ?",
        "SELECT 1 / 'x'",
        "\0",
        "SELECT '\ud800'",
    ],
)
def test_what_is_no_query_is_refused_by_name(archive: Archive, sql: str) -> None:
    with pytest.raises((Refused, InvalidValue)):
        archive.query(sql, days=DAYS)
    assert archive.query("SELECT count(*) FROM leaf", days=DAYS) == [(9,)]


def test_a_query_that_outgrows_its_memory_is_refused(archive: Archive, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    query = "SELECT count(DISTINCT a.range || '-' || b.range) FROM range(3000) a, range(3000) b"
    with pytest.raises(Refused, match="outgrew its memory"):
        archive.query(query, days=DAYS, limits=Limits(memory_mb=20))
    assert list(tmp_path.iterdir()) == []


def test_days_that_outgrow_the_memory_are_refused_unfetched(blobs: DictBlobs, archive: Archive) -> None:
    facts = facts_of(3)
    tables = tables_of(facts)
    noise = np.random.default_rng(0).bytes(700_000)
    archive_day(blobs, KEY, facts, {**tables, "leaf": {**tables["leaf"], "body": [noise, noise[::-1], noise[1:]]}})
    blobs.fetched.clear()
    with pytest.raises(Refused, match="outgrow the memory"):
        archive.query("FROM leaf", days=[facts.day], limits=Limits(memory_mb=1))
    assert [name for name in blobs.fetched if name.startswith("blob/")] == []


def test_an_answer_of_too_many_rows_is_refused_and_one_of_just_as_many_is_not(archive: Archive) -> None:
    limits = Limits(rows=9)
    assert len(archive.query("FROM leaf", days=DAYS, limits=limits)) == 9
    assert len(archive.query_columns("FROM leaf", days=DAYS, limits=limits)["position"]) == 9
    for ask in (archive.query, archive.query_columns):
        with pytest.raises(Refused, match="too many rows: limit 9"):
            ask("SELECT * FROM range(10)", days=DAYS, limits=limits)


def test_a_query_that_takes_too_long_is_broken_off(archive: Archive) -> None:
    begun = time.monotonic()
    query = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"
    with pytest.raises(Refused, match="took too long"):
        archive.query(query, days=DAYS, limits=Limits(seconds=0.2))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("bad", [{"memory_mb": 0}, {"rows": -1}, {"seconds": 0}, {"seconds": float("nan")}])
def test_a_limit_is_above_zero(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Limits(**bad)


def test_a_day_that_is_not_there_is_named(archive: Archive) -> None:
    with pytest.raises(Refused, match="not archived: day 2026-04-09"):
        archive.query("FROM leaf", days=[*DAYS, facts_of(8).day])
    with pytest.raises(InvalidValue, match="at least one day"):
        archive.query("FROM leaf", days=[])
    with pytest.raises(Refused, match="community other"):
        Archive(DictBlobs(), KEY, CommunityId("other")).check(DAYS[0])


def test_the_log_says_which_manifest_stands(blobs: DictBlobs, kept: tuple[dict[str, bytes], list[Manifest]]) -> None:
    told = kept[1]
    forged = replace(told[0], facts=replace(told[0].facts, log_root="f" * 64))
    blobs.put(blob_name("manifest/2026-04-01", forged.to_json()), forged.to_json())
    with pytest.raises(Corrupt, match="contradict"):
        Archive(blobs, KEY, STREET).days()
    with pytest.raises(Corrupt, match="contradict"):
        Archive(blobs, KEY, STREET).query("FROM leaf", days=DAYS)
    logged = {manifest.facts.day: manifest.digest() for manifest in told[:2]}
    trusting = Archive(blobs, KEY, STREET, logged=logged)
    assert list(trusting.days().values()) == told[:2]
    assert trusting.query("SELECT count(*) FROM leaf", days=DAYS[:2]) == [(6,)]
    with pytest.raises(Refused, match="not archived"):
        trusting.query("FROM leaf", days=DAYS)
    blobs.delete(f"manifest/2026-04-01/{told[0].digest()}")
    with pytest.raises(Corrupt, match="is missing, and the log names it"):
        trusting.query("FROM leaf", days=DAYS[:1])


@pytest.mark.parametrize("change", ["rows", "size_bytes", "tables", "day", "community"])
def test_a_manifest_that_tells_untruths_is_found(blobs: DictBlobs, change: str) -> None:
    true = next(iter(Archive(blobs, KEY, STREET).days().values()))
    leaf = true.tables["leaf"]
    untrue = {
        "rows": replace(true, tables={**true.tables, "leaf": replace(leaf, rows=4)}),
        "size_bytes": replace(true, tables={**true.tables, "leaf": replace(leaf, size_bytes=1)}),
        "tables": replace(true, tables={"leaf": leaf, "x'; DROP": leaf}),
        "day": replace(true, facts=replace(true.facts, day=DAYS[2])),
        "community": replace(true, facts=replace(true.facts, community=CommunityId("other"))),
    }[change]
    blobs.delete(f"manifest/2026-04-01/{true.digest()}")
    blobs.put(name := blob_name("manifest/2026-04-01", untrue.to_json()), untrue.to_json())
    with pytest.raises(Corrupt):
        Archive(blobs, KEY, STREET, logged={DAYS[0]: name[-64:]}).check(DAYS[0])
    with pytest.raises((Corrupt, Refused)):
        Archive(blobs, KEY, STREET).check(DAYS[0])
