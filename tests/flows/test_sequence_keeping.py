"""While one commit becomes durable the next is decided; nobody is told before, and nothing goes on after a failure."""

import threading
from collections.abc import Mapping, Sequence

import pytest
from community import NAME, Community

from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Kind, Outcome, Refused
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts


class SlowLog(PaperLog):
    """A log whose disk waits until it is let go, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.fails, self.appends = threading.Event(), False, 0
        self.go.set()

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = {}
    ) -> None:
        assert self.go.wait(5)
        self.appends += 1
        if self.fails:
            raise OSError("the disk is gone")
        super().append(rows, marks, tiles)


def slow() -> tuple[Community, SlowLog]:
    log = SlowLog()
    return Community(1, store=log), log


def cancel(community: Community) -> bytes:
    return community.wire("anna", Kind.CANCEL, order_bodies.CancelBody(order="7"))


def test_nobody_is_answered_before_it_is_durable() -> None:
    community, log = slow()
    log.go.clear()
    size, first = log.size, len(community.sequencer.tree)
    decided = [community.sequencer.decide([cancel(community)], community.now_s) for _ in range(2)]
    assert len(community.sequencer.tree) == first + 2
    assert log.size == size
    assert not any(one.kept.done() for one in decided)
    log.go.set()
    assert [one.wait() for one in decided] == [[Outcome.UNKNOWN_THING]] * 2
    assert log.size == size + 2


def test_a_repeat_waits_for_the_first_to_be_kept_and_is_answered_alike() -> None:
    community, log = slow()
    wire = cancel(community)
    log.go.clear()
    community.sequencer.decide([wire], community.now_s)
    threading.Timer(0.1, log.go.set).start()
    assert community.send(wire) is Outcome.UNKNOWN_THING


def test_a_snapshot_stands_over_nothing_that_is_not_durable() -> None:
    community, log = slow()
    log.go.clear()
    community.sequencer.decide([cancel(community)], community.now_s)
    threading.Timer(0.1, log.go.set).start()
    community.sequencer.save_snapshot()
    size, _ = next(log.snapshots())
    assert size == log.size == len(community.sequencer.tree)


def test_what_was_decided_behind_a_failure_is_not_even_tried() -> None:
    community, log = slow()
    before, appends = log.size, log.appends
    log.go.clear()
    log.fails = True
    decided = [community.sequencer.decide([cancel(community)], community.now_s) for _ in range(3)]
    log.go.set()
    for one in decided:
        with pytest.raises((OSError, Refused)):
            one.wait()
    assert log.appends == appends + 1
    with pytest.raises(Refused, match="open it again"):
        community.sequencer.submit([], community.now_s)
    log.fails = False
    assert len(Sequencer(log, NAME, salts("tiny")).tree) == before


def test_closing_waits_for_what_is_being_kept() -> None:
    community, log = slow()
    log.go.clear()
    decided = community.sequencer.decide([cancel(community)], community.now_s)
    threading.Timer(0.1, log.go.set).start()
    community.sequencer.close()
    assert decided.kept.done()
