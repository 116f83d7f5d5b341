"""What SunSpec models mean to us: power, counters and levels from them, limits too, and how a band is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor

from commonwatt.adapters.devices.modbus.translate import check_power, stored
from commonwatt.adapters.devices.sunspec.models import LARGEST_SCALE, Node, offset_of, write_point
from commonwatt.model import Asset, DeviceState, InvalidValue, Nameplate, epoch

Nodes = Mapping[int, Node]
MEASURES = (701, 103, 102, 101, 113, 112, 111)
"""Models that measure at the AC side, best first: only 701 counts both ways."""
LEVELS = {713: ("WHAvail", "SoC"), 802: ("SoC",), 803: ("SoC",), 124: ("ChaState",)}
"""Models that tell a level, best first, and its points."""
RATINGS = {
    702: ("WMaxRtg", "WMax", "WChaRteMaxRtg", "WChaRteMax", "WDisChaRteMaxRtg", "WDisChaRteMax"),
    120: ("WRtg", "MaxChaRte", "MaxDisChaRte"),
    121: ("WMax",),
}

COMMON, STATUS = 1, 122
WANTED_FOR_NAMEPLATE = (COMMON, ("Mn", "Md", "Opt", "Vr", "SN"))
WANTED_FOR_CLOCK = (STATUS, ("Tms",))
SUNSPEC_FROM_S = epoch(datetime(2000, 1, 1, tzinfo=UTC))
"""Its seconds count from here (model 122, Tms)."""


def nameplate_of(node: Node) -> Nameplate:
    """Return what the common model (1) says; options stand behind the model, as they do in an order."""
    told = {name: str(node.raw.get(name) or "") for name in WANTED_FOR_NAMEPLATE[1]}
    words = [told["Md"], told["Opt"]]
    return Nameplate(
        make=told["Mn"], model=" ".join(word for word in words if word), serial=told["SN"], firmware=told["Vr"]
    )


def clock_s(node: Node) -> int | None:
    """Return the time of model 122 in seconds since 1970, None where a device has none, or never set it."""
    seconds = node.raw.get("Tms")
    return SUNSPEC_FROM_S + seconds if isinstance(seconds, int) and seconds > 0 else None


def wanted_for_state(has: Sequence[int]) -> list[tuple[int, tuple[str, ...]]]:
    """Return the models, with their points, that tell a device's state."""
    wanted: list[tuple[int, tuple[str, ...]]] = []
    measure = next((model for model in MEASURES if model in has), None)
    if measure is not None:
        counters = ("TotWhInj", "TotWhAbs") if measure == 701 else ("WH",)
        wanted.append((measure, ("W", "Hz", *counters)))
    level = next((model for model in LEVELS if model in has), None)
    if level is not None:
        wanted.append((level, LEVELS[level]))
    return wanted


def state_of(nodes: Nodes, at: datetime, asset: Asset) -> DeviceState:
    """Return what models say. Their power is positive outwards, ours inwards.

    Raises:
        InvalidValue: They say what cannot be true.
    """
    measure = next((nodes[model] for model in MEASURES if model in nodes), None)
    power_w = frequency_hz = import_wh = export_wh = None
    if measure is not None:
        power_w, frequency_hz = measure.value("W"), measure.value("Hz")
        if "WH" in measure.raw:
            export_wh = measure.value("WH")
        else:
            export_wh, import_wh = measure.value("TotWhInj"), measure.value("TotWhAbs")
    if power_w is not None:
        check_power(power_w, max(asset.max_import_w, asset.max_export_w))
    level_wh = _level_wh(nodes, asset.capacity_wh)
    return DeviceState(
        at=at,
        power_w=None if power_w is None else -round(power_w),
        import_wh=None if import_wh is None else int(import_wh),
        export_wh=None if export_wh is None else int(export_wh),
        level_wh=level_wh,
        frequency_mhz=None if frequency_hz is None else round(1000 * frequency_hz),
    )


