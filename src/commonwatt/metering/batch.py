"""A gateway's interval readings as packed records: signed once as a whole, and any single one still provable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from hashlib import sha256
from itertools import pairwise
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from commonwatt.model import SLOT_SECONDS, SLOTS_PER_DAY, AssetId, Interval, InvalidValue, Reading, instant

ITEM_BYTES = 48
MOST_ITEMS = 7 * SLOTS_PER_DAY
"""A week of one meter, or a day of seven: what one silent gateway tells at once, 32 KiB, each proof ten hashes.

More come as further batches, so that no single request holds up the one writer.
"""
MOST_WH = 10**9
LATEST_S = 32_503_680_000
"""The year 3000, as for every moment in a request."""
MINUTE_S = 60
DAY_S = 86_400
NO_LEVEL = -1
HASH_BYTES = 32

# Register before quality leaves no padding; the last eight bytes are random, so that a hash tells nothing.
_ITEM = Struct("<qIHBBqqqQ")
ITEM_DTYPE = np.dtype(
    [
        ("start_s", "<i8"),
        ("seconds", "<u4"),
        ("register", "<u2"),
        ("quality", "u1"),
        ("flags", "u1"),
        ("import_wh", "<i8"),
        ("export_wh", "<i8"),
        ("level_wh", "<i8"),
        ("blind", "<u8"),
    ]
)
"""The record as numpy sees it, little-endian and packed; `decode_items` is its twin."""


class Quality(IntEnum):
    """How a reading came to be."""

    MEASURED = 0
    ESTIMATED = 1
    SUBSTITUTED = 2
    """Put in by hand, by who answers for the meter."""

    @property
    def mints(self) -> bool:
        """Tell whether WATT may be minted on it: only on what a registered meter saw (row E2)."""
        return self is Quality.MEASURED

    def replaces(self, older: "Quality") -> bool:
        """Tell whether a reading of this quality may correct one of the other for the same interval.

        What was measured corrects everything, what was put in by hand corrects no measurement, a guess only a guess.
        """
        order = (Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.MEASURED)
        return order.index(self) >= order.index(older)


class Flag(IntFlag):
    """What else a gateway says of a reading, or'ed together."""

    NONE = 0
    CORRECTS = 1
    RESET = 2
    ROLLED_OVER = 4


