"""An offer from its weighing to its withdrawal, through the real door: what members could earn, and who may not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from lived import LivedStreet, open_community

from commonwatt.apps import wishes
from commonwatt.apps.api.problems import Problem
from commonwatt.apps.community import Community
from commonwatt.apps.views import contracts, deals, flexibility, offering, responses
from commonwatt.apps.views.seeing import Unseen
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import GRID, AccountId, AssetId, AssetKind, Commodity, InvalidValue, Kind, Refused

PAYER = AccountId("operator")
PAYS = Seat(person="otto", role=Role.OPERATOR, account=PAYER)
GIVER = AccountId("member-02")
HOUR_S = 3_600


def seat(account: AccountId) -> Seat:
    return Seat(person=account, role=Role.MEMBER, account=account)


def terms(end_s: int, **other: Any) -> dict[str, Any]:
    start_s = end_s + 6 * HOUR_S
    window = {"direction": "give_back", "price_micro_per_kwh": 100_000, "start_s": start_s, "end_s": start_s + HOUR_S}
    return {
        "windows": [window],
        "most_windows": 1,
        "until_s": start_s + HOUR_S,
        "accept_by_s": end_s + 900,
        "power_w": 1_000,
        "basis": "on_top",
        "most_micro_per_kwh": 100_000,
        "penalty_micro_per_kwh": 50_000,
        "baseline": "metered_setpoint",
    } | other


def _with(lived: LivedStreet, do: Callable[[Community], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_community(lived) as community:
            await do(community)

    asyncio.run(run())


async def _funded(community: Community) -> None:
    give = {"what": "give", "target": PAYER, "commodity": "ergon_micro", "amount": 20_000_000}
    await wishes.granted(community, seat(GIVER), Action.SEND_TOKENS, GIVER, Kind.TRANSFER, give)


@pytest.mark.row("W5")
def test_an_offer_is_weighed_made_taken_up_seen_by_both_sides_and_taken_back(lived_copy: LivedStreet) -> None:
    async def do(community: Community) -> None:
        told = terms(lived_copy.end_s)
        before = offering.weigh(community, PAYS, PAYER, told)
        assert (before.may, before.why) == (False, "an offer's budget is money that is free")
        with pytest.raises(Problem, match="an offer's budget is money that is free"):
            await wishes.offer(community, PAYS, told)
        await _funded(community)
        weighed = offering.weigh(community, PAYS, PAYER, told)
        # A kilowatt for an hour at ten pence, and what rounding may add; set aside in whole pence.
        assert weighed.may and weighed.most_micro == 100_001 and weighed.budget_micro == 110_000
        assert (weighed.start_s, weighed.end_s) == (told["windows"][0]["start_s"], told["until_s"])
        name = str((await wishes.offer(community, PAYS, told)).position)
        assert free(community.state, PAYER, Commodity.ERGON) == weighed.free_micro - 110_000
        battery = next(one for one in community.state.assets.values() if one.kind is AssetKind.BATTERY)
        member = seat(battery.owner)
        (shown,) = deals.deals(community, member).contracts
        earning = next(one for one in shown.earnings if one.asset == battery.id)
        assert (earning.give_back_w, earning.most_micro, earning.ready) == (1_000, 100_000, True)
        assert (await _promised(community, name))[1] == battery.id
        for side in (member, PAYS):
            assert side.account is not None
            (one,) = contracts.contracts(community, side, side.account)
            assert (one.offer, one.member, one.asset, one.give_back_w) == (name, battery.owner, battery.id, 1_000)
            assert [(window.status, window.entries) for window in one.windows] == [("standby", [])]
        assert contracts.contracts(community, seat(AccountId("member-09")), AccountId("member-09")) == []
        with pytest.raises(Unseen):
            contracts.contracts(community, seat(AccountId("member-09")), battery.owner)
        await wishes.withdraw(community, PAYS, name)
        assert deals.deals(community, member).contracts == []
        assert flexibility.offers(community, PAYS)[0].closed
        with pytest.raises(Problem):
            await wishes.withdraw(community, PAYS, name)

    _with(lived_copy, do)


async def _promised(community: Community, name: str) -> tuple[Seat, AssetId]:
    """Have a member promise their battery under an offer."""
    battery = next(one for one in community.state.assets.values() if one.kind is AssetKind.BATTERY)
    member, promised = seat(battery.owner), {"asset": battery.id, "charge_w": 0, "give_back_w": 1_000}
    (shown,) = deals.deals(community, member).contracts
    guarantee = {"what": "guarantee", "until_s": shown.until_s, "direct": True, **promised}
    for act in (guarantee, {"what": "accept", "offer": name, **promised}):
        await wishes.granted(community, member, Action.PLACE_ORDER, battery.owner, Kind.CONTRACT, act)
    return member, battery.id


@pytest.mark.row("W5")
def test_who_pays_calls_a_response_and_both_sides_see_the_window_called(lived_copy: LivedStreet) -> None:
    async def do(community: Community) -> None:
        await _funded(community)
        trigger = {"kind": "event", "name": "mine", "oracles": [PAYER], "quorum": 1}
        told = terms(lived_copy.end_s, trigger=trigger)
        start_s = told["windows"][0]["start_s"]
        name = str((await wishes.offer(community, PAYS, told)).position)
        assert responses.responses(community, PAYS, PAYER) == [], "nobody promised anything yet"
        with pytest.raises(Refused, match="a window stands by when it is called"):
            await wishes.call_response(community, PAYS, name, 1_800)
        member, _ = await _promised(community, name)
        (shown,) = deals.deals(community, seat(AccountId("member-09"))).contracts
        assert shown.trigger == "payer"
        (one,) = responses.responses(community, PAYS, PAYER)
        assert (one.offer, one.direction, one.contracts, one.promised_w) == (name, "give_back", 1, 1_000)
        assert (one.start_s, one.earliest_s, one.end_s) == (start_s, start_s, start_s + HOUR_S)
        for late_s in (start_s - 900, start_s + HOUR_S):
            with pytest.raises(Refused):
                await wishes.call_response(community, PAYS, name, 1_800, late_s)
        with pytest.raises(Refused, match="who calls an offer has made it"):
            await wishes.call_response(community, PAYS, "1", 1_800)
        with pytest.raises(Refused):
            await wishes.call_response(community, member, name, 1_800)
        with pytest.raises(Unseen):
            responses.responses(community, Seat(person="uma", role=Role.UTILITY, account=AccountId("utility")), PAYER)
        await wishes.call_response(community, PAYS, name, 1_800, start_s + 900)
        assert responses.responses(community, PAYS, PAYER) == []
        (seen,) = flexibility.offers(community, PAYS)[0].windows
        assert (list(seen.status), seen.promised_wh) == (["called"], 500), "half an hour of a kilowatt"
        assert member.account is not None
        (contract,) = contracts.contracts(community, member, member.account)
        assert [window.status for window in contract.windows] == ["called"]

    _with(lived_copy, do)


def test_what_cannot_be_offered_is_refused_in_words_before_anything_is_signed(lived_copy: LivedStreet) -> None:
    async def do(community: Community) -> None:
        end_s, size = lived_copy.end_s, community.size
        crossed = terms(end_s)
        crossed["windows"][0]["price_micro_per_kwh"] = 200_000
        wrong = {
            "an offer's terms agree with each other": crossed,
            "an offer can still be accepted": terms(end_s, accept_by_s=end_s - 1, budget_micro=0),
            "an offer has a window that is still to come": terms(end_s, notice_s=86_400, budget_micro=0),
            "an offer is for a zone that there is": terms(end_s, zone="nowhere", budget_micro=0),
            "an arbiter is neither side, and can sign": terms(end_s, arbiter="nobody", budget_micro=0),
        }
        for rule, told in wrong.items():
            assert offering.weigh(community, PAYS, PAYER, told).why == rule
            with pytest.raises(Problem, match=rule):
                await wishes.offer(community, PAYS, told)
        elsewhere = Seat(person="otto", role=Role.OPERATOR, account=PAYER, zones=("north",))
        assert offering.weigh(community, elsewhere, PAYER, terms(end_s, budget_micro=0)).found["may"] == "north"
        grid = Seat(person="dora", role=Role.DSO, account=GRID)
        assert offering.weigh(community, grid, GRID, terms(end_s)).why.startswith(
            "who offers is a utility, an aggregator"
        )
        assert not offering.offers_here(community, grid) and offering.offers_here(community, PAYS)
        with pytest.raises(Refused):
            offering.weigh(community, seat(GIVER), GIVER, terms(end_s))
        with pytest.raises(InvalidValue):
            offering.weigh(community, PAYS, PAYER, {"power_w": -1})
        assert community.size == size

    _with(lived_copy, do)
