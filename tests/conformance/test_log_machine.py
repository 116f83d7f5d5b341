"""Whatever is done to a durable log, and in whatever order, it tells what a log on paper tells."""

import os
from collections import Counter
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from log_places import Log, Place, row

from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Corrupt, Outcome, Refused
from commonwatt.simulator.paper import PaperLog

EXAMPLES = 150 if os.environ.get("COMMONWATT_NIGHTLY") else 12
NAMES = ("anna", "ben", "", "a\0b", "é" * 40)
names = st.sampled_from(NAMES)
leaf_parts = st.fixed_dictionaries(
    {
        "author": names,
        "owner": names,
        "body": st.binary(max_size=40),
        "items": st.binary(max_size=40),
        "personal": st.binary(max_size=40),
        "closes": st.booleans(),
        "outcome": st.sampled_from([outcome for outcome in Outcome if outcome.admitted]),
    }
)
marks = st.dictionaries(st.sampled_from("abc"), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5))
tiles = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.binary(min_size=1, max_size=64))


class Machine(RuleBasedStateMachine):
    """A durable log beside the paper one; what was pruned and erased, and which states are left, is noted apart."""

    place: Place

    @initialize()
    def begin(self) -> None:
        self.here = self.place.fresh()
        self.log: Log = self.here.open()
        self.reader: Log = self.here.read()
        self.old: list[Log] = []
        self.paper, self.used = PaperLog(), Counter[str]()
        self.erased, self.pruned_to = set[int](), 0
        self.states: dict[int, bytes] = {}

    @property
    def covered(self) -> int:
        """After how many leaves the last snapshot was taken."""
        return max(self.states, default=0)

    def leaves(self, parts: list[dict[str, Any]]) -> list[LeafRow]:
        found = []
        for position, told in enumerate(parts, self.paper.size):
            self.used[told["author"]] += 1
            found.append(row(position, seq=self.used[told["author"]], **told))
        return found

    @rule(parts=st.lists(leaf_parts, max_size=6), marks=marks, tiles=tiles)
    def append(self, parts: list[dict[str, Any]], marks: dict[str, str], tiles: dict[tuple[int, int], bytes]) -> None:
        told = self.leaves(parts)
        self.log.append(told, marks, tiles)
        self.paper.append(told, marks, tiles)

    @rule(parts=leaf_parts, gap=st.integers(1, 3), marks=marks, tiles=tiles)
    def gap(self, parts: dict[str, Any], gap: int, marks: dict[str, str], tiles: dict[tuple[int, int], bytes]) -> None:
        wrong = row(self.paper.size + gap, seq=self.used[parts["author"]] + 1, **parts)
        for log in (self.log, self.paper):
            with pytest.raises(Refused):
                log.append([wrong], marks, tiles)

    @rule(back=st.integers(0, 3), content=st.binary(max_size=50))
    def snapshot(self, back: int, content: bytes) -> None:
        size = max(0, self.paper.size - back)
        self.log.save_snapshot(size, content)
        self.paper.save_snapshot(size, content)
        self.states[size] = content

    @rule(owner=names)
    def erase(self, owner: str) -> None:
        theirs = {one.position for one in self.paper.rows() if one.owner == owner and one.position >= self.pruned_to}
        if theirs and max(theirs) >= self.covered:
            with pytest.raises(Refused, match="a snapshot covers"):
                self.log.erase(owner)
        elif any(owner in (one.author, one.owner) for one in self.paper.rows()):
            assert self.log.erase(owner) == len(theirs - self.erased)
            self.erased |= theirs
            # From a state before the last of these leaves nobody can go on any more, so the log lets go of it.
            last = max(theirs, default=-1)
            self.states = {size: content for size, content in self.states.items() if size > last}
        else:
            # Nobody, or somebody who came with leaves that were refused: a key was made for them and is kept.
            with suppress(Refused):
                assert self.log.erase(owner) == 0

    @rule(at=st.integers(0, 12))
    def prune(self, at: int) -> None:
        if at > self.covered:
            with pytest.raises(Refused, match="a snapshot covers"):
                self.log.prune(at)
        else:
            self.log.prune(at)
            self.pruned_to = max(self.pruned_to, at)
            self.erased = {position for position in self.erased if position >= self.pruned_to}

    @rule()
    def take_over(self) -> None:
        self.old.append(self.log)
        self.log = self.here.open()

    @rule()
    def open_again(self) -> None:
        for log in (self.log, self.reader):
            log.close()
        self.log, self.reader = self.here.open(), self.here.read()

    @precondition(lambda self: self.old)
    @rule(parts=leaf_parts, marks=marks)
    def wake_up(self, parts: dict[str, Any], marks: dict[str, str]) -> None:
        late = row(self.paper.size, seq=self.used[parts["author"]] + 1, **parts)
        with pytest.raises(Refused, match="another writer has taken over"):
            self.old[-1].append([late], marks)

    @invariant()
    def tells_what_paper_tells(self) -> None:
        for log in (self.log, self.reader):
            assert (log.size, log.marks(), log.pruned_to) == (self.paper.size, self.paper.marks(), self.pruned_to)
            erased_to = max((position + 1 for position in self.erased), default=0)
            assert log.whole_from == max(self.pruned_to, erased_to)
            assert list(log.snapshots()) == sorted(self.states.items(), reverse=True)[:2]
            assert self.states.items() <= dict(self.paper.snapshots()).items()
            for level in range(3):
                assert [log.tile(level, n) for n in range(3)] == [self.paper.tile(level, n) for n in range(3)]
            for told in self.paper.rows():
                self.tells_leaf(log, told)

    def tells_leaf(self, log: Log, told: LeafRow) -> None:
        answered = log.answered(told.author, told.seq)
        if told.position < self.pruned_to:
            assert answered is None
            with pytest.raises(Refused):
                next(log.rows(told.position))
        elif told.position in self.erased:
            assert answered is None
            with pytest.raises(Corrupt, match=f"leaf {told.position} cannot be read"):
                next(log.rows(told.position))
        else:
            assert answered == next(log.rows(told.position)) == told

    def teardown(self) -> None:
        for log in (self.log, self.reader, *self.old):
            log.close()


def test_a_durable_log_tells_what_one_on_paper_tells(place: Place) -> None:
    machine = type("AtPlace", (Machine,), {"place": place})
    some = settings(
        max_examples=EXAMPLES, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=some)


def test_an_erasure_lets_go_of_states_from_before_the_last_leaf_that_went(place: Place) -> None:
    here = place.fresh()
    with closing(here.open()) as log:
        log.save_snapshot(0, b"before")
        log.append([row(0, owner="anna")], {})
        log.save_snapshot(1, b"after")
        assert log.erase("anna") == 1
        assert list(log.snapshots()) == [(1, b"after")]
    with closing(here.read()) as reader:
        assert list(reader.snapshots()) == [(1, b"after")]
