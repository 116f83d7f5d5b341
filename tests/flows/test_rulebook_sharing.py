"""Firm trades, sharing keys and equalisation through the real log, with money by hand."""

from collections import Counter

import community as community_of
import pytest
from community import EXPORT, IMPORT, NAME, NOON, PREPAID, Community, Flow
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flows.prove import make_evidence
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.settlement import equalising
from commonwatt.flows.rulebook.settlement.sharing import MOST_KEYS, imbalance_prices
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody, SharingKey
from commonwatt.flows.rulebook.state import Charter, State
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.model import (
    IMBALANCE,
    MARKET,
    MICRO,
    SLOT_SECONDS,
    AccountId,
    AssetKind,
    Commodity,
    Kind,
    Outcome,
    Refused,
    Side,
)

NEXT = NOON + SLOT_SECONDS
MIDPOINT = (IMPORT + EXPORT) // 2
GRID_PRICES = SettlementTerms(imbalance="grid")
DYNAMIC = SettlementTerms(sharing=SharingBody(key="dynamic"))


def trading(terms: SettlementTerms) -> Community:
    """Anna sells 1,000 Wh of the first slot to ben, at the midpoint."""
    community = Community(2, settlement=terms)
    assert community.order("ben", Side.BID, 1_000, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1_000, EXPORT, NOON) is Outcome.BOOKED
    return community


def tell_imbalance(community: Community, start_s: int, *prices: int) -> Outcome:
    return community.ask("oracle", Kind.FACT, bodies.FactBody(start_s=start_s, imbalance=list(prices)))


def change(community: Community, from_s: int, sharing: SharingBody, by: str = "operator") -> Outcome:
    return community.ask(by, Kind.REGISTER, SharingKey(from_s=from_s, sharing=sharing))


def same_again(community: Community) -> None:
    """A replay from zero and one from a snapshot reach the state that was lived."""
    replay(community.rows(), community.state.community, keep=True)
    restored, _ = snapshot.load(snapshot.dump(community.state, community.now_s, community.sequencer.tree.root()))
    assert restored.root() == community.state.root()
    for name in ("sharing", "imbalance", "gains"):
        assert getattr(restored, name) == getattr(community.state, name)
    assert replay(community.rows(), community.state.community).state.root() == community.state.root()


@pytest.mark.row("M1")
def test_a_firm_trade_leaves_the_buyer_whole_whose_seller_fails() -> None:
    community = trading(GRID_PRICES)
    community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    assert community.ergon("ben") == PREPAID - MIDPOINT
    assert community.ergon("anna") == PREPAID + MIDPOINT - 700 * IMPORT // 1_000
    assert (community.ergon("imbalance"), community.ergon("losses")) == (0, 0)
    assert community.state.accounts.balance(IMBALANCE, Commodity.ENERGY) == 0
    same_again(community)


def test_without_imbalance_prices_a_broken_trade_lapses() -> None:
    community = trading(SettlementTerms())
    community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    assert community.ergon("ben") == PREPAID - 60_000 - 210_000
    assert community.entries("imbalance") == []


def test_a_markup_makes_failing_dearer_and_the_account_keeps_it() -> None:
    community = trading(SettlementTerms(imbalance="grid", imbalance_markup_micro_per_kwh=50_000))
    community.live(ben=Flow(load_wh=1_000))
    assert community.ergon("anna") == PREPAID + MIDPOINT - IMPORT - 50_000
    assert community.ergon("imbalance") == 50_000


def test_what_a_kwh_not_kept_can_cost_is_bounded_and_beyond_the_bound_nothing_is_firm() -> None:
    most = SettlementTerms(
        imbalance="told", imbalance_markup_micro_per_kwh=50_000, imbalance_most_micro_per_kwh=320_000
    )
    for told, paid in ((900_000, 320_000), (-900_000, -320_000), (100_000, 150_000)):
        community = trading(most)
        slot_s = community.live(ben=Flow(load_wh=1_000))
        assert tell_imbalance(community, slot_s, told) is Outcome.BOOKED
        assert community.ergon("anna") == PREPAID + MIDPOINT - paid
    below_the_grid = SettlementTerms(imbalance="grid", imbalance_most_micro_per_kwh=IMPORT - 1)
    community = trading(below_the_grid)
    community.live(ben=Flow(load_wh=1_000))
    assert community.entries("imbalance") == [] == community.entries("trade kept")
    assert community.ergon("anna") == PREPAID


