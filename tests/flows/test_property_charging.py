"""Whatever cars, stations and meters do, money is conserved, and nobody pays beyond what they authorised."""

import os
from collections import Counter

import pytest
from community import Flow
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sockets import GATEWAY, OWNER, STATION, Sockets

from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.model import Commodity, Entry, Outcome
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts

EXAMPLES = 200 if os.environ.get("COMMONWATT_NIGHTLY") else 20
cars = st.sampled_from(["car", "roamer", "anna"])
any_session = st.integers(0, 5)
seconds = st.integers(0, 700)


class Forecourt(RuleBasedStateMachine):
    """One station and three cars, whose requests come in any order, and a writer that is killed now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.community = Sockets(grace_slots=1, correction_slots=4)
        self.founded, self.noted = self.community.state.journal.count, list[Entry]()
        self.community.state.journal.listener = self.noted.append
        self.most: dict[str, tuple[int, int]] = {}
        self.sold: dict[str, tuple[int, int]] = {}

    def named(self, number: int) -> str:
        """Return one of the last sessions' names; or none's."""
        return list(self.most)[-1 - number % len(self.most)] if self.most else "7"

    @rule(who=cars, most_wh=st.integers(1, 4_000), most_micro=st.integers(1, 2_000_000), lasts_s=st.integers(60, 5_000))
    def a_car_authorises(self, who: str, most_wh: int, most_micro: int, lasts_s: int) -> None:
        until_s = self.community.now_s + lasts_s
        name, outcome = self.community.authorise(
            who, most_energy_wh=most_wh, most_micro=most_micro, until_s=until_s, wish="stored"
        )
        assert outcome in (Outcome.BOOKED, Outcome.NOT_BACKED, Outcome.OVER_LIMIT)
        if outcome is Outcome.BOOKED:
            self.most[name] = most_wh, most_micro

    @rule(
        who=cars,
        limits=st.tuples(st.integers(1, 4_000), st.integers(1, 2_000_000)),
        counts=st.lists(st.tuples(st.integers(1, 900), st.integers(0, 900)), max_size=3),
        stops=st.sampled_from(["car", STATION, ""]),
        error_wh=st.sampled_from([None, None, 0, 0, -300, 400]),
        slots=st.integers(0, 4),
    )
    def a_car_comes_by(
        self,
        who: str,
        limits: tuple[int, int],
        counts: list[tuple[int, int]],
        stops: str,
        error_wh: int | None,
        slots: int,
    ) -> None:
        """A whole visit, of which some steps are left out; its meter may differ from the stream, or say nothing yet."""
        self.a_car_authorises(who, *limits, 5_000)
        name, flowed_wh = self.named(0), 0
        self.community.start(name)
        for after_s, more_wh in counts:
            flowed_wh += more_wh
            self.something_is_counted(0, after_s, flowed_wh, STATION)
        if stops:
            self.community.stop(name, who=who if stops == "car" else STATION)
        if error_wh is not None:
            self.community.meter(name, max(0, flowed_wh + error_wh))
        for _ in range(slots):
            self.a_slot_passes(flowed_wh, 500)

    @rule(number=any_session, off_wh=st.sampled_from([0, 0, 0, 700, -700]))
    def the_station_starts(self, number: int, off_wh: int) -> None:
        self.community.start(self.named(number), register_wh=self.community.register_wh + off_wh)

    @rule(number=any_session, after_s=seconds, energy_wh=st.integers(0, 3_000), who=st.sampled_from([STATION, GATEWAY]))
    def something_is_counted(self, number: int, after_s: int, energy_wh: int, who: str) -> None:
        self.community.now_s += after_s
        self.community.count(self.named(number), (self.community.now_s, energy_wh), who=who)

    @rule(number=any_session, who=st.sampled_from(["car", STATION]), energy_wh=st.none() | st.integers(0, 3_000))
    def somebody_stops(self, number: int, who: str, energy_wh: int | None) -> None:
        self.community.stop(self.named(number), who=who, energy_wh=energy_wh)

    @rule(number=any_session, energy_wh=st.integers(0, 3_000), back_wh=st.sampled_from([0, 0, 0, 500]))
    def the_meter_speaks(self, number: int, energy_wh: int, back_wh: int) -> None:
        self.community.meter(self.named(number), energy_wh, start_wh=self.community.register_wh - back_wh)

    @rule(charged_wh=st.integers(0, 3_000), solar_wh=st.integers(0, 2_000))
    def a_slot_passes(self, charged_wh: int, solar_wh: int) -> None:
        self.community.pass_slot(charged_wh, anna=Flow(solar_wh=solar_wh))

    @rule(after_s=seconds)
    def time_passes(self, after_s: int) -> None:
        self.community.wait(after_s)

    @rule(snapshot=st.booleans())
    def the_writer_is_killed_and_comes_back(self, snapshot: bool) -> None:
        community = self.community
        if snapshot:
            community.sequencer.save_snapshot()
        log = PaperLog()
        log.append(community.rows(), {}, {(0, 0): community.store.tile(0, 0)})
        for size, content in community.store.snapshots():
            log.save_snapshot(size, content)
        woken = Sequencer(log, community.state.community, salts("tiny"))
        assert woken.state.root() == community.state.root()
        woken.state.journal.listener = self.noted.append
        community.store, community.sequencer = log, woken

    @invariant()
    def every_commodity_sums_to_nothing(self) -> None:
        for commodity in Commodity:
            assert self.community.state.accounts.total(commodity) == 0

    @invariant()
    def nobody_pays_or_gets_more_than_was_authorised(self) -> None:
        paid, sold = Counter[str](), Counter[str]()
        for entry in self.noted:
            if entry.memo in ("charging", "charging corrected", "charging fee", "charging fee corrected"):
                money = entry.commodity is Commodity.ERGON
                forth = entry.target == STATION if money else entry.source == OWNER
                (paid if money else sold)[entry.ref] += entry.amount if forth else -entry.amount
        for name, (most_wh, most_micro) in self.most.items():
            assert 0 <= sold[name] <= most_wh
            assert 0 <= paid[name] <= most_micro
        self.sold = {name: (sold[name], paid[name]) for name in self.most}

    @property
    def cars(self) -> tuple[str, ...]:
        return "car", "roamer", "anna"

    @invariant()
    def what_is_reserved_is_what_open_sessions_may_still_cost(self) -> None:
        state = self.community.state
        for who in self.cars:
            may_cost = sum(
                one.most_micro - (one.settled.paid_micro if one.settled else 0)
                for one in state.charging.sessions.values()
                if one.car == who
            )
            assert self.community.reserved(who) == may_cost

    @invariant()
    def one_session_runs_at_a_time(self) -> None:
        assert sum(one.running for one in self.community.state.charging.sessions.values()) <= 1

    def teardown(self) -> None:
        """Any replay and any snapshot reach the same root, and each receipt adds up to its entries."""
        community = self.community
        whole = replay(community.rows(), community.state.community, keep=True).state
        assert whole.root() == community.state.root()
        assert whole.entries[self.founded :] == self.noted
        assert load(dump(community.state, community.now_s, bytes(32)))[0].root() == whole.root()
        for name, receipt in (whole.charging.receipts or {}).items():
            assert (receipt.energy_wh, receipt.paid_micro) == self.sold[name]
            assert sum(line.paid_micro for line in receipt.lines) + receipt.fee_micro == receipt.paid_micro
            for line in receipt.lines:
                parts = line.sources
                assert parts.neighbours_wh + parts.stored_wh + parts.grid_wh == line.energy_wh


@pytest.mark.row("E9")
def test_a_forecourt_conserves_money_whatever_happens_on_it() -> None:
    run_state_machine_as_test(
        Forecourt, settings=settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None)
    )
