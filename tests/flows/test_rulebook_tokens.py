"""TSL limits what is stored and pays for it; all of it comes from the vault, and none is ever made or lost."""

from collections import Counter
from typing import Any

import pytest
from community import EXPORT, IMPORT, MEMBERS, NAME, NOON, Community, Flow, battery, gain, key
from hypothesis import given, settings
from hypothesis import strategies as st
from purse import TERMS, TSL_PER_KWH, Purse

from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.sequence import Sequencer
from commonwatt.metering.batch import Quality
from commonwatt.model import MICRO, SLOT_SECONDS, Commodity, Kind, Outcome, Side, round_div, share_wh
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts
from commonwatt.tokens.tsl import TOTAL_MICRO

pytestmark = pytest.mark.row("E3")

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""


def booked(community: Community, memo: str) -> list[tuple[str, str, int]]:
    return [(e.source, e.target, e.amount) for e in community.booked() if e.memo == memo]


def test_all_tsl_lies_in_the_vault_at_the_founding_and_leaves_it_as_the_charter_says() -> None:
    community = Purse(3)
    assert booked(community, "genesis") == [("mint", "vault", TOTAL_MICRO)]
    assert booked(community, "endowment") == [("vault", "education-pot", 25 * MICRO)]
    assert booked(community, "initial distribution") == [("vault", member, 400 * MICRO) for member in MEMBERS]
    assert booked(community, "welcome grant") == [("education-pot", member, 10 * MICRO) for member in MEMBERS[:2]]
    assert community.tsl("education-pot") == 5 * MICRO, "a pot that is too small gives nothing"
    community.check_books()
    community.check_rebuilt()


def test_a_second_key_of_a_member_brings_no_second_grant() -> None:
    community = Purse(1)
    before = community.tsl("anna")
    assert community.register_key("anna's other", "member", "anna") is Outcome.BOOKED
    assert community.register_key("anna's car", "payment", "anna") is Outcome.BOOKED
    assert community.tsl("anna") == before == 410 * MICRO


def test_a_vault_that_is_empty_gives_nothing_and_stops_nobody() -> None:
    community = Purse(2, terms={"member_tsl_micro": TOTAL_MICRO - 1})
    assert (community.tsl("anna"), community.tsl("ben"), community.tsl("vault")) == (TOTAL_MICRO - 1, 0, 1)
    community.check_books()


@pytest.mark.parametrize("name", ["vault", "commission-pool", "education-pot", "network", "mint", "burn", "losses"])
def test_nobody_is_a_member_under_a_name_of_the_system(name: str) -> None:
    community = Purse(1)
    assert community.register_key("thief", "member", name) is Outcome.NOT_ALLOWED


@pytest.mark.parametrize(
    "terms",
    [
        {"low_micro": 5},
        {"low_micro": 5, "clear_micro": 5},
        {"education_tsl_micro": 10**15 + 1},
        {"tsl_micro_per_kwh": 0},
        {"commission_micro_per_kwh": -1},
        {"meter_grace_s": 0},
    ],
)
def test_a_founding_that_contradicts_itself_is_no_founding(terms: dict[str, Any]) -> None:
    sequencer = Sequencer(PaperLog(), NAME, salts("tiny"))
    charter = {
        "what": "community",
        "public": key("operator").public.hex(),
        "timezone": "UTC",
        "b_max_wh": 1,
        "grace_slots": 1,
        "correction_slots": 1,
        "gate_s": 0,
    }
    pen = Purse.__new__(Purse)
    pen.sequencer = sequencer
    wire = pen.wire("operator", Kind.REGISTER, charter | terms, account="operator")
    assert sequencer.submit([wire], NOON) == [Outcome.MALFORMED]
    assert sequencer.submit([pen.wire("operator", Kind.REGISTER, charter, account="operator")], NOON) == [
        Outcome.BOOKED
    ]


def test_no_more_is_minted_than_the_owners_tsl_gives_a_right_to() -> None:
    community = Purse(2, terms={"tsl_micro_per_kwh": TSL_PER_KWH, "member_tsl_micro": 50 * MICRO})
    community.live(anna=SUNNY)
    assert community.watt("anna") == 500, "half a kWh's right"
    assert community.give("ben", "anna", Commodity.TSL, 25 * MICRO) is Outcome.BOOKED
    community.live(anna=SUNNY)
    assert community.watt("anna") == 750
    community.check_books()


