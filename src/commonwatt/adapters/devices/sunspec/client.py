"""Finds a device's SunSpec models, and reads and writes them over a Modbus connection."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from commonwatt.adapters.devices.modbus.client import Link
from commonwatt.adapters.devices.modbus.translate import Block, Told
from commonwatt.adapters.devices.sunspec.models import HEADER, Group, Node, decode, definition, pieces_of, span_of
from commonwatt.model import InvalidValue, Unreachable

BASES = (40_000, 50_000, 0)
"""Where a map may begin (SunSpec Device Information Model Specification, 6.1)."""
SUNS = (0x5375, 0x6E53)
END = 0xFFFF
MOST_READ = 125
MOST_MODELS = 100
"""No device has more; what goes on beyond has no end."""


@dataclass(slots=True)
class Found:
    """Where a device keeps its models, each in the order found: first register and length, header not counted."""

    unit: int
    models: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def has(self, model: int) -> bool:
        """Tell whether the device has a model, and we its definition."""
        return model in self.models and definition(model) is not None


async def scan(link: Link, units: Sequence[int], bases: Sequence[int] = BASES) -> Found:
    """Return a device's models.

    Raises:
        Unreachable: Nobody answered.
        InvalidValue: Somebody did, and it is no SunSpec device.
    """
    silent: Unreachable | None = None
    for unit in units:
        for base in bases:
            try:
                if await _words(link, unit, base, 2) == SUNS:
                    return await _walk(link, unit, base + 2)
            except InvalidValue:
                continue  # a server without registers there refuses
            except Unreachable as error:
                silent = error
                break  # nor will this unit answer at another address
    if silent is not None:
        raise silent
    raise InvalidValue(f"no SunSpec map at {', '.join(map(str, bases))} of unit {', '.join(map(str, units))} at {link}")


async def _walk(link: Link, unit: int, at: int) -> Found:
    found = Found(unit)
    for _ in range(MOST_MODELS):
        if at + HEADER > 65_536:
            break
        try:
            model, length = await _words(link, unit, at, HEADER)
        except InvalidValue:
            # Some maps end without an end: the registers behind the last model are refused.
            if found.models:
                break
            raise
        if model == END:
            break
        found.models.setdefault(model, []).append((at, length))
        at += HEADER + length
    return found


async def read_models(link: Link, found: Found, wanted: Sequence[tuple[int, Sequence[str]]]) -> dict[int, Node]:
    """Return models, each read in one go, or in as few reads as it takes where all of it is wanted.

    Args:
        link: The connection.
        found: What a scan brought.
        wanted: Models, each with the points that are wanted of it; without points all of it.

    Raises:
        Unreachable: No answer in time.
        InvalidValue: A model is not any more where it was, so that the device has to be scanned anew.
    """
    blocks: list[Block] = []
    groups: dict[int, tuple[Group, int, int]] = {}
    for model, names in wanted:
        group = definition(model)
        assert group is not None
        at, length = found.models[model][0]
        whole = span_of(group, length, names) if names else HEADER + length
        pieces = [(0, whole)] if whole <= MOST_READ else pieces_of(group, whole - HEADER, MOST_READ)
        blocks += [Block("holding", at + start, count) for start, count in pieces]
        groups[model] = (group, at, whole)
    words = await link.read(found.unit, blocks)
    nodes = {}
    for model, (group, at, whole) in groups.items():
        span = [words["holding", at + n] for n in range(whole)]
        if tuple(span[:HEADER]) != (model, found.models[model][0][1]):
            raise InvalidValue(f"model {model} of {link} stands at {at} no more, found {span[0]} of length {span[1]}")
        nodes[model] = decode(group, span)
    return nodes


async def write_points(link: Link, unit: int, writes: Sequence[tuple[int, tuple[int, ...]]]) -> None:
    """Write registers from an address on, one write after another.

    Raises:
        Unreachable: No answer; some of them may have been written.
        InvalidValue: The device refuses.
    """
    await link.write(unit, [Told(address, words) for address, words in writes])


async def _words(link: Link, unit: int, address: int, count: int) -> tuple[int, ...]:
    words = await link.read(unit, [Block("holding", address, count)])
    return tuple(words["holding", address + n] for n in range(count))
