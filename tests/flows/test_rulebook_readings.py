"""The fast ways of the rulebook against its slow ones: arrays of readings, and of settlements, beside one by one."""

from collections import Counter
from copy import copy
from functools import cache

import pytest
from community import EXPORT, IMPORT, NOON, Community, Noted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonwatt.flows.rulebook import State, snapshot
from commonwatt.flows.rulebook.market import slot_market
from commonwatt.flows.rulebook.metering import readings as rules
from commonwatt.flows.rulebook.metering.readings import Batch
from commonwatt.flows.rulebook.settlement import settling
from commonwatt.metering.batch import Flag, Item, Quality, encode_items
from commonwatt.model import (
    MARKET,
    MINT,
    SLOT_SECONDS,
    AccountId,
    AssetId,
    AssetKind,
    Commodity,
    Entry,
    GatewayId,
    OrderId,
    Outcome,
    Side,
    SlotOrder,
    Zone,
)

SETTLED = 2
"""Slots that are settled when the batches arrive."""
NOW_S = NOON + 6 * SLOT_SECONDS
HOMES = ("dora", "emil", "fred")
MOST_WH = 5_001


@cache
def founded() -> Community:
    """Return a street that no test changes: three homes, three more with a connection alone, two slots settled."""
    community = Community(3, grace_slots=8, correction_slots=1)
    for name in HOMES:
        community.register_key(name, "member", name)
        community.register_gateway(f"gw-{name}")
        assert community.claim(name, f"{name}-home", AssetKind.CONNECTION) is Outcome.BOOKED
    for _ in range(SETTLED):
        slot_s = community.live()
        for name in HOMES:
            community.report(f"gw-{name}", slot_s, {f"{name}-home": (5, 0)})
    assert community.state.settled_to_s == NOON + SETTLED * SLOT_SECONDS
    # One joins late, and may tell nothing of before.
    community.now_s = NOON + 4 * SLOT_SECONDS
    community.register_key("greta", "member", "greta")
    community.register_gateway("gw-greta")
    assert community.claim("greta", "greta-home", AssetKind.CONNECTION) is Outcome.BOOKED
    return community


def copied(state: State) -> State:
    """Return a state of one's own, by way of a snapshot; its journal takes notes."""
    own, _ = snapshot.load(snapshot.dump(state, 0, bytes(32)))
    assert own.root() == state.root()
    own.journal = Noted()
    return own


slots = st.integers(SETTLED, 5) | st.integers(SETTLED, 5) | st.integers(0, 6)
energies = st.sampled_from([0, 1, 700, MOST_WH, MOST_WH, MOST_WH + 1, 10**9])
strange = st.fixed_dictionaries(
    {},
    optional={
        "seconds": st.sampled_from([60, 1_800]),
        "quality": st.sampled_from(Quality),
        "flags": st.sampled_from([Flag.CORRECTS, Flag.RESET]),
        "level_wh": st.integers(0, 900),
    },
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Return one gateway's batch: mostly plain, with repeats, limits, late ones and registers that nobody knows."""
    gateway = draw(st.sampled_from(["gw-anna", "gw-feeder", "gw-greta", *(f"gw-{name}" for name in HOMES)]))
    odd = draw(st.integers(0, 9)) == 0
    places = draw(st.sets(st.tuples(st.integers(0, 3 if odd else 1), slots), min_size=1, max_size=5))
    items, end_s = [], {}
    for register, slot in sorted(places):
        more = draw(strange) if odd else {}
        start_s = NOON + slot * SLOT_SECONDS
        if end_s.get(register, 0) <= start_s:
            item = Item(start_s=start_s, register=register, import_wh=draw(energies), export_wh=draw(energies), **more)
            items.append(item)
            end_s[register] = start_s + item.seconds
    return Batch(GatewayId(gateway), draw(st.integers(100, 999)), encode_items(items))


def judged(found: list[Batch], few: int) -> tuple[State, list[Outcome]]:
    """Judge copies of batches in arrays where there are at least so many items, and one by one below."""
    after, own = copied(founded().state), [copy(batch) for batch in found]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_FEW", few)
        rules.apply_batches(after, own, NOW_S)
    return after, [batch.outcome for batch in own]


def doubts(state: State) -> Counter[tuple[int, str, int, str]]:
    return Counter((doubt.position, doubt.asset, doubt.slot_s, doubt.why) for doubt in state.set_aside)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(batches(), min_size=1, max_size=8))
