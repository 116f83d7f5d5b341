"""WATT follows the energy: minted when clean energy enters storage, burned when it leaves."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commonwatt.model import AccountId, Asset, AssetId, AssetKind, GatewayId, InvalidValue
from commonwatt.tokens.watt import (
    StorageClaims,
    b_max_wh,
    buy_back,
    call_stored,
    clean_charge_wh,
    mint_wh,
    shortfall,
    thresholds,
)

ANA, BEN, CEM, DOT = (AccountId(name) for name in ("ana", "ben", "cem", "dot"))
PEOPLE = (ANA, BEN, CEM, DOT)
WH = st.integers(0, 5_000)


def battery(name: str, owner: AccountId, charge_permille: int = 950, discharge_permille: int = 940) -> Asset:
    return Asset(
        id=AssetId(name),
        owner=owner,
        gateway=GatewayId("hepek-1"),
        kind=AssetKind.BATTERY,
        zone="SW1A",
        max_import_w=5_000,
        max_export_w=5_000,
        capacity_wh=10_000,
        charge_permille=charge_permille,
        discharge_permille=discharge_permille,
    )


@pytest.mark.row("E2")
@pytest.mark.parametrize(
    ("charge_wh", "load_wh", "solar_wh", "clean_wh"),
    [
        (1_000, 0, 2_000, 1_000),
        (1_000, 1_300, 2_000, 700),
        (1_000, 0, 600, 600),
        (1_000, 500, 400, 0),
        (1_000, 400, 400, 0),
        (0, 0, 400, 0),
    ],
)
def test_only_own_generation_beyond_own_load_is_clean(
    charge_wh: int, load_wh: int, solar_wh: int, clean_wh: int
) -> None:
    assert clean_charge_wh(charge_wh, load_wh, solar_wh) == clean_wh


@pytest.mark.parametrize("meters", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_a_meter_below_zero_is_refused(meters: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidValue):
        clean_charge_wh(*meters)


@pytest.mark.row("E2")
def test_a_clean_charge_mints_what_comes_out_again_rounded_down() -> None:
    assert mint_wh(battery("a", ANA), 1_000) == 893
    assert mint_wh(battery("a", ANA), 1) == 0
    with pytest.raises(InvalidValue):
        mint_wh(battery("a", ANA), -1)


def test_what_stores_nothing_mints_nothing() -> None:
    roof = Asset(
        id=AssetId("roof"),
        owner=ANA,
        gateway=GatewayId("hepek-1"),
        kind=AssetKind.SOLAR,
        zone="SW1A",
        max_import_w=0,
        max_export_w=5_000,
    )
    with pytest.raises(InvalidValue, match="roof"):
        mint_wh(roof, 1_000)


@pytest.mark.row("E2")
def test_a_discharge_burns_holders_watt_first_and_then_the_owners() -> None:
    burn = call_stored(1_000, 900, 5_000, ANA, [(BEN, 300, 500), (CEM, 900, 400)], owner_balance_wh=800)
    assert burn.delivered == ((BEN, 300), (CEM, 400))
    assert burn.burned == ((BEN, 300), (CEM, 400), (ANA, 300))
    assert burn.total_wh == 1_000


@pytest.mark.row("E2")
def test_what_was_exported_is_dealt_out_among_holders_in_proportion_to_what_each_could_have() -> None:
    burn = call_stored(1_000, 350, 5_000, ANA, [(BEN, 300, 300), (CEM, 300, 300), (DOT, 9, 9)], owner_balance_wh=500)
    # 350 Wh for 300 + 300 + 9: 172.4, 172.4 and 5.2; of equal remainders the earlier one's comes first.
    assert burn.delivered == ((BEN, 173), (CEM, 172), (DOT, 5))
    assert burn.burned == ((BEN, 173), (CEM, 172), (DOT, 5), (ANA, 500))


@pytest.mark.row("E2")
def test_no_more_is_burned_than_stands_against_the_storage() -> None:
    assert call_stored(1_000, 1_000, 250, ANA, [(BEN, 200, 999)], owner_balance_wh=500).burned == (
        (BEN, 200),
        (ANA, 50),
    )
    assert call_stored(1_000, 1_000, 0, ANA, [(BEN, 200, 999)], owner_balance_wh=500).burned == ()
    assert call_stored(1_000, 1_000, 150, ANA, [(BEN, 200, 999)], owner_balance_wh=500).burned == ((BEN, 150),)


def test_an_owner_who_sold_all_burns_none_of_their_own() -> None:
    burn = call_stored(1_000, 1_000, 5_000, ANA, [(BEN, 0, 500), (CEM, 500, 0)], owner_balance_wh=0)
    assert (burn.burned, burn.delivered, burn.total_wh) == ((), (), 0)


@given(WH, WH, WH, st.lists(st.tuples(st.sampled_from((BEN, CEM, DOT)), WH, WH), max_size=4), WH)
def test_a_burn_never_passes_any_of_its_limits(
    discharge_wh: int, export_wh: int, issued_wh: int, holders: list[tuple[AccountId, int, int]], own_wh: int
) -> None:
    burn = call_stored(discharge_wh, export_wh, issued_wh, ANA, holders, owner_balance_wh=own_wh)
    to_others_wh = min(discharge_wh, export_wh, issued_wh, sum(min(held, used) for _, held, used in holders))
    assert sum(wh for _, wh in burn.delivered) == to_others_wh
    assert burn.total_wh == to_others_wh + min(own_wh, min(discharge_wh, issued_wh) - to_others_wh)
    assert all(wh > 0 for _, wh in burn.burned)
    got, could = Counter[AccountId](), Counter[AccountId]()
    for account, wh in burn.delivered:
        got[account] += wh
    for account, held, used in holders:
        could[account] += min(held, used)
    assert got <= could


def test_a_call_on_oneself_or_below_zero_is_refused() -> None:
    for holder in ((ANA, 5, 5), (BEN, -1, 5), (BEN, 5, -1)):
        with pytest.raises(InvalidValue, match="holders"):
            call_stored(5, 5, 5, ANA, [holder], owner_balance_wh=5)
    for amounts in ((-1, 5, 5, 5), (5, -1, 5, 5), (5, 5, -1, 5), (5, 5, 5, -1)):
        with pytest.raises(InvalidValue, match="discharge"):
            call_stored(*amounts[:3], ANA, [], owner_balance_wh=amounts[3])


@pytest.mark.row("E2")
def test_standby_loss_and_driving_burn_the_owners_watt_and_then_leave_them_short() -> None:
    asset = battery("a", ANA, discharge_permille=900)
    enough, burned = shortfall(2_000, asset, 1_800, 700), shortfall(1_000, asset, 1_500, 700)
    assert (enough.burned_wh, enough.short_wh) == (0, 0)
    assert (burned.burned_wh, burned.short_wh) == (600, 0)
    short = shortfall(0, asset, 1_500, 700)
    assert (short.burned_wh, short.short_wh) == (700, 800)
    for amounts in ((-1, 0, 0), (0, -1, 0), (0, 0, -1)):
        with pytest.raises(InvalidValue):
            shortfall(amounts[0], asset, amounts[1], amounts[2])


@given(st.lists(WH, max_size=6), st.data())
def test_a_buy_back_is_in_proportion_and_takes_no_more_than_anyone_holds(held: list[int], data: st.DataObject) -> None:
    short_wh = data.draw(st.integers(0, sum(held)))
    holders = [(AccountId(f"holder-{i}"), wh) for i, wh in enumerate(held)]
    bought = buy_back(short_wh, holders)
    taken = dict(bought)
    assert sum(taken.values()) == short_wh
    assert len(taken) == len(bought)
    assert all(wh > 0 for wh in taken.values())
    for account, wh in holders:
        assert taken.get(account, 0) <= wh
        assert abs(taken.get(account, 0) * sum(held) - wh * short_wh) < max(1, sum(held))


def test_more_than_is_held_cannot_be_bought_back() -> None:
    assert buy_back(10, [(BEN, 4), (CEM, 6)]) == [(BEN, 4), (CEM, 6)]
    assert buy_back(5, [(BEN, 5), (DOT, 0), (CEM, 5)]) == [(BEN, 3), (CEM, 2)]
    for short_wh in (-1, 11):
        with pytest.raises(InvalidValue):
            buy_back(short_wh, [(BEN, 4), (CEM, 6)])


@pytest.mark.row("E6")
def test_the_documents_example_gives_ten_watt() -> None:
    assert b_max_wh(1_500_000_000, 200_000_000) == 10_000
    assert thresholds(10_000) == (1_000, 9_000)
    assert thresholds(19) == (1, 17)


@pytest.mark.row("E6")
@given(st.integers(0, 10**12), st.integers(1, 10**10))
def test_storage_for_everyones_maximum_costs_no_more_than_the_target(cost_micro: int, price_micro_per_kwh: int) -> None:
    most_wh = b_max_wh(cost_micro, price_micro_per_kwh)
    # C = 1.5 * P * B / 2 with B in kWh, times 4000 to keep to whole numbers.
    assert 3 * price_micro_per_kwh * most_wh <= 4_000 * cost_micro < 3 * price_micro_per_kwh * (most_wh + 1)


def test_storage_that_costs_nothing_sets_no_maximum() -> None:
    for cost_micro, price in ((-1, 1), (1, 0), (1, -1)):
        with pytest.raises(InvalidValue):
            b_max_wh(cost_micro, price)


def test_claims_count_what_is_issued_per_storage() -> None:
    claims = StorageClaims()
    claims.issue(AssetId("b"), 50)
    claims.issue(AssetId("a"), 30)
    claims.issue(AssetId("a"), 12)
    claims.issue(AssetId("c"), 0)
    claims.burn(AssetId("a"), 2)
    assert claims.listing() == ((AssetId("a"), 40), (AssetId("b"), 50))
    assert (claims.issued_wh(AssetId("a")), claims.issued_wh(AssetId("z")), claims.total_wh) == (40, 0, 90)
    claims.burn(AssetId("a"), 40)
    assert claims.listing() == ((AssetId("b"), 50),)
    claims.burn(AssetId("z"), 0)


def test_claims_refuse_what_never_was_issued() -> None:
    claims = StorageClaims()
    claims.issue(AssetId("a"), 30)
    for asset, burned_wh in (("a", 31), ("a", -1), ("z", 1)):
        with pytest.raises(InvalidValue):
            claims.burn(AssetId(asset), burned_wh)
    with pytest.raises(InvalidValue):
        claims.issue(AssetId("a"), -1)
    assert claims.listing() == ((AssetId("a"), 30),)


class Storage(RuleBasedStateMachine):
    """Two leaking batteries, four members: what is held equals what is issued and can come out again."""

    def __init__(self) -> None:
        super().__init__()
        self.batteries = [battery("a", ANA), battery("b", BEN, 1_000, 900)]
        self.level_wh = dict.fromkeys((asset.id for asset in self.batteries), 0)
        self.claims = StorageClaims()
        self.held: Counter[AccountId] = Counter()
        self.minted_wh = self.burned_wh = 0

    @rule(i=st.integers(0, 1), charge_wh=WH, load_wh=WH, solar_wh=WH, lost_wh=st.integers(0, 100))
    def charge(self, i: int, charge_wh: int, load_wh: int, solar_wh: int, lost_wh: int) -> None:
        asset = self.batteries[i]
        minted_wh = mint_wh(asset, clean_charge_wh(charge_wh, load_wh, solar_wh))
        assert minted_wh <= charge_wh
        self.held[asset.owner] += minted_wh
        self.claims.issue(asset.id, minted_wh)
        self.minted_wh += minted_wh
        stored_wh = charge_wh * asset.charge_permille // 1000
        self.report(asset, self.level_wh[asset.id] + max(0, stored_wh - lost_wh))

    @rule(i=st.integers(0, 1), discharge_wh=WH, export_wh=WH, imports=st.lists(WH, min_size=4, max_size=4))
    def discharge(self, i: int, discharge_wh: int, export_wh: int, imports: list[int]) -> None:
        asset = self.batteries[i]
        discharge_wh = min(discharge_wh, asset.recoverable_wh(self.level_wh[asset.id]))
        others = [(p, self.held[p], wh) for p, wh in zip(PEOPLE, imports, strict=True) if p != asset.owner]
        burn = call_stored(
            discharge_wh,
            export_wh,
            self.claims.issued_wh(asset.id),
            asset.owner,
            others,
            owner_balance_wh=self.held[asset.owner],
        )
        for account, wh in burn.burned:
            self.burn(asset, account, wh)
        self.report(asset, self.level_wh[asset.id] - -(-discharge_wh * 1000 // asset.discharge_permille))

    @rule(i=st.integers(0, 1), driven_wh=WH)
    def drive_or_leak(self, i: int, driven_wh: int) -> None:
        asset = self.batteries[i]
        self.report(asset, self.level_wh[asset.id] - driven_wh)

    @rule(giver=st.sampled_from(PEOPLE), taker=st.sampled_from(PEOPLE), wh=WH)
    def transfer(self, giver: AccountId, taker: AccountId, wh: int) -> None:
        moved_wh = min(wh, self.held[giver])
        self.held[giver] -= moved_wh
        self.held[taker] += moved_wh

    def report(self, asset: Asset, level_wh: int) -> None:
        self.level_wh[asset.id] = max(0, level_wh)
        found = shortfall(self.level_wh[asset.id], asset, self.claims.issued_wh(asset.id), self.held[asset.owner])
        self.burn(asset, asset.owner, found.burned_wh)
        for account, wh in buy_back(found.short_wh, [(p, self.held[p]) for p in PEOPLE if p != asset.owner]):
            self.burn(asset, account, wh)

    def burn(self, asset: Asset, account: AccountId, wh: int) -> None:
        self.held[account] -= wh
        self.claims.burn(asset.id, wh)
        self.burned_wh += wh

    @invariant()
    def what_is_held_is_issued_and_can_come_out(self) -> None:
        assert min(self.held.values(), default=0) >= 0
        assert sum(self.held.values()) == self.claims.total_wh == self.minted_wh - self.burned_wh
        for asset in self.batteries:
            assert self.claims.issued_wh(asset.id) <= asset.recoverable_wh(self.level_wh[asset.id])


@pytest.mark.row("E2")
def test_what_is_held_always_equals_what_is_issued_and_can_come_out_again() -> None:
    hunt = settings(max_examples=100, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(Storage, settings=hunt)
