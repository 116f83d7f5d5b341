"""Name a log's tiles and entry bundles as C2SP tlog-tiles serves them, and write and read bundles."""

import re
from collections.abc import Sequence

from commonwatt.model import Corrupt, InvalidValue

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MOST_LEAVES = 2**63
"""No log has so many."""
_MOST_LEVEL = 63
_LENGTH_BYTES = 2
_MOST_ENTRY_BYTES = 2 ** (8 * _LENGTH_BYTES) - 1
_PLACE = r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
_TILE = re.compile(f"tile/(0|[1-9][0-9]?)/{_PLACE}")
_ENTRIES = re.compile(f"tile/entries/{_PLACE}")


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return where a tile is served: ``tile/0/x001/x234/067``, with ``.p/17`` behind it if it has 17 of 256 hashes.

    Raises:
        InvalidValue: No log below 2^63 leaves has such a tile.

    Source: C2SP tlog-tiles, https://c2sp.org/tlog-tiles.
    """
    if not 0 <= level <= _MOST_LEVEL:
        raise InvalidValue(f"a tile's level is 0 to {_MOST_LEVEL}, was {level}")
    return f"tile/{level}/{_place(level, index, width)}"


def parse_tile_path(path: str) -> tuple[int, int, int]:
    """Return level, index and width of a tile from the one path that `tile_path` writes for it.

    Raises:
        InvalidValue: It is no such path.
    """
    found = _TILE.fullmatch(path)
    if found:
        level, index, width = int(found[1]), _index(found[2]), int(found[3] or TILE_WIDTH)
        if tile_path(level, index, width) == path:
            return level, index, width
    raise InvalidValue(f"a tile's path reads like tile/0/x001/x234/067.p/17, was {path[:99]!r}")


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return where an entry bundle is served: ``tile/entries/x001/x234/067``, with ``.p/17`` behind it as in tiles.

    Raises:
        InvalidValue: No log below 2^63 leaves has such a bundle.
    """
    return f"tile/entries/{_place(0, index, width)}"


def parse_entries_path(path: str) -> tuple[int, int]:
    """Return index and width of an entry bundle from the one path that `entries_path` writes for it.

    Raises:
        InvalidValue: It is no such path.
    """
    found = _ENTRIES.fullmatch(path)
    if found:
        index, width = _index(found[1]), int(found[2] or TILE_WIDTH)
        if entries_path(index, width) == path:
            return index, width
    raise InvalidValue(f"a bundle's path reads like tile/entries/x001/x234/067.p/17, was {path[:99]!r}")


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return entries as they are served: one after another, each behind its length in two bytes, the higher first.

    Args:
        entries: 1 to 256 entries, each the data of one leaf, 65,535 bytes at most.

    Raises:
        InvalidValue: There are more or none, or one is longer.

    Source: C2SP tlog-tiles, https://c2sp.org/tlog-tiles.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise InvalidValue(f"a bundle has 1 to {TILE_WIDTH} entries, was {len(entries)}")
    longest = max(map(len, entries))
    if longest > _MOST_ENTRY_BYTES:
        raise InvalidValue(f"an entry has {_MOST_ENTRY_BYTES} bytes at most, was {longest}")
    return b"".join([len(entry).to_bytes(_LENGTH_BYTES) + entry for entry in entries])


def split_bundle(content: bytes) -> list[bytes]:
    """Return the entries of a bundle; there is one bundle for each list of entries.

    Raises:
        Corrupt: The last entry is cut off, or there are more than 256 or none.
    """
    entries, at = list[bytes](), 0
    while at < len(content) and len(entries) <= TILE_WIDTH:
        end = at + _LENGTH_BYTES + int.from_bytes(content[at : at + _LENGTH_BYTES])
        entries.append(content[at + _LENGTH_BYTES : end])
        at = end
    if at != len(content) or not 1 <= len(entries) <= TILE_WIDTH:
        cut = f"entry {len(entries) - 1} is cut off" if at > len(content) else f"was {len(content)} bytes"
        raise Corrupt(f"a bundle has 1 to {TILE_WIDTH} whole entries, {cut}")
    return entries


def _place(level: int, index: int, width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise InvalidValue(f"a tile is 1 to {TILE_WIDTH} wide, was {width}")
    if index < 0 or index << TILE_HEIGHT * (level + 1) >= MOST_LEAVES:
        raise InvalidValue(f"no log below 2^63 leaves has a tile {index} on level {level}")
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    part = "" if width == TILE_WIDTH else f".p/{width}"
    return "".join(f"x{group}/" for group in groups[:-1]) + groups[-1] + part


def _index(place: str) -> int:
    return int(place.replace("x", "").replace("/", ""))
