"""What is kept of people rests closed, whole or not at all, and their trail cannot be changed unseen."""

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.stores.people import PeopleFile
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import NOBODY, Person
from commonwatt.identity.signing_in import trail
from commonwatt.identity.signing_in.slowing import FREE_TRIES, Tries, one_more, wait_s
from commonwatt.identity.signing_in.trail import Event, Happened
from commonwatt.model import Corrupt, Refused
from doorway import HERE, doorway, joined, sits


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return doorway(tmp_path)


def checked(hall: Hall, heads: dict[int, str] | None = None) -> list[Event]:
    return list(trail.check((event for event, _ in hall.people.trail()), heads or {}))


def changed(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "people.sqlite") as db:
        db.execute(statement)
    db.close()


def test_the_file_is_its_owners_alone(hall: Hall, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "people.sqlite").stat().st_mode) == 0o600
    (mode,) = hall.people._db.execute("PRAGMA synchronous").fetchone()  # type: ignore[attr-defined]
    assert mode == 3, "EXTRA"


def test_another_master_key_opens_nothing(hall: Hall, tmp_path: Path) -> None:
    joined(hall, "anna")
    with pytest.raises(Corrupt):
        PeopleFile(tmp_path / "people.sqlite", MasterKey(bytes(32)))


def test_another_process_sees_what_was_changed_at_once(hall: Hall, tmp_path: Path) -> None:
    anna = joined(hall, "anna")
    with PeopleFile(tmp_path / "people.sqlite", MasterKey.in_file(tmp_path / "master.key")) as other:
        assert other.persons.get(anna.id) == anna == other.persons.find("anna")
        ben = joined(hall, "ben")
        assert other.persons.get(ben.id) == ben
        other.persons.drop(anna.id)
        assert hall.people.persons.get(anna.id) is None
        other.note(1, Happened.SIGNED_IN, ben.id, {})
    hall.note(Happened.SIGNED_OUT, ben.id)
    assert [event.what for event in checked(hall)][-2:] == [Happened.SIGNED_IN, Happened.SIGNED_OUT]


def test_what_fails_half_way_is_not_kept_at_all(hall: Hall) -> None:
    anna = joined(hall, "anna")
    with pytest.raises(ZeroDivisionError), hall.people.together():
        hall.people.persons.drop(anna.id)
        hall.note(Happened.ROLE_CHANGED, anna.id)
        joined(hall, "ben")
        raise ZeroDivisionError
    assert [one.name for one in hall.people.persons.all()] == ["anna"]
    assert hall.people.persons.get(anna.id) == anna
    assert len(checked(hall)) == 1


def test_a_full_disk_keeps_nothing_of_what_did_not_fit(hall: Hall) -> None:
    anna = joined(hall, "anna")
    db = hall.people.db  # type: ignore[attr-defined]
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="cannot be kept"), hall.people.together():
        for number in range(500):
            joined(hall, f"name{number}")
    assert [one.name for one in hall.people.persons.all()] == ["anna"]
    assert hall.people.persons.find("anna") == anna and len(checked(hall)) == 1
    db.execute("PRAGMA max_page_count = 100000")
    joined(hall, "ben")
    assert len(checked(hall)) == 2