def test_arrays_judge_readings_as_one_by_one(found: list[Batch]) -> None:
    (fast, fast_outcomes), (slow, slow_outcomes) = judged(found, 0), judged(found, 10**9)
    assert fast_outcomes == slow_outcomes
    assert doubts(fast) == doubts(slow)
    assert {slot_s: dict(slot) for slot_s, slot in fast.readings.items() if len(slot)} == {
        slot_s: dict(slot) for slot_s, slot in slow.readings.items() if len(slot)
    }
    assert fast.readings.digests(0) == slow.readings.digests(0)
    assert list(fast.accounts.balances()) == list(slow.accounts.balances())
    assert fast.journal.root() == slow.journal.root()


def plain(gateway: str, position: int, *told: tuple[int, int]) -> Batch:
    """Return a batch of one register: slot and import."""
    items = [Item(start_s=NOON + slot * SLOT_SECONDS, register=0, import_wh=wh, export_wh=0) for slot, wh in told]
    return Batch(GatewayId(gateway), position, encode_items(items))


def test_arrays_believe_the_first_of_two_and_set_the_second_aside() -> None:
    found = [
        plain("gw-dora", 1, (2, MOST_WH + 1), (3, 30)),
        plain("gw-dora", 2, (2, 20)),
        plain("gw-dora", 3, (2, 21), (4, 40)),
        plain("gw-greta", 4, (3, 1), (4, 2)),
    ]
    after, outcomes = judged(found, 0)
    told = {slot: after.readings[NOON + slot * SLOT_SECONDS] for slot in (2, 3, 4)}
    assert {slot: {m: r.import_wh for m, r in one.items()} for slot, one in told.items()} == {
        2: {"dora-home": 20},
        3: {"dora-home": 30},
        4: {"dora-home": 40, "greta-home": 2},
    }
    assert [(d.position, d.slot_s, d.why[:20]) for d in after.set_aside] == [
        (1, NOON + 2 * SLOT_SECONDS, "import above registe"),
        (3, NOON + 2 * SLOT_SECONDS, "overlaps a reading t"),
        (4, NOON + 3 * SLOT_SECONDS, "slot lies before the"),
    ]
    assert outcomes == [Outcome.SET_ASIDE, Outcome.BOOKED, Outcome.SET_ASIDE, Outcome.SET_ASIDE]


def test_no_batches_change_nothing() -> None:
    after = copied(founded().state)
    before = after.root()
    rules.apply_batches(after, [], NOW_S)
    assert after.root() == before


MEMBERS = [f"member-{n}" for n in range(12)]


@cache
def crowd() -> Community:
    """Return a street of connections with nothing behind them, and two homes with all there is; changed by no test."""
    community = Community(2, priced_slots=0)
    for name in MEMBERS:
        community.register_key(name, "member", name)
        community.register_gateway(f"gw-{name}")
        assert community.claim(name, f"{name}-home", AssetKind.CONNECTION) is Outcome.BOOKED
    return community


