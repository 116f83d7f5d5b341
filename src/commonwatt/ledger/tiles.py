"""Keep a log's Merkle tree as C2SP tiles, and take roots and proofs from a few of them alone."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels.sha256 import leaf_hashes, node_hashes
from commonwatt.ledger.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash, node_hash
from commonwatt.ledger.tile_format import MOST_LEAVES, TILE_HEIGHT, TILE_WIDTH, entries_path, split_bundle, tile_path
from commonwatt.model import Corrupt, InvalidValue

_TILE_BYTES = TILE_WIDTH * HASH_BYTES

Hashes = NDArray[np.uint8]
"""(n, 32) bytes."""
ReadTile = Callable[[int, int, int], bytes]
"""Takes level, index and width; gives at least so many hashes of that tile, a later and fuller tile will do, and fewer
(or no bytes) where it has no more."""
ReadBundle = Callable[[int, int], bytes]
"""Takes index and width; gives an entry bundle of at least so many entries, or no bytes where it has none."""


def inclusion_proof(index: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """Return the audit path of one leaf in the tree of the first ``size`` leaves, lowest hash first.

    Reads at most two tiles a level. A hash that is wrong in its tile makes a proof that does not verify; `check_tiles`
    says which.

    Raises:
        InvalidValue: No log has that size, or had no such leaf at that size.
        Corrupt: A tile is missing or short.

    Source: C2SP tlog-tiles, https://c2sp.org/tlog-tiles; RFC 9162 section 2.1.3, climbed as its verifier does.
    """
    tree = _Tree(size, read_tile)
    if not 0 <= index < size:
        raise InvalidValue(f"a tree of {size} leaves has the indices 0 to {size - 1}, was {index}")
    return tree.siblings(0, index)


def consistency_proof(old_size: int, new_size: int, read_tile: ReadTile) -> list[bytes]:
    """Return the hashes which show that the first ``old_size`` leaves are the start of the first ``new_size``.

    Empty where there is nothing to show: for equal sizes, and for an old size of zero. Reads at most two tiles a level.

    Raises:
        InvalidValue: No log has the new size, or the old size is below zero or above the new one.
        Corrupt: A tile is missing or short.

    Source: RFC 9162 section 2.1.4, climbed as its verifier does.
    """
    tree = _Tree(new_size, read_tile)
    if not 0 <= old_size <= new_size:
        raise InvalidValue(f"a tree of {new_size} leaves grew from 0 to {new_size}, was asked from {old_size}")
    if old_size in (0, new_size):
        return []
    height, node = 0, old_size - 1
    while node % 2:
        height, node = height + 1, node // 2
    # An old tree that is one complete subtree is its own first hash; the proof leaves it out.
    return [tree.node(height, node)] * (node > 0) + tree.siblings(height, node)


def root(size: int, read_tile: ReadTile) -> bytes:
    """Return the 32-byte root of the first ``size`` leaves, from one tile a level.

    Raises:
        InvalidValue: No log has that size.
        Corrupt: A tile is missing or short.
    """
    return _Tree(size, read_tile).edge(0)


class Frontier:
    """The growing edge of a log's tree: takes leaves, knows the root, and hands out the tiles that changed.

    Keeps the unfinished tile of each level, one hash for each bit of the size, and the tiles that nobody took yet.
    Who took tiles and could not store them throws the frontier away and goes on from `Frontier.stored`.
    """

    def __init__(self) -> None:
        self._size = 0
        self._taken_size = 0
        self._peaks: list[Hashes] = []  # roots of the complete subtrees, each (1, 32), widest first
        self._edges: list[bytearray] = []
        self._full: dict[tuple[int, int], bytes] = {}

    @classmethod
    def stored(cls, size: int, read_tile: ReadTile) -> "Frontier":
        """Return the frontier of a stored log, from its unfinished tiles alone; ``root()`` tells whether it is right.

        Raises:
            InvalidValue: No log has that size.
            Corrupt: A tile is missing or short.
        """
        tree, frontier = _Tree(size, read_tile), cls()
        frontier._size = frontier._taken_size = size
        frontier._peaks = [_rows(peak) for peak in tree.peaks(0)][::-1]
        for level in range(tree.levels):
            unfinished = tree.width(level, tree.full_tiles(level))
            frontier._edges.append(bytearray(tree.tile(level, tree.full_tiles(level)) if unfinished else b""))
        return frontier

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> int:
        """Add one leaf at the end and return its index, from 0."""
        self.extend(_rows(leaf_hash(data)))
        return self._size - 1

    def extend(self, hashes: Hashes) -> None:
        """Add leaves at the end.

        Args:
            hashes: Their leaf hashes, not their data; (n, 32) bytes, n zero or more.

        Raises:
            InvalidValue: The array has another shape or type; nothing is added.
        """
        if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] != HASH_BYTES:
            raise InvalidValue(f"leaf hashes are (n, {HASH_BYTES}) bytes, was {hashes.shape} {hashes.dtype}")
        row, height, peaks = hashes, 0, list[Hashes]()
        while len(row):
            if height % TILE_HEIGHT == 0:
                self._widen(height // TILE_HEIGHT, row)
            if self._size >> height & 1:
                row = np.concatenate([self._peaks.pop(), row])
            if len(row) % 2:
                peaks.append(row[-1:].copy())
            row, height = _parents(row), height + 1
        self._peaks += reversed(peaks)
        self._size += len(hashes)

    def root(self) -> bytes:
        """Return the 32-byte root of all leaves so far."""
        return _fold(peak.tobytes() for peak in reversed(self._peaks))

    def take(self) -> dict[tuple[int, int], bytes]:
        """Return the tiles that changed since they were last taken, to be stored over what is there.

        Returns:
            The hashes of each tile, 32 bytes each, by level and index: tiles that became full, this once, and the
            unfinished tile of each level that grew.
        """
        changed, self._full = self._full, {}
        for level, edge in enumerate(self._edges):
            count = self._size >> TILE_HEIGHT * level
            if edge and count != self._taken_size >> TILE_HEIGHT * level:
                changed[level, count // TILE_WIDTH] = bytes(edge)
        self._taken_size = self._size
        return changed

    def _widen(self, level: int, row: Hashes) -> None:
        """Put the new hashes of a level into its tiles; called before the size grows."""
        if level == len(self._edges):
            self._edges.append(bytearray())
        edge, first = self._edges[level], self._size >> TILE_HEIGHT * (level + 1)
        edge += row.tobytes()
        full = len(edge) // _TILE_BYTES
        for n in range(full):
            self._full[level, first + n] = bytes(edge[n * _TILE_BYTES : (n + 1) * _TILE_BYTES])
        del edge[: full * _TILE_BYTES]


def check_tiles(size: int, root: bytes, read_tile: ReadTile, read_bundle: ReadBundle | None = None) -> None:
    """Check every tile of a log, and every entry where bundles are given, against a root that the reader trusts.

    Goes from the root down, so that what is named as wrong is wrong for certain: what vouches for it was checked
    before. Which hash of a tile is wrong shows in the tiles below it; for leaf hashes it shows in the bundles.

    Args:
        size: Leaves in the log.
        root: 32 bytes, from a checkpoint whose signature was checked.
        read_tile: Reads tiles.
        read_bundle: Reads entry bundles; none to check the tiles alone.

    Raises:
        InvalidValue: No log has that size.
        Corrupt: Names the first tile, hash or entry from the top that is missing, short or wrong.
    """
    tree = _Tree(size, read_tile)
    if tree.edge(0) != root:
        for level in reversed(range(tree.levels)):
            if tree.width(level, tree.full_tiles(level)):
                _name_wrong_hash(tree, level, tree.full_tiles(level), read_bundle)
        last = f", or a hash of {tree.path(0, size // TILE_WIDTH)} is wrong" if size % TILE_WIDTH else ""
        raise Corrupt(f"the tiles of {size} leaves lead to another root than {root.hex()}{last}")
    for level in reversed(range(1, tree.levels)):
        for index, told in tree.tiles(level):
            for n, below in enumerate(range(index * TILE_WIDTH, index * TILE_WIDTH + len(told))):
                if tree.top(level - 1, below) != told[n].tobytes():
                    _name_wrong_hash(tree, level - 1, below, read_bundle)
                    raise Corrupt(f"a hash of {tree.path(level - 1, below)} is wrong, {tree.path(level, index)} says")
    if read_bundle is not None and size:
        for index, told in tree.tiles(0):
            if (wrong := _first_difference(told, _bundle_hashes(index, len(told), read_bundle))) is not None:
                raise Corrupt(f"entry {wrong} of {entries_path(index, len(told))} is not what the log holds")


class _Tree:
    """The subtrees of a log of one size, from its tiles; hashes each tile that a proof needs once."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        if not 0 <= size < MOST_LEAVES:
            raise InvalidValue(f"the size of a log is zero or more and below 2^63, was {size}")
        self.size = size
        self.levels = (size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT
        self._read_tile = read_tile
        self._pyramids: dict[tuple[int, int], list[Hashes]] = {}

    def siblings(self, height: int, node: int) -> list[bytes]:
        """Return what a climb from a complete subtree to the root is hashed with, lowest first."""
        last, found = self.size - 1 >> height, list[bytes]()
        while last > 0:
            if node % 2:
                found.append(self.node(height, node - 1))
            elif node + 1 < last:
                found.append(self.node(height, node + 1))
            elif node + 1 == last:
                found.append(self.edge(last << height))
            height, node, last = height + 1, node // 2, last // 2
        return found

    def node(self, height: int, node: int) -> bytes:
        """Return the hash of the complete subtree of 2^height leaves with this number, from 0."""
        level, up = divmod(height, TILE_HEIGHT)
        index, at = divmod(node, TILE_WIDTH >> up)
        if (level, index) not in self._pyramids:
            self._pyramids[level, index] = _pyramid(self.tile(level, index))
        hashed: bytes = self._pyramids[level, index][up][at].tobytes()
        return hashed

    def edge(self, start: int) -> bytes:
        """Return the hash of all leaves from one where a subtree starts that reaches the end or beyond."""
        return _fold(self.peaks(start))

    def peaks(self, start: int) -> Iterator[bytes]:
        """Yield the roots of the complete subtrees from such a start to the end, the narrowest and last first."""
        leaves = self.size - start
        for height in range(leaves.bit_length()):
            if leaves >> height & 1:
                yield self.node(height, (self.size >> height) - 1)

    def top(self, level: int, index: int) -> bytes:
        """Return the hash of a full tile; nothing of it is kept."""
        return _pyramid(self.tile(level, index))[-1].tobytes()

    def tiles(self, level: int) -> Iterator[tuple[int, Hashes]]:
        """Yield index and hashes of every tile of a level."""
        for index in range(self.full_tiles(level)):
            yield index, _rows(self.tile(level, index))
        if self.width(level, self.full_tiles(level)):
            yield self.full_tiles(level), _rows(self.tile(level, self.full_tiles(level)))

    def full_tiles(self, level: int) -> int:
        """Return how many full tiles a level has, which is also the index of its unfinished one."""
        return self.size >> TILE_HEIGHT * (level + 1)

    def width(self, level: int, index: int) -> int:
        """Return how many hashes a tile has in a log of this size."""
        return min(TILE_WIDTH, (self.size >> TILE_HEIGHT * level) - TILE_WIDTH * index)

    def path(self, level: int, index: int) -> str:
        return tile_path(level, index, self.width(level, index))

    def tile(self, level: int, index: int) -> bytes:
        """Read a tile, as wide as it is in a log of this size."""
        width = self.width(level, index)
        found = self._read_tile(level, index, width)
        if not width * HASH_BYTES <= len(found) <= _TILE_BYTES or len(found) % HASH_BYTES:
            raise Corrupt(f"{tile_path(level, index, width)} has {width} hashes of 32 bytes, found {len(found)} bytes")
        return found[: width * HASH_BYTES]


def _name_wrong_hash(tree: _Tree, level: int, index: int, read_bundle: ReadBundle | None) -> None:
    """Raise Corrupt with the first hash of a tile that differs from what stands below it, if one does."""
    told = _rows(tree.tile(level, index))
    if level:
        first = index * TILE_WIDTH
        below = b"".join([tree.top(level - 1, n) for n in range(first, first + len(told))])
        wrong = _first_difference(told, _rows(below))
    elif read_bundle is not None:
        wrong = _first_difference(told, _bundle_hashes(index, len(told), read_bundle))
    else:
        wrong = None
    if wrong is not None:
        raise Corrupt(f"hash {wrong} of {tree.path(level, index)} is wrong")


def _bundle_hashes(index: int, width: int, read_bundle: ReadBundle) -> Hashes:
    """Return the leaf hashes of a bundle's first entries."""
    try:
        entries = split_bundle(read_bundle(index, width))[:width]
    except Corrupt as error:
        raise Corrupt(f"{entries_path(index, width)}: {error}") from error
    if len(entries) < width:
        raise Corrupt(f"{entries_path(index, width)} has {width} entries, found {len(entries)}")
    if len(set(map(len, entries))) == 1 and entries[0]:
        return leaf_hashes(np.frombuffer(bytearray(b"".join(entries)), np.uint8).reshape(width, -1))
    return _rows(b"".join(map(leaf_hash, entries)))


def _first_difference(told: Hashes, found: Hashes) -> int | None:
    differ = np.flatnonzero((told != found).any(axis=1))
    return int(differ[0]) if len(differ) else None


def _pyramid(tile: bytes) -> list[Hashes]:
    """Return a tile's hashes, their parents, and so on up to where no pair is left; a full tile ends in its top."""
    rows = [_rows(tile)]
    while len(rows[-1]) > 1:
        rows.append(_parents(rows[-1]))
    return rows


def _parents(row: Hashes) -> Hashes:
    """Return the hash of each whole pair; an odd one out at the end has no parent yet."""
    return node_hashes(row[: len(row) // 2 * 2])


def _fold(peaks: Iterable[bytes]) -> bytes:
    """Return the hash over complete subtrees that stand side by side, given from the last and narrowest."""
    whole = b""
    for peak in peaks:
        whole = node_hash(peak, whole) if whole else peak
    return whole or EMPTY_ROOT


def _rows(hashes: bytes) -> Hashes:
    # Copied into a bytearray, since for arrays that cannot be written numba compiles everything once more.
    return np.frombuffer(bytearray(hashes), np.uint8).reshape(-1, HASH_BYTES)
