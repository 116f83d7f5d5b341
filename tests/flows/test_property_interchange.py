"""Whatever is lost, repeated, late or out of order, and whoever is killed: no trade exists in one ledger alone."""

import os
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from two_towns import LASTS_S, Town, document, prepare, towns

from commonwatt.flows.rulebook.market.interchange import interchange_bodies as bodies
from commonwatt.model import Commodity, Outcome

EXAMPLES, STEPS = (500, 60) if os.environ.get("COMMONWATT_NIGHTLY") else (25, 30)
NAMES = ("east", "west")
WATT, ERGON = Commodity.WATT, Commodity.ERGON
sides = st.sampled_from(NAMES)
numbers = st.integers(1, 3)
VARIANTS = (
    {"energy_wh": 100},
    {"energy_wh": 101},
    {"energy_wh": 70, "giver": "west", "taker": "east", "wheeling_micro_per_kwh": 0},
)
"""What may be signed under one number; operators who err sign several."""


@dataclass
class Paper:
    """One side on paper: what was said about each number, and what became of it."""

    words: dict[int, bodies.Document | None] = field(default_factory=dict)
    done: dict[int, bool] = field(default_factory=dict)


class Border(RuleBasedStateMachine):
    """Two operators, three numbers, and a post that keeps every letter and delivers whichever it likes."""

    def __init__(self) -> None:
        super().__init__()
        east, west = towns(prepaid_micro=10**9)
        self.towns: dict[str, Town] = {"east": east, "west": west}
        self.paper = {name: Paper() for name in NAMES}
        self.letters: list[tuple[str, int, bodies.Proof]] = []
        self.start = {name: self.seen(name) for name in NAMES}

    @rule(side=sides, number=numbers, variant=st.sampled_from(VARIANTS), late=st.booleans())
    def prepare(self, side: str, number: int, variant: dict[str, object], late: bool) -> None:
        town, paper = self.towns[side], self.paper[side]
        told = document(number, **variant | ({"decide_by_s": town.now_s} if late else {}))
        town.now_s += LASTS_S  # what members reserved for a document that nobody took is free again
        body = prepare(told, town.reserve("anna" if told.giver == side else "ben", told))
        good = number not in paper.words and not late
        assert (town.say(body) is Outcome.BOOKED) == good
        if good:
            paper.words[number] = told

    @rule(side=sides, number=numbers)
    def refuse(self, side: str, number: int) -> None:
        paper, good = self.paper[side], number not in self.paper[side].words
        body = bodies.Refuse(community=other(side), number=number)
        assert (self.towns[side].say(body) is Outcome.BOOKED) == good
        if good:
            paper.words[number] = None

    @rule(side=sides, number=numbers)
    def write(self, side: str, number: int) -> None:
        row = self.towns[side].word(number)
        assert (row is not None) == (number in self.paper[side].words)
        if row is not None:
            self.letters.append((side, number, self.towns[side].proof(row)))

    @rule(data=st.data(), to=sides, about=numbers, honest=st.booleans())
    def deliver(self, data: st.DataObject, to: str, about: int, honest: bool) -> None:
        if self.letters:
            side, number, proof = data.draw(st.sampled_from(self.letters))
            self.hear(*((other(side), number) if honest else (to, about)), side, number, proof)

    @rule(side=sides, snapshot=st.booleans())
    def kill(self, side: str, snapshot: bool) -> None:
        self.towns[side].restart(snapshot=snapshot)

    def hear(self, to: str, about: int, side: str, number: int, proof: bodies.Proof) -> None:
        paper, said = self.paper[to], self.paper[side].words[number]
        waits = paper.words.get(about) is not None and about not in paper.done
        good = waits and side == other(to) and number == about
        assert (self.towns[to].hear(other(to), about, proof) is Outcome.BOOKED) == good
        if good:
            paper.done[about] = said == paper.words[about]

    def seen(self, name: str) -> tuple[int, int, int, int]:
        town = self.towns[name]
        return town.watt("anna"), town.ergon("anna"), town.watt("ben"), town.ergon("ben")

    @invariant()
    def never_booked_here_and_let_go_there(self) -> None:
        east, west = (self.paper[name].done for name in NAMES)
        assert all(west.get(number, booked) == booked for number, booked in east.items())

    @invariant()
    def every_balance_is_what_the_paper_says(self) -> None:
        for name in NAMES:
            town, paper = self.towns[name], self.paper[name]
            anna_wh, anna, ben_wh, ben = self.start[name]
            owed_wh = owed = held = 0
            for number, told in paper.words.items():
                booked = paper.done.get(number)
                if told is None or booked is False:
                    continue
                read = told.read()
                if told.giver == name:
                    anna_wh -= read.energy_wh
                    held += read.energy_wh if booked is None else 0
                    anna += read.cost_micro if booked else 0
                else:
                    ben -= read.cost_micro + read.fee_micro
                    held += read.cost_micro + read.fee_micro if booked is None else 0
                    ben_wh += read.energy_wh if booked else 0
                if booked:
                    sign = 1 if told.giver == name else -1
                    owed_wh, owed = owed_wh + sign * read.energy_wh, owed - sign * read.cost_micro
            assert self.seen(name) == (anna_wh, anna, ben_wh, ben)
            assert town.held(other(name)) == held
            assert (town.owed(other(name), WATT), town.owed(other(name), ERGON)) == (owed_wh, owed)
            assert all(town.state.accounts.total(commodity) == 0 for commodity in Commodity)

    def teardown(self) -> None:
        """Let both say the words that are missing, and every word arrive: then both ledgers agree."""
        for number in range(1, 4):
            for side in NAMES:
                self.refuse(side, number)
            for side in NAMES:
                row = self.towns[side].word(number)
                assert row is not None
                self.hear(other(side), number, side, number, self.towns[side].proof(row))
        self.every_balance_is_what_the_paper_says()
        east, west = (self.towns[name] for name in NAMES)
        assert east.held("west") == west.held("east") == 0
        assert self.paper["east"].done.items() >= {n: True for n, yes in self.paper["west"].done.items() if yes}.items()
        for commodity in Commodity:
            assert east.owed("west", commodity) + west.owed("east", commodity) == 0
        for town in self.towns.values():
            town.restart(snapshot=True)


def other(name: str) -> str:
    return "west" if name == "east" else "east"


@pytest.mark.row("E15")
def test_no_trade_between_communities_ever_exists_on_one_side_only() -> None:
    run_state_machine_as_test(Border, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS))
