"""Energy from meters that only tell how far their counter has come: late, repeated, corrected, rolled over or reset."""

from dataclasses import dataclass, replace
from enum import StrEnum

from commonwatt.metering.batch import LATEST_S, Flag
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.model import MAX_SAFE_INTEGER, AssetId, Interval, InvalidValue, Reading


class Happened(StrEnum):
    """What a told value was to its register."""

    COUNTED = "counted"
    ROLLED_OVER = "rolled over"
    RESET = "reset"
    REPEATED = "repeated"
    CORRECTED = "corrected"
    LATE = "late"
    DOUBTED = "doubted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """How far one counter of a meter is known to have come: import and export have one each.

    Args:
        value_wh: What it showed last.
        at_s: When, seconds since 1970.
        rollover_at_wh: After how much it begins again at 0: 10^9 for six digits of kWh, 2^32 for a 32-bit count of
            Wh; none where it never does.
        resolution_wh: By how much it moves at least: 1000 where it tells whole kWh.
        resets: How often it was set back by hand or exchanged.
        since_s: From when on its last step counts; none where nothing was counted before this value.
        counted_wh: What its last step counted.

    Raises:
        InvalidValue: The value lies outside the counter, the moment outside 1970 to 3000, or a count is below zero.
    """

    value_wh: int
    at_s: int
    rollover_at_wh: int | None = None
    resolution_wh: int = ROUNDING_WH
    resets: int = 0
    since_s: int | None = None
    counted_wh: int = 0

    def __post_init__(self) -> None:
        if self.rollover_at_wh is not None and not 0 < self.rollover_at_wh <= MAX_SAFE_INTEGER:
            raise InvalidValue(f"a counter rolls over at 1 to {MAX_SAFE_INTEGER} Wh, was {self.rollover_at_wh}")
        if self.resolution_wh < 1 or self.resets < 0 or self.counted_wh < 0:
            raise InvalidValue(f"a register moves by 1 Wh or more and counts from zero up, was {self}")
        if self.since_s is not None and not 0 <= self.since_s <= self.at_s:
            raise InvalidValue(f"a register counts from an earlier moment on, was {self}")
        if why := _outside(self, self.value_wh, self.at_s):
            raise InvalidValue(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """An announcement that a counter was set back, or its meter exchanged.

    Args:
        at_s: When, seconds since 1970.
        from_wh: What it, or the old meter, showed until then, where anybody read it.
        to_wh: Where it, or the new meter, began.
    """

    at_s: int
    from_wh: int | None = None
    to_wh: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of which no counter tells the energy: to be estimated, marked so, and at most what the limit allows."""

    from_s: int
    to_s: int
    most_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a told value means.

    Args:
        happened: Which case it was.
        register: The register from now on; as it was after a repeat, a late value or a doubt.
        from_s: Start of what the energy belongs to, seconds since 1970.
        to_s: Its end.
        energy_wh: What to book; below zero only where a correction takes back.
        gap: What a reset left untold.
        why: Why it is doubted.
    """

    happened: Happened
    register: Register
    from_s: int
    to_s: int
    energy_wh: int = 0
    gap: Gap | None = None
    why: str = ""

    @property
    def flag(self) -> Flag:
        """What a batch's item says of it."""
        return _FLAGS.get(self.happened, Flag.NONE)


_FLAGS = {
    Happened.CORRECTED: Flag.CORRECTS,
    Happened.RESET: Flag.RESET,
    Happened.ROLLED_OVER: Flag.ROLLED_OVER,
}