@pytest.mark.row("E6")
def test_b_max_holds_where_tsl_would_allow_more() -> None:
    community = Purse(1, b_max_wh=700)
    community.live(anna=SUNNY)
    assert community.watt("anna") == 700


def test_who_buys_watt_gets_as_much_as_their_tsl_has_room_for() -> None:
    community = Purse(2, terms={"tsl_micro_per_kwh": TSL_PER_KWH, "member_tsl_micro": 100 * MICRO})
    assert community.give("ben", "anna", Commodity.TSL, 80 * MICRO) is Outcome.BOOKED
    community.live(anna=SUNNY)
    assert community.order("anna", Side.ASK, 600, 200_000) is Outcome.BOOKED
    assert community.order("ben", Side.BID, 600, 200_000) is Outcome.BOOKED
    assert community.watt("ben") == 200
    assert community.give("anna", "ben", Commodity.TSL, 10 * MICRO) is Outcome.BOOKED
    community.live()
    assert community.watt("ben") == 300, "the rest of the order waits for room"


def test_tsl_that_watt_is_stored_on_cannot_be_given_away() -> None:
    community = Purse(2, terms={"tsl_micro_per_kwh": TSL_PER_KWH, "member_tsl_micro": 100 * MICRO})
    community.live(anna=SUNNY)
    assert community.give("anna", "ben", Commodity.TSL, 19 * MICRO + 1) is Outcome.NOT_BACKED
    assert community.reserve("anna", "ben", Commodity.TSL, 19 * MICRO + 1)[1] is Outcome.NOT_BACKED
    assert community.reserve("anna", "ben", Commodity.TSL, 9 * MICRO)[1] is Outcome.BOOKED
    assert community.give("anna", "ben", Commodity.TSL, 10 * MICRO + 1) is Outcome.NOT_BACKED
    assert community.give("anna", "ben", Commodity.TSL, 10 * MICRO) is Outcome.BOOKED


def test_a_quarter_hours_commission_is_for_the_time_that_watt_was_held() -> None:
    rate = 1_000_000
    community = Purse(2, terms=TERMS | {"commission_micro_per_kwh": rate})
    slot_s = community.live(anna=SUNNY)
    assert not booked(community, "commission"), "nothing was held while it was charged"
    community.now_s = slot_s + SLOT_SECONDS + 600
    assert community.give("anna", "ben", Commodity.WATT, 300) is Outcome.BOOKED
    community.live()
    # Anna had 810 Wh for 600 s and 510 for 300 s, Ben 300 Wh for 300 s: 710 and 100 Wh over the quarter-hour.
    assert booked(community, "commission") == [
        ("anna", "commission-pool", 710_000),
        ("ben", "commission-pool", 100_000),
    ]
    assert booked(community, "commission share") == [
        ("commission-pool", "anna", 648_000),
        ("commission-pool", "education-pot", 81_000),
        ("commission-pool", "network", 81_000),
    ]
    community.check_books()
    community.check_rebuilt()


