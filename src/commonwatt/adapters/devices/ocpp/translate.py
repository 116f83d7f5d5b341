"""Meter values of all three versions as one shape: whole W and Wh, import positive."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from commonwatt.model import InvalidValue

IMPORT, EXPORT = "Energy.Active.Import.Register", "Energy.Active.Export.Register"
POWER_IN, POWER_OUT, LEVEL, FREQUENCY = "Power.Active.Import", "Power.Active.Export", "SoC", "Frequency"
CURRENT_IN, CURRENT_OUT, VOLTAGE = "Current.Import", "Current.Export", "Voltage"
WANTED = frozenset({IMPORT, EXPORT, POWER_IN, POWER_OUT, LEVEL, FREQUENCY, CURRENT_IN, CURRENT_OUT, VOLTAGE})
SIGNED = frozenset({POWER_IN, POWER_OUT, CURRENT_IN, CURRENT_OUT})
"""What some stations tell below zero."""
BESIDE = frozenset({CURRENT_IN, CURRENT_OUT, VOLTAGE})
"""From what power is only estimated: one that makes no sense refuses nothing."""
ELSEWHERE = frozenset({"EV", "Inlet", "Upstream"})
"""Places where energy and power are not those of the station's own outlet; a level is always the car's."""
MILLI = frozenset({FREQUENCY, CURRENT_IN, CURRENT_OUT, VOLTAGE})
SCALE = {"kWh": 3, "kW": 3, "Wh": 0, "W": 0, "MWh": 6, "MW": 6}
MOST = Decimal(10) ** 15


class Sample(NamedTuple):
    """What a station measured at one moment of its own clock; None for what it did not say.

    ``asked`` tells that we asked for it: then it is fresh whatever its clock says. ``currents`` are what flows where no
    power was told.
    """

    at_s: int
    import_wh: int | None
    export_wh: int | None
    power_w: int | None
    level_ppm: int | None
    frequency_mhz: int | None
    asked: bool
    currents: "Currents | None" = None


class Currents(NamedTuple):
    """What flows on the phases, import positive.

    Args:
        phased_ma: Sum over the phases that were named.
        each_ma: On each phase, where one current is told for all; None where phases were named.
        volts_mv: Between phase and neutral, on average; None where that was not told.
    """

    phased_ma: int
    each_ma: int | None
    volts_mv: int | None

    def power_w(self, volts: int, phases: int) -> int:
        """Return the apparent power, which is what cars draw but for a few percent.

        Args:
            volts: Between phase and neutral, where the station did not tell.
            phases: On how many it charges, where it did not name them.
        """
        in_all_ma = self.phased_ma if self.each_ma is None else self.each_ma * phases
        return in_all_ma * (volts * 1000 if self.volts_mv is None else self.volts_mv) // 1_000_000


def samples(meter_values: Iterable[Mapping[str, Any]], skipped: Callable[[str], None] | None = None) -> list[Sample]:
    """Return the samples of a MeterValues, StopTransaction or TransactionEvent message, oldest first.

    Args:
        meter_values: As the message has them.
        skipped: Called for a sample that is left out; without it, one bad sample refuses the message.

    Raises:
        InvalidValue: A number is none, or cannot be true.

    Source: OCPP 1.6 7.33 SampledValue; OCPP 2.0.1 part 2, 2.46 SampledValueType and 2.56 UnitOfMeasureType.
    """
    found = []
    for one in meter_values:
        try:
            found.append(_sample(moment(one.get("timestamp")), one["sampledValue"]))
        except InvalidValue:
            if skipped is None:
                raise
            skipped("sample that cannot be true")
    return sorted(found, key=lambda sample: sample.at_s)


def register(value: object) -> int | None:
    """Return what a register shows in Wh, None for what no meter can show."""
    try:
        wh = whole(value)
    except InvalidValue:
        return None
    return wh if wh >= 0 else None


def moment(text: object) -> int:
    """Return an instant of OCPP as seconds since 1970; without a zone it is UTC.

    Raises:
        InvalidValue: It is none.
    """
    try:
        parsed = datetime.fromisoformat(text)  # type: ignore[arg-type]  # whatever it is, it is refused below
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        return int(parsed.timestamp())
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidValue(f"an instant is written as in RFC 3339, was {str(text)[:40]!r}") from error


def stamp(at: datetime) -> str:
    """Return an instant as OCPP writes it, in whole seconds: fractions made stations answer fractional periods."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(value: object, scale: int = 0) -> int:
    """Return a number, moved by a power of ten, rounded down.

    Raises:
        InvalidValue: It is none, or so large that nothing measures it.
    """
    if isinstance(value, int) and not isinstance(value, bool) and scale == 0 and -(10**15) < value < 10**15:
        return value
    try:
        number = Decimal(str(value))
        if not number.is_finite() or abs(number) > MOST:
            raise InvalidValue(f"a measured value is a number, was {str(value)[:40]!r}")
        return int((number.scaleb(scale)).to_integral_value(rounding="ROUND_FLOOR"))
    except InvalidOperation as error:
        raise InvalidValue(f"a measured value is a number, was {str(value)[:40]!r}") from error


