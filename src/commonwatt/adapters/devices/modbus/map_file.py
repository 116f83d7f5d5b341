"""What a register map says: where a device keeps what it measures, and how it is told a power; data, never code."""

import tomllib
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from commonwatt.model import InvalidValue

Address = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Kind = Literal["u16", "s16", "u32", "s32", "u64", "f32"]
Table = Literal["input", "holding"]
Meaning = Literal[
    "power_w",
    "line_w",
    "import_wh",
    "export_wh",
    "level_wh",
    "soc_percent",
    "frequency_hz",
    "indoor_c",
    "outdoor_c",
]
Variable = Literal["w", "minus_w", "abs_w", "line_w", "seconds"]
WIDTH: dict[str, int] = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "u64": 4, "f32": 2}
"""How many registers a value takes."""


class Bit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One bit of a register; bit 0 is the lowest."""

    address: Address
    bit: Annotated[int, msgspec.Meta(ge=0, le=15)]
    table: Table = "input"


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where something that is measured stands; registers of one meaning add up (three phases).

    Args:
        meaning: What it is, and in which unit it is told.
        address: As it goes over the wire, counted from 0.
        type: How it is written.
        table: Read by function 4 (input) or 3 (holding).
        scale: The unit's worth of one count, as decimal text; negative where the device counts the other way round.
        absent: Raw values that mean that the device does not measure this.
        negative_when: The value is a magnitude, and flows outwards while this bit is set.
    """

    meaning: Meaning
    address: Address
    type: Kind
    table: Table = "input"
    scale: str = "1"
    absent: tuple[int, ...] = ()
    negative_when: Bit | None = None

    def __post_init__(self) -> None:
        fraction(self.scale)


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value to write: a constant, or a variable over a scale.

    Args:
        type: How it is written.
        const: The number itself.
        of: ``w`` (import positive), ``minus_w``, ``abs_w``, ``line_w`` (what the connection point shall exchange) or
            ``seconds`` (how long to hold it).
        scale: The variable's worth of one count, as decimal text.
        zero_as: What is written where nothing would mean something else to the device.
    """

    type: Kind = "u16"
    const: int | None = None
    of: Variable | None = None
    scale: str = "1"
    zero_as: int = 0

    def __post_init__(self) -> None:
        if (self.const is None) == (self.of is None):
            raise InvalidValue(f"a word is either const or of something, was {self}")
        if fraction(self.scale) <= 0:
            raise InvalidValue(f"a written value's scale is above zero, was {self.scale}")


class Write(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One write: neighbouring registers at once by function 16, or one by function 6 where the device wants that."""

    address: Address
    words: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1)]
    single: bool = False
    when: Literal["charge", "discharge", "rest"] | None = None

    def __post_init__(self) -> None:
        if self.single and sum(WIDTH[word.type] for word in self.words) != 1:
            raise InvalidValue(f"a single write is one register, was {self.words} at {self.address}")


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the device is told a power.

    Args:
        hold: What is written, in this order, to hold a power for some seconds.
        release: What is written to let it go to its safe default.
        lease_s: The longest that it holds a power without hearing more. Only a device that is told its seconds has one:
            what has no timer of its own says nothing here, and is used only by an owner who accepts that.
        step_w: Its power is a multiple of this.
    """

    hold: Annotated[tuple[Write, ...], msgspec.Meta(min_length=1)]
    release: Annotated[tuple[Write, ...], msgspec.Meta(min_length=1)]
    lease_s: Annotated[int, msgspec.Meta(ge=1)] | None = None
    step_w: Annotated[int, msgspec.Meta(ge=1)] = 1

    def __post_init__(self) -> None:
        told = any(word.of == "seconds" for write in self.hold for word in write.words)
        if told != (self.lease_s is not None):
            raise InvalidValue(
                f"a device has a lease if it is told its seconds, and only then: lease_s was {self.lease_s}, "
                f"and its writes name {'its' if told else 'no'} seconds"
            )
        if any(word.of is not None for write in self.release for word in write.words):
            raise InvalidValue("a release is made of constants")

    @property
    def balances(self) -> bool:
        """Tell whether the device holds its connection point by itself."""
        return any(word.of == "line_w" for write in self.hold for word in write.words)


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a nameplate: a text of so many registers, two letters each, or a number.

    Args:
        address: As it goes over the wire, counted from 0.
        words: How many registers a text takes.
        type: How a number is written.
        table: Read by function 4 (input) or 3 (holding).
        before: What stands before it, like ``.`` before the second part of a version.
    """

    address: Address
    words: Annotated[int, msgspec.Meta(ge=1, le=32)] | None = None
    type: Kind | None = None
    table: Table = "input"
    before: str = ""

    def __post_init__(self) -> None:
        if (self.words is None) == (self.type is None):
            raise InvalidValue(f"a part of a nameplate is either a text of words or a number of a type, was {self}")


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a device keeps its nameplate; ``make`` is the map's own, the other three are parts put together."""

    make: str = ""
    model: tuple[Said, ...] = ()
    serial: tuple[Said, ...] = ()
    firmware: tuple[Said, ...] = ()


class RegisterMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device as registers.

    Args:
        title: Its make and series.
        source: Where its registers are documented.
        register: What it measures.
        unit: Its usual unit id.
        word_order: Whether the high or the low word of a long value comes first.
        most: The most registers that one read may ask for.
        gap: How many registers that nobody wants may be read along to save a read.
        borders: Addresses that no read may run across: it ends before them or begins there.
        control: How it is told a power; nothing for a meter.
        nameplate: Where it says who it is; without, it is asked by function 43/14.
    """

    title: str
    source: str
    register: Annotated[tuple[Register, ...], msgspec.Meta(min_length=1)]
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    word_order: Literal["high", "low"] = "high"
    most: Annotated[int, msgspec.Meta(ge=4, le=125)] = 100
    gap: Annotated[int, msgspec.Meta(ge=0, le=100)] = 16
    borders: tuple[Address, ...] = ()
    control: Control | None = None
    nameplate: Label | None = None

    def __post_init__(self) -> None:
        if self.control is not None and self.control.balances and not self.means("line_w"):
            raise InvalidValue(f"{self.title}: what holds a line tells what its line exchanges")

    def means(self, meaning: Meaning) -> bool:
        """Tell whether it measures something."""
        return any(register.meaning == meaning for register in self.register)


def read_map(text: str, name: str) -> RegisterMap:
    """Return a map from its TOML.

    Raises:
        InvalidValue: It is no TOML, or says something that no map says; with its name and the place in it.
    """
    try:
        return msgspec.convert(tomllib.loads(text), RegisterMap)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, InvalidValue) as error:
        raise InvalidValue(f"register map {name}: {error}") from error


def find_map(name: str) -> RegisterMap:
    """Return one of the maps that we bring, or the owner's own where the name is the path of a ``.toml``.

    Raises:
        InvalidValue: There is none, or it is no map.
    """
    if name.endswith(".toml"):
        try:
            return read_map(Path(name).read_text(encoding="utf-8"), name)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidValue(f"register map {name} cannot be read: {error}") from error
    known = map_names()
    if name not in known:
        raise InvalidValue(f"a register map is the path of a .toml or one of {', '.join(known)}, was {name!r}")
    return read_map(map_text(name), name)


def map_names() -> list[str]:
    """Return the names of the maps that we bring."""
    return sorted(path.name.removesuffix(".toml") for path in (files(__package__) / "maps").iterdir())


def map_text(name: str) -> str:
    """Return the TOML of a map that we bring."""
    return (files(__package__) / "maps" / f"{name}.toml").read_text(encoding="utf-8")


@cache
def fraction(text: str) -> Fraction:
    """Return a decimal text as an exact number.

    Raises:
        InvalidValue: It is none, or zero.
    """
    try:
        value = Fraction(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise InvalidValue(f"a scale is a decimal number, was {text!r}") from error
    if not value:
        raise InvalidValue("a scale is not zero")
    return value
