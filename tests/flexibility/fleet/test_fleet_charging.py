"""Cars that only charge fill up where it is cheapest, appliances start where it is, roofs are cut where it pays."""

from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.charging import charge, move_freely, run_once
from flexibility.fleet.fleet_oracles import H, Stored, least_cost

SEEDS = st.integers(0, 2**32)


@dataclass(frozen=True, slots=True)
class Parked:
    """A car as a store, and between which slots it stands there."""

    store: Stored
    first: int
    last: int

    @property
    def worth(self) -> float:
        """Return what a Wh in its battery is worth at most."""
        return self.store.final + sum(slope for _, _, slope in self.store.wishes)


def parked(seed: int, slots: int, *, least: bool = False) -> Parked:
    random = Random(seed)
    first = random.randrange(slots)
    last = random.randint(first + 1, slots)
    most = random.choice([3_680, 7_360])
    draw = tuple(most if first <= t < last else 0 for t in range(slots))
    level, top = random.uniform(0, 6_000), 0.0
    top = level + random.choice([0.0, 40.0, random.uniform(0, 6_000)])
    wishes = tuple(
        (last - 1, random.choice([random.uniform(0, 9_000), top]), random.choice([50.0, 150.0, 20_000.0]))
        for _ in range(random.choice([0, 1, 1, 2, 4]))
    )
    price = tuple(random.choice([100.0, 250.0, random.uniform(-200, 400)]) for _ in range(slots))
    store = Stored(
        price=price, into=(0.93,) * slots, out=1.0, keep=1.0, drift=(0.0,) * slots, draw=draw, give=(0,) * slots,
        low=(0.0,) * slots, high=(top,) * slots, level=level, wear=0.0, final=random.choice([0.0, 90.0]),
        wishes=wishes, least_in=1_380 if least else 0,
    )  # fmt: skip
    return Parked(store, first, last)


def filled(car: Parked) -> tuple[float, float, float, tuple[int, ...]]:
    """Return cost, own part, bound and powers."""
    store, power = car.store, np.zeros(len(car.store.price), np.int32)
    price = np.array(store.price)
    wanted, slope = (np.array([wish[n] for wish in store.wishes], np.float32) for n in (1, 2))
    costs = charge(
        price, np.argsort(price, kind="stable"), car.first, car.last, max(store.draw), store.least_in, store.into[0],
        store.level, store.high[0], store.final, wanted, slope, power,
    )  # fmt: skip
    return *costs, tuple(int(watts) for watts in power)


def rounded(car: Parked) -> Parked:
    """Return a car whose wishes are kept in single precision, as a fleet keeps them."""
    wishes = tuple((at, float(np.float32(wanted)), slope) for at, wanted, slope in car.store.wishes)
    return replace(car, store=replace(car.store, wishes=wishes))


@pytest.mark.row("W2")
@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_without_a_least_power_it_costs_what_the_linear_program_says(seed: int, slots: int) -> None:
    car = rounded(parked(seed, slots))
    best = least_cost(car.store)
    cost, own, bound, power = filled(car)
    assert bound == pytest.approx(best, rel=1e-7, abs=1e-2)
    assert cost == pytest.approx(bound, abs=car.store.rounding_micro)
    assert (cost, own) == pytest.approx(car.store.cost(power), abs=car.store.rounding_micro)
    assert car.store.outside(power) <= car.store.rounding_wh


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_with_a_least_power_it_draws_nothing_or_that_much_and_is_a_step_from_the_bound(seed: int, slots: int) -> None:
    car = rounded(parked(seed, slots, least=True))
    store = car.store
    cost, own, bound, power = filled(car)
    assert all(watts == 0 or store.least_in <= watts <= most for watts, most in zip(power, store.draw, strict=True))
    assert (cost, own) == pytest.approx(store.cost(power), abs=store.rounding_micro)
    assert store.outside(power) <= store.rounding_wh
    step_wh = store.least_in * H
    step = step_wh * (max(map(abs, store.price)) + car.worth * store.into[0])
    assert bound - store.rounding_micro <= cost <= bound + step + store.rounding_micro


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_a_least_power_costs_no_wish_where_the_battery_has_room_for_a_step(seed: int, slots: int) -> None:
    car = rounded(parked(seed, slots, least=True))
    store = car.store
    level = store.levels(filled(replace(car, store=replace(store, least_in=0)))[3])[-1]
    if store.high[0] - level >= store.least_in * H * store.into[0]:
        assert store.levels(filled(car)[3])[-1] >= level - store.rounding_wh


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.integers(1, 8))
def test_no_schedule_of_a_car_undercuts_its_bound(seed: int, slots: int) -> None:
    car = rounded(parked(seed, slots, least=True))
    best = least_cost(car.store, one_way=True)
    assert best is not None
    bound = filled(car)[2]
    assert bound <= best + 1e-7 * abs(best) + 1.0  # a wish may weigh what the solver tolerates
    assert bound <= filled(car)[0] + car.store.rounding_micro


@given(SEEDS, st.integers(1, 12))
def test_an_appliance_starts_where_its_run_costs_least(seed: int, slots: int) -> None:
    random = Random(seed)
    profile = [random.choice([0, 100, 2_000]) for _ in range(random.randint(1, slots))]
    earliest = random.randint(0, slots - len(profile))
    latest = random.randint(earliest, slots - len(profile))
    price, power = np.array([random.uniform(-100, 400) for _ in range(slots)]), np.full(slots, 7, np.int32)
    cost = run_once(price, np.array(profile, np.int32), earliest, latest, power)
    runs = [[0] * start + profile + [0] * (slots - start - len(profile)) for start in range(earliest, latest + 1)]
    assert list(power) in runs
    assert cost == pytest.approx(H * price @ power, abs=1e-6)
    assert cost == pytest.approx(min(H * price @ np.array(run) for run in runs), abs=1e-6)


@given(SEEDS, st.integers(1, 8))
def test_what_stores_nothing_goes_to_its_better_edge(seed: int, slots: int) -> None:
    random = Random(seed)
    least = [random.choice([0, -random.randint(0, 5_000), 300]) for _ in range(slots)]
    most = [low + random.choice([0, random.randint(0, 5_000)]) for low in least]
    price = np.array([random.uniform(-100, 400) for _ in range(slots)])
    fuel = random.choice([0.0, 90.0, 250.0])
    power = np.zeros(slots, np.int32)
    cost = move_freely(price, -np.array(least, np.float64), np.array(most, np.float64), fuel, power)

    def spent(t: int, watts: int) -> float:
        return H * (price[t] * watts + fuel * max(0, -watts))

    assert all(low <= watts <= high for low, watts, high in zip(least, power, most, strict=True))
    assert cost == pytest.approx(sum(spent(t, int(watts)) for t, watts in enumerate(power)), abs=1e-6)
    edges = [{low, high} | ({0} if low <= 0 <= high else set()) for low, high in zip(least, most, strict=True)]
    assert cost == pytest.approx(sum(min(spent(t, w) for w in own) for t, own in enumerate(edges)), abs=1e-6)