def _level_wh(nodes: Nodes, capacity_wh: int) -> int | None:
    for model, names in LEVELS.items():
        if model not in nodes:
            continue
        share = nodes[model].value(names[-1])
        by_share_wh = None if share is None else stored(share, capacity_wh)
        stored_wh = nodes[model].value("WHAvail") if "WHAvail" in names else None
        level_wh = by_share_wh if stored_wh is None else stored_wh
        if level_wh is not None:
            return round(level_wh)
    return None


@dataclass(frozen=True, slots=True)
class Ratings:
    """What a device says that it can do, W; None for what it does not say."""

    charge_w: int | None = None
    discharge_w: int | None = None
    full_w: int | None = None


def ratings_of(nodes: Nodes) -> Ratings:
    """Return what a device says that it can do; a setting goes before a rating.

    ``full_w`` is what percentages of its power are of.
    """

    def first(*points: tuple[int, str]) -> int | None:
        values = [nodes[model].value(name) for model, name in points if model in nodes]
        return next((int(value) for value in values if value is not None and value > 0), None)

    return Ratings(
        charge_w=first((702, "WChaRteMax"), (702, "WChaRteMaxRtg"), (120, "MaxChaRte")),
        discharge_w=first((702, "WDisChaRteMax"), (702, "WDisChaRteMaxRtg"), (120, "MaxDisChaRte")),
        full_w=first((702, "WMax"), (702, "WMaxRtg"), (121, "WMax"), (120, "WRtg")),
    )


Write = tuple[int, tuple[int, ...]]
"""Registers to write from an offset within a model on."""


def timer_of(node: Node, model: int, *, curtail: bool) -> bool:
    """Tell whether a device has the timer after which it reverts: many leave it out, and would hold for ever."""
    names = {
        704: "WMaxLimPctRvrtTms" if curtail else "WSetRvrtTms",
        124: "InOutWRte_RvrtTms",
        123: "WMaxLimPct_RvrtTms",
    }
    return node.raw.get(names[model]) is not None


def offers(node: Node, model: int, *, curtail: bool) -> bool:
    """Tell whether a device really has the registers by which a power would be told, and not just their model."""
    names = {704: ("WMaxLimPct",) if curtail else ("WSet", "WSetPct"), 124: ("InWRte",), 123: ("WMaxLimPct",)}
    return any(node.raw.get(name) is not None for name in names[model])


def ways_of(has: Sequence[int], asset: Asset) -> list[int]:
    """Return the models by which a device might be told a power, best first: 704, then 124 for what stores or 123."""
    return [model for model in (704, 124 if asset.max_import_w else 123) if model in has]


def hold(node: Node, model: int, *, power_w: int, seconds: int, full_w: int | None, curtail: bool) -> list[Write]:
    """Return what is written to hold a power for some seconds; the register that makes it count comes last.

    Args:
        node: The model as it stands now: its scale factors change while a device runs.
        model: 704, 124 or 123.
        power_w: Import positive. With ``curtail`` what goes out at most, as a negative number.
        seconds: Until the device reverts by itself.
        full_w: What percentages are of.
        curtail: Whether the device makes what it makes and only has its export capped.

    Raises:
        InvalidValue: The device does not offer this, or the value does not fit.
    """
    if model == 704 and curtail:
        return [
            _write(node, ("WMaxLimPct", _capped(node, power_w, full_w))),
            _write(node, ("WMaxLimPctEnaRvrt", 0), ("WMaxLimPctRvrtTms", seconds)),
            _write(node, ("WMaxLimPctEna", 1)),
        ]
    if model == 704:
        if node.raw.get("WSet") is not None:
            told = [_write(node, ("WSetMod", 1), ("WSet", _scaled(node, "WSet", Fraction(-power_w))))]
        else:
            percent = _percent(-power_w, full_w)
            told = [_write(node, ("WSetMod", 0)), _write(node, ("WSetPct", _scaled(node, "WSetPct", percent)))]
        return [
            *told,
            _write(node, ("WSetEnaRvrt", 0), ("WSetRvrtTms", seconds)),
            _write(node, ("WSetEna", 1)),
        ]
    if model == 124:
        # A rate may be negative: discharging at -40 % at most is charging at 40 % at least.
        percent = _percent(power_w, int(node.value("WChaMax") or 0))
        return [
            _write(
                node,
                ("OutWRte", _scaled(node, "OutWRte", -percent)),
                ("InWRte", _scaled(node, "InWRte", percent)),
            ),
            _write(node, ("InOutWRte_RvrtTms", seconds)),
            _write(node, ("StorCtl_Mod", 0b11)),
        ]
    return [
        _write(node, ("WMaxLimPct", _capped(node, power_w, full_w))),
        _write(node, ("WMaxLimPct_RvrtTms", seconds)),
        _write(node, ("WMaxLim_Ena", 1)),
    ]


