"""Wishes through the real door: what a seat says takes the place of what it said before, and of nobody else's."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from lived import LivedStreet, open_community

from commonwatt.apps import wishes
from commonwatt.apps.community import Community
from commonwatt.apps.views import diary, wanted
from commonwatt.apps.views.seeing import Unseen
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, AssetId, AssetKind, Refused

ME, CAR = AccountId("member-01"), AssetId("car-01")
SEAT = Seat(person=ME, role=Role.MEMBER, account=ME)
HOUR_S = 3_600


def _with(lived: LivedStreet, do: Callable[[Community], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_community(lived) as community:
            await do(community)

    asyncio.run(run())


def _lines(community: Community) -> list[str]:
    return [one.means for one in diary.stated(community, SEAT, ME)]


@pytest.mark.row("X2")
def test_a_departure_that_is_moved_takes_the_place_of_the_one_before(lived_copy: LivedStreet) -> None:
    async def do(community: Community) -> None:
        at_s = community.now_s() + 14 * HOUR_S
        assert await wishes.depart(community, SEAT, CAR, at_s) is not None
        assert _lines(community) == [f"charge of {CAR} >= 80% at 07:00 on 15 November 2018"]
        assert await wishes.depart(community, SEAT, CAR, at_s) is None
        with pytest.raises(Refused, match="a departure is ahead"):
            await wishes.depart(community, SEAT, CAR, community.now_s())
        with pytest.raises(Unseen):
            await wishes.depart(community, SEAT, AssetId("car-02"), at_s)
        assert len(_lines(community)) == 1

    _with(lived_copy, do)


def test_of_what_repeats_the_time_of_day_is_moved_on_all_days(lived_copy: LivedStreet) -> None:
    async def do(community: Community) -> None:
        (first,) = diary.stated(community, SEAT, ME)
        await wishes.no_longer(community, SEAT, first.position)
        with pytest.raises(Refused, match="what is taken back stands"):
            await wishes.no_longer(community, SEAT, first.position)
        await wishes.say(community, SEAT, f"charge of {CAR} >= 65% at 07:30 every weekday until 21 December")
        await wishes.depart(community, SEAT, CAR, community.now_s() + 16 * HOUR_S)
        (moved,) = _lines(community)
        assert moved == f"charge of {CAR} >= 65% at 09:00 every weekday from 15 November 2018 until 21 December 2018"
        ready = diary.diary(community, SEAT, CAR).ready
        assert ready is not None and ready.repeats and ready.percent == 65
        assert ready.at_s == community.now_s() + 16 * HOUR_S

    _with(lived_copy, do)


def test_where_nothing_was_said_a_departure_is_said_once(lived_copy: LivedStreet) -> None:
    async def do(community: Community) -> None:
        (first,) = diary.stated(community, SEAT, ME)
        await wishes.no_longer(community, SEAT, first.position)
        assert _lines(community) == []
        await wishes.depart(community, SEAT, CAR, community.now_s() + 15 * HOUR_S)
        assert _lines(community) == [f"charge of {CAR} >= 80% at 08:00 on 15 November 2018"]

    _with(lived_copy, do)


@pytest.mark.row("W8")
def test_a_target_by_hand_takes_the_place_of_another_and_leaves_the_departure(lived_copy: LivedStreet) -> None:
    departure = f"charge of {CAR} >= 80% at 05:00 on 15 November 2018"
    said = {
        wanted.Target.CHARGE: {f"charge of {CAR} >= 100% at 19:00 on 14 November 2018"},
        wanted.Target.HOLD: {
            f"power of {CAR} {bound} 0 W from 17:00 to 19:00 on 14 November 2018" for bound in (">=", "<=")
        },
        wanted.Target.DISCHARGE: {f"charge of {CAR} <= 5% at 19:00 on 14 November 2018"},
        wanted.Target.PLAN: set[str](),
    }

    async def do(community: Community) -> None:
        car = community.state.assets[CAR]
        for what, lines in said.items():
            await wishes.target(community, SEAT, CAR, what)
            assert set(_lines(community)) == {departure, *lines}
            assert wanted.target(community, car) is what

    _with(lived_copy, do)


@pytest.mark.row("W8")
def test_who_runs_one_zone_states_and_takes_back_nothing_about_another(lived_copy: LivedStreet) -> None:
    here, there = (
        Seat(person="dora", role=Role.DSO, account=AccountId("grid"), zones=(zone,)) for zone in ("street", "north")
    )
    line = "power of zone street <= 10 kW from 20:00 to 21:00 for dso"

    async def do(community: Community) -> None:
        feeder = next(one.id for one in community.state.assets.values() if one.kind is AssetKind.FEEDER)
        meter = next(one.id for one in community.state.assets.values() if one.kind is AssetKind.CONNECTION)
        others = [line.replace("zone street", f"feeder {feeder}"), line.replace("zone street", f"connection {meter}")]
        for one in (line, *others):
            assert not diary.understood(community, there, one).may
            with pytest.raises(Refused, match="a seat speaks of its own zones"):
                await wishes.say(community, there, one)
            assert diary.understood(community, here, one).may
        before = len(diary.stated(community, here, AccountId("grid")))
        await wishes.say(community, here, line)
        assert len(diary.stated(community, here, AccountId("grid"))) == before + 1
        assert diary.stated(community, there, AccountId("grid")) == []
        with pytest.raises(Refused, match="a seat speaks of its own zones"):
            await wishes.say(community, there, f"no longer: {line}")
        await wishes.say(community, here, f"no longer: {line}")
        assert len(diary.stated(community, here, AccountId("grid"))) == before

    _with(lived_copy, do)
