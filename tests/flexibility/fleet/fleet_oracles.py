"""What the fleet's kernels are held against: programs for HiGHS, patterns tried one by one, and a plain simulation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import highspy
import numpy as np

from commonwatt.flexibility.fleet.columns import Columns, Kind
from commonwatt.flexibility.fleet.stores import follow, look_back, value

H = 0.25
FLOAT = 1e-6


class Program:
    """A small program for HiGHS, column by column and row by row."""

    def __init__(self) -> None:
        self.highs = highspy.Highs()
        for option, setting in (("output_flag", False), ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 1e-6)):
            self.highs.setOptionValue(option, setting)
        self.width = 0

    def column(self, cost: float, low: float, high: float, *, whole: bool = False) -> int:
        self.highs.addCol(cost, low, high, 0, np.zeros(0, np.int32), np.zeros(0))
        if whole:
            self.highs.changeColIntegrality(self.width, highspy.HighsVarType.kInteger)
        self.width += 1
        return self.width - 1

    def row(self, terms: Mapping[int, float], low: float, high: float) -> None:
        columns, weights = np.array(list(terms), np.int32), np.array(list(terms.values()), np.float64)
        self.highs.addRow(low, high, len(columns), columns, weights)

    def least(self) -> float | None:
        """Return the least cost; None where nothing obeys all rows."""
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return float(self.highs.getInfo().objective_function_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One store over n slots as `stores.look_back` takes it; wishes are ``(slot, level, slope)``."""

    price: tuple[float, ...]
    into: tuple[float, ...]
    out: float
    keep: float
    drift: tuple[float, ...]
    draw: tuple[int, ...]
    give: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    wear: float
    final: float
    wishes: tuple[tuple[int, float, float], ...] = ()
    least_in: int = 0
    least_out: int = 0

    def levels(self, power: Sequence[float]) -> list[float]:
        """Return the level at each slot's end."""
        level, levels = self.level, []
        for t, watts in enumerate(power):
            wh = watts * H
            level = self.keep * level + self.drift[t] + (wh * self.into[t] if watts >= 0 else wh / self.out)
            levels.append(level)
        return levels

    def cost(self, power: Sequence[float]) -> tuple[float, float]:
        """Return what powers cost in all, and the store's own part."""
        levels = self.levels(power)
        own = -self.final * levels[-1]
        own += sum(max(0.0, -watts) * H * self.wear for watts in power)
        own += sum(max(0.0, (wanted - levels[t]) * slope) for t, wanted, slope in self.wishes)
        return own + sum(price * watts * H for price, watts in zip(self.price, power, strict=True)), own

    def outside(self, power: Sequence[float]) -> float:
        """Return by how many Wh levels leave their bounds at most."""
        levels = self.levels(power)
        bounds = zip(levels, self.low, self.high, strict=True)
        return max(0.0, *(max(low - level, level - high) for level, low, high in bounds))

    @property
    def rounding_wh(self) -> float:
        """Return by how much whole watts may miss a level."""
        return H / 2 * max(1 / self.out, *self.into) + FLOAT

    @property
    def rounding_micro(self) -> float:
        """Return what whole watts may cost or save: half a watt in each slot, and what the levels then miss."""
        worth = max(map(abs, self.price)) / min(*self.into, self.out) + abs(self.wear) + abs(self.final)
        return H * len(self.price) * worth + self.rounding_wh * sum(abs(slope) for _, _, slope in self.wishes) + FLOAT

    @property
    def circles_pay(self) -> bool:
        """Tell whether charging and discharging at once would pay in some slot."""
        pairs = zip(self.price, self.into, strict=True)
        return any(price / into < (price - self.wear) * self.out - 1e-12 for price, into in pairs)


def least_cost(store: Stored, *, one_way: bool = False) -> float | None:
    """Return the least that any schedule costs, micro; None where no level can be kept.

    Args:
        store: Its least powers count only where ``one_way`` is True.
        one_way: True where each slot charges or discharges; False for the hull of both.
    """
    program = Program()
    before: dict[int, float] = {}
    carried = store.keep * store.level
    for t in range(len(store.price)):
        charge = program.column(store.price[t] * H, 0, store.draw[t])
        back = program.column((store.wear - store.price[t]) * H, 0, store.give[t])
        level = program.column(-store.final if t == len(store.price) - 1 else 0.0, store.low[t], store.high[t])
        flow = {level: 1.0, charge: -H * store.into[t], back: H / store.out}
        program.row({**flow, **before}, carried + store.drift[t], carried + store.drift[t])
        if one_way:
            draws, gives = (program.column(0.0, 0, 1, whole=True) for _ in range(2))
            program.row({draws: 1.0, gives: 1.0}, -np.inf, 1.0)
            program.row({charge: 1.0, draws: -store.draw[t]}, -np.inf, 0.0)
            program.row({back: 1.0, gives: -store.give[t]}, -np.inf, 0.0)
            program.row({charge: 1.0, draws: -min(store.least_in, store.draw[t] + 1)}, 0.0, np.inf)
            program.row({back: 1.0, gives: -min(store.least_out, store.give[t] + 1)}, 0.0, np.inf)
        elif store.draw[t] and store.give[t]:
            program.row({charge: 1 / store.draw[t], back: 1 / store.give[t]}, -np.inf, 1.0)
        for at, wanted, slope in store.wishes:
            if at == t:
                missed = program.column(abs(slope), 0, np.inf)
                if slope > 0:
                    program.row({missed: 1.0, level: 1.0}, wanted, np.inf)
                else:
                    program.row({missed: 1.0, level: -1.0}, -wanted, np.inf)
        before, carried = {level: -store.keep}, 0.0
    return program.least()