def release(node: Node, model: int, *, curtail: bool) -> list[Write]:
    """Return what is written to let a device go to its safe default."""
    names = {704: "WMaxLimPctEna" if curtail else "WSetEna", 124: "StorCtl_Mod", 123: "WMaxLim_Ena"}
    return [_write(node, (names[model], 0))]


def beat(node: Node) -> list[Write]:
    """Return the next heartbeat of model 715, counted on from the one that stands there; none where it wants none.

    Raises:
        InvalidValue: The device obeys only who stands before it.
    """
    if node.raw.get("LocRemCtl") == 1:
        raise InvalidValue("the device is set to local control")
    last = node.raw.get("ControllerHb")
    return [_write(node, ("ControllerHb", (last + 1) % 0xFFFF_FFFF))] if isinstance(last, int) else []


def step_w(node: Node, model: int, full_w: int | None, *, curtail: bool) -> int:
    """Return the steps in which a power can be told, by the scale factor of its register; a watt at least."""
    return max(1, ceil(_count_w(node, model, full_w, curtail=curtail)))


def told_w(node: Node, model: int, power_w: int, full_w: int | None, *, curtail: bool) -> int:
    """Return the power that `hold` really tells: whole counts of its register, rounded towards nothing."""
    count_w = _count_w(node, model, full_w, curtail=curtail)
    return int(int(power_w / count_w) * count_w) if count_w else power_w


def _count_w(node: Node, model: int, full_w: int | None, *, curtail: bool) -> Fraction:
    """Return what one count of the register is worth, W."""
    if model == 704 and not curtail and node.raw.get("WSet") is not None:
        name, worth_w = "WSet", Fraction(1)
    else:
        whole_w = int(node.value("WChaMax") or 0) if model == 124 else full_w or 0
        name = {124: "InWRte"}.get(model, "WMaxLimPct" if curtail or model == 123 else "WSetPct")
        worth_w = Fraction(whole_w, 100)
    return worth_w * Fraction(10) ** _scale(node, name)


def _percent(power_w: int, full_w: int | None) -> Fraction:
    if not full_w:
        raise InvalidValue("the device does not say what its percentages are of")
    return Fraction(100 * power_w, full_w)


def _capped(node: Node, power_w: int, full_w: int | None) -> int:
    """Return a cap as it is told: rounded down, so that no more goes out than may."""
    return floor(_percent(-power_w, full_w) / Fraction(10) ** _scale(node, "WMaxLimPct"))


def _scaled(node: Node, name: str, value: Fraction) -> int:
    """Return a power as it is told: rounded towards nothing, so that no limit is passed."""
    return int(value / Fraction(10) ** _scale(node, name))


def _scale(node: Node, name: str) -> int:
    point = next(point for point in node.group.points if point.name == name)
    scale = 0 if point.scale is None else node.raw.get(point.scale)
    if not isinstance(scale, int) or abs(scale) > LARGEST_SCALE:
        raise InvalidValue(f"{name} has a scale factor of -{LARGEST_SCALE} to {LARGEST_SCALE}, was {scale}")
    return scale


def _write(node: Node, *values: tuple[str, int]) -> Write:
    """Return neighbouring points as one write."""
    points = {point.name: point for point in node.group.points}
    start = offset_of(node.group, values[0][0])
    words: tuple[int, ...] = ()
    for name, value in values:
        if offset_of(node.group, name) != start + len(words):
            raise InvalidValue(f"{name} stands next to what is written before it")
        words += write_point(points[name], value)
    return start, words
