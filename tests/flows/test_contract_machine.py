"""Whatever utilities, members, oracles and meters do, contracts pay once and within what was set aside."""

from collections import Counter

from community import Noted, gain, instruction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from utility import HOUR, ORACLES, ask, at, guarantee, live_until, offer, once, put_down, reserved, stands, with_utility

from commonwatt.flows.replay import Replayed, go_on, replay
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook import contract_bodies as said
from commonwatt.market.contracts.payment import member_most, utility_most
from commonwatt.market.contracts.standing import Acceptance, Contract, Stage
from commonwatt.market.contracts.terms import Direction, Terms, Window
from commonwatt.model import SLOT_SECONDS, Commodity, ConsentMode, Entry, Kind, Outcome

TERMS: list[dict[str, object]] = [
    {},
    {"volume": "energy", "rule": "all_or_nothing", "whole_permille": 700, "leave_s": 0},
    {"reference": "none", "cap_micro_per_kwh": 0, "sale_micro_per_kwh": -70_001, "leave_s": HOUR},
    {"trigger": "frequency below", "threshold": 49_800, "quorum": 2, "availability_micro_per_kw_h": 30_001},
    {"trigger": "price below", "threshold": 400_000, "notice_s": 900, "most_wh": 900},
    {"trigger": "event", "event": "cold", "availability_micro_per_kw_h": 7, "lasts_s": 900},
    {"baseline": "metered_setpoint", "sale_micro_per_kwh": 900_000, "dispute_s": 0},
]
MEMO = {
    "flexibility payment",
    "surplus sale",
    "flexibility availability",
    "flexibility penalty",
    "flexibility settlement",
}

LOADS = st.sampled_from([None, -500, 0, 400, 1_500])