def random_store(seed: int, slots: int, *, dear_only: bool = False, least: bool = False) -> Stored:
    """Return a random store whose bounds some schedule keeps.

    Args:
        seed: The same seed gives the same store.
        slots: Length of the horizon.
        dear_only: True where no price is below zero, so that circles never pay.
        least: True where least powers may be asked for.
    """
    random = Random(seed)
    most, back = random.choice([0, 2_000, 7_360]), random.choice([0, 3_000, 7_360])
    heats = random.random() < 0.3
    moves = [random.random() < 0.8 for _ in range(slots)]
    draw, give = (tuple(watts if m else 0 for m in moves) for watts in (most, 0 if heats else back))
    into = tuple(random.choice([2.2, 3.0, 4.1]) if heats else 0.93 for _ in range(slots))
    out, keep = random.choice([1.0, 0.93]), random.choice([1.0, 0.9997, 0.97])
    drift = tuple(random.choice([0.0, 0.0, random.uniform(-700, 300)]) for _ in range(slots))
    price = [random.choice([random.uniform(0, 400), random.choice([100.0, 200.0])]) for _ in range(slots)]
    if not dear_only:
        price = [-p if random.random() < 0.25 else p for p in price]
    least_in = random.choice([0, 1_380]) if least else 0
    least_out = random.choice([0, 0, 1_000]) if least else 0
    level = random.uniform(0, 10_000)
    power = []
    for t in range(slots):
        choices = [0, draw[t], -give[t]]
        if draw[t]:
            choices.append(random.randint(min(least_in, draw[t]), draw[t]))
        if give[t]:
            choices.append(-random.randint(min(least_out, give[t]), give[t]))
        power.append(random.choice(choices))
    loose = {"low": (0.0,) * slots, "high": (0.0,) * slots, "wear": random.choice([0.0, 25.0])}
    store = Stored(
        price=tuple(price), into=into, out=out, keep=keep, drift=drift, draw=draw, give=give, level=level,
        final=random.choice([0.0, 90.0, 180.0]), least_in=least_in, least_out=least_out, **loose,
    )  # fmt: skip
    levels = store.levels(power)
    spare = random.choice([5.0, 800.0, 6_000.0])
    wishes = tuple(
        (random.randrange(slots), random.uniform(min(levels) - 2_000, max(levels) + 2_000),
         random.choice([1.0, -1.0]) * random.choice([50.0, 300.0, 20_000.0]))
        for _ in range(random.choice([0, 0, 1, 2, 3]))
    )  # fmt: skip
    told = {name: getattr(store, name) for name in Stored.__dataclass_fields__}
    return Stored(**{
        **told, "wishes": wishes,
        "low": tuple(round(level - spare * random.random()) - 1.0 for level in levels),
        "high": tuple(round(level + spare * random.random()) + 1.0 for level in levels),
    })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """What the store's kernels answer."""

    sound: bool
    bound: float
    cost: float
    own: float
    power: tuple[int, ...]


def answered(store: Stored) -> Answered:
    """Run `look_back`, `value` and `follow` on a store."""
    price, into, drift = np.array(store.price), np.array(store.into), np.array(store.drift)
    draw, give = np.array(store.draw, np.float64), np.array(store.give, np.float64)
    at = np.array([wish[0] for wish in store.wishes], np.int64)
    wanted, slope = (np.array([wish[n] for wish in store.wishes], np.float64) for n in (1, 2))
    low, high = np.array(store.low), np.array(store.high)
    slopes, widths, up_to, down_to, floor = room(len(price), len(at))
    wishes = at, wanted, slope
    sound = look_back(
        price, into, store.out, store.keep, drift, draw, give, low, high, store.wear, store.final, *wishes,
        slopes, widths, up_to, down_to, floor,
    )  # fmt: skip
    bound = value(
        price, into, store.out, store.keep, drift, draw, give, store.level, store.wear, store.final, *wishes,
        up_to, down_to,
    )  # fmt: skip
    power = np.zeros(len(price), np.int32)
    cost, own = follow(
        price, into, store.out, store.keep, drift, draw, give, high, store.level, store.wear, store.final, *wishes,
        store.least_in, store.least_out, up_to, down_to, floor, power,
    )  # fmt: skip
    return Answered(sound, bound, cost, own, tuple(int(watts) for watts in power))