@given(
    st.integers(-(10**9), 10**9),
    st.integers(-(10**9), 10**9),
    st.none() | st.integers(-(10**9), 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_imbalance_prices_lie_within_the_charters_most_and_around_the_grids(
    bought: int, sold: int, told: int | None, markup: int, most: int
) -> None:
    terms = SettlementTerms(imbalance="told", imbalance_markup_micro_per_kwh=markup, imbalance_most_micro_per_kwh=most)
    state = State(NAME, charter=Charter(settlement=terms), prices={NOON: (bought, sold)})
    if told is not None:
        state.imbalance[NOON] = told
    prices = imbalance_prices(state, NOON)
    if prices is None:
        assert max(abs(bought), abs(sold)) > most
    else:
        assert prices.short_unheard is not None and prices.long_unheard is not None
        assert prices.short_unheard >= prices.short and prices.long_unheard <= prices.long
        assert -most <= prices.long <= prices.short <= most
        assert told is not None or prices.long <= min(bought, sold) <= max(bought, sold) <= prices.short


@pytest.mark.row("M1")
@pytest.mark.parametrize("source", ["any", "solar"])
def test_who_sold_sun_and_sent_none_pays_for_the_lack_like_who_sold_anything(source: str) -> None:
    community = Community(2, settlement=GRID_PRICES)
    assert community.order("ben", Side.BID, 1_000, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1_000, EXPORT, NOON, source=source) is Outcome.BOOKED
    community.live(ben=Flow(load_wh=1_000))
    assert community.ergon("anna") - PREPAID == MIDPOINT - IMPORT
    assert community.ergon("ben") - PREPAID == -MIDPOINT


def test_nobody_without_money_sells_what_they_may_not_send() -> None:
    for imbalance, outcome in (("none", Outcome.BOOKED), ("told", Outcome.NOT_BACKED)):
        community = Community(2, settlement=SettlementTerms(imbalance=imbalance), prepaid_micro=0)
        assert community.order("anna", Side.ASK, 5_000, EXPORT, NOON) is outcome


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["anna", "ben", "cleo"]),
            st.sampled_from(Side),
            st.integers(1, 5_000),
            st.integers(0, 10**6),
        ),
        max_size=8,
    ),
    st.sampled_from(["grid", "told"]),
    st.integers(0, 10**6),
    st.integers(0, 3 * 10**6),
    st.integers(-(10**9), 10**9),
)
def test_whoever_keeps_nothing_of_what_they_agreed_to_can_pay_for_it_and_nobody_gains_what_others_did_not_have(
    orders: list[tuple[str, Side, int, int]], imbalance: str, markup: int, most: int, told: int
) -> None:
    terms = SettlementTerms(
        imbalance=imbalance, imbalance_markup_micro_per_kwh=markup, imbalance_most_micro_per_kwh=most
    )
    community = Community(3, settlement=terms)
    for who, side, wh, price in orders:
        community.order(who, side, wh, price, NOON)
    if imbalance == "told":
        tell_imbalance(community, NOON, told)
    community.live()
    assert community.state.settled_to_s == NEXT
    left = [community.ergon(who) for who in community.members]
    assert min(left) >= 0
    assert sum(left) == 3 * PREPAID - community.ergon("imbalance") <= 3 * PREPAID


