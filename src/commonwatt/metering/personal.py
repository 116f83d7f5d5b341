"""What a gateway measures and only its owner shows: temperatures and position, beside the readings of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct

from commonwatt.metering.batch import count_records
from commonwatt.model import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalItem:
    """What a gateway also measures and only its owner shows (row H9); the same place in order as its `Item`.

    Temperatures in tenths of a degree Celsius, -100 to 100 degrees; position in 1e-7 degrees, whole or not at all.

    Raises:
        InvalidValue: A value is outside its bounds, or one half of a position is missing.
    """

    indoor_decicelsius: int | None = None
    outdoor_decicelsius: int | None = None
    latitude_e7_deg: int | None = None
    longitude_e7_deg: int | None = None

    def __post_init__(self) -> None:
        for name, most in zip(self.__slots__, _PERSONAL_MOST, strict=True):
            value = getattr(self, name)
            if value is not None and not -most <= value <= most:
                raise InvalidValue(f"{name} is between {-most} and {most}, was {value}")
        if (self.latitude_e7_deg is None) != (self.longitude_e7_deg is None):
            raise InvalidValue(f"a position has latitude and longitude, was {self}")


PERSONAL_BYTES = 16
SALT_BYTES = 32
_PERSONAL = Struct("<hhiiI")
_PERSONAL_MOST = (1000, 1000, 900_000_000, 1_800_000_000)
_PERSONAL_NONE = (-(2**15), -(2**15), -(2**31), -(2**31))


def encode_personal(items: Sequence[PersonalItem], salt: bytes) -> bytes:
    """Return the personal part of a batch: its salt, then 16 bytes for each item.

    Raises:
        InvalidValue: There are none or too many, or the salt has not 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise InvalidValue(f"a salt has {SALT_BYTES} bytes, was {len(salt)}")
    packed = b"".join(_PERSONAL.pack(*_told(item), 0) for item in items)
    count_records(packed, PERSONAL_BYTES)
    return salt + packed


def decode_personal(data: bytes, count: int) -> tuple[PersonalItem, ...]:
    """Read the personal part of a batch of so many items.

    Raises:
        InvalidValue: The bytes are no such part; says which rule, which item and what was found.
    """
    found = count_records(data[SALT_BYTES:], PERSONAL_BYTES)
    if found != count:
        raise InvalidValue(f"a personal part tells as many items as its batch, {count}, was {found}")
    items = list[PersonalItem]()
    for index, (*fields, reserved) in enumerate(_PERSONAL.iter_unpack(data[SALT_BYTES:])):
        values = [None if value == none else value for value, none in zip(fields, _PERSONAL_NONE, strict=True)]
        if reserved:
            raise InvalidValue(f"item {index}: reserved bytes are zero, was {reserved}")
        try:
            items.append(PersonalItem(**dict(zip(PersonalItem.__slots__, values, strict=True))))
        except InvalidValue as error:
            raise InvalidValue(f"item {index}: {error}") from error
    return tuple(items)


def personal_hash(data: bytes) -> bytes:
    """Return what a batch's signed head says of its personal part; empty where there is none.

    The salt stands first and keeps anyone from guessing temperatures until one fits; once the part is erased, what
    stays in the log tells nothing.
    """
    return sha256(data).digest() if data else b""


def _told(item: PersonalItem) -> list[int]:
    values = (getattr(item, name) for name in item.__slots__)
    return [none if value is None else value for value, none in zip(values, _PERSONAL_NONE, strict=True)]