class Contracting(RuleBasedStateMachine):
    """Two homes, one utility; what was promised is written down beside the log."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = Noted()
        self.community = with_utility(2, days=4, journal=self.journal)
        live_until(self.community, at(1, 8))  # a day to compare with
        self.terms: dict[str, Terms] = {}
        self.promises: dict[str, tuple[str, Acceptance]] = {}
        self.gone: set[str] = set()
        self.kept: tuple[int, bytes] | None = None

    @property
    def standing(self) -> dict[str, Contract]:
        return self.community.state.contracts.standing

    @rule(
        terms=st.sampled_from(TERMS),
        gaps=st.tuples(st.integers(1, 4), st.integers(0, 4)),
        ways=st.permutations(Direction),
        powers=st.tuples(st.integers(1, 3_000), st.integers(1, 3_000)),
    )
    def offer(
        self, terms: dict[str, object], gaps: tuple[int, int], ways: list[Direction], powers: tuple[int, int]
    ) -> None:
        """Offer two windows and let both homes accept, or as many as can."""
        start_s = self.community.slot_s + gaps[0] * SLOT_SECONDS
        then_s = start_s + (4 + gaps[1]) * SLOT_SECONDS
        windows = [
            once(ways[0], start_s, start_s + 4 * SLOT_SECONDS),
            once(ways[1], then_s, then_s + 2 * SLOT_SECONDS),
        ]
        short = {"dispute_s": HOUR, "resolve_s": HOUR, "most_w": 5_000, "accept_by_s": then_s, **terms}
        if ask(self.community, "utility", offer(*windows, **short)) is Outcome.BOOKED:
            name = stands(self.community)
            self.terms[name] = self.standing[name].terms
            for who, power_w in zip(self.community.members, powers, strict=True):
                self.accept(name, who, power_w)

    @precondition(lambda self: self.standing)
    @rule(data=st.data(), who=st.sampled_from(["anna", "ben"]), power_w=st.integers(0, 3_000))
    def accept_more(self, data: st.DataObject, who: str, power_w: int) -> None:
        self.accept(data.draw(st.sampled_from(sorted(self.standing))), who, power_w)

    def accept(self, name: str, who: str, power_w: int) -> None:
        ask(self.community, who, guarantee(name, f"{who}-home", up_w=power_w, down_w=power_w))
        promise = said.Accept(contract=name, asset=f"{who}-home", up_w=power_w, down_w=power_w // 2)
        if ask(self.community, who, promise) is Outcome.BOOKED:
            number = stands(self.community)
            self.promises[number] = (name, self.standing[name].accepted[number])

    @precondition(lambda self: self.promises)
    @rule(data=st.data(), power_w=st.integers(-4_000, 4_000))
    def schedule(self, data: st.DataObject, power_w: int) -> None:
        asset = self.promises[data.draw(st.sampled_from(sorted(self.promises)))][1].asset
        now_s = self.community.slot_s
        self.community.schedule(asset, instruction(power_w, now_s, now_s + 4 * SLOT_SECONDS))

    @rule(slots=st.sampled_from([1, 3, 6]), loads=st.tuples(LOADS, LOADS))
    def live(self, slots: int, loads: tuple[int | None, int | None]) -> None:
        anna, ben = loads
        live_until(self.community, self.community.slot_s + slots * SLOT_SECONDS, anna=lambda _: anna, ben=lambda _: ben)

    @rule(wh=st.sampled_from([-500, 0, 1_500]))
    def live_on(self, wh: int) -> None:
        """Let both homes do what some contract wants, long enough for it to be paid."""
        both = {member: lambda _: wh for member in self.community.members}
        live_until(self.community, self.community.slot_s + 3 * HOUR, **both)

    @rule(oracle=st.sampled_from(ORACLES), millihertz=st.sampled_from([49_700, 49_900]))
    def hear(self, oracle: str, millihertz: int) -> None:
        now_s = self.community.slot_s
        frequency = said.FrequencyFact(at_s=now_s - 1, seconds=1, millihertz=millihertz)
        self.community.ask(oracle, Kind.FACT, frequency, account=oracle)
        way = Direction.CHARGE if millihertz > 49_800 else Direction.GIVE_BACK
        event = said.EventFact(name="cold", start_s=now_s, end_s=now_s + 6 * HOUR, direction=way)
        self.community.ask(oracle, Kind.FACT, event, account=oracle)

    @rule(who=st.sampled_from(["anna", "ben"]), mode=st.sampled_from([ConsentMode.ALWAYS, ConsentMode.OFF]))
    def consent(self, who: str, mode: ConsentMode) -> None:
        assert self.community.ask(who, Kind.CONSENT, bodies.ConsentBody(mode=mode)) is Outcome.BOOKED

    @precondition(lambda self: any(contract.calls for contract in self.standing.values()))
    @rule(
        data=st.data(),
        who=st.lists(st.sampled_from(["anna", "ben", "utility", "inspector"]), min_size=1, max_size=3),
        micro=st.sampled_from([-(10**9), -1_000, 0, 1_000, 100_000, 10**9]),
    )
    def disagree(self, data: st.DataObject, who: list[str], micro: int) -> None:
        running = [
            (number, call.window.start_s)
            for contract in self.standing.values()
            for call in contract.calls.values()
            for number in call.parts
        ]
        number, window_s = data.draw(st.sampled_from(sorted(running)))
        for each in who:
            ask(self.community, each, said.Dispute(acceptance=number, window_s=window_s, reason="no"))
            ask(self.community, each, said.Resolve(acceptance=number, window_s=window_s, micro=micro))

    @precondition(lambda self: self.promises)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.promises)))
        ask(self.community, self.promises[number][1].account, said.Leave(acceptance=number))

    @precondition(lambda self: self.standing)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        ask(self.community, "utility", said.Withdraw(contract=data.draw(st.sampled_from(sorted(self.standing)))))

    @rule()
    def put_down(self) -> None:
        self.kept = len(self.community.sequencer.tree), put_down(self.community)

    @invariant()
    def money_conserves_and_what_can_be_owed_is_held(self) -> None:
        state, now_s = self.community.state, self.community.now_s
        assert state.accounts.total(Commodity.ERGON) == 0
        assert reserved(self.community, "utility") == sum(c.utility_owes_most(now_s) for c in self.standing.values())
        assert reserved(self.community, "utility") <= self.community.ergon("utility")
        for member in self.community.members:
            mine = state.contracts.promises_of(member)  # type: ignore[arg-type]  # a name
            assert reserved(self.community, member) == sum(each.member_owes_most(promise) for each, promise in mine)

    @invariant()
    def each_window_pays_each_member_once_and_within_its_bounds(self) -> None:
        booked = [entry for entry in self.journal.noted if entry.memo in MEMO]
        members = [({entry.source, entry.target} - {"utility"}).pop() for entry in booked]
        told = Counter((m, entry.ref, entry.memo) for m, entry in zip(members, booked, strict=True))
        assert set(told.values()) <= {1}
        for (member, ref), of_part in self._parts(list(zip(members, booked, strict=True))).items():
            name, start_s = ref.split("/")
            terms = self.terms[name]
            window = next(w for w in terms.windows if w.start_s == int(start_s))
            bounds = [
                (-member_most(terms, [(window, w)]), utility_most(terms, [(window, w)]))
                for w in self._promised(member, name, window)
            ]
            net = sum(gain(entry, member) for entry in of_part)
            assert any(least <= net <= most for least, most in bounds)
            assert len(of_part) == 1 or "flexibility settlement" not in {entry.memo for entry in of_part}

    @invariant()
    def what_is_done_stays_done(self) -> None:
        assert not self.gone & self.standing.keys()
        self.gone |= self.terms.keys() - self.standing.keys()
        for contract in self.standing.values():
            for call in contract.calls.values():
                assert {part.stage for part in call.parts.values()} != {Stage.PAID}, "what is paid is let go of"
                for part in call.parts.values():
                    assert 0 <= part.delivered_wh <= part.promised_wh

    def _parts(self, booked: list[tuple[str, Entry]]) -> dict[tuple[str, str], list[Entry]]:
        parts: dict[tuple[str, str], list[Entry]] = {}
        for member, entry in booked:
            parts.setdefault((member, entry.ref), []).append(entry)
        return parts

    def _promised(self, member: str, name: str, window: Window) -> list[int]:
        return [
            promise.power_w(window.direction)
            for contract, promise in self.promises.values()
            if contract == name and promise.account == member
        ]

    def teardown(self) -> None:
        rows, lived = self.community.rows(), self.community.state.root()
        community = self.community.state.community
        assert replay(rows, community).state.root() == lived
        if self.kept is not None:
            size, content = self.kept
            state, last_s = snapshot.load(content)
            taken_up = Replayed(state, replay(rows[:size], community).tree, last_s)
            go_on(taken_up, rows[size:])
            assert taken_up.state.root() == lived


TestContracting = Contracting.TestCase
TestContracting.settings = settings(
    max_examples=9, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