def test_where_the_grid_gives_more_than_it_takes_the_imbalance_account_owes_nothing() -> None:
    community = Community(2, settlement=GRID_PRICES, priced_slots=0)
    first_s = NOON + 4 * SLOT_SECONDS
    community.tell_prices(NOON, [(IMPORT, EXPORT)] * 4 + [(-50_000, 50_000)] * 4)
    name = str(len(community.sequencer.tree))
    lot = auction_bodies.Open(
        form="dutch", side="ask", good="slots", amount=2_000, start_s=NOON, end_s=NOON + 60, reserve_price=0,
        opening_price=1, step=1, tick_s=60, from_s=first_s, to_s=first_s + 4 * SLOT_SECONDS,
    )  # fmt: skip
    assert community.ask("anna", Kind.AUCTION, lot) is Outcome.BOOKED
    offer = auction_bodies.Offer(auction=name, amount=2_000, price_micro_per_kwh=1)
    assert community.ask("ben", Kind.AUCTION, offer) is Outcome.BOOKED
    for _ in range(8):
        community.live()
    assert community.ergon("imbalance") == 200_000, "both failed: the one bought at 5 ct, the other sold at -5 ct"
    same_again(community)


def test_who_kept_silent_has_not_delivered_and_what_comes_late_is_the_grids() -> None:
    community = trading(GRID_PRICES)
    slot_s = community.live(silent=["anna"], anna=Flow(solar_wh=1_000), ben=Flow(load_wh=1_000))
    community.now_s += 2 * SLOT_SECONDS
    community.pay("ben", 1, "wakes the log")
    assert community.ergon("ben") == PREPAID + 1 - MIDPOINT
    assert community.ergon("anna") == PREPAID + MIDPOINT - IMPORT
    community.report("gw-anna", slot_s, community.home("anna", Flow(solar_wh=1_000)))
    assert community.ergon("anna") == PREPAID + MIDPOINT - IMPORT + EXPORT
    assert community.moved("anna", Commodity.ENERGY, slot_s) == -1_000, "her energy is counted once"
    assert community.moved("losses", Commodity.ENERGY, slot_s) == 0
    same_again(community)


def test_a_told_imbalance_price_is_waited_for_as_long_as_a_silent_meter() -> None:
    community = trading(SettlementTerms(imbalance="told"))
    slot_s = community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    assert community.state.settled_to_s == slot_s
    before = community.state.root()
    assert tell_imbalance(community, slot_s, 250_000, 260_000) is Outcome.BOOKED
    assert community.state.settled_to_s == slot_s + SLOT_SECONDS
    assert community.state.root() != before
    assert community.ergon("anna") == PREPAID + MIDPOINT - 700 * 250
    assert community.state.imbalance == {NEXT: 260_000}, "what is settled is let go of"
    same_again(community)
    assert tell_imbalance(community, slot_s, 1) is Outcome.TOO_LATE
    assert tell_imbalance(community, NEXT, 1) is Outcome.ALREADY_THERE
    assert tell_imbalance(community, NEXT + 1, 1) is Outcome.OVER_LIMIT
    community.live()
    assert community.state.settled_to_s == NEXT + SLOT_SECONDS
    community.live()
    assert community.state.settled_to_s == NEXT + 2 * SLOT_SECONDS, "nothing was traded, so no price is needed"


@pytest.mark.parametrize("told", [-200_000, 0, EXPORT, 250_000, 900_000])
@pytest.mark.parametrize("who", ["anna", "ben"])
def test_a_meter_that_waits_for_the_told_price_before_it_reports_gains_nothing(who: str, told: int) -> None:
    came_to = []
    for silent in ([], [who]):
        community = trading(SettlementTerms(imbalance="told"))
        flows = {"anna": Flow(solar_wh=1_000), "ben": Flow(load_wh=1_000)}
        slot_s = community.live(silent=silent, **flows)
        assert tell_imbalance(community, slot_s, told) is Outcome.BOOKED
        community.now_s += 3 * SLOT_SECONDS
        community.pay("anna" if who == "ben" else "ben", 1, "wakes the log")
        if silent:
            assert community.report(f"gw-{who}", slot_s, community.home(who, flows[who])) is Outcome.BOOKED
        came_to.append(community.ergon(who))
        same_again(community)
    kept, waited = came_to
    assert waited <= kept


def test_an_imbalance_price_that_never_comes_is_the_grids() -> None:
    community = trading(SettlementTerms(imbalance="told"))
    slot_s = community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    community.now_s += 2 * SLOT_SECONDS
    community.pay("ben", 1, "wakes the log")
    assert community.state.settled_to_s > slot_s
    assert community.ergon("anna") == PREPAID + MIDPOINT - 210_000