def test_storage_owners_share_by_what_their_batteries_held_at_both_ends_of_the_slot() -> None:
    community = Purse(2, terms=TERMS | {"commission_micro_per_kwh": 1_000_000})
    community.live(anna=SUNNY, ben=Flow(charge_wh=500))
    community.live(ben=Flow(charge_wh=500))
    # Anna: 900 + 900. Ben, charged from the grid, 450 + 900: he stores for the community, though no WATT.
    (paid,) = [amount for _, _, amount in booked(community, "commission")]
    anna, ben = share_wh(paid * 8 // 10, [1_800, 1_350])
    shares = {target: amount for _, target, amount in booked(community, "commission share")}
    assert (shares["anna"], shares["ben"]) == (anna, ben)


def test_a_battery_that_ends_empty_has_stored_and_one_that_was_only_guessed_at_has_not() -> None:
    community = Purse(2, terms=TERMS | {"commission_micro_per_kwh": 1_000_000}, grace_slots=1)
    community.live(anna=SUNNY, ben=Flow(charge_wh=500))
    slot_s = community.live(ben=Flow(load_wh=405, discharge_wh=405))
    shares = {(e.slot_s, e.target): e.amount for e in community.booked() if e.memo == "commission share"}
    anna, ben = share_wh(648_000, [1_800, 450])
    assert (shares[slot_s, "anna"], shares[slot_s, "ben"]) == (anna, ben)
    slot_s = community.live(silent=["ben"])
    assert (
        community.report("gw-ben", slot_s, community.home("ben", Flow()), quality=Quality.ESTIMATED) is Outcome.BOOKED
    )
    shares = {(e.slot_s, e.target): e.amount for e in community.booked() if e.memo == "commission share"}
    assert (shares[slot_s, "anna"], shares.get((slot_s, "ben"))) == (648_000, None)


def test_a_share_waits_in_the_pool_while_no_battery_is_heard() -> None:
    community = Purse(1, terms=TERMS | {"commission_micro_per_kwh": 1_000_000}, grace_slots=0)
    community.live(anna=SUNNY)
    community.live(silent=["anna"])
    assert community.tsl("commission-pool") == 648_000
    community.live()
    assert community.tsl("commission-pool") == 0
    assert booked(community, "commission share")[-3] == ("commission-pool", "anna", 2 * 648_000)


def test_nobody_pays_more_commission_than_they_have_and_what_is_reserved_is_spared() -> None:
    terms = TERMS | {"tsl_micro_per_kwh": None, "commission_micro_per_kwh": 10**9, "member_tsl_micro": 0}
    community = Purse(1, terms=terms | {"welcome_grant_micro": 500})
    assert community.register_key("ben", "member", "ben") is Outcome.BOOKED
    assert community.reserve("anna", "ben", Commodity.TSL, 200)[1] is Outcome.BOOKED
    community.live(anna=SUNNY)
    community.live()
    assert booked(community, "commission") == [("anna", "commission-pool", 300)]
    assert community.tsl("anna") == 200 + 240
    community.check_books()


def test_a_log_that_was_silent_for_a_day_charges_every_quarter_hour_of_it() -> None:
    community = Purse(1, terms=TERMS | {"commission_micro_per_kwh": 1_000})
    community.live(anna=SUNNY)
    community.now_s += 86_400 + 450
    assert community.give("anna", "nobody", Commodity.WATT, 1) is Outcome.UNKNOWN_THING
    paid = booked(community, "commission")
    # The last two slots wait for their meters' grace.
    assert paid == [("anna", "commission-pool", 810)] * (96 - 2)
    assert sorted(community.state.wallets.quarters) == [community.slot_s - n * SLOT_SECONDS for n in (2, 1)]
    community.check_rebuilt()


def test_a_community_without_commission_keeps_no_time() -> None:
    community = Community(2)
    community.live(anna=SUNNY)
    community.live()
    assert community.state.wallets.held is None
    assert not community.state.wallets.quarters
    assert not community.state.wallets.touched
    assert not booked(community, "commission")


@pytest.mark.row("E2")
def test_watt_is_burned_by_the_word_of_the_meter_and_by_no_transfer() -> None:
    community = Purse(2)
    community.live(anna=SUNNY)
    for target in ("burn", "mint", "grid"):
        assert community.give("anna", target, Commodity.WATT, 100) is Outcome.UNKNOWN_THING
    give = wallets.Give(target="burn", commodity=Commodity.WATT, amount=100)
    assert community.ask("gw-anna", Kind.TRANSFER, give) is Outcome.NOT_ALLOWED
    community.live(anna=Flow(load_wh=360, discharge_wh=360))
    burned = [e for e in community.booked() if e.target == "burn"]
    assert [(e.source, e.amount, e.ref, e.memo) for e in burned] == [
        ("anna", 360, battery("anna"), "watt burned on use")
    ]
    community.check_books()


def oracle_wh_seconds(community: Purse, log: list[tuple[int, int]], slot_s: int) -> Counter[str]:
    """Return what everyone held in a quarter-hour, second by second, from the entries alone.

    Args:
        community: For its entries.
        log: For each commit its moment and how many entries stood after it.
        slot_s: The quarter-hour.
    """
    entries = [e for e in community.booked() if e.commodity is Commodity.WATT]
    moments = []
    seen = 0
    everything = community.booked()
    for stamped_s, count in log:
        moments += [(stamped_s, entry) for entry in everything[seen:count] if entry.commodity is Commodity.WATT]
        seen = count
    assert [entry for _, entry in moments] == entries
    held: Counter[str] = Counter()
    for second in range(slot_s, slot_s + SLOT_SECONDS, 150):
        for member in community.members:
            held[member] += 150 * sum(gain(entry, member) for at_s, entry in moments if at_s <= second)
    return held


class Clerk:
    """Plays a story, and notes at each commit how many entries stand."""

    def __init__(self) -> None:
        self.community = Purse(3, terms=TERMS | {"commission_micro_per_kwh": 1_000_003}, b_max_wh=2_000)
        self.log = [(self.community.now_s, len(self.community.booked()))]
        self.settled: list[int] = []
        self.names = ["none"]

    def live(self, **flows: Flow) -> None:
        self.settled.append(self.community.live(**flows))

    def do(self, what: str, *told: Any) -> None:
        getattr(self, what)(*told)
        self.log.append((self.community.now_s, len(self.community.booked())))
        self.community.check_books()

    def wait(self, steps: int) -> None:
        """Let 150 s pass so often; the clerk looks as often, and so misses nothing."""
        later_s = self.community.now_s + 150 * steps
        if later_s >= self.community.slot_s + SLOT_SECONDS:
            self.live()
        else:
            self.community.now_s = later_s

    def give(self, who: str, target: str, amount: int) -> None:
        self.community.give(who, target, Commodity.WATT, amount)

    def tsl(self, who: str, target: str, amount: int) -> None:
        self.community.give(who, target, Commodity.TSL, amount * MICRO)

    def reserve(self, who: str, target: str, amount: int) -> None:
        self.names.append(self.community.reserve(who, target, Commodity.WATT, amount)[0])

    def post(self, who: str, number: int) -> None:
        self.community.post(who, self.names[number % len(self.names)])

    def order(self, who: str, side: Side, amount: int) -> None:
        self.community.order(who, side, amount, (IMPORT + EXPORT) // 2)

    def sun(self, who: str, wh: int) -> None:
        self.live(**{who: Flow(solar_wh=wh, charge_wh=wh)})

    def use(self, who: str, wh: int) -> None:
        wh = min(wh, self.community.levels_wh[who] * 9 // 10)
        self.live(**{who: Flow(load_wh=wh, discharge_wh=wh)})


who, some = st.sampled_from(MEMBERS), st.integers(1, 500)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["give", "tsl", "reserve"]), who, who, some),
        st.tuples(st.just("post"), who, st.integers(0, 5)),
        st.tuples(st.just("order"), who, st.sampled_from(Side), some),
        st.tuples(st.sampled_from(["sun", "use"]), who, some),
    ),
    max_size=15,
)


@settings(max_examples=12, deadline=None)
@given(steps)
def test_commissions_are_what_a_clerk_with_a_stopwatch_would_charge(story: list[tuple[Any, ...]]) -> None:
    clerk = Clerk()
    community = clerk.community
    clerk.do("sun", "anna", 2_000)
    for step in story:
        clerk.do(*step)
    clerk.do("live")
    expected = [
        (slot_s, member, fee)
        for slot_s in clerk.settled
        for member, wh_seconds in sorted(oracle_wh_seconds(community, clerk.log, slot_s).items())
        if (fee := round_div(1_000_003 * wh_seconds, SLOT_SECONDS * 1000))
    ]
    charged = {(e.slot_s, e.source): e.amount for e in community.booked() if e.memo == "commission"}
    for slot_s, member, fee in expected:
        paid = charged.pop((slot_s, member), 0)
        poor = any(e.memo == "transfer" and e.commodity is Commodity.TSL for e in community.booked())
        assert paid == fee or (paid < fee and poor)
    assert not charged
    community.check_rebuilt()