_WORST = max(Quality)
_FLAG_BITS = int(Flag.CORRECTS | Flag.RESET | Flag.ROLLED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One reading of a batch, in 48 bytes.

    Args:
        start_s: First second inside, since 1970, UTC.
        seconds: Length: whole minutes, up to a day.
        register: Which asset behind this gateway, counted from 0 in the order of registration.
        import_wh: Energy from grid to asset, 0 to 10^9.
        export_wh: Energy from asset to grid, 0 to 10^9.
        level_wh: Stored energy at the end, for things that store.
        quality: How it came to be.
        flags: What else is said of it.
        blind: 64 random bits of the gateway's, so that nobody who is shown the record beside it can guess this one.

    Raises:
        InvalidValue: A field is outside its bounds.
    """

    start_s: int
    seconds: int = SLOT_SECONDS
    register: int
    import_wh: int
    export_wh: int
    level_wh: int | None = None
    quality: Quality = Quality.MEASURED
    flags: Flag = Flag.NONE
    blind: int = 0

    def __post_init__(self) -> None:
        if self.level_wh is not None and self.level_wh < 0:
            raise InvalidValue(f"a level is 0 Wh or more, was {self.level_wh}")
        if wrong := next(_wrongs(_fields(self)), None):
            raise InvalidValue(wrong)

    @property
    def settles(self) -> bool:
        """Tell whether settlement takes it as it is: a whole slot. Other lengths are kept and proven, not settled."""
        return self.seconds == SLOT_SECONDS and self.start_s % SLOT_SECONDS == 0

    def reading(self, asset: AssetId) -> Reading:
        """Return the reading that it tells of its asset."""
        return Reading(
            asset=asset,
            interval=Interval(instant(self.start_s), instant(self.start_s + self.seconds)),
            import_wh=self.import_wh,
            export_wh=self.export_wh,
            level_wh=self.level_wh,
        )


def encode_items(items: Sequence[Item]) -> bytes:
    """Return the records of a batch, 48 bytes each.

    Raises:
        InvalidValue: There are none or too many, they are out of order, or two of one register overlap.
    """
    data = b"".join(_ITEM.pack(*_fields(item)) for item in items)
    count_records(data, ITEM_BYTES)
    _check_order(items)
    return data


def decode_items(data: bytes) -> tuple[Item, ...]:
    """Read the records of a batch, one by one; there is one order and one encoding of what they say.

    Raises:
        InvalidValue: The bytes are no such batch; says which rule, which item and what was found.
    """
    count_records(data, ITEM_BYTES)
    items = list[Item]()
    for fields in _ITEM.iter_unpack(data):
        if wrong := next(_wrongs(fields), None):
            raise InvalidValue(f"item {len(items)}: {wrong}")
        start_s, seconds, register, quality, flags, import_wh, export_wh, level_wh, blind = fields
        items.append(
            Item(
                start_s=start_s,
                seconds=seconds,
                register=register,
                import_wh=import_wh,
                export_wh=export_wh,
                level_wh=None if level_wh == NO_LEVEL else level_wh,
                quality=Quality(quality),
                flags=Flag(flags),
                blind=blind,
            )
        )
    _check_order(items)
    return tuple(items)


def read_items(data: bytes) -> NDArray[np.void]:
    """Read the records of a batch as one array of `ITEM_DTYPE`, with the same checks; it shares the bytes' memory.

    Raises:
        InvalidValue: As `decode_items`, in the same words.
    """
    count_records(data, ITEM_BYTES)
    records = np.frombuffer(data, ITEM_DTYPE)
    if faulty(records).any():
        decode_items(data)  # finds the words
        raise AssertionError("the two readers of a batch disagree")
    return records


def faulty(records: NDArray[np.void], begins: Sequence[int] | NDArray[np.int64] = (0,)) -> NDArray[np.bool_]:
    """Tell which records break a rule, for many batches laid end to end in one array.

    What follows a broken record of the same batch may be told wrongly; a batch is good if none of its records is told.

    Args:
        records: n records of `ITEM_DTYPE`.
        begins: Where each batch begins; the order is checked inside batches, not across.

    Returns:
        n truth values.
    """
    start_s, seconds = records["start_s"], records["seconds"].astype(np.int64)
    wrong: NDArray[np.bool_] = (start_s < 0) | (start_s > LATEST_S - seconds)
    wrong |= (seconds % MINUTE_S != 0) | (seconds < MINUTE_S) | (seconds > DAY_S)
    wrong |= (records["quality"] > _WORST) | (records["flags"] > _FLAG_BITS)
    for name, least_wh in (("import_wh", 0), ("export_wh", 0), ("level_wh", NO_LEVEL)):
        wrong |= (records[name] < least_wh) | (records[name] > MOST_WH)
    if len(records):
        register = records["register"]
        unordered = np.zeros(len(records), np.bool_)
        # A sum of garbage may wrap around; its own record is told above, so the batch is refused all the same.
        unordered[1:] = (register[:-1] > register[1:]) | (
            (register[:-1] == register[1:]) & (start_s[:-1] + seconds[:-1] > start_s[1:])
        )
        unordered[np.asarray(begins)] = False
        wrong |= unordered
    return wrong


def batch_root(items: bytes) -> bytes:
    """Return the 32-byte Merkle root over the records of a batch.

    Raises:
        InvalidValue: The bytes are no whole records, none or too many.

    Source: RFC 6962 section 2.1; hashing as in the ledger's own tree, so that one verifier reads both.
    """
    return _levels(items)[-1][0]


def item_proof(items: bytes, index: int) -> list[bytes]:
    """Return the hashes that lead from one record to the root of its batch, lowest first, at most ten.

    Raises:
        InvalidValue: The bytes are no batch, or it has no such record.

    Source: PATH, RFC 6962 section 2.1.1.
    """
    levels = _levels(items)
    if not 0 <= index < len(levels[0]):
        raise InvalidValue(f"a batch of {len(levels[0])} items has the indices 0 to {len(levels[0]) - 1}, was {index}")
    places = ((level, (index >> height) ^ 1) for height, level in enumerate(levels[:-1]))
    return [level[place] for level, place in places if place < len(level)]


def verify_item(record: bytes, index: int, count: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a batch of so many items and this root holds this record at this index; never an error."""
    if len(record) != ITEM_BYTES or not 0 <= index < count <= MOST_ITEMS:
        return False
    climbed, left = _leaf_hash(record), list(proof)
    while count > 1:
        if index ^ 1 < count:  # else it is the last of an odd row, and rises as it is
            if not left or len(left[0]) != HASH_BYTES:
                return False
            sibling = left.pop(0)
            climbed = _node_hash(sibling, climbed) if index & 1 else _node_hash(climbed, sibling)
        index, count = index // 2, (count + 1) // 2
    return not left and climbed == root


def _levels(items: bytes) -> list[list[bytes]]:
    """Return all rows of the tree from the leaves up; an odd one at the end of a row rises as it is."""
    count_records(items, ITEM_BYTES)
    levels = [[_leaf_hash(items[at : at + ITEM_BYTES]) for at in range(0, len(items), ITEM_BYTES)]]
    while len(row := levels[-1]) > 1:
        paired = [_node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        levels.append(paired + row[len(paired) * 2 :])
    return levels


def _leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def count_records(data: bytes, each: int) -> int:
    """Return how many whole records some bytes are.

    Raises:
        InvalidValue: They are no whole records, none, or too many.
    """
    count, rest = divmod(len(data), each)
    if rest:
        raise InvalidValue(f"a batch is whole records of {each} bytes, was {len(data)} bytes")
    if not 1 <= count <= MOST_ITEMS:
        raise InvalidValue(f"a batch has 1 to {MOST_ITEMS} items, was {count}")
    return count


def _fields(item: Item) -> tuple[int, ...]:
    level_wh = NO_LEVEL if item.level_wh is None else item.level_wh
    head = (item.start_s, item.seconds, item.register, int(item.quality), int(item.flags))
    return (*head, item.import_wh, item.export_wh, level_wh, item.blind)


def _wrongs(fields: tuple[int, ...]) -> Iterator[str]:
    start_s, seconds, register, quality, flags, import_wh, export_wh, level_wh, blind = fields
    if not 0 <= start_s <= LATEST_S - seconds:
        yield f"an interval lies between the years 1970 and 3000, was {start_s} s and {seconds} s long"
    if seconds % MINUTE_S or not MINUTE_S <= seconds <= DAY_S:
        yield f"an interval is whole minutes long, up to a day, was {seconds} s"
    if not 0 <= register < 2**16:
        yield f"a register is counted from 0 to {2**16 - 1}, was {register}"
    if not 0 <= quality <= max(Quality):
        yield f"a quality is 0, 1 or 2, was {quality}"
    if not 0 <= flags <= _FLAG_BITS:
        yield f"flags are the bits 0, 1 and 2, was {flags}"
    for energy_wh, way in ((import_wh, "import"), (export_wh, "export")):
        if not 0 <= energy_wh <= MOST_WH:
            yield f"{way} is 0 to {MOST_WH} Wh, was {energy_wh}"
    if not NO_LEVEL <= level_wh <= MOST_WH:
        yield f"a level is 0 to {MOST_WH} Wh, or {NO_LEVEL} for none, was {level_wh}"
    if not 0 <= blind < 2**64:
        yield f"a blind has 64 bits, was {blind}"


def _check_order(items: Sequence[Item]) -> None:
    for index, (before, item) in enumerate(pairwise(items), 1):
        if (before.register, before.start_s) >= (item.register, item.start_s):
            raise InvalidValue(
                f"item {index}: items stand by register, then start, each once, "
                f"was register {item.register} at {item.start_s} s after {before.register} at {before.start_s} s"
            )
        if before.register == item.register and before.start_s + before.seconds > item.start_s:
            raise InvalidValue(
                f"item {index}: intervals of one register do not overlap, "
                f"was {item.start_s} s before the end at {before.start_s + before.seconds} s"
            )
