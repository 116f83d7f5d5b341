"""Every log store keeps the same promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.flows.ports import LogStore
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Outcome, Refused
from commonwatt.simulator.paper import PaperLog


@pytest.fixture(params=["paper", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    if request.param == "paper":
        yield PaperLog()
        return
    with SqliteLog(tmp_path / "log.sqlite") as store:
        yield store


def row(position: int) -> LeafRow:
    return LeafRow(position=position, stamped_s=900 * position, salt=bytes(32), body=b"{}", outcome=Outcome.BOOKED)


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