told = st.tuples(st.integers(0, MOST_WH), st.integers(0, MOST_WH))
prices = st.sampled_from([(IMPORT, EXPORT), (333_333, 77_777), (-20_001, -50_003), (-7, 9), (0, 0), (500, 500)])


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    metered=st.dictionaries(st.sampled_from([*MEMBERS, "anna", "ben"]), told, min_size=1),
    price=prices,
    feeder=st.none() | told,
    batteries=st.dictionaries(st.sampled_from(["anna", "ben"]), st.tuples(st.integers(0, 2_000), st.integers(0, 900))),
    watt=st.dictionaries(st.sampled_from(MEMBERS[:4]), st.integers(1, 300)),
    orders=st.dictionaries(
        st.sampled_from([*MEMBERS[:8], "anna", "ben"]), st.tuples(st.sampled_from(Side), st.integers(1, 90))
    ),
    fee=st.sampled_from([0, 0, 33_333]),
)
def test_arrays_settle_as_one_by_one(
    metered: dict[str, tuple[int, int]],
    price: tuple[int, int],
    feeder: tuple[int, int] | None,
    batteries: dict[str, tuple[int, int]],
    watt: dict[str, int],
    orders: dict[str, tuple[Side, int]],
    fee: int,
) -> None:
    ways = []
    for many in (1, 10**9):
        one = copied(crowd().state)
        one.prices[NOON] = price
        issue(one, watt)
        one.zones["lane"] = Zone(name="lane", fee_micro_per_kwh=fee)
        if price[0] > price[1] >= 0:
            for position, (who, (side, wh)) in enumerate(orders.items(), 1):
                limit = price[0] if side is Side.BID else price[1]
                one.slot_market.place(NOON, order(who, side, wh, limit), position)
            slot_market.close_gates(one, NOON + SLOT_SECONDS)
        believe(one, metered, batteries)
        begun = len(noted(one))
        settling.settle(one, one.readings[NOON], feeder, many)
        ways.append((one, noted(one)[begun:]))
    (fast, fast_entries), (slow, slow_entries) = ways
    assert list(fast.accounts.balances()) == list(slow.accounts.balances())
    assert fast.losses_wh == slow.losses_wh
    assert list(fast.claims.listing()) == list(slow.claims.listing())
    assert fast.given == slow.given
    assert moved(fast_entries) == moved(slow_entries), "each the same, in another order"
    assert not fast.accounts.balance(MARKET, Commodity.ENERGY) and not fast.accounts.balance(MARKET, Commodity.ERGON)
    for commodity in Commodity:
        assert fast.accounts.total(commodity) == 0


def noted(state: State) -> list[Entry]:
    assert isinstance(state.journal, Noted)
    return list(state.journal.noted)


def moved(entries: list[Entry]) -> Counter[tuple[str, str, str, int]]:
    """Return what each account got and gave in energy and money: of neighbours and of the grid apart."""
    found: Counter[tuple[str, str, str, int]] = Counter()
    for entry in entries:
        for account, sign in ((entry.source, -1), (entry.target, 1)):
            if account != MARKET:
                about = "trade" if entry.memo in ("trade", "grid fee") else "other"
                way = sign if entry.commodity is Commodity.ENERGY else 0  # of money only the balance is told
                found[account, entry.commodity, about, way] += sign * entry.amount
    return Counter({key: amount for key, amount in found.items() if amount})


def issue(state: State, watt: dict[str, int]) -> None:
    """Give members WATT that stands against anna's battery."""
    for name, wh in watt.items():
        state.claims.issue(AssetId("anna-battery"), wh)
        state.move(Commodity.WATT, MINT, AccountId(name), wh, slot_s=NOON, memo="a gift")


def order(name: str, side: Side, energy_wh: int, price: int) -> SlotOrder:
    return SlotOrder(id=OrderId(name), owner=AccountId(name), side=side, energy_wh=energy_wh, price_micro_per_kwh=price)


def believe(state: State, metered: dict[str, tuple[int, int]], batteries: dict[str, tuple[int, int]]) -> None:
    slot = state.readings.at(NOON)
    for name, (import_wh, export_wh) in metered.items():
        item = Item(start_s=NOON, register=0, import_wh=import_wh, export_wh=export_wh)
        slot.set(AssetId(f"{name}-home"), item.reading(AssetId(f"{name}-home")), Quality.MEASURED)
    for name, (export_wh, level_wh) in batteries.items():
        item = Item(start_s=NOON, register=2, import_wh=0, export_wh=export_wh, level_wh=level_wh)
        slot.set(AssetId(f"{name}-battery"), item.reading(AssetId(f"{name}-battery")), Quality.MEASURED)
