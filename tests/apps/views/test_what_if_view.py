"""What would be, asked of a lived street: planned in a process of its own, kept, ended, and for who runs it alone."""

import asyncio
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lived import LivedStreet

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import Absent
from commonwatt.apps.views.what_if import query, read_query, what_if, whole
from commonwatt.flows.what_if import MOST_MORE, Change
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import SLOTS_PER_DAY, AccountId, InvalidValue, Refused

RUNS = Seat(person="otto", role=Role.OPERATOR, account=AccountId("operator"))


@pytest.fixture
def community(lived: LivedStreet) -> Iterator[Community]:
    found = Community(lived.folder, lambda: lived.end_s, lambda: None)
    found.catch_up()
    yield found
    found.close()


@pytest.mark.row("W2")
def test_a_day_is_planned_as_it_is_and_changed_while_the_app_answers_and_asked_again_costs_nothing(
    community: Community, lived: LivedStreet
) -> None:
    async def story() -> None:
        steps, ticks = list[int](), 0
        asked = asyncio.ensure_future(what_if(community, RUNS, Change(import_percent=200), steps.append))
        while not asked.done():
            await asyncio.sleep(0.02)
            ticks += 1
        found = await asked
        assert steps == [0, 1, 2, 3, 4] and ticks > 5
        assert (found.start_s, found.homes) == (lived.end_s, 10)
        # Every price twice as high changes the bill, and little that the price decides.
        assert found.changed.cost_micro == pytest.approx(2 * found.as_is.cost_micro, rel=0.1)
        assert found.changed.missed == [] and found.as_is.missed_of_owners == 0
        assert found.as_is.demand_w == found.changed.demand_w and len(found.as_is.demand_w) == SLOTS_PER_DAY
        again = list[int]()
        assert await what_if(community, RUNS, Change(import_percent=200), again.append) == found
        assert again == []

    asyncio.run(story())


def test_a_trial_that_is_ended_ends_its_process_and_lets_the_next_one_go_on(community: Community) -> None:
    async def story() -> None:
        begun = asyncio.Event()
        asked = asyncio.ensure_future(what_if(community, RUNS, Change(cars=100), lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), 60)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        with pytest.raises(Absent, match="a plan knows one zone"):
            await what_if(community, RUNS, Change(zone="north", limit_w=1))
        for role in (Role.MEMBER, Role.DSO, Role.UTILITY):
            with pytest.raises(Refused):
                await what_if(community, Seat(person="x", role=role, account=AccountId("member-01")), Change())

    asyncio.run(story())


_CHANGES = st.builds(
    Change,
    batteries=st.integers(0, MOST_MORE),
    cars=st.integers(0, MOST_MORE),
    zone=st.text(max_size=10),
    limit_w=st.integers(0, 10**9),
    export_percent=st.integers(0, 1_000),
    demand_from_minute=st.integers(0, 95).map(lambda slot: slot * 15),
)


@given(_CHANGES)
def test_an_address_tells_a_change_and_nothing_that_is_as_it_is(change: Change) -> None:
    told = {name: values[0] for name, values in parse_qs(query(change)).items()}
    assert read_query(told) == change
    assert query(Change()) == ""


@pytest.mark.parametrize("wrong", ["-1", "1e9", "\N{ARABIC-INDIC DIGIT ONE}", "999"])
def test_an_address_that_tells_nonsense_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidValue):
        read_query({"cars": wrong})


@given(st.lists(st.none() | st.integers(0, 5_000), min_size=SLOTS_PER_DAY, max_size=SLOTS_PER_DAY + 40))
@settings(max_examples=20)
def test_a_past_is_made_whole_and_what_is_known_stays(told_wh: list[int | None]) -> None:
    found = whole(told_wh)
    assert len(found) >= SLOTS_PER_DAY
    kept = told_wh[-len(found) :]
    assert all(wh is None or wh == got for wh, got in zip(kept, found, strict=True))
    assert not any(whole([None] * SLOTS_PER_DAY, dark=True))
