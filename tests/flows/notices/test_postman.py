"""What is on its way arrives: after failures, after the night, after a restart; and at last it is given up."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from carriers import Scripted, Street, happening

from commonwatt.flows.notices import channels
from commonwatt.flows.notices.ports import Gone, Undelivered
from commonwatt.flows.notices.records import Fate, Topic, Wishes
from commonwatt.flows.notices.timing import FIRST_WAIT_S, MOST_TRIES
from commonwatt.model import epoch
from doorway import joined


def test_a_notice_arrives_once(street: Street) -> None:
    anna = joined(street.hall, "anna")
    channel = street.channel(anna)
    (parcel,) = street.tells(anna, happening())
    street.round()
    street.round()
    assert street.carrier.taken == [parcel.id]
    (kept,) = street.hall.people.parcels.of(anna.id)
    assert kept.fate is Fate.SENT
    known = street.hall.people.channels.get(channel.id)
    assert known is not None and (known.last_s, known.wrong) == (street.clock(), "")


def test_a_failure_is_tried_again_later_and_not_sooner(street: Street) -> None:
    anna = joined(street.hall, "anna")
    channel = street.channel(anna)
    (parcel,) = street.tells(anna, happening())
    street.carrier.errors = [Undelivered("it answered 500"), OSError("no network")]
    street.round()
    street.round()
    assert street.carrier.tried == [parcel.id], "too soon for another try"
    known = street.hall.people.channels.get(channel.id)
    assert known is not None and known.wrong == "it answered 500"
    street.clock.passes(FIRST_WAIT_S)
    street.wakes()
    street.round()
    street.clock.passes(4 * FIRST_WAIT_S)
    street.round()
    assert street.carrier.tried == [parcel.id] * 3 and street.carrier.taken == [parcel.id]


def test_who_asks_for_a_while_is_given_it(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.tells(anna, happening())
    street.carrier.errors = [Undelivered("it answered 429", 500)]
    street.round()
    street.clock.passes(499)
    street.round()
    assert len(street.carrier.tried) == 1
    street.clock.passes(1)
    street.round()
    assert len(street.carrier.taken) == 1


def test_after_so_many_tries_it_is_given_up_and_said_so(street: Street) -> None:
    anna = joined(street.hall, "anna")
    channel = street.channel(anna)
    street.tells(anna, happening())
    street.carrier.errors = [Undelivered("it answered 500") for _ in range(MOST_TRIES + 5)]
    for _ in range(MOST_TRIES + 3):
        street.round()
        street.clock.passes(7 * 3_600)
    assert len(street.carrier.tried) == MOST_TRIES
    (kept,) = street.hall.people.parcels.of(anna.id)
    assert (kept.fate, kept.wrong) == (Fate.GIVEN_UP, "it answered 500")
    known = street.hall.people.channels.get(channel.id)
    assert known is not None and known.wrong == "it answered 500"


def test_what_nobody_foresaw_is_a_failure_too_and_not_tried_without_end(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.tells(anna, happening())
    street.carrier.errors = [KeyError("a mistake of ours")]
    street.round()
    (kept,) = street.hall.people.parcels.of(anna.id)
    assert kept.tries == 1 and kept.wrong == "it could not be reached" and kept.due_s == street.clock() + FIRST_WAIT_S


def test_a_browser_that_unsubscribed_is_removed_with_all_that_is_on_its_way(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.tells(anna, happening(), happening(key="2"))
    street.carrier.errors = [Gone("it is gone"), Gone("it is gone")]
    street.round()
    assert street.hall.people.channels.of(anna.id) == street.hall.people.parcels.of(anna.id) == []


def test_what_can_wait_waits_for_the_end_of_quiet_hours_and_is_no_failed_try(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.clock.now_s = epoch(datetime(2026, 1, 10, 23, tzinfo=UTC))
    street.hall.people.wishes.put(Wishes(person=anna.id, quiet=(22 * 60, 7 * 60)))
    (quiet,) = street.tells(anna, happening(Topic.BILL))
    (urgent,) = street.tells(anna, happening(Topic.DEMAND, account=None))
    street.round()
    assert street.carrier.taken == [urgent.id]
    street.wakes()
    street.clock.passes(8 * 3_600 - 1)
    street.round()
    assert street.carrier.taken == [urgent.id]
    street.clock.passes(1)
    street.round()
    assert street.carrier.taken == [urgent.id, quiet.id] == street.carrier.tried


def test_who_changes_their_mind_at_night_is_told_at_once(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.clock.now_s = epoch(datetime(2026, 1, 10, 23, tzinfo=UTC))
    street.hall.people.wishes.put(Wishes(person=anna.id, quiet=(22 * 60, 7 * 60)))
    street.tells(anna, happening(Topic.BILL))
    street.round()
    street.hall.people.wishes.put(Wishes(person=anna.id))
    street.round()
    assert len(street.carrier.taken) == 1


def test_what_is_of_no_use_any_more_is_not_sent(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.tells(anna, happening(Topic.DECIDE, until_s=street.clock() + 10))
    street.clock.passes(10)
    street.round()
    (kept,) = street.hall.people.parcels.of(anna.id)
    assert street.carrier.tried == [] and (kept.fate, kept.wrong) == (Fate.GIVEN_UP, "it was too late")


def test_what_is_on_its_way_to_a_removed_channel_is_let_go(street: Street) -> None:
    anna = joined(street.hall, "anna")
    channel = street.channel(anna)
    street.tells(anna, happening())
    postman = street.postman()
    channels.remove(street.hall.people, channel)
    asyncio.run(postman.round())
    assert street.carrier.tried == [] == street.hall.people.parcels.of(anna.id)


def test_a_channel_that_is_removed_while_it_is_told_comes_not_back(street: Street) -> None:
    anna = joined(street.hall, "anna")
    channel = street.channel(anna)
    street.tells(anna, happening())

    async def meanwhile() -> None:
        street.carrier.slow = asyncio.Event()
        carrying = asyncio.ensure_future(street.postman().round())
        while not street.carrier.tried:
            await asyncio.sleep(0)
        channels.remove(street.hall.people, channel)
        street.carrier.slow.set()
        await carrying

    asyncio.run(meanwhile())
    assert street.hall.people.channels.of(anna.id) == street.hall.people.parcels.of(anna.id) == []


def test_a_channel_that_is_slow_holds_up_nobody_else_and_gets_one_at_a_time(street: Street) -> None:
    anna = joined(street.hall, "anna")
    slow = street.channel(anna)
    street.tells(anna, *(happening(key=str(number)) for number in range(40)))
    quick = street.channel(anna, "https://hooks.example/2")

    async def both() -> list[str]:
        postman = street.postman()
        street.carrier.slow = asyncio.Event()
        running = asyncio.ensure_future(postman.run())
        while not street.carrier.tried:
            await asyncio.sleep(0)
        postman.take(street.tells(anna, happening(key="more")))
        while len(street.carrier.tried) < 2:
            await asyncio.sleep(0)
        meanwhile = list(street.carrier.tried)
        street.carrier.slow.set()
        while len(street.carrier.taken) < 42:
            await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return meanwhile

    first, second = asyncio.run(asyncio.wait_for(both(), 60))
    assert first.endswith(slow.id[:12]) and second.endswith(quick.id[:12])


@pytest.mark.parametrize("ticks", range(6))
def test_a_notice_that_comes_as_the_app_ends_keeps_it_from_nothing(street: Street, ticks: int) -> None:
    async def ends() -> None:
        postman = street.postman()
        running = asyncio.ensure_future(postman.run())
        for _ in range(3):
            await asyncio.sleep(0)
        postman.take([])
        for _ in range(ticks):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=1)
        assert done and running.cancelled()

    asyncio.run(ends())


def test_an_app_that_ends_lets_arrive_what_is_under_way_so_that_it_is_not_told_twice(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.tells(anna, happening())

    async def ends() -> None:
        street.carrier.slow = asyncio.Event()
        running = asyncio.ensure_future(street.postman().run())
        while not street.carrier.tried:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.sleep(0)
        street.carrier.slow.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(ends(), 60))
    street.wakes()
    street.carrier = replace(street.carrier, slow=None)
    street.round()
    assert len(street.carrier.tried) == 1


def test_an_app_that_is_killed_tries_again_under_the_same_id(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    (parcel,) = street.tells(anna, happening())

    async def killed() -> None:
        street.carrier.slow = asyncio.Event()
        carrying = asyncio.ensure_future(street.postman().round())
        while not street.carrier.tried:
            await asyncio.sleep(0)
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)

    asyncio.run(killed())
    street.wakes()
    street.carrier = Scripted(tried=street.carrier.tried)
    street.round()
    assert street.carrier.tried == [parcel.id] * 2 and street.carrier.taken == [parcel.id]
