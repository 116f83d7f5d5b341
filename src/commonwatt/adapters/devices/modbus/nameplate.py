"""Who a Modbus device says that it is: by the registers of its map, or by function 43/14 (device identification)."""

import struct
from collections.abc import Mapping, Sequence

from commonwatt.adapters.devices.modbus.map_file import WIDTH, RegisterMap, Said
from commonwatt.adapters.devices.modbus.translate import Block, Words, number_of
from commonwatt.model import InvalidValue, Nameplate

VENDOR, CODE, REVISION, PRODUCT, MODEL = 0, 1, 2, 4, 5
"""Objects of function 43/14 (MODBUS Application Protocol V1.1b3, 6.21); there is none for a serial number."""


def named(objects: Mapping[int, bytes]) -> Nameplate:
    """Return the nameplate in an answer to function 43/14; a model's name is clearer than a product's code."""
    told = {number: text(said) for number, said in objects.items()}
    model = told.get(MODEL) or told.get(PRODUCT) or told.get(CODE, "")
    return Nameplate(make=told.get(VENDOR, ""), model=model, firmware=told.get(REVISION, ""))


def label_blocks(registers: RegisterMap) -> list[Block]:
    """Return the reads that bring the nameplate of a map: one for each part, for what lies between may be refused."""
    label = registers.nameplate
    parts = () if label is None else (*label.model, *label.serial, *label.firmware)
    return [Block(part.table, part.address, _width(part)) for part in parts]


def label_of(registers: RegisterMap, words: Words) -> Nameplate:
    """Return what the nameplate's registers say.

    Args:
        registers: The map.
        words: All that `label_blocks` brought.
    """
    label = registers.nameplate
    if label is None:
        return Nameplate()
    order = registers.word_order
    return Nameplate(
        make=label.make,
        model=_joined(label.model, words, order),
        serial=_joined(label.serial, words, order),
        firmware=_joined(label.firmware, words, order),
    )


def text(said: bytes) -> str:
    """Return what a device wrote, without what no reader could see."""
    whole = said.split(b"\0")[0].decode("utf-8", "replace")
    return "".join(letter for letter in whole if letter.isprintable()).strip()


def names(said: bytes) -> Nameplate:
    """Return the nameplate in an answer to function 43/14, as it came over the wire.

    Raises:
        InvalidValue: It ends too early.
    """
    found, at = dict[int, bytes](), 7
    try:
        for _ in range(said[6]):
            number, length = said[at], said[at + 1]
            found[number] = said[at + 2 : at + 2 + length]
            at += 2 + length
    except IndexError as error:
        raise InvalidValue(f"a device's names end too early, was {said.hex()}") from error
    return named(found)


def _joined(parts: Sequence[Said], words: Words, order: str) -> str:
    told = [part.before + _said(part, words, order) for part in parts]
    return "".join(told) if any(told) else ""


def _said(part: Said, words: Words, order: str) -> str:
    span = [words[part.table, part.address + n] for n in range(_width(part))]
    if part.type is None:
        return text(struct.pack(f">{len(span)}H", *span))
    number = number_of(part.type, span, order)
    return str(number) if number.denominator == 1 else f"{float(number):g}"


def _width(part: Said) -> int:
    return part.words or WIDTH[part.type or "u16"]