def test_imbalance_prices_are_the_oracles_word_where_the_charter_asks_for_it() -> None:
    assert tell_imbalance(trading(GRID_PRICES), NOON, 1) is Outcome.NOT_ALLOWED
    community = trading(SettlementTerms(imbalance="told"))
    assert community.ask("operator", Kind.FACT, bodies.FactBody(start_s=NOON, imbalance=[1])) is Outcome.NOT_ALLOWED
    for body in ({"start_s": NOON}, {"start_s": NOON, "prices": [[1, 1]], "imbalance": [1]}):
        assert community.send(community.wire("oracle", Kind.FACT, body)) is Outcome.MALFORMED


def test_what_is_left_after_trades_is_shared_at_the_midpoint() -> None:
    community = Community(3, settlement=DYNAMIC)
    community.live(anna=Flow(solar_wh=600), ben=Flow(load_wh=900), cleo=Flow(load_wh=300))
    assert community.entries("shared export", Commodity.ENERGY) == [("anna", "market", 600)]
    assert community.entries("shared import", Commodity.ENERGY) == [("market", "ben", 450), ("market", "cleo", 150)]
    assert community.ergon("anna") == PREPAID + 600 * MIDPOINT // 1_000
    assert community.ergon("cleo") == PREPAID - 150 * MIDPOINT // 1_000 - 150 * IMPORT // 1_000
    assert (community.ergon("market"), community.ergon("losses")) == (0, 0)
    same_again(community)


def test_many_homes_with_nothing_behind_them_share_like_few() -> None:
    """Connections that settle with the grid alone are booked as arrays elsewhere; here they share with the others."""
    community = Community(1, settlement=DYNAMIC)
    for n in range(70):
        name = f"flat-{n}"
        community.register_key(name, "member", name)
        community.register_gateway(f"gw-{name}")

        community.claim(name, f"{name}-home", AssetKind.CONNECTION)
    community.now_s += SLOT_SECONDS
    wires = [community.reading(f"gw-flat-{n}", NOON, {f"flat-{n}-home": (100, 0)}) for n in range(70)]
    wires.append(community.reading("gw-anna", NOON, community.home("anna", Flow(solar_wh=3_500))))
    wires.append(community.reading("gw-feeder", NOON, community.feeder(3_500)))
    community.sequencer.submit(wires, community.now_s)
    taken = community.entries("shared import", Commodity.ENERGY)
    assert (len(taken), {wh for _, _, wh in taken}) == (70, {50})


def test_a_static_key_holds_from_its_slot_on_and_the_last_word_counts() -> None:
    community = Community(3)
    static = SharingBody(key="static", price_micro_per_kwh=120_000, fee_micro_per_kwh=30_000, permille={"ben": 250})
    assert change(community, NOON, static) is Outcome.TOO_LATE, "the slot is running"
    assert change(community, NEXT + 1, static) is Outcome.TOO_LATE, "no slot begins there"
    assert change(community, NEXT, static, by="anna") is Outcome.NOT_ALLOWED
    assert change(community, NEXT, SharingBody(key="static", permille={"nobody": 5})) is Outcome.UNKNOWN_THING
    assert change(community, NEXT, static) is Outcome.BOOKED
    assert change(community, NEXT, static) is Outcome.TOO_LATE
    same_again(community)
    flows = {"anna": Flow(solar_wh=1_000), "ben": Flow(load_wh=900), "cleo": Flow(load_wh=300)}
    community.live(**flows)
    assert community.entries("shared import") == []
    community.live(**flows)
    assert community.entries("shared import") == [("market", "ben", 250), ("ben", "market", 30_000)]
    assert community.entries("grid fee") == [("ben", "grid-fees", 7_500)]
    assert change(community, community.slot_s + SLOT_SECONDS, SharingBody()) is Outcome.BOOKED
    assert len(community.state.sharing) == 2
    community.live()
    assert list(community.state.sharing.values()) == [SharingBody()], "what is over is let go of"
    same_again(community)


