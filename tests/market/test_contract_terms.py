"""Windows by the clock on the wall, which facts call them, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.market.contracts.facts import Frequency, GridEvent, concerns, crossing, enough_say, span
from commonwatt.market.contracts.payment import Due
from commonwatt.market.contracts.standing import (
    Part,
    Party,
    Stage,
    agreed,
    disputed,
    measured,
    paid,
    proposed,
    resolved,
)
from commonwatt.market.contracts.terms import (
    MOST_WINDOWS,
    Direction,
    Hours,
    Terms,
    Trigger,
    Window,
    overlapping,
    windows_of,
)
from commonwatt.model import AccountId, AssetId, InvalidValue, zone_of

LONDON = zone_of("Europe/London")
MARCH_27 = 1_774_569_600
"""Friday, 27 March 2026, 00:00 UTC; clocks go forward on the Sunday."""
DAY = 86_400
GIVE_BACK, CHARGE = Direction.GIVE_BACK, Direction.CHARGE
EVENING = Hours(direction=GIVE_BACK, start_minute=17 * 60, end_minute=19 * 60)


def test_windows_come_again_by_the_clock_on_the_wall() -> None:
    found = windows_of([EVENING], [], MARCH_27, MARCH_27 + 4 * DAY, LONDON)
    hours = [(window.start_s - MARCH_27) / 3600 for window in found]
    assert hours == [17, 41, 64, 88], "an hour earlier once the clocks have gone forward"
    weekend = Hours(direction=CHARGE, start_minute=0, end_minute=180, weekdays=(5, 6))
    found = windows_of([weekend], [], MARCH_27, MARCH_27 + 4 * DAY, LONDON)
    assert [window.seconds // 3600 for window in found] == [3, 2], "on the Sunday an hour is missing"
    night = Hours(direction=CHARGE, start_minute=23 * 60, end_minute=26 * 60)
    assert [w.seconds // 3600 for w in windows_of([night], [], MARCH_27, MARCH_27 + 2 * DAY, LONDON)] == [3, 2]


@pytest.mark.parametrize(
    ("hours", "once", "days"),
    [
        ([], [], 1),
        ([EVENING], [], MOST_WINDOWS + 1),
        ([EVENING, EVENING], [], 2),
        ([], [Window(start_s=1, end_s=900, direction=CHARGE)], 1),
        ([], [Window(start_s=900, end_s=900, direction=CHARGE)], 1),
        ([], [Window(start_s=0, end_s=DAY + 900, direction=CHARGE)], 1),
        ([EVENING], [], -1),
    ],
)
def test_what_is_no_set_of_windows_is_refused(hours: list[Hours], once: list[Window], days: int) -> None:
    with pytest.raises(InvalidValue):
        windows_of(hours, once, MARCH_27, MARCH_27 + days * DAY, LONDON)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=6)


@given(spans, spans)
def test_windows_overlap_where_they_share_a_moment(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    def apart(told: list[tuple[int, int]]) -> list[Window]:
        found: list[Window] = []
        for start, length in sorted(told):
            if not found or found[-1].end_s <= start:
                found.append(Window(start_s=start, end_s=start + length, direction=CHARGE))
        return found

    left, right = apart(one), apart(other)
    shared = {s for w in left for s in range(w.start_s, w.end_s)} & {
        s for w in right for s in range(w.start_s, w.end_s)
    }
    assert overlapping(left, right) == bool(shared)


WINDOW = Window(start_s=9_000, end_s=18_000, direction=GIVE_BACK)


def terms(**more: object) -> Terms:
    given = {"utility": AccountId("utility"), "windows": (WINDOW,), "most_w": 1, "accept_by_s": 0}
    return Terms(**{**given, "dispute_s": 60, "resolve_s": 60, **more})  # type: ignore[arg-type]  # as it is


@pytest.mark.row("E13")
def test_a_call_begins_with_the_first_whole_slot_after_its_notice() -> None:
    assert span(terms(), WINDOW, 0, 0) == (9_000, 18_000)
    assert span(terms(notice_s=600), WINDOW, 9_000, 9_000) == (9_900, 18_000)
    assert span(terms(lasts_s=1_800), WINDOW, 9_001, 9_001) == (9_900, 11_700)
    assert span(terms(), WINDOW, 9_001, 8_000, 11_000) == (9_900, 10_800)
    assert span(terms(notice_s=900), WINDOW, 17_100, 17_100) is None
    assert span(terms(), WINDOW, 17_101, 17_101) is None


@pytest.mark.row("E13")
def test_oracles_agree_on_the_side_of_a_threshold_or_on_every_word_of_an_event() -> None:
    low = terms(trigger=Trigger.FREQUENCY_BELOW, threshold=49_700, quorum=2)
    says = {AccountId(str(n)): Frequency(at_s=9_000, seconds=1, millihertz=hz) for n, hz in enumerate([49_699, 49_700])}
    last = says[AccountId("1")]
    assert not enough_say(low, says, last), "the threshold itself is not below it"
    says[AccountId("2")] = Frequency(at_s=9_000, seconds=1, millihertz=49_000)
    assert enough_say(low, says, last)
    assert concerns(low, WINDOW, last)
    assert not concerns(low, WINDOW, Frequency(at_s=18_000, seconds=1, millihertz=0))
    named = terms(trigger=Trigger.EVENT, event="cold", quorum=2, zone="lane")
    event = GridEvent(name="cold", start_s=0, end_s=9_900, direction=GIVE_BACK)
    longer = GridEvent(name="cold", start_s=0, end_s=10_800, direction=GIVE_BACK)
    assert not enough_say(named, {AccountId("1"): event, AccountId("2"): longer}, longer)
    assert enough_say(named, {AccountId("1"): longer, AccountId("2"): longer}, longer)
    assert concerns(named, WINDOW, event)
    for other in (
        GridEvent(name="warm", start_s=0, end_s=9_900, direction=GIVE_BACK),
        GridEvent(name="cold", start_s=0, end_s=9_000, direction=GIVE_BACK),
        GridEvent(name="cold", start_s=0, end_s=9_900, direction=CHARGE),
        GridEvent(name="cold", start_s=0, end_s=9_900, direction=GIVE_BACK, zone="hill"),
    ):
        assert not concerns(named, WINDOW, other)


def test_prices_call_from_the_first_slot_beyond_to_the_last() -> None:
    dear = terms(trigger=Trigger.PRICE_ABOVE, threshold=100)
    prices = [(8_100, 900), (9_000, 100), (9_900, 101), (10_800, 5), (11_700, 200), (18_000, 900)]
    assert crossing(dear, WINDOW, prices) == (9_900, 12_600)
    assert crossing(dear, WINDOW, prices[:2]) is None


PART = Part(acceptance="1", account=AccountId("anna"), asset=AssetId("battery"), power_w=100)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["measure", "dispute", "propose", "resolve", "pay"]),
        st.sampled_from(Party),
        st.integers(-5, 5),
        st.integers(0, 20),
    ),
    max_size=12,
)


def step(part: Part, what: str, party: Party, micro: int, now_s: int) -> Part | None:
    match what:
        case "measure":
            return measured(part, 10, 5, Due(energy_micro=1), 10)
        case "dispute":
            return disputed(part, party, "why", now_s, now_s + 5)
        case "propose":
            return proposed(part, party, micro)
        case "resolve":
            return resolved(part, micro, 3, -3)
        case _:
            return paid(part)


@given(STEPS)
def test_a_part_moves_forward_alone_and_is_paid_once(steps: list[tuple[str, Party, int, int]]) -> None:
    order = [Stage.RUNNING, Stage.DUE, Stage.DISPUTED, Stage.PAID]
    part, payments = PART, 0
    for what, party, micro, now_s in steps:
        after = step(part, what, party, micro, now_s)
        if after is None:
            continue
        assert order.index(after.stage) >= order.index(part.stage)
        assert part.stage is not Stage.PAID, "what is paid stays"
        payments += after.stage is Stage.PAID
        if what == "resolve":
            assert part.stage is Stage.DISPUTED
            assert -3 <= after.due.net_micro <= 3
        if what == "dispute":
            assert now_s < part.until_s
        part = after
    assert payments <= 1


def test_both_sides_agree_when_they_last_said_the_same() -> None:
    held = disputed(measured(PART, 10, 5, Due(), 10) or PART, Party.MEMBER, "why", 0, 99)
    assert held is not None
    first = proposed(held, Party.MEMBER, 7)
    assert first is not None
    assert agreed(first) is None
    second = proposed(first, Party.UTILITY, 8)
    assert second is not None
    assert agreed(second) is None
    third = proposed(second, Party.MEMBER, 8)
    assert third is not None
    assert agreed(third) == 8
