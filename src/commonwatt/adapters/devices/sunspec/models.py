"""SunSpec models: the official definitions, and what registers say by them, whatever the model."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib.resources import files
from math import isnan
from typing import Any

from commonwatt.adapters.devices.modbus.translate import written
from commonwatt.model import InvalidValue

HEADER = 2
"""Every model begins with its number and the count of registers that follow."""
FORMATS = {
    **dict.fromkeys(("int16", "sunssf"), ">h"),
    **dict.fromkeys(("uint16", "acc16", "enum16", "bitfield16", "raw16", "count", "pad"), ">H"),
    "int32": ">i",
    **dict.fromkeys(("uint32", "acc32", "enum32", "bitfield32", "ipaddr"), ">I"),
    "int64": ">q",
    **dict.fromkeys(("uint64", "acc64"), ">Q"),
    "float32": ">f",
    "float64": ">d",
}
NOT_IMPLEMENTED = {
    **dict.fromkeys(("int16", "sunssf"), -0x8000),
    **dict.fromkeys(("uint16", "enum16", "bitfield16", "raw16", "count"), 0xFFFF),
    "int32": -0x80000000,
    **dict.fromkeys(("uint32", "enum32", "bitfield32"), 0xFFFFFFFF),
    "int64": -0x8000000000000000,
    "uint64": 0xFFFFFFFFFFFFFFFF,
    **dict.fromkeys(("acc16", "acc32", "acc64", "ipaddr"), 0),
}
"""What a device writes where it has nothing to say (SunSpec Device Information Model Specification, 4.2)."""
LARGEST_SCALE = 10
Raw = int | float | str | None


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a model: its width in registers, and the name of its scale factor."""

    name: str
    type: str
    size: int
    scale: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Points that stand together, then the groups within; ``count`` repeats it: a number, a point, 0 to the end."""

    name: str
    points: tuple[Point, ...]
    groups: tuple["Group", ...] = ()
    count: int | str = 1

    @property
    def size(self) -> int:
        """Return how many registers its own points take."""
        return sum(point.size for point in self.points)


@dataclass(slots=True)
class Node:
    """A group as a device fills it: raw values by name, and the groups within."""

    group: Group
    raw: dict[str, Raw] = field(default_factory=dict)
    groups: dict[str, list["Node"]] = field(default_factory=dict)
    above: "Node | None" = None

    def value(self, name: str) -> Fraction | None:
        """Return a number with its scale factor; None where the device has none, or no scale factor for it.

        Raises:
            InvalidValue: The scale factor is none that there is.
        """
        raw = self.raw.get(name)
        if raw is None or isinstance(raw, str):
            return None
        if isinstance(raw, float):
            return written(raw)
        point = next(point for point in self.group.points if point.name == name)
        if point.scale is None:
            return Fraction(raw)
        scale = self._scale(point.scale)
        return None if scale is None else Fraction(raw) * Fraction(10) ** scale

    def _scale(self, name: str) -> int | None:
        node: Node | None = self
        while node is not None:
            if name in node.raw:
                scale = node.raw[name]
                if scale is not None and (not isinstance(scale, int) or abs(scale) > LARGEST_SCALE):
                    raise InvalidValue(f"{name} is -{LARGEST_SCALE} to {LARGEST_SCALE}, was {scale}")
                return scale
            node = node.above
        return None


@cache
def definition(model: int) -> Group | None:
    """Return an official model's outermost group, its header included; None for a model that we do not use."""
    path = files(__package__) / "models" / f"model_{model}.json"
    return _group(json.loads(path.read_text(encoding="utf-8"))["group"]) if path.is_file() else None


def _group(told: Mapping[str, Any]) -> Group:
    points = tuple(
        Point(point["name"], point["type"], point["size"], point.get("sf")) for point in told.get("points", [])
    )
    return Group(told["name"], points, tuple(map(_group, told.get("groups", []))), told.get("count", 1))


def decode(group: Group, words: Sequence[int]) -> Node:
    """Return what a model's registers say, header first.

    Lengths other than the definition's are taken as they are: what is missing at the end says nothing, what is more is
    left alone, and repeating groups are as many as there is room for whole ones.

    Raises:
        InvalidValue: A text is none.
    """
    node, _ = _filled(group, words, 0, None)
    return node