def test_so_many_keys_may_wait() -> None:
    community = Community(1)
    for n in range(1, MOST_KEYS + 2):
        assert change(community, NOON + n * SLOT_SECONDS, SharingBody(key="dynamic")) is Outcome.BOOKED
    late_s = NOON + 90 * SLOT_SECONDS
    assert change(community, late_s, SharingBody()) is Outcome.OVER_LIMIT


@pytest.mark.parametrize(
    "sharing",
    [
        {"key": "static"},
        {"key": "dynamic", "permille": {"anna": 5}},
        {"key": "static", "permille": {"anna": 600, "ben": 401}},
        {"key": "static", "permille": {"anna": 0}},
        {"key": "fair"},
    ],
)
def test_a_key_that_makes_no_sense_is_malformed(sharing: dict[str, object]) -> None:
    community = Community(2)
    wire = community.wire("operator", Kind.REGISTER, {"what": "sharing", "from_s": NEXT, "sharing": sharing})
    assert community.send(wire) is Outcome.MALFORMED


def test_a_community_that_shares_ex_post_has_no_slot_market() -> None:
    community = Community(2, settlement=SettlementTerms(sharing=SharingBody(key="pairs"), ex_post=True))
    assert community.order("ben", Side.BID, 100, IMPORT, NEXT) is Outcome.NOT_ALLOWED
    assert community.order("ben", Side.BID, 100, IMPORT) is Outcome.BOOKED, "the WATT book is another matter"
    community.live(anna=Flow(solar_wh=600), ben=Flow(load_wh=900))
    assert community.entries("shared", Commodity.ENERGY) == [("anna", "ben", 600)]


@pytest.mark.parametrize("many", [0, 1, 2])
def test_a_late_reading_behind_shared_energy_is_booked_once_and_at_the_grids_price(many: int) -> None:
    community = Community(3, settlement=DYNAMIC)
    silent = ["cleo", "anna"][:many]
    flows = {"anna": Flow(solar_wh=600), "ben": Flow(load_wh=400), "cleo": Flow(load_wh=300)}
    slot_s = community.live(silent=silent, **flows)
    community.now_s += 2 * SLOT_SECONDS
    community.pay("ben", 1, "wakes the log")
    for member in silent:
        community.report(f"gw-{member}", slot_s, community.home(member, flows[member]))
    told = {"anna": -600, "ben": 400, "cleo": 300, "grid": -100, "losses": 0, "market": 0}
    assert {who: community.moved(who, Commodity.ENERGY, slot_s) for who in told} == told
    same_again(community)


def shared_too_dear(equalise: str) -> Community:
    """Sharing costs more than the grid: 350,000 where import is 300,000; the roof gains what the others lose."""
    dear = SharingBody(key="dynamic", price_micro_per_kwh=350_000)
    community = Community(3, settlement=SettlementTerms(sharing=dear, equalise=equalise))
    community.live(anna=Flow(solar_wh=1_000), ben=Flow(load_wh=600), cleo=Flow(load_wh=400))
    return community


def live_to_midnight(community: Community) -> None:
    while community.slot_s < NOON + 44 * SLOT_SECONDS:  # 23:00 UTC is midnight in London's summer
        community.live()


def test_nobody_pays_more_than_the_grid_alone_where_a_community_equalises_by_day() -> None:
    community = shared_too_dear("day")
    assert community.state.gains == {"anna": 250_000, "ben": -30_000, "cleo": -20_000}
    same_again(community)
    live_to_midnight(community)
    assert community.state.gains == {}
    assert community.entries("equalisation") == [
        ("anna", "market", 50_000),
        ("market", "ben", 30_000),
        ("market", "cleo", 20_000),
    ]
    assert community.ergon("ben") == PREPAID - 600 * IMPORT // 1_000
    assert community.ergon("anna") == PREPAID + 300_000
    same_again(community)


def test_a_month_is_not_over_at_midnight_and_without_the_charters_word_nothing_is_equalised() -> None:
    for equalise in ("none", "month"):
        community = shared_too_dear(equalise)
        live_to_midnight(community)
        assert community.entries("equalisation") == []


