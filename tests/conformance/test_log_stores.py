"""Every log store keeps the same promises."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from log_places import Log, Place, PostgresPlace, SqlitePlace, row, rows

from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.ports import LogStore
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused
from commonwatt.simulator.paper import PaperLog


@pytest.fixture(params=["paper", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    if request.param == "paper":
        yield PaperLog()
        return
    where = SqlitePlace(tmp_path) if request.param == "sqlite" else PostgresPlace(request.getfixturevalue("postgres"))
    with where.open() as store:
        yield store


def test_rows_come_back_in_order_and_from_where_one_asks(log: LogStore) -> None:
    log.append([row(0), row(1)], {})
    log.append([row(2)], {})
    assert [r.position for r in log.rows()] == [0, 1, 2]
    assert list(log.rows(2)) == [row(2)]
    assert log.size == 3


def test_marks_are_those_of_the_last_append_that_set_them(log: LogStore) -> None:
    log.append([row(0)], {"slot": "1", "phase": "heard"})
    log.append([], {"phase": "planned"})
    assert log.marks() == {"slot": "1", "phase": "planned"}


def test_a_gap_is_refused_and_nothing_of_the_batch_stays(log: LogStore) -> None:
    log.append([row(0)], {"slot": "1"})
    with pytest.raises(Refused):
        log.append([row(1), row(3)], {"slot": "2"})
    assert (log.size, log.marks()) == (1, {"slot": "1"})


def test_a_leaf_comes_back_as_it_was_and_is_found_by_its_signer_and_number(log: LogStore) -> None:
    log.append([row(0), row(1), row(2)], {})
    assert list(log.rows()) == [row(0), row(1), row(2)]
    assert log.answered("key-0", 2) == row(2)
    assert log.answered("key-1", 1) == row(1)
    for author, seq in (("key-1", 2), ("key-0", 0), ("key-7", 1), ("member-0", 1)):
        assert log.answered(author, seq) is None


def test_a_tile_is_what_was_put_last(log: LogStore) -> None:
    assert log.tile(0, 0) == b""
    log.append([row(0)], {}, {(0, 0): b"a" * 32, (1, 0): b"b" * 32})
    log.append([row(1)], {}, {(0, 0): b"a" * 64})
    assert (log.tile(0, 0), log.tile(1, 0), log.tile(0, 1)) == (b"a" * 64, b"b" * 32, b"")


def test_what_is_refused_leaves_no_tile_either(log: LogStore) -> None:
    with pytest.raises(Refused):
        log.append([row(1)], {}, {(0, 0): b"a" * 32})
    assert log.tile(0, 0) == b""
    assert log.answered("key-1", 1) is None


def test_snapshots_come_back_the_latest_first(log: LogStore) -> None:
    assert list(log.snapshots()) == []
    log.append(rows(0, 3), {})
    log.save_snapshot(1, b"one")
    log.save_snapshot(3, b"")
    log.save_snapshot(3, b"three")
    assert list(log.snapshots()) == [(3, b"three"), (1, b"one")]


def test_names_and_bodies_may_hold_anything_that_somebody_signs(log: LogStore) -> None:
    names = ["", "\0", "a\0b", "'; DROP TABLE leaf", "\\", "Straße 🔋", "x" * 20_000, "*snapshots*"]
    bodies = [b"", bytes(range(256)), b"\0" * 70_000, b"\\x00", b"\n\t\\N", b"{}", b"'", b'"']
    told = [
        row(n, owner=name, author=f"key {name}", seq=2**53 - 1, body=body, items=body, stamped_s=2**53 - 1)
        for n, (name, body) in enumerate(zip(names, bodies, strict=True))
    ]
    log.append(told, {"name": "va'lue", "": ""})
    log.save_snapshot(8, b"all of it")
    assert list(log.rows()) == told
    assert [log.answered(one.author, one.seq) for one in told] == told
    assert log.marks() == {"name": "va'lue", "": ""}
    assert list(log.snapshots()) == [(8, b"all of it")]


# What follows is promised by every log that lasts longer than its process.


def test_what_was_appended_is_there_when_opened_again(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 2), {"batch": "1", "slot": "7"}, {(0, 0): b"t" * 64})
        log.append(rows(2, 3), {"batch": "2"})
        log.save_snapshot(2, b"state")
    with place.open() as log:
        assert (list(log.rows()), list(log.rows(2)), list(log.rows(3))) == (rows(0, 3), rows(2, 3), [])
        assert (log.marks(), log.size, log.pruned_to) == ({"batch": "2", "slot": "7"}, 3, 0)
        assert (log.tile(0, 0), list(log.snapshots())) == (b"t" * 64, [(2, b"state")])


def test_a_long_log_is_read_in_pages_and_to_its_end_as_it_grows(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 2_500), {})
        reading = log.rows()
        first = next(reading)
        log.append(rows(2_500, 2_600), {})
        assert [first, *reading] == rows(0, 2_600)


@pytest.mark.parametrize("positions", [[1], [0, 2], [0, 0], [0, 1, 3], [1, 0]])
def test_leaves_that_leave_a_gap_are_refused_all_or_nothing(place: Place, positions: list[int]) -> None:
    with place.open() as log:
        with pytest.raises(Refused, match="leaves continue without gap"):
            log.append([row(position) for position in positions], {"batch": "1"})
        assert (log.size, log.marks()) == (0, {})
        log.append(rows(0, 1), {"batch": "1"})
        assert (log.size, log.marks()) == (1, {"batch": "1"})
    with place.open() as log:
        assert list(log.rows()) == rows(0, 1)


def test_an_old_writer_that_wakes_up_cannot_write(place: Place) -> None:
    with place.open() as old:
        old.append(rows(0, 1), {"by": "old"})
        old.save_snapshot(1, b"old")
        with place.open() as new:
            for write in (
                lambda: old.append(rows(1, 2), {"by": "old"}, {(0, 0): b"old"}),
                lambda: old.append([], {"by": "old"}),
                lambda: old.save_snapshot(1, b"other"),
                lambda: old.erase("member-0"),
                lambda: old.prune(1),
            ):
                with pytest.raises(Refused, match="another writer has taken over") as refusal:
                    write()
                assert (refusal.value.found["own_epoch"], refusal.value.found["found_epoch"]) == (1, 2)
            new.append(rows(1, 3), {"by": "new"})
        assert (list(old.rows()), old.marks(), old.tile(0, 0)) == (rows(0, 3), {"by": "new"}, b"")
        assert list(old.snapshots()) == [(1, b"old")]


def test_every_opening_for_writing_takes_the_next_epoch_and_readers_take_none(place: Place) -> None:
    for epoch in (1, 2, 3):
        with place.open() as log:
            assert log.epoch == epoch
        with place.read() as log:
            assert log.epoch == 0


def test_of_many_that_open_at_once_each_has_an_epoch_of_its_own_and_one_may_write(place: Place) -> None:
    place.open().close()  # SQLite refuses to switch its journal while others do the same

    def epoch(_: int) -> tuple[int, bool]:
        # Opened and used in one thread, as SQLite asks.
        with place.open() as log:
            try:
                log.append([], {"last": str(log.epoch)})
            except Refused:
                return log.epoch, False
            return log.epoch, True

    with ThreadPoolExecutor(6) as pool:
        found = sorted(pool.map(epoch, range(6)))
    assert [number for number, _ in found] == list(range(2, 8))
    with place.read() as log:
        last = int(log.marks()["last"])
    assert last == max(number for number, wrote in found if wrote)
    assert dict(found)[7], "the last to come is never refused"


def test_a_reader_follows_the_writer_and_cannot_write(place: Place) -> None:
    with place.open() as writer, place.read() as reader:
        writer.append(rows(0, 3), {"batch": "1"})
        assert (list(reader.rows()), reader.marks()) == (rows(0, 3), {"batch": "1"})
        for write in (
            lambda: reader.append(rows(3, 4), {}),
            lambda: reader.save_snapshot(1, b""),
            lambda: reader.erase("member-0"),
            lambda: reader.prune(0),
        ):
            with pytest.raises(Refused, match="opened for reading"):
                write()
        writer.append([row(3, author="newcomer", owner="newcomer")], {})
        assert (reader.size, reader.answered("newcomer", 2)) == (4, row(3, author="newcomer", owner="newcomer"))


def test_a_log_that_is_not_there_is_not_made_by_reading(place: Place) -> None:
    for _ in range(2):
        with pytest.raises(Refused, match="there is no log"):
            place.read()


def test_another_master_key_does_not_open_a_log(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 1), {})
    for opening in (place.open, place.read):
        with pytest.raises(Corrupt, match="does not open"):
            opening(MasterKey(b"other key, but 32 bytes as well."))


def test_a_position_below_zero_is_refused(place: Place) -> None:
    with place.open() as log, pytest.raises(InvalidValue):
        next(log.rows(-1))


@pytest.mark.parametrize("missing", [0, 1, 1_000, 1_400])
def test_a_missing_leaf_is_named(place: Place, missing: int) -> None:
    with place.open() as log:
        log.append(rows(0, 1_500), {})
    place.spoil(f"DELETE FROM leaf WHERE position = {missing}")
    with place.read() as log, pytest.raises(Corrupt, match=f"leaf {missing} is missing"):
        list(log.rows())


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'PERHAPS'",
        "outcome = 'BAD_SIGNATURE'",
        "sealed = x'00'",
        "sealed = x''",
        "sealed = (SELECT sealed FROM leaf WHERE position = 2)",
        "sealed = substr(sealed, 1, 60)",
        "owner = author",
        "position = -3",
    ],
)
def test_an_impossible_leaf_is_named(place: Place, change: str) -> None:
    with place.open() as log:
        log.append(rows(0, 3), {})
    place.spoil(f"UPDATE leaf SET {change} WHERE position = 1")
    with place.read() as log, pytest.raises(Corrupt, match="leaf 1 "):
        list(log.rows())


def test_damaged_personal_fields_are_named_and_no_others_are_taken_for_them(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 4), {})
    place.spoil("UPDATE personal SET sealed = (SELECT sealed FROM personal WHERE position = 3) WHERE position = 1")
    with place.read() as log, pytest.raises(Corrupt, match="leaf 1 "):
        list(log.rows())


def test_a_damaged_snapshot_is_corrupt(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 2), {})
        log.save_snapshot(1, b"one")
        log.save_snapshot(2, b"two")
    place.spoil("UPDATE snapshot SET sealed = (SELECT sealed FROM snapshot WHERE size = 1) WHERE size = 2")
    with place.read() as log, pytest.raises(Corrupt):
        list(log.snapshots())


def test_the_two_latest_snapshots_are_kept_and_none_of_what_is_not_there(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 4), {})
        for size in (1, 2, 3, 4):
            log.save_snapshot(size, b"%d" % size)
        assert list(log.snapshots()) == [(4, b"4"), (3, b"3")]
        for size in (-1, 5):
            with pytest.raises(Refused, match="a snapshot is of leaves that are there"):
                log.save_snapshot(size, b"")


def test_an_erased_owner_is_gone_and_everybody_else_stays(place: Place) -> None:
    with place.open() as log, place.read() as reader:
        log.append(rows(0, 9), {"slot": "1"}, {(0, 0): b"t" * 288})
        assert len(list(reader.rows())) == 9
        for covered in (None, 3, 7):
            if covered is not None:
                log.save_snapshot(covered, b"state")
            with pytest.raises(Refused, match="a snapshot covers what is erased"):
                log.erase("member-1")
        log.save_snapshot(8, b"state")
        assert (log.erase("member-1"), log.erase("member-1")) == (3, 0)
        for one in (log, reader):
            check_erased(one)
    with place.open() as log:
        check_erased(log)
        log.append(rows(9, 12), {})
        assert list(log.rows(8)) == rows(8, 12), "who comes back has another key"
        with pytest.raises(Corrupt, match="leaf 7 cannot be read"):
            next(log.rows(7))
        log.save_snapshot(12, b"later")
        log.erase("member-1")
        with pytest.raises(Corrupt, match="leaf 10 cannot be read"):
            list(log.rows(8))


def check_erased(log: Log) -> None:
    for gone in (1, 4, 7):
        with pytest.raises(Corrupt, match=f"leaf {gone} cannot be read, its owner's key was erased"):
            next(log.rows(gone))
        assert next(log.rows(gone + 1)) == row(gone + 1)
        assert log.answered(row(gone).author, row(gone).seq) is None, "a repeat of it must not stop the log"
    assert log.answered("key-0", 1) == row(0)
    assert log.whole_from == 8
    assert (log.size, log.marks(), log.tile(0, 0)) == (9, {"slot": "1"}, b"t" * 288)
    assert next(log.snapshots()) == (8, b"state")


@pytest.mark.parametrize("nobody", ["member-7", "", "*snapshots*"])
def test_nobody_cannot_be_erased(place: Place, nobody: str) -> None:
    with place.open() as log:
        log.append(rows(0, 3), {})
        log.save_snapshot(3, b"state")
        with pytest.raises(Refused, match="an owner is one who has leaves"):
            log.erase(nobody)
        assert (list(log.rows()), list(log.snapshots())) == (rows(0, 3), [(3, b"state")])


def test_a_reader_meets_an_owner_who_was_erased_and_came_back(place: Place) -> None:
    with place.open() as log, place.read() as reader:
        log.append(rows(0, 3), {})
        assert list(reader.rows()) == rows(0, 3)
        log.save_snapshot(3, b"state")
        log.erase("member-0")
        log.append(rows(3, 4), {})
        assert list(reader.rows(3)) == rows(3, 4)


def test_a_pruned_log_goes_on_where_it_was(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 10), {}, {(0, 0): b"t" * 320})
        with pytest.raises(Refused, match="a snapshot covers what is pruned"):
            log.prune(5)
        log.save_snapshot(10, b"state")
        with pytest.raises(Refused, match="a snapshot covers what is pruned"):
            log.prune(11)
        log.prune(5)
        log.prune(3)
        assert (log.size, log.pruned_to, list(log.rows(5))) == (10, 5, rows(5, 10))
        with pytest.raises(Refused, match="pruned, the archive has them"):
            next(log.rows(4))
        assert log.answered("key-0", 1) is None
        log.prune(10)
    with place.open() as log:
        assert (log.size, list(log.rows(10)), log.tile(0, 0)) == (10, [], b"t" * 320)
        log.append(rows(10, 12), {})
        assert list(log.rows(10)) == rows(10, 12)


def test_a_number_that_a_key_has_used_is_a_fault_of_the_caller_and_closes_the_log(place: Place) -> None:
    with place.open() as log:
        log.append(rows(0, 2), {})
        with pytest.raises(Exception, match=r"(?i)unique"):
            log.append([row(2, author="key-0", seq=1)], {"batch": "2"})
        with pytest.raises(Exception, match="closed"):
            log.append(rows(2, 3), {})
    with place.open() as log:
        assert (list(log.rows()), log.marks()) == (rows(0, 2), {})


@pytest.mark.parametrize("wrong", [{"seq": 2**64}, {"stamped_s": 2**64}, {"owner": "\ud800"}])
def test_what_no_column_holds_closes_the_log_and_leaves_it_whole(place: Place, wrong: dict[str, Any]) -> None:
    with place.open() as log:
        log.append(rows(0, 1), {})
        with pytest.raises(Exception):  # noqa: B017  each driver has its own
            log.append([row(1, author="newcomer", owner="newcomer"), row(2, **wrong)], {})
    with place.open() as log:
        log.append(rows(1, 3), {})
        assert list(log.rows()) == rows(0, 3)


def test_an_append_of_nothing_is_nothing(place: Place) -> None:
    with place.open() as log:
        log.append([], {})
        assert (log.size, log.marks(), list(log.rows())) == (0, {}, [])


def test_outcomes_come_back_as_they_were(place: Place) -> None:
    told = [row(n, outcome=outcome) for n, outcome in enumerate(o for o in Outcome if o.admitted)]
    with place.open() as log:
        log.append(told, {})
        assert list(log.rows()) == told
