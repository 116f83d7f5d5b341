import asyncio
from dataclasses import replace

import pytest
from lived import LivedStreet, open_community

from commonwatt.apps import wishes
from commonwatt.apps.community import Community
from commonwatt.apps.views import deals as views
from commonwatt.identity.access import Action
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.model import AccountId, AssetKind, Kind, Outcome

SELLER, BUYER = AccountId("member-07"), AccountId("member-02")
UTILITY = AccountId("operator")
"""Who offers a contract in the lived street, which has no utility: an operator may as well."""


def seat(account: AccountId) -> Seat:
    return Seat(person=account, role=Role.MEMBER, account=account)


async def do(community: Community, account: AccountId, kind: Kind, told: dict[str, object]) -> str:
    """Ask for something that has to be booked, and return its place in the log."""
    action = Action.SEND_TOKENS if kind is Kind.TRANSFER else Action.PLACE_ORDER
    return str((await wishes.granted(community, seat(account), action, account, kind, told)).position)


@pytest.mark.row("H11")
@pytest.mark.row("M1")
def test_a_direct_sale_is_both_legs_and_everybody_sees_it(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            until_s = lived_copy.end_s + 3_600
            told = {"what": "list", "energy_wh": 400, "price_micro_per_kwh": 180_000, "until_s": until_s}
            name = await do(community, SELLER, Kind.TRANSFER, told)
            (sale,) = views.deals(community, PUBLIC).sales
            assert (sale.listing, sale.seller, sale.energy_wh, sale.cost_micro) == (name, SELLER, 400, 72_000)
            watt, ergon = community.state.watt(BUYER), community.state.ergon(BUYER)
            take = {"what": "take", "listing": name, "seller": sale.address, "energy_wh": 300, "most_micro": 60_000}
            await do(community, BUYER, Kind.TRANSFER, take)
            assert community.state.watt(BUYER) - watt == 300 and ergon - community.state.ergon(BUYER) == 54_000
            (left,) = views.deals(community, PUBLIC).sales
            assert (left.energy_wh, left.cost_micro) == (100, 18_000)
            (trade,) = views.stored_trades(community, PUBLIC, 10)
            assert (trade.seller, trade.buyer, trade.energy_wh, trade.paid_micro) == (SELLER, BUYER, 300, 54_000)

    asyncio.run(story())


@pytest.mark.row("E7")
def test_the_bid_that_a_lot_shows_is_taken_and_the_next_one_is_a_step_better(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            now_s = lived_copy.end_s
            lot: dict[str, object] = {"what": "open", "form": "english", "side": "ask", "good": "watt", "amount": 200}
            opened = lot | {"start_s": now_s, "end_s": now_s + 600, "reserve_price": 100_000, "step": 5_000}
            name = await do(community, SELLER, Kind.AUCTION, opened)
            for bidder, price in ((BUYER, 100_000), (AccountId("member-03"), 105_000)):
                (lot,) = views.deals(community, PUBLIC).lots
                assert (lot.auction, lot.sells, lot.price, lot.cost_micro) == (name, True, price, price * 200 // 1000)
                bid: dict[str, object] = {"what": "bid", "auction": name, "amount": lot.amount}
                await do(community, bidder, Kind.AUCTION, bid | {"price_micro_per_kwh": lot.price})
            assert views.deals(community, PUBLIC).lots[0].bids == 2

    asyncio.run(story())


@pytest.mark.row("W5")
def test_a_contract_tells_what_it_could_bring_and_what_a_broken_promise_costs(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            battery = next(one for one in community.state.assets.values() if one.kind is AssetKind.BATTERY)
            owner = battery.owner
            give: dict[str, object] = {"what": "give", "target": UTILITY, "commodity": "ergon_micro"}
            await do(community, BUYER, Kind.TRANSFER, give | {"amount": 30_000_000})
            start_s = lived_copy.end_s + 6 * 3_600
            window = {"direction": "give_back", "price_micro_per_kwh": 100_000, "start_s": start_s}
            offer: dict[str, object] = {
                "what": "offer",
                "windows": [window | {"end_s": start_s + 3_600}],
                "most_windows": 1,
                "until_s": start_s + 3_600,
                "accept_by_s": lived_copy.end_s + 900,
                "power_w": 1_000,
                "budget_micro": 5_000_000,
                "basis": "on_top",
                "most_micro_per_kwh": 100_000,
                "availability_micro_per_kw_h": 20_000,
                "penalty_micro_per_kwh": 50_000,
                "trigger": {"kind": "price_above", "level": 300_000},
            }
            speaker = Seat(person="utility", role=Role.UTILITY, account=UTILITY)
            done = await wishes.wish(community, speaker, Action.OFFER_CONTRACT, UTILITY, Kind.CONTRACT, offer)
            assert done.outcome is Outcome.BOOKED
            (shown,) = views.deals(community, seat(owner)).contracts
            (earning,) = [one for one in shown.earnings if one.asset == battery.id]
            power_w = min(1_000, battery.max_export_w)
            assert (earning.charge_w, earning.give_back_w) == (0, power_w)
            assert earning.standby_micro == 20 * power_w
            assert earning.least_micro == earning.most_micro == 120 * power_w
            assert earning.missed_micro == -50 * power_w and earning.stake_micro >= 50 * power_w
            trading = replace(seat(owner), scopes=("trade",))
            for other in (PUBLIC, trading):
                assert views.deals(community, other).contracts[0].earnings == []

    asyncio.run(story())