def test_a_file_that_another_process_holds_is_a_refusal_in_words(hall: Hall, tmp_path: Path) -> None:
    hall.people.db.execute("PRAGMA busy_timeout = 10")  # type: ignore[attr-defined]
    with sqlite3.connect(tmp_path / "people.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="locked"):
            joined(hall, "anna")
        other.execute("ROLLBACK")
    other.close()
    assert joined(hall, "anna").name == "anna"


def test_a_name_is_one_persons(hall: Hall) -> None:
    anna = joined(hall, "anna")
    with pytest.raises(Refused):
        hall.people.persons.put(Person(id="f" * 32, name="anna", places=(), made_s=0))
    assert hall.people.persons.find("anna") == anna


def test_a_record_opens_in_its_own_place_alone(hall: Hall, tmp_path: Path) -> None:
    joined(hall, "anna"), joined(hall, "ben")
    changed(
        tmp_path, "UPDATE record SET sealed = (SELECT max(sealed) FROM record), owner = (SELECT max(owner) FROM record)"
    )
    with pytest.raises(Corrupt):
        hall.people.persons.all()


DELETE_LAST = "DELETE FROM event WHERE number = (SELECT max(number) FROM event)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET what = 'failed' WHERE number = 2",
        "UPDATE event SET at_s = at_s - 1 WHERE number = 1",
        "UPDATE event SET told = hash WHERE number = 2",
        "DELETE FROM event WHERE number = 2",
        "DELETE FROM event WHERE number = 1",
        "UPDATE event SET what = 'another' WHERE number = 2",
    ],
)
@pytest.mark.row("W8")
def test_an_event_that_is_changed_or_dropped_is_found(hall: Hall, tmp_path: Path, statement: str) -> None:
    for name in ("anna", "ben", "cleo"):
        sits(hall, joined(hall, name))
    assert len(checked(hall)) == 6
    changed(tmp_path, statement)
    with pytest.raises(Corrupt, match="event"):
        checked(hall)


def test_dropped_last_events_are_found_by_what_the_log_knows(hall: Hall, tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        joined(hall, name)
    head = hall.people.head()
    assert head is not None
    assert len(checked(hall, {head.number: head.hash})) == 2
    changed(tmp_path, DELETE_LAST)
    with pytest.raises(Corrupt, match="ends at event 1"):
        checked(hall, {head.number: head.hash})


def test_a_chain_written_anew_is_found_by_what_the_log_knows(hall: Hall) -> None:
    joined(hall, "anna")
    with pytest.raises(Corrupt, match="stands in the log"):
        checked(hall, {1: "0" * 64})


def test_who_is_erased_is_gone_and_the_chain_still_holds(hall: Hall, tmp_path: Path) -> None:
    anna, ben = joined(hall, "anna"), joined(hall, "ben")
    sits(hall, anna)
    before = checked(hall)
    hall.people.erase(anna.id)  # type: ignore[attr-defined]
    assert [one.id for one in hall.people.persons.all()] == [ben.id]
    assert hall.people.sessions.all() == []
    assert checked(hall) == before
    told = [tells for _, tells in hall.people.trail()]
    assert told[0] is None and told[1] is not None and told[1]["name"] == "ben" and told[2] is None


def test_what_an_event_tells_cannot_be_changed_by_who_holds_the_key(hall: Hall, tmp_path: Path) -> None:
    anna = joined(hall, "anna")
    sealed = hall.people.seal(anna.id, (1 << 48) + 1, b"0" * 16 + b'{"name":"ben"}')  # type: ignore[attr-defined]
    hall.people.db.execute("UPDATE event SET sealed = ? WHERE number = 1", (sealed,))  # type: ignore[attr-defined]
    with pytest.raises(Corrupt, match="other things"):
        checked(hall)


def test_a_clock_that_is_put_back_makes_no_event_older(hall: Hall) -> None:
    hall.people.note(1_000, Happened.FAILED, NOBODY, {})
    hall.people.note(900, Happened.FAILED, NOBODY, {})
    assert [event.at_s for event in checked(hall)] == [1_000, 1_000]


def test_tries_are_kept_and_forgotten(hall: Hall) -> None:
    hall.people.set_tries("name anna", Tries(3, 7))
    assert hall.people.tries("name anna") == Tries(3, 7)
    hall.people.set_tries("name anna", Tries())
    assert hall.people.tries("name anna") == Tries()
    assert HERE.address not in str(hall.people._db.execute("SELECT * FROM tries").fetchall())  # type: ignore[attr-defined]


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=40))
def test_the_more_tries_fail_the_longer_is_the_wait_and_none_is_endless(gaps: list[int]) -> None:
    tries, now_s, last = Tries(), 10**9, 0
    for gap in gaps:
        now_s += gap
        wait = wait_s(tries, now_s)
        assert 0 <= wait <= 900
        now_s += wait
        assert wait_s(tries, now_s) == 0
        tries = one_more(tries, now_s)
        pause = wait_s(tries, now_s)
        assert pause >= min(last, pause) and (pause > 0) == (tries.count >= FREE_TRIES)
        last = pause
