"""Schedules that could be carried out, as Hypothesis draws them."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from commonwatt.flexibility.instructions import FULL_W, LEAST_W
from commonwatt.model import Armed, AssetId, Droop, Instruction, Interval, Schedule, Verb

NOON = datetime(2026, 4, 23, 12, tzinfo=UTC)
SECONDS = st.integers(1, 40_000)
ABOVE = st.integers(1, 10**6) | st.sampled_from([LEAST_W, FULL_W, 7_400, 4_200_000])
SIGNED = ABOVE | ABOVE.map(lambda watts: -watts)
TARGETS = {
    Verb.START_CHARGE: ABOVE,
    Verb.STOP_CHARGE: st.just(0),
    Verb.SUPPLY: ABOVE.map(lambda watts: -watts),
    Verb.STOP_SUPPLY: st.just(0),
    Verb.REDUCE_RATE: SIGNED,
    Verb.INCREASE_RATE: SIGNED,
}


@st.composite
def schedules(draw: st.DrawFn, asset: str = "car-01", most: int = 6) -> Schedule:
    issued = at = NOON + timedelta(seconds=draw(st.integers(-(10**6), 10**6)))
    entries = []
    for _ in range(draw(st.integers(1, most))):
        at += timedelta(seconds=draw(st.just(0) | SECONDS))
        ends = at + timedelta(seconds=draw(SECONDS))
        verb = draw(st.sampled_from(Verb))
        entry = Instruction(
            verb=verb,
            interval=Interval(at, ends),
            power_w=draw(TARGETS[verb]),
            expected_wh=draw(st.integers(-(10**6), 10**6)),
            reason=draw(
                st.sampled_from(["", "grid energy at 8.1 p/kWh", ' "', "a\tb\n", "waits: until 4 May"])
                | st.text(max_size=9)
            ),
            balance_w=draw(st.none() | st.integers(-(10**6), 10**6)),
        )
        entries.append(entry)
        at = ends
    return Schedule(asset=AssetId(asset), issued=issued, instructions=tuple(entries))


@st.composite
def curves(draw: st.DrawFn) -> Droop:
    deadband = draw(st.integers(0, 50))
    sides = []
    for sign in (-1, 1):
        places = sorted(draw(st.sets(st.integers(deadband + 1, 900), max_size=3)))
        moved = sorted(draw(st.lists(st.integers(0, 20_000), min_size=len(places), max_size=len(places))))
        sides.append([(sign * at, sign * watts) for at, watts in zip(places, moved, strict=True)])
    points = tuple(sides[0][::-1] + sides[1]) or ((deadband + 1, 5),)
    most = st.none() | st.integers(0, 20_000)
    return Droop(deadband_mhz=deadband, points=points, most_up_w=draw(most), most_down_w=draw(most))


def armed() -> st.SearchStrategy[Armed]:
    return curves().map(lambda curve: Armed(curve=curve, until=NOON))
