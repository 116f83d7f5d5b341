"""One slot's settlement against sums in a dict, and in small stories."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import (
    GRID,
    LOSSES,
    AccountId,
    Commodity,
    Entry,
    InvalidValue,
    OrderId,
    Trade,
    cost_micro,
)
from commonwatt.settlement.settle import Delivery, PointReading, Settlement, settle_slot

ANA, BEN, CEM, DOT = (AccountId(name) for name in ("ana", "ben", "cem", "dot"))
PEOPLE = (ANA, BEN, CEM, DOT)
IMPORT, EXPORT = 300_000, 100_000
NOON = 1_700_049_600


def point(account: AccountId, import_wh: int, export_wh: int) -> PointReading:
    return PointReading(account=account, import_wh=import_wh, export_wh=export_wh)


def sale(seller: AccountId, buyer: AccountId, energy_wh: int, price: int = 200_000) -> Trade:
    return Trade(
        buyer=buyer,
        seller=seller,
        bid=OrderId("7.0"),
        ask=OrderId("4.1"),
        energy_wh=energy_wh,
        price_micro_per_kwh=price,
    )


def call(seller: AccountId, buyer: AccountId, energy_wh: int) -> Delivery:
    return Delivery(seller=seller, buyer=buyer, energy_wh=energy_wh)


def settled(
    points: list[PointReading],
    feeder: tuple[int, int],
    trades: Iterable[Trade] = (),
    deliveries: Iterable[Delivery] = (),
    prices: tuple[int, int] = (IMPORT, EXPORT),
) -> Settlement:
    return settle_slot(
        points,
        feeder,
        tuple(trades),
        tuple(deliveries),
        import_price=prices[0],
        export_price=prices[1],
        slot_s=NOON,
    )


def naive_accounts(entries: Iterable[Entry], commodity: Commodity) -> Counter[str]:
    """Add and subtract, line by line."""
    sums: Counter[str] = Counter()
    for entry in entries:
        if entry.commodity is commodity:
            sums[entry.source] -= entry.amount
            sums[entry.target] += entry.amount
    return sums


def lines(settlement: Settlement, commodity: Commodity) -> list[tuple[str, str, int, str]]:
    chosen = [entry for entry in settlement.entries if entry.commodity is commodity]
    return [(entry.source, entry.target, entry.amount, entry.memo) for entry in chosen]


WH = st.integers(0, 3_000)
POINTS = st.lists(st.builds(point, st.sampled_from(PEOPLE), WH, WH), max_size=6)
PAIRS = st.permutations(PEOPLE).map(lambda people: (people[0], people[1]))
PRICE = st.integers(-400_000, 400_000)
TRADES = st.lists(st.builds(lambda pair, wh, price: sale(pair[0], pair[1], wh, price), PAIRS, WH, PRICE), max_size=5)
FEEDER = st.tuples(WH, WH)
PRICES = st.tuples(PRICE, PRICE)


@pytest.mark.row("M1")
def test_a_neighbours_surplus_is_paid_at_the_trades_price_and_the_rest_at_the_grids() -> None:
    settlement = settled([point(ANA, 0, 1_000), point(BEN, 1_500, 0)], (500, 0), [sale(ANA, BEN, 800)])
    assert lines(settlement, Commodity.ENERGY) == [
        ("ana", "ben", 800, "trade"),
        ("ana", "grid", 200, "grid export"),
        ("grid", "ben", 700, "grid import"),
    ]
    assert lines(settlement, Commodity.ERGON) == [
        ("ben", "ana", 160_000, "trade"),
        ("grid", "ana", 20_000, "grid export"),
        ("ben", "grid", 210_000, "grid import"),
        ("grid", "losses", 40_000, "losses"),
    ]
    assert (settlement.traded_wh, settlement.delivered) == (800, (800,))
    assert (settlement.losses_wh, settlement.losses_micro) == (0, -40_000)
    assert all(entry.slot_s == NOON for entry in settlement.entries)
    assert [entry.ref for entry in settlement.entries if entry.memo == "trade"] == ["7.0/4.1"] * 2


@pytest.mark.row("H5")
def test_an_accepted_export_earns_ergon_from_the_retailers_account() -> None:
    settlement = settled([point(ANA, 0, 1_000)], (0, 1_000))
    assert lines(settlement, Commodity.ERGON) == [("grid", "ana", 100_000, "grid export")]
    assert lines(settlement, Commodity.ENERGY) == [("ana", "grid", 1_000, "grid export")]


@given(POINTS, FEEDER, TRADES, PRICES)
def test_every_members_energy_moves_by_import_minus_export(
    points: list[PointReading], feeder: tuple[int, int], trades: list[Trade], prices: tuple[int, int]
) -> None:
    sums = naive_accounts(settled(points, feeder, trades, prices=prices).entries, Commodity.ENERGY)
    for person in PEOPLE:
        assert sums[person] == sum(p.import_wh - p.export_wh for p in points if p.account == person)
    assert sum(sums.values()) == 0


@given(POINTS, FEEDER, TRADES, PRICES)
def test_the_grid_moves_by_exactly_what_the_feeder_counted_in_energy_and_money(
    points: list[PointReading], feeder: tuple[int, int], trades: list[Trade], prices: tuple[int, int]
) -> None:
    settlement = settled(points, feeder, trades, prices=prices)
    energy = naive_accounts(settlement.entries, Commodity.ENERGY)
    money = naive_accounts(settlement.entries, Commodity.ERGON)
    assert -energy[GRID] == feeder[0] - feeder[1]
    assert money[GRID] == cost_micro(feeder[0], prices[0]) - cost_micro(feeder[1], prices[1])
    assert (energy[LOSSES], money[LOSSES]) == (settlement.losses_wh, -settlement.losses_micro)
    assert set(energy) | set(money) <= {GRID, LOSSES} | {point.account for point in points}


@given(POINTS, FEEDER, TRADES)
def test_a_trade_moves_no_more_than_agreed_sent_and_received(
    points: list[PointReading], feeder: tuple[int, int], trades: list[Trade]
) -> None:
    settlement = settled(points, feeder, trades)
    export_wh = {person: sum(p.export_wh for p in points if p.account == person) for person in PEOPLE}
    import_wh = {person: sum(p.import_wh for p in points if p.account == person) for person in PEOPLE}
    for trade, delivered_wh in zip(trades, settlement.delivered, strict=True):
        assert delivered_wh == min(trade.energy_wh, export_wh[trade.seller], import_wh[trade.buyer])
        export_wh[trade.seller] -= delivered_wh
        import_wh[trade.buyer] -= delivered_wh
    assert settlement.traded_wh == sum(settlement.delivered)
    grid = [line for line in lines(settlement, Commodity.ENERGY) if line[3].startswith("grid")]
    assert sorted(grid) == sorted(
        [(GRID, person, wh, "grid import") for person, wh in import_wh.items() if wh]
        + [(person, GRID, wh, "grid export") for person, wh in export_wh.items() if wh]
    )


@given(POINTS, FEEDER, TRADES, PRICES)
def test_a_members_money_is_trades_and_grid_and_nothing_else(
    points: list[PointReading], feeder: tuple[int, int], trades: list[Trade], prices: tuple[int, int]
) -> None:
    settlement = settled(points, feeder, trades, prices=prices)
    owed: Counter[str] = Counter()
    left_in: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for p in points:
        left_in[p.account] += p.import_wh
        left_out[p.account] += p.export_wh
    for trade, wh in zip(trades, settlement.delivered, strict=True):
        owed[trade.buyer] += cost_micro(wh, trade.price_micro_per_kwh)
        owed[trade.seller] -= cost_micro(wh, trade.price_micro_per_kwh)
        left_in[trade.buyer] -= wh
        left_out[trade.seller] -= wh
    sums = naive_accounts(settlement.entries, Commodity.ERGON)
    for person in PEOPLE:
        due = owed[person] + cost_micro(left_in[person], prices[0]) - cost_micro(left_out[person], prices[1])
        assert sums[person] == -due


@given(POINTS.filter(bool), TRADES, st.data())
def test_honest_meters_lose_nothing_and_a_hidden_import_shows_as_losses(
    points: list[PointReading], trades: list[Trade], data: st.DataObject
) -> None:
    net_wh = sum(p.import_wh - p.export_wh for p in points)
    feeder = (max(0, net_wh), max(0, -net_wh))
    assert settled(points, feeder, trades).losses_wh == 0
    i = data.draw(st.integers(0, len(points) - 1))
    hidden_wh = data.draw(st.integers(0, points[i].import_wh))
    told = point(points[i].account, points[i].import_wh - hidden_wh, points[i].export_wh)
    falsified = [*points[:i], told, *points[i + 1 :]]
    assert settled(falsified, feeder, trades).losses_wh == hidden_wh


@pytest.mark.row("M2")
def test_a_falsified_reading_shows_as_losses_in_energy_and_in_money() -> None:
    honest = settled([point(ANA, 1_000, 0), point(BEN, 500, 0)], (1_500, 0))
    assert (honest.losses_wh, honest.losses_micro) == (0, 0)
    assert all(LOSSES not in (entry.source, entry.target) for entry in honest.entries)
    cheated = settled([point(ANA, 400, 0), point(BEN, 500, 0)], (1_500, 0))
    assert (cheated.losses_wh, cheated.losses_micro) == (600, 180_000)
    assert lines(cheated, Commodity.ENERGY)[-1] == ("grid", "losses", 600, "losses")
    assert lines(cheated, Commodity.ERGON)[-1] == ("losses", "grid", 180_000, "losses")


def test_an_export_that_the_feeder_never_saw_shows_as_losses_too() -> None:
    boasted = settled([point(ANA, 0, 1_000)], (0, 700))
    assert (boasted.losses_wh, boasted.losses_micro) == (300, 30_000)
    hidden = settled([point(ANA, 0, 700)], (0, 1_000))
    assert (hidden.losses_wh, hidden.losses_micro) == (-300, -30_000)
    assert lines(hidden, Commodity.ENERGY)[-1] == ("losses", "grid", 300, "losses")


@pytest.mark.row("E2")
def test_called_watt_is_delivered_first_and_at_no_price() -> None:
    settlement = settled(
        [point(ANA, 0, 1_000), point(BEN, 900, 0)], (0, 100), [sale(ANA, BEN, 900)], [call(ANA, BEN, 300)]
    )
    assert lines(settlement, Commodity.ENERGY) == [
        ("ana", "ben", 300, "watt delivery"),
        ("ana", "ben", 600, "trade"),
        ("ana", "grid", 100, "grid export"),
    ]
    assert lines(settlement, Commodity.ERGON)[0] == ("ben", "ana", 120_000, "trade")
    assert (settlement.traded_wh, settlement.delivered) == (600, (600,))


def test_a_delivery_beyond_the_meters_is_refused() -> None:
    points = [point(ANA, 0, 500), point(BEN, 400, 0)]
    assert settled(points, (0, 100), deliveries=[call(ANA, BEN, 400)]).losses_wh == 0
    for deliveries in ([call(ANA, BEN, 401)], [call(ANA, BEN, 300), call(ANA, BEN, 101)], [call(ANA, CEM, 1)]):
        with pytest.raises(InvalidValue, match="delivery"):
            settled(points, (0, 100), deliveries=deliveries)
    with pytest.raises(InvalidValue, match="delivery"):
        settled([point(ANA, 0, 399), point(BEN, 400, 0)], (0, 0), deliveries=[call(ANA, BEN, 400)])


def test_earlier_trades_are_served_first_from_what_the_meters_saw() -> None:
    settlement = settled(
        [point(ANA, 0, 500), point(BEN, 400, 0), point(CEM, 400, 0)],
        (300, 0),
        [sale(ANA, BEN, 450), sale(ANA, CEM, 400), sale(DOT, CEM, 100)],
    )
    assert settlement.delivered == (400, 100, 0)


def test_a_price_below_zero_turns_the_money_round() -> None:
    settlement = settled(
        [point(ANA, 0, 1_000), point(BEN, 600, 0)], (0, 400), [sale(ANA, BEN, 500, -20_000)], prices=(-10_000, -30_000)
    )
    assert lines(settlement, Commodity.ERGON) == [
        ("ana", "ben", 10_000, "trade"),
        ("ana", "grid", 15_000, "grid export"),
        ("grid", "ben", 1_000, "grid import"),
        ("grid", "losses", 2_000, "losses"),
    ]


def test_several_connection_points_of_one_account_add_up() -> None:
    settlement = settled([point(ANA, 100, 0), point(ANA, 200, 50)], (250, 0))
    assert lines(settlement, Commodity.ENERGY) == [
        ("grid", "ana", 300, "grid import"),
        ("ana", "grid", 50, "grid export"),
    ]


def test_an_empty_slot_has_no_entries() -> None:
    assert settled([point(ANA, 0, 0)], (0, 0), [sale(ANA, BEN, 10)]).entries == ()
    assert settled([], (0, 0), deliveries=[call(ANA, BEN, 0)]).entries == ()


def test_what_could_not_be_metered_is_refused() -> None:
    for import_wh, export_wh in ((-1, 0), (0, -1)):
        with pytest.raises(InvalidValue):
            point(ANA, import_wh, export_wh)
    with pytest.raises(InvalidValue, match="member"):
        point(GRID, 1, 1)
    with pytest.raises(InvalidValue):
        call(ANA, BEN, -1)
    for feeder in ((-1, 0), (0, -1)):
        with pytest.raises(InvalidValue, match="feeder"):
            settled([], feeder)
    with pytest.raises(InvalidValue, match="trade"):
        settled([point(ANA, 5, 5), point(BEN, 5, 5)], (0, 0), [sale(ANA, BEN, -1)])
    with pytest.raises(InvalidValue, match="themselves"):
        settled([point(ANA, 5, 5)], (0, 0), [sale(ANA, ANA, 5)])
    with pytest.raises(InvalidValue, match="themselves"):
        settled([point(ANA, 5, 5)], (0, 0), deliveries=[call(ANA, ANA, 5)])
