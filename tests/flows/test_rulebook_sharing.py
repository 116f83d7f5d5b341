"""Sharing keys and equalisation through the real log, with money by hand."""

from collections import Counter

import community as community_of
import pytest
from community import EXPORT, IMPORT, NOON, PREPAID, Community, Flow
from hypothesis import given, settings
from hypothesis import strategies as st
from settled import NEXT, same_again, trading

from commonwatt.flows.prove import make_evidence
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook.market.auctions import auction_bodies
from commonwatt.flows.rulebook.settlement import equalising
from commonwatt.flows.rulebook.settlement.sharing import MOST_KEYS
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody, SharingKey
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

MIDPOINT = (IMPORT + EXPORT) // 2
GRID_PRICES = SettlementTerms(imbalance="grid")
DYNAMIC = SettlementTerms(sharing=SharingBody(key="dynamic"))


def change(community: Community, from_s: int, sharing: SharingBody, by: str = "operator") -> Outcome:
    return community.ask(by, Kind.REGISTER, SharingKey(from_s=from_s, sharing=sharing))


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