def switched(slots: int, run: int, rest: int, running: int, allowed: Sequence[int]) -> Iterator[tuple[bool, ...]]:
    """Yield every way to be on and off that keeps least times; the horizon may cut the last run or rest short."""
    for pattern in product([False, True], repeat=slots):
        if all(a or not on for on, a in zip(pattern, allowed, strict=True)) and keeps_times(
            pattern, run, rest, running
        ):
            yield pattern


def keeps_times(pattern: Sequence[bool], run: int, rest: int, running: int) -> bool:
    """Tell whether runs and rests last, with what was before; 0 is rested."""
    now, lasted = running > 0, abs(running) or rest
    for on in pattern:
        if on != now:
            if lasted < (run if now else rest):
                return False
            now, lasted = on, 0
        lasted += 1
    return True


def broken_rules(cols: Columns, i: int, power: Sequence[int], slack_wh: float = 0.0) -> list[str]:
    """Return, in words, what an asset's powers break of its own limits: simulated slot by slot from its columns.

    Args:
        cols: A fleet's columns.
        i: Which asset.
        power: n values in W.
        slack_wh: By how much levels may leave their bounds on top of what whole watts may move.
    """
    found = []
    slots = len(power)
    kind = Kind(int(cols.kind[i]))
    if kind is Kind.ONCE:
        profile = [int(w) for w in cols.profile_w[cols.profile[i] : cols.profile[i + 1]]]
        starts = range(int(cols.first[i]), int(cols.last[i]) + 1)
        runs = [[0] * start + profile + [0] * (slots - start - len(profile)) for start in starts]
        return [] if [int(w) for w in power] in runs else [f"runs its profile once, was {list(power)}"]
    bounds = [_bounds(cols, i, t) for t in range(slots)]
    for t, watts in enumerate(int(w) for w in power):
        least, most = bounds[t][:2]
        if not least <= watts <= most:
            found.append(f"{watts} W in slot {t}, outside {least} to {most}")
        if 0 < watts < cols.least_in[i] or 0 < -watts < cols.least_out[i]:
            found.append(f"{watts} W in slot {t}, below its least")
        if kind in (Kind.COUNT, Kind.SWITCH) and watts not in (0, int(cols.draw[i])):
            found.append(f"{watts} W in slot {t}, neither on nor off")
    on = [int(w) != 0 for w in power]
    times = int(cols.run[i]), int(cols.rest[i]), int(cols.running[i])
    if kind in (Kind.COUNT, Kind.SWITCH) and not keeps_times(on, *times):
        found.append(f"least times {times} are not kept by {[int(o) for o in on]}")
    if kind is Kind.FREE:
        return found
    level, out, keep = float(cols.level[i]), float(cols.out[i]), float(cols.keep[i])
    for t, watts in enumerate(int(w) for w in power):
        _, _, low, high, drift, into = bounds[t]
        level = keep * level + drift + (watts * H * into if watts >= 0 else watts * H / out)
        rounding = H / 2 * max(into, 1 / out) + 1e-3 + slack_wh
        if not low - rounding <= level <= high + rounding:
            found.append(f"{level:.2f} Wh after slot {t}, outside {low:.2f} to {high:.2f}")
    return found


def _bounds(cols: Columns, i: int, t: int) -> tuple[int, int, float, float, float, float]:
    """Return least and most W, least and most Wh, what enters by itself and the efficiency in, of one slot."""
    row = int(cols.row[i])
    if row >= 0:
        tables: Any = (cols.low_wh, cols.top_wh, cols.drift_wh, cols.gain)
        return int(cols.least_w[row, t]), int(cols.most_w[row, t]), *(float(table[row, t]) for table in tables)
    here = cols.first[i] <= t < cols.last[i]
    power = (-int(cols.give[i]), int(cols.draw[i])) if here else (0, 0)
    return *power, float(cols.low[i]), float(cols.top[i]), 0.0, float(cols.into[i])


def room(slots: int, hinges: int) -> tuple[np.ndarray, ...]:
    """Return working arrays for `look_back`: slopes, widths, up_to, down_to, floor."""
    pieces = 4 * slots + 8 + 2 * hinges
    return (*(np.empty(pieces) for _ in range(2)), *(np.empty(slots) for _ in range(3)))
