"""What only PostgreSQL can do to a log: lose its server, its connection, its settings, or its roles."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import psycopg
import pytest
from appender import MASTER, leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import appending, check_whole, run_and_kill

from commonwatt.adapters.stores import postgres as module
from commonwatt.adapters.stores.postgres import PostgresLog
from commonwatt.adapters.stores.postgres_schema import grant, schema_name
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, InvalidValue, Refused
from servers.cut_wire import wires
from servers.postgres import Cluster

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
ROUNDS, MOST_ANSWERS = (2_000, 12) if NIGHTLY else (12, 8)
CUTS = 1_000 if NIGHTLY else 15


def leaves(start: int, end: int) -> list[LeafRow]:
    return [leaf(position, b"%d" % position * 10) for position in range(start, end)]


def test_a_kill_at_any_moment_loses_nothing_that_was_answered(postgres: Cluster) -> None:
    chance, community, answered = Random(20_261_122), postgres.name(), 0
    with appending() as process:
        for number in range(ROUNDS):
            after, pause_s = chance.randint(0, MOST_ANSWERS), chance.uniform(0, 0.006)
            found = run_and_kill(process, postgres.dsn, community, number, after, pause_s)
            answered = answered if found is None else found
            if number % 5 == 0 or number == ROUNDS - 1:
                with PostgresLog.open_readonly(postgres.dsn, community, MASTER) as log:
                    check_whole(log, answered)


def test_a_kill_while_a_log_is_first_opened_leaves_one_that_opens(postgres: Cluster) -> None:
    chance = Random(7)
    with appending() as process:
        for number in range(ROUNDS // 4):
            community = postgres.name()
            answered = run_and_kill(process, postgres.dsn, community, number, 0, chance.uniform(0, 0.03))
            with PostgresLog(postgres.dsn, community, MASTER) as log:
                check_whole(log, answered or 0)


@pytest.fixture
def own_postgres() -> Iterator[Cluster]:
    """A server that a test may crash: with few files it recovers soon, and nobody else waits for it."""
    with Cluster() as cluster:
        yield cluster


def test_a_server_process_that_is_killed_closes_the_log_and_keeps_what_was_answered(own_postgres: Cluster) -> None:
    community = own_postgres.name()
    log = PostgresLog(own_postgres.dsn, community, MASTER)
    log.append(leaves(0, 5), {"batch": "1"})
    own_postgres.crash(log._db.info.backend_pid)
    with pytest.raises(psycopg.OperationalError):
        log.append(leaves(5, 6), {"batch": "2"})
    with pytest.raises(psycopg.OperationalError, match=r"closed|lost"):
        log.append(leaves(5, 6), {"batch": "2"})
    with PostgresLog(own_postgres.dsn, community, MASTER) as log:
        assert (list(log.rows()), log.marks()) == (leaves(0, 5), {"batch": "1"})
        log.append(leaves(5, 6), {"batch": "2"})


@pytest.fixture(scope="module")
def wired(postgres: Cluster) -> Iterator[tuple[str, list]]:  # type: ignore[type-arg]
    folder = Path(tempfile.mkdtemp(prefix="cw-wire-"))  # a socket's path is short
    with wires(postgres.dsn, folder) as found:
        yield found
    shutil.rmtree(folder)


@settings(max_examples=CUTS, deadline=None)
@given(way=st.sampled_from(["up", "down"]), share=st.floats(0, 1.1), count=st.integers(1, 5))
def test_wherever_the_wire_is_cut_a_batch_is_there_whole_or_not_at_all(
    postgres: Cluster,
    wired: tuple[str, list],
    way: str,
    share: float,
    count: int,  # type: ignore[type-arg]
) -> None:
    dsn, laid = wired
    community = postgres.name()
    with PostgresLog(dsn, community, MASTER) as log:
        log.append(leaves(0, 2), {"batch": "1"}, {(0, 0): b"t" * 64})
        # What an append of this size sends and hears in all, near enough.
        laid[-1].cut_after(way, round(share * (1_500 + 250 * count if way == "up" else 900)))
        try:
            log.append(leaves(2, 2 + count), {"batch": "2"}, {(0, 0): b"t" * 96})
            answered = True
        except psycopg.OperationalError:
            answered = False
            with pytest.raises(psycopg.OperationalError, match=r"closed|lost"):
                log.append([], {})
    with PostgresLog(postgres.dsn, community, MASTER) as log:
        there = log.size == 2 + count
        assert there or not answered
        assert list(log.rows()) == leaves(0, 2 + count * there)
        assert (log.marks(), len(log.tile(0, 0))) == ({"batch": "12"[there]}, 64 + 32 * there)
        log.append(leaves(log.size, 9), {})


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_connection_that_drops_in_the_middle_of_an_append_takes_nothing_of_it_along(
    postgres: Cluster, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PostgresLog(postgres.dsn, community := postgres.name(), MASTER)
    pid, insert = log._db.info.backend_pid, module.insert

    def drop(db: object, columns: object) -> None:
        if at == "after":
            insert(db, columns)  # type: ignore[arg-type]
        postgres.do(f"SELECT pg_terminate_backend({pid}, 5000)")
        insert(db, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "insert", drop)
    with pytest.raises(psycopg.OperationalError):
        log.append(leaves(0, 2), {"batch": "1"})
    monkeypatch.undo()
    with PostgresLog(postgres.dsn, community, MASTER) as again:
        assert (again.size, again.marks()) == (0, {})


def test_an_old_writer_that_hangs_in_a_transaction_is_let_go(postgres: Cluster) -> None:
    community = postgres.name()
    with PostgresLog(postgres.dsn, community, MASTER) as old:
        assert old._db.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10s",)
        old._db.execute("SET idle_in_transaction_session_timeout = '150ms'")
        old._db.execute("BEGIN")
        old._db.execute("SELECT epoch FROM writer FOR UPDATE")
        with PostgresLog(postgres.dsn, community, MASTER) as new:
            new.append(leaves(0, 1), {})
            with pytest.raises(psycopg.Error):
                old.append(leaves(1, 2), {})
            assert list(new.rows()) == leaves(0, 1)


def test_a_new_writer_waits_for_the_append_that_the_old_one_is_at(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    community, reached, go = postgres.name(), threading.Event(), threading.Event()
    insert = module.insert

    def slowly(db: object, columns: object) -> None:
        reached.set()
        go.wait(10)
        insert(db, columns)  # type: ignore[arg-type]

    with PostgresLog(postgres.dsn, community, MASTER) as old, ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(module, "insert", slowly)
        appending = pool.submit(old.append, leaves(0, 2), {"by": "old"})
        assert reached.wait(10)
        opening = pool.submit(PostgresLog, postgres.dsn, community, MASTER)
        time.sleep(0.1)
        assert not opening.done()
        go.set()
        appending.result(10)
        with opening.result(10) as new:
            assert (list(new.rows()), new.marks(), new.epoch) == (leaves(0, 2), {"by": "old"}, 2)


def test_many_communities_share_a_database_and_nothing_else(postgres: Cluster) -> None:
    names = [postgres.name(), 'with "quotes" and %s', "Straße 🔋", "x" * 52]
    logs = [PostgresLog(postgres.dsn, name, MASTER) for name in names]
    for number, log in enumerate(logs):
        log.append(leaves(0, number + 1), {"number": str(number)})
    for number, (name, log) in enumerate(zip(names, logs, strict=True)):
        log.close()
        with PostgresLog.open_readonly(postgres.dsn, name, MASTER) as again:
            assert (list(again.rows()), again.marks()) == (leaves(0, number + 1), {"number": str(number)})


@pytest.mark.parametrize("name", ["", "x" * 53, "é" * 27, "a\0b", "a\nb"])
def test_a_name_that_would_be_cut_off_is_refused(postgres: Cluster, name: str) -> None:
    for opening in (PostgresLog, PostgresLog.open_readonly):
        with pytest.raises(InvalidValue, match="a name of 1 to 52 bytes"):
            opening(postgres.dsn, name, MASTER)


def test_a_log_is_made_once_when_many_ask_at_once(postgres: Cluster) -> None:
    community = postgres.name()

    def epoch(_: int) -> int:
        with PostgresLog(postgres.dsn, community, MASTER) as log:
            return log.epoch

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(epoch, range(8))) == list(range(1, 9))


def test_a_log_of_another_format_is_refused(postgres: Cluster) -> None:
    PostgresLog(postgres.dsn, community := postgres.name(), MASTER).close()
    postgres.do(f'UPDATE "{schema_name(community)}".writer SET format = 7')
    for opening in (PostgresLog, PostgresLog.open_readonly):
        with pytest.raises(Refused, match="known 1, found 7"):
            opening(postgres.dsn, community, MASTER)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_would_lose_what_it_answers_is_refused(postgres: Cluster, setting: str) -> None:
    community = postgres.name()
    with reset(postgres, setting):
        with pytest.raises(Refused, match=f"keeps what it answers: setting {setting}, found off"):
            PostgresLog(postgres.dsn, community, MASTER)
        PostgresLog(postgres.dsn, community, MASTER, durable=False).close()
        PostgresLog.open_readonly(postgres.dsn, community, MASTER).close()
    PostgresLog(postgres.dsn, community, MASTER).close()


class reset:  # noqa: N801  reads as a verb
    """Turn a setting off for a while."""

    def __init__(self, cluster: Cluster, setting: str) -> None:
        self._cluster, self._setting = cluster, setting

    def __enter__(self) -> None:
        self._set("off")

    def __exit__(self, *_: object) -> None:
        self._set("on")

    def _set(self, value: str) -> None:
        self._cluster.do(f"ALTER SYSTEM SET {self._setting} = {value}")
        self._cluster.do("SELECT pg_reload_conf()")
        until = time.monotonic() + 10
        while self._cluster.do(f"SHOW {self._setting}") != [(value,)]:
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.mark.parametrize(("asked", "stands"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_every_commit_waits_for_the_disk_whatever_the_default(postgres: Cluster, asked: str, stands: str) -> None:
    dsn = f"{postgres.dsn} options='-c synchronous_commit={asked}'"
    with PostgresLog(dsn, postgres.name(), MASTER) as log:
        assert log._db.execute("SHOW synchronous_commit").fetchone() == (stands,)


def test_roles_may_do_what_they_are_granted_and_no_more(postgres: Cluster) -> None:
    community = postgres.name()
    with PostgresLog(postgres.dsn, community, MASTER) as owner:
        owner.append(leaves(0, 2), {"batch": "1"}, {(0, 0): b"t" * 32})
    for role in ("appending", "looking", "stranger"):
        postgres.do(f"CREATE ROLE {role} LOGIN")
    grant(postgres.dsn, community, writer="appending", reader="looking")
    dsn = {role: postgres.dsn.replace("user=postgres", f"user={role}") for role in ("appending", "looking", "stranger")}
    with PostgresLog(dsn["appending"], community, MASTER) as log:
        log.append(leaves(2, 40), {"batch": "2"}, {(0, 0): b"t" * 64, (1, 0): b"u" * 32})
        for size in (1, 2, 2, 40):
            log.save_snapshot(size, b"state")
        for forbidden in (lambda: log.erase("member-0"), lambda: log.prune(2)):
            with pytest.raises(Refused, match="only the role that owns a log erases and prunes"):
                forbidden()
        log.append(leaves(40, 41), {})
    with PostgresLog.open_readonly(dsn["looking"], community, MASTER) as log:
        assert (list(log.rows()), log.tile(1, 0)) == (leaves(0, 41), b"u" * 32)
    for role in ("looking", "stranger"):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
            PostgresLog(dsn[role], community, MASTER)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        PostgresLog(dsn["stranger"], postgres.name(), MASTER)
    schema = schema_name(community)
    for role, statement in (
        ("appending", "UPDATE leaf SET stamped_s = 0"),
        ("appending", "DELETE FROM leaf"),
        ("appending", "DELETE FROM personal"),
        ("appending", "UPDATE key SET wrapped = ''"),
        ("appending", "DELETE FROM key"),
        ("appending", "UPDATE party SET name = ''"),
        ("appending", "UPDATE writer SET pruned_to = 9"),
        ("appending", "DROP TABLE leaf"),
        ("appending", "TRUNCATE leaf"),
        ("looking", "INSERT INTO mark VALUES ('a', 'b')"),
        ("looking", "UPDATE writer SET epoch = 99"),
        ("stranger", f'SELECT * FROM "{schema}".leaf'),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres.do(f'SET search_path = "{schema}"; {statement}', as_role=role)


def test_what_was_erased_is_in_no_table_any_more(postgres: Cluster) -> None:
    with PostgresLog(postgres.dsn, postgres.name(), MASTER) as log:
        log.append([leaf(0, b"x" * 500)], {})
        ((wrapped,),) = log._all("SELECT wrapped FROM key JOIN party ON id = party WHERE name = 'member-0'")
        log.save_snapshot(1, b"")
        ((before,),) = log._all("SELECT pg_relation_filepath('key')")
        log.erase("member-0")
        ((folder, after),) = log._all("SELECT current_setting('data_directory'), pg_relation_filepath('key')")
        postgres.do("CHECKPOINT")
        old, new = Path(folder, before), Path(folder, after)
        assert old != new
        assert not old.exists() or not old.read_bytes()
        assert wrapped not in new.read_bytes()


def test_a_damaged_page_is_corrupt_and_never_a_wrong_leaf(own_postgres: Cluster) -> None:
    community = own_postgres.name()
    with PostgresLog(own_postgres.dsn, community, MASTER) as log:
        log.append([leaf(position, b"x" * 600) for position in range(60)], {})
        ((folder, name),) = log._all("SELECT current_setting('data_directory'), pg_relation_filepath('leaf')")
        own_postgres.do("CHECKPOINT")
        path = Path(folder, name)
        content = bytearray(path.read_bytes())
        content[8192 : 8192 + 24] = bytes(range(24))  # the header of the second page
        path.write_bytes(content)
        own_postgres.crash(log._db.info.backend_pid)  # what the server has of it in memory goes
    with (
        PostgresLog.open_readonly(own_postgres.dsn, community, MASTER) as log,
        pytest.raises(Corrupt, match="is damaged"),
    ):
        list(log.rows())


def test_an_unreachable_server_is_an_error_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        PostgresLog(f"host={tmp_path} user=postgres", "street", MASTER)
    assert time.monotonic() - began < 5