@pytest.mark.parametrize("first", ["anna", "cleo"])
def test_an_odd_micro_of_equalisation_goes_to_who_registered_first_not_by_name(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = (first, "ben", *({"anna", "cleo"} - {first}))
    monkeypatch.setattr(community_of, "MEMBERS", members)
    odd = SharingBody(key="dynamic", price_micro_per_kwh=100_001)
    community = Community(3, settlement=SettlementTerms(sharing=odd, equalise="day"))
    community.state.gains = {AccountId("ben"): 3, AccountId("anna"): -4, AccountId("cleo"): -4}
    equalising.close(community.state, NOON + 43 * SLOT_SECONDS)
    assert {who: community.ergon(who) - PREPAID for who in members} == {members[0]: 2, members[2]: 1, "ben": -3}


def test_gains_that_are_not_enough_make_all_whole_in_proportion() -> None:
    fee = SharingBody(key="dynamic", price_micro_per_kwh=110_000, fee_micro_per_kwh=400_000)
    community = Community(3, settlement=SettlementTerms(sharing=fee, equalise="day"))
    community.live(anna=Flow(solar_wh=1_000), ben=Flow(load_wh=600), cleo=Flow(load_wh=400))
    # Anna gains 10,000; ben loses 126,000 to the wires, cleo 84,000.
    live_to_midnight(community)
    assert community.entries("equalisation") == [
        ("anna", "market", 10_000),
        ("market", "ben", 6_000),
        ("market", "cleo", 4_000),
    ]


def equalising_day(deal: str) -> Community:
    """Cleo gains by an honest trade; anna and ben also deal with each other at a price that nobody else would pay."""
    community = Community(3, settlement=SettlementTerms(equalise="day"), prepaid_micro=20 * MICRO)
    community.live(anna=Flow(solar_wh=1_000, charge_wh=1_000))
    first_s = community.slot_s + 2 * SLOT_SECONDS
    name = str(len(community.sequencer.tree))
    if deal == "watt":
        assert community.order("anna", Side.ASK, 19, 10**9) is Outcome.BOOKED
        assert community.order("ben", Side.BID, 19, 10**9) is Outcome.BOOKED
    elif deal == "energy":
        lot = auction_bodies.Open(
            form="dutch", side="ask", good="slots", amount=100, start_s=community.now_s, end_s=community.now_s + 60,
            reserve_price=0, opening_price=100_000_000, step=1, tick_s=60, from_s=first_s,
            to_s=first_s + SLOT_SECONDS,
        )  # fmt: skip
        assert community.ask("anna", Kind.AUCTION, lot) is Outcome.BOOKED
        offer = auction_bodies.Offer(auction=name, amount=100, price_micro_per_kwh=100_000_000)
        assert community.ask("ben", Kind.AUCTION, offer) is Outcome.BOOKED
    elif deal == "gift":
        body = wallet_bodies.Give(target="ben", commodity=Commodity.WATT, amount=800)
        assert community.ask("anna", Kind.TRANSFER, body) is Outcome.BOOKED
    slot_s = community.slot_s + SLOT_SECONDS
    assert community.order("anna", Side.BID, 1_000, IMPORT, slot_s) is Outcome.BOOKED
    assert community.order("cleo", Side.ASK, 1_000, EXPORT, slot_s) is Outcome.BOOKED
    community.live()
    community.live(cleo=Flow(solar_wh=1_000), anna=Flow(load_wh=1_000))
    community.live(anna=Flow(solar_wh=100), ben=Flow(load_wh=100))
    community.live(anna=Flow(discharge_wh=700), ben=Flow(load_wh=700))
    return community


@pytest.mark.parametrize("deal", ["watt", "energy", "gift"])
def test_no_price_between_two_members_takes_the_gains_of_a_third(deal: str) -> None:
    community = equalising_day(deal)
    gains = community.state.gains
    assert gains is not None
    assert gains[AccountId("cleo")] == 1_000 * (MIDPOINT - EXPORT) // 1_000
    assert min(gains.values()) >= 0, "nobody is made whole for what they agreed to"
    live_to_midnight(community)
    assert community.entries("equalisation") == []
    same_again(community)


def test_what_somebody_pays_for_breaking_their_word_is_not_made_whole_by_others() -> None:
    community = trading(SettlementTerms(imbalance="grid", imbalance_markup_micro_per_kwh=50_000, equalise="day"))
    community.live(anna=Flow(solar_wh=300), ben=Flow(load_wh=1_000))
    live_to_midnight(community)
    assert community.entries("equalisation") == []


FLOWS = st.fixed_dictionaries(
    {m: st.builds(Flow, load_wh=st.integers(0, 900), solar_wh=st.integers(0, 1_500)) for m in ("anna", "ben", "cleo")}
)
TERMS = st.builds(
    SettlementTerms,
    imbalance=st.sampled_from(["none", "grid"]),
    imbalance_markup_micro_per_kwh=st.integers(0, 50_000),
    sharing=st.builds(
        SharingBody,
        key=st.sampled_from(["none", "dynamic", "pairs"]),
        price_micro_per_kwh=st.none() | st.integers(-50_000, 400_000),
        fee_micro_per_kwh=st.integers(0, 60_000),
    ),
    equalise=st.just("day"),
)


@settings(max_examples=25, deadline=None)
@given(TERMS, st.lists(FLOWS, min_size=1, max_size=3), st.sampled_from([Side.BID, Side.ASK]))
def test_every_slot_sums_to_zero_and_equalising_takes_no_more_than_was_gained(
    terms: SettlementTerms, flows: list[dict[str, Flow]], side: Side
) -> None:
    community = Community(3, settlement=terms)
    community.order("anna", Side.ASK, 500, EXPORT, NOON)
    community.order("ben", side, 700, 150_000, NOON)
    for lived in flows:
        community.live(**lived)
    gains = dict(community.state.gains or {})
    slots: Counter[tuple[int, Commodity, str]] = Counter()
    for entry in community.booked():
        if entry.memo not in ("purchase", "genesis"):
            slots[entry.slot_s, entry.commodity, entry.source] -= entry.amount
            slots[entry.slot_s, entry.commodity, entry.target] += entry.amount
    for slot_s in range(NOON, community.slot_s, SLOT_SECONDS):
        for commodity in (Commodity.ENERGY, Commodity.ERGON):
            assert sum(amount for at, amount in slots.items() if at[:2] == (slot_s, commodity)) == 0
        assert slots[slot_s, Commodity.ENERGY, MARKET] == slots[slot_s, Commodity.ENERGY, IMBALANCE] == 0
    live_to_midnight(community)
    moved = Counter[str]()
    for source, target, amount in community.entries("equalisation"):
        moved[source] -= amount
        moved[target] += amount
    for account, gain in gains.items():
        assert min(0, -gain) <= moved[account] <= max(0, -gain), (
            "nobody gives beyond their gain, gets beyond their loss"
        )
    assert moved[MARKET] == 0
    lost = sum(-gain for gain in gains.values() if gain < 0)
    won = sum(gain for gain in gains.values() if gain > 0)
    assert sum(amount for amount in moved.values() if amount > 0) == min(lost, won)


def test_terms_are_in_the_first_leaf_and_in_the_root() -> None:
    roots = {Community(1, settlement=terms).state.root() for terms in (SettlementTerms(), GRID_PRICES, DYNAMIC)}
    assert len(roots) == 3
    assert Community(1, settlement=DYNAMIC).state.gains is None


@pytest.mark.parametrize(("terms", "solar_wh"), [(GRID_PRICES, 300), (DYNAMIC, 1_300)])
def test_a_bundle_refuses_what_it_cannot_show_instead_of_leaving_it_out(terms: SettlementTerms, solar_wh: int) -> None:
    community = trading(terms)
    slot_s = community.live(anna=Flow(solar_wh=solar_wh), ben=Flow(load_wh=1_500))
    note = community.sequencer.checkpoint(slot_s).note_text() + "\nunsigned"
    now = replay(community.rows(), community.state.community, keep=True)
    with pytest.raises(Refused, match="a bill shows every entry"):
        make_evidence(now.state, now.whole_tree(), community.rows(), note, "ben", slot_s)