def _sample(at_s: int, values: Iterable[Mapping[str, Any]]) -> Sample:
    sums: dict[str, int] = {}
    phases: dict[str, list[int]] = {}
    asked = False
    for value in values:
        measurand = value.get("measurand", IMPORT)
        if measurand not in WANTED or value.get("format") == "SignedData":
            continue
        if measurand != LEVEL and value.get("location") in ELSEWHERE:
            continue
        asked = asked or value.get("context") == "Trigger"
        try:
            found = whole(value["value"], _scale(measurand, value))
        except InvalidValue:
            if measurand in BESIDE:
                continue
            raise
        if found < 0 and measurand not in SIGNED:
            raise InvalidValue(f"a {measurand} is zero or more, was {found}")
        phase = value.get("phase")
        if phase is None:
            sums[measurand] = found
        elif phase in ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N"):
            phases.setdefault(measurand, []).append(found)
    both = {measurand: sum(found) for measurand, found in phases.items()} | sums
    power_w = None
    if POWER_IN in both or POWER_OUT in both:
        power_w = both.get(POWER_IN, 0) - both.get(POWER_OUT, 0)
    level = both.get(LEVEL)
    if level is not None and level > 1_000_000:
        raise InvalidValue(f"a state of charge is at most 100 percent, was {level / 10_000}")
    currents = _currents(sums, phases) if power_w is None else None
    return Sample(at_s, both.get(IMPORT), both.get(EXPORT), power_w, level, both.get(FREQUENCY), asked, currents)


def _currents(sums: Mapping[str, int], phases: Mapping[str, list[int]]) -> Currents | None:
    named = CURRENT_IN in phases or CURRENT_OUT in phases
    if not named and CURRENT_IN not in sums and CURRENT_OUT not in sums:
        return None
    told = phases.get(VOLTAGE, [])
    volts_mv = sum(told) // len(told) if told else sums.get(VOLTAGE)
    return Currents(
        phased_ma=sum(phases.get(CURRENT_IN, [])) - sum(phases.get(CURRENT_OUT, [])),
        each_ma=None if named else sums.get(CURRENT_IN, 0) - sums.get(CURRENT_OUT, 0),
        volts_mv=volts_mv,
    )


def _scale(measurand: str, value: Mapping[str, Any]) -> int:
    """Return the power of ten that brings a value to Wh, W, millionths, mHz, mA or mV."""
    if measurand == LEVEL:
        return 4
    about = value.get("unitOfMeasure")
    if measurand in MILLI:
        multiplier = (about or {}).get("multiplier") or 0
        if not -12 <= multiplier <= 12:
            raise InvalidValue(f"a {measurand} is told in its unit, was e{multiplier}")
        return 3 + int(multiplier)
    if about is None:
        unit, multiplier = value.get("unit") or "Wh", 0
    else:
        unit, multiplier = about.get("unit") or "Wh", about.get("multiplier") or 0
    scale = SCALE.get(unit)
    if scale is None or not -12 <= multiplier <= 12:
        raise InvalidValue(f"a {measurand} is told in Wh, W or their thousands, was {str(unit)[:20]!r} e{multiplier}")
    return scale + int(multiplier)