def _filled(group: Group, words: Sequence[int], at: int, above: Node | None) -> tuple[Node, int]:
    node = Node(group, above=above)
    for point in group.points:
        end = at + point.size
        if end <= len(words) and point.type != "pad":
            node.raw[point.name] = read_point(point, words[at:end])
        at = end
    for inner in group.groups:
        node.groups[inner.name] = []
        left = _times(inner, node)
        while left != 0 and (left > 0 or at + inner.size <= len(words)):
            if at + inner.size > len(words) and inner.count != 1:
                break
            child, at = _filled(inner, words, at, node)
            node.groups[inner.name].append(child)
            left -= 1
    return node, at


def _times(group: Group, node: Node) -> int:
    """Return how often a group comes; -1 for as often as there is room."""
    if isinstance(group.count, int):
        return group.count or -1
    above: Node | None = node
    while above is not None:
        if group.count in above.raw:
            count = above.raw[group.count]
            return count if isinstance(count, int) else 0
        above = above.above
    return 0


def read_point(point: Point, words: Sequence[int]) -> Raw:
    """Return a point's raw value, None where the device has nothing to say.

    Raises:
        InvalidValue: A text is none.
    """
    data = struct.pack(f">{len(words)}H", *words)
    if point.type not in FORMATS:  # string, eui48, ipv6addr
        if point.type != "string":
            return data.hex() if any(data) else None
        try:
            return data.rstrip(b"\0 ").split(b"\0")[0].decode("utf-8") or None
        except UnicodeDecodeError as error:
            raise InvalidValue(f"{point.name} is a text, was {data.hex()}") from error
    (value,) = struct.unpack(FORMATS[point.type], data)
    if isinstance(value, float):
        return None if isnan(value) else value
    return None if value == NOT_IMPLEMENTED.get(point.type) else int(value)


def write_point(point: Point, value: int) -> tuple[int, ...]:
    """Return a raw value as registers.

    Raises:
        InvalidValue: It does not fit.
    """
    try:
        data = struct.pack(FORMATS[point.type], value)
    except struct.error as error:
        raise InvalidValue(f"{point.name} is a {point.type}, was {value}") from error
    return struct.unpack(f">{point.size}H", data)


def offset_of(group: Group, name: str) -> int:
    """Return where a point of the outermost group begins, the header included."""
    at = 0
    for point in group.points:
        if point.name == name:
            return at
        at += point.size
    raise InvalidValue(f"{group.name} has no point {name}")


def span_of(group: Group, length: int, names: Sequence[str]) -> int:
    """Return how many registers from the header on bring these points and their scale factors, on a point's end.

    Args:
        group: The model.
        length: What the device says follows its header; nothing is read beyond.
        names: Points of the outermost group.
    """
    wanted = {*names, *(point.scale for point in group.points if point.name in names)}
    at, end = 0, HEADER
    for point in group.points:
        at += point.size
        if point.name in wanted and at <= HEADER + length:
            end = at
    return max(HEADER, end)


def pieces_of(group: Group, length: int, most: int) -> list[tuple[int, int]]:
    """Return the reads that bring a whole model: from which register on and how many, each ending with a point.

    A repeating group's points end where they would if it came over and over.
    """
    whole = HEADER + length
    ends, at = set[int](), 0
    for size in _sizes(group):
        at += size
        if at > whole:
            break
        ends.add(at)
    ends.add(whole)
    repeated = [point.size for inner in group.groups for point in _flat(inner)]
    while repeated and at < whole:
        for size in repeated:
            at += size
            if at <= whole:
                ends.add(at)
    pieces, start = [], 0
    while start < whole:
        end = max((one for one in ends if start < one <= start + most), default=min(start + most, whole))
        pieces.append((start, end - start))
        start = end
    return pieces


def _sizes(group: Group) -> list[int]:
    return [point.size for point in _flat(group)]


def _flat(group: Group) -> list[Point]:
    return [*group.points, *(point for inner in group.groups for point in _flat(inner))]