def advance(register: Register, value_wh: int, at_s: int, max_power_w: int, reset: Reset | None = None) -> Step:
    """Tell what energy a counter's next value stands for, or why it cannot be believed.

    Whatever is not doubted loses and invents nothing, as long as the asset keeps to its registered limit. A doubted
    value leaves the register where it was, so the next one is judged over the whole time since. A late value only
    tells how energy lay within what is counted already; the sum stays, and nothing is booked.

    Args:
        register: What is known so far.
        value_wh: What the counter shows.
        at_s: When, seconds since 1970.
        max_power_w: The registered limit of the asset in the counter's direction (row M6).
        reset: What was announced of a reset since the last value.
    """
    if why := _outside(register, value_wh, at_s):
        return _doubted(register, at_s, why)
    if at_s < register.at_s:
        return Step(happened=Happened.LATE, register=register, from_s=at_s, to_s=at_s)
    if (value_wh, at_s) == (register.value_wh, register.at_s):
        return Step(happened=Happened.REPEATED, register=register, from_s=at_s, to_s=at_s)
    if reset is not None:
        return _reset(register, value_wh, at_s, max_power_w, reset)
    if at_s == register.at_s:
        return _corrected(register, value_wh, max_power_w)
    moved_wh = _moved_wh(register, register.value_wh, value_wh, at_s - register.at_s, max_power_w)
    if isinstance(moved_wh, str):
        return _doubted(register, at_s, moved_wh)
    return Step(
        happened=Happened.ROLLED_OVER if value_wh < register.value_wh else Happened.COUNTED,
        register=replace(register, value_wh=value_wh, at_s=at_s, since_s=register.at_s, counted_wh=moved_wh),
        from_s=register.at_s,
        to_s=at_s,
        energy_wh=moved_wh,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a corrected reading adds to what was booked, in Wh, below zero where it takes back."""

    asset: AssetId
    interval: Interval
    import_wh: int
    export_wh: int
    level_wh: int | None = None

    @property
    def is_nothing(self) -> bool:
        """Tell whether there is nothing to book."""
        return not (self.import_wh or self.export_wh or self.level_wh)


def difference(old: Reading, new: Reading) -> Difference:
    """Return what a correction must book on top of what the old reading booked; the old one is never rewritten.

    The level differs only where both tell one: where the old one told none, there is nothing to differ from.

    Raises:
        InvalidValue: They are of two assets, or of two intervals.
    """
    if old.asset != new.asset or old.interval != new.interval:
        raise InvalidValue(f"a correction is of the same asset and interval, was {new} after {old}")
    levels_told = old.level_wh is not None and new.level_wh is not None
    return Difference(
        asset=new.asset,
        interval=new.interval,
        import_wh=new.import_wh - old.import_wh,
        export_wh=new.export_wh - old.export_wh,
        level_wh=(new.level_wh or 0) - (old.level_wh or 0) if levels_told else None,
    )


def _reset(register: Register, value_wh: int, at_s: int, max_power_w: int, reset: Reset) -> Step:
    """Count up to a reset, where anybody read the counter then, and from it on."""
    if not register.at_s <= reset.at_s <= at_s:
        return _doubted(register, at_s, f"reset lies outside the time since the last value: found {reset.at_s} s")
    before_s, after_s = reset.at_s - register.at_s, at_s - reset.at_s
    before: int | str = 0
    if reset.from_wh is not None:
        why = _outside(register, reset.from_wh, reset.at_s)
        before = why or _moved_wh(register, register.value_wh, reset.from_wh, before_s, max_power_w)
    why = _outside(register, reset.to_wh, reset.at_s)
    after = why or _moved_wh(register, reset.to_wh, value_wh, after_s, max_power_w)
    if isinstance(before, str):
        return _doubted(register, at_s, before)
    if isinstance(after, str):
        return _doubted(register, at_s, after)
    untold = reset.from_wh is None
    return Step(
        happened=Happened.RESET,
        register=replace(
            register,
            value_wh=value_wh,
            at_s=at_s,
            resets=register.resets + 1,
            since_s=reset.at_s,
            counted_wh=after,
        ),
        from_s=reset.at_s if untold else register.at_s,
        to_s=at_s,
        energy_wh=before + after,
        gap=Gap(register.at_s, reset.at_s, _most_wh(register, before_s, max_power_w)) if untold and before_s else None,
    )


def _corrected(register: Register, value_wh: int, max_power_w: int) -> Step:
    """Put another value in the last one's place, and book by how much its step changes."""
    since_s = register.since_s
    if since_s is None:  # nothing was counted from it yet, so only the beginning moves
        moved_wh: int | str = 0
    else:
        start_wh = register.value_wh - register.counted_wh
        if register.rollover_at_wh is not None:
            start_wh %= register.rollover_at_wh
        moved_wh = _moved_wh(register, start_wh, value_wh, register.at_s - since_s, max_power_w)
    if isinstance(moved_wh, str):
        return _doubted(register, register.at_s, moved_wh)
    return Step(
        happened=Happened.CORRECTED,
        register=replace(register, value_wh=value_wh, counted_wh=moved_wh),
        from_s=register.at_s if since_s is None else since_s,
        to_s=register.at_s,
        energy_wh=moved_wh - register.counted_wh,
    )


def _moved_wh(register: Register, from_wh: int, to_wh: int, seconds: int, max_power_w: int) -> int | str:
    """Return by how much a counter moved on, or why that cannot be told."""
    most_wh, rollover_wh = _most_wh(register, seconds, max_power_w), register.rollover_at_wh
    moved_wh = to_wh - from_wh
    if moved_wh < 0 and rollover_wh is None:
        return f"register ran backwards: found {to_wh} Wh after {from_wh} Wh"
    if moved_wh < 0 and rollover_wh is not None:
        moved_wh += rollover_wh
        if moved_wh > most_wh:
            return (
                f"register ran backwards: found {to_wh} Wh after {from_wh} Wh, "
                f"as a roll-over {moved_wh} Wh, limit {most_wh} Wh"
            )
    if moved_wh > most_wh:
        return f"register ran above registered limit: found {moved_wh} Wh, limit {most_wh} Wh"
    if rollover_wh is not None and moved_wh + rollover_wh <= most_wh:
        return f"register may have gone round unseen: found {moved_wh} Wh, possible {moved_wh + rollover_wh} Wh"
    return moved_wh


def _most_wh(register: Register, seconds: int, max_power_w: int) -> int:
    return max_power_w * seconds // 3600 + register.resolution_wh


def _outside(register: Register, value_wh: int, at_s: int) -> str:
    """Return why a value is none that the counter can show, or nothing."""
    top_wh = MAX_SAFE_INTEGER if register.rollover_at_wh is None else register.rollover_at_wh - 1
    if not 0 <= value_wh <= top_wh:
        return f"value lies outside the counter: found {value_wh} Wh, limit {top_wh} Wh"
    if not 0 <= at_s <= LATEST_S:
        return f"moment lies outside the years 1970 to 3000: found {at_s} s"
    return ""


def _doubted(register: Register, at_s: int, why: str) -> Step:
    return Step(happened=Happened.DOUBTED, register=register, from_s=at_s, to_s=at_s, why=why)
