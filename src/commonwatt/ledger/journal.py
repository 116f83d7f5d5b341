"""The entries that were ever booked, as a growing Merkle tree: its root at any time, in the memory of its edge."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import msgspec
import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels.cores import beside
from commonwatt.kernels.sha256 import leaf_hashes, ragged_hashes, run_roots
from commonwatt.ledger.accounts import Accounts
from commonwatt.ledger.merkle import EMPTY_ROOT, HASH_BYTES, MerkleTree, node_hash
from commonwatt.ledger.sheet import Sheet
from commonwatt.model import Entry, InvalidValue

_MOST_COMING = 64
"""Pieces of entries whose hashes may still be in the making: a bound on memory, not on meaning."""
_AT_ONCE = 512
"""Entries that came one by one and are hashed together."""


class Journal:
    """All entries, in the order in which they were booked.

    Only the tree's edge is kept, one hash for each bit of the count, so that memory does not grow with the log. With
    ``keep`` the entries and the whole tree stay too, for whoever replays a log to prove or to sum up.

    Args:
        keep: Whether to remember everything.

    Source: RFC 6962 section 2.1; the leaf data of an entry is its RFC 8785 form, that of a sheet's line its 52 bytes.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep
        self.count = 0
        self.kept: list[Entry] = []
        self.sheets = 0
        """How many sheets were added: their entries have no leaves of their own."""
        self.tree = MerkleTree()
        self.listener: Callable[[Entry], None] | None = None
        """Told every entry as it is booked."""
        self._peaks: list[bytes] = []
        self._grown = 0
        self._single: list[bytes] = []
        self._coming: deque[tuple[list[int], Future[NDArray[np.uint8]]]] = deque()

    def append(self, entry: Entry) -> None:
        """Add one entry."""
        data = entry_leaf(entry)
        if self.listener is not None:
            self.listener(entry)
        if self.keep:
            self.kept.append(entry)
            self.tree.append(data)
        self.count += 1
        self._single.append(data)
        if len(self._single) >= _AT_ONCE:
            self._hash_singles()
            self._grow(_MOST_COMING)

    def append_sheet(self, sheet: Sheet, accounts: Accounts) -> None:
        """Add a slot's lines, a leaf each; their hashes are made beside."""
        if self.listener is not None:
            for entry in sheet.entries(accounts):
                self.listener(entry)
        lines = sheet.lines(accounts)
        if self.keep:
            self.kept += sheet.entries(accounts)
            for line in lines:
                self.tree.append(line.tobytes())
        self._hash_singles()
        widths = _widths(self.count, len(lines))
        self.count += len(lines)
        self.sheets += 1
        self._coming.append((widths, beside(_line_peaks, lines, widths)))
        self._grow(_MOST_COMING)

    def root(self) -> bytes:
        """Return the 32-byte root over all entries."""
        self._hash_singles()
        self._grow(0)
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def dump(self) -> tuple[int, bytes]:
        """Return count and edge: a snapshot's form."""
        self._hash_singles()
        self._grow(0)
        return self.count, b"".join(self._peaks)

    @classmethod
    def load(cls, count: int, edge: bytes) -> "Journal":
        """Return the journal that `dump` wrote; what stands before it can be proven only by its tree.

        Raises:
            InvalidValue: The edge does not belong to the count.
        """
        if len(edge) != count.bit_count() * HASH_BYTES:
            raise InvalidValue(f"the edge of {count} entries has {count.bit_count()} hashes, was {len(edge)} bytes")
        journal = cls()
        journal.count = journal._grown = count
        journal._peaks = [edge[at : at + HASH_BYTES] for at in range(0, len(edge), HASH_BYTES)]
        return journal

    def _grow(self, most: int) -> None:
        """Put hashes under the tree, in their order, until at most so many pieces are still to come."""
        while len(self._coming) > most:
            widths, peaks = self._coming.popleft()
            for width, peak in zip(widths, peaks.result(), strict=True):
                self._add(peak.tobytes(), width)

    def _hash_singles(self) -> None:
        """Begin to hash the entries that came one by one."""
        if self._single:
            widths = _widths(self.count - len(self._single), len(self._single))
            self._coming.append((widths, beside(_text_peaks, self._single, widths)))
            self._single = []

    def _add(self, peak: bytes, width: int) -> None:
        """Add a complete subtree of so many entries; the count is a multiple of its width."""
        carry = self._grown // width
        self._grown += width
        while carry & 1:
            peak, carry = node_hash(self._peaks.pop(), peak), carry >> 1
        self._peaks.append(peak)


def _widths(at: int, count: int) -> list[int]:
    """Split so many entries from a place on into complete subtrees, each at a multiple of its width."""
    end, widths = at + count, list[int]()
    while at < end:
        width = at & -at if at else 1 << (end - 1).bit_length()
        while at + width > end:
            width //= 2
        widths.append(width)
        at += width
    return widths


def _line_peaks(lines: NDArray[np.uint8], widths: list[int]) -> NDArray[np.uint8]:
    """Return the roots of the complete subtrees that lines make; (n, 32) bytes."""
    return run_roots(leaf_hashes(lines), np.array(widths, np.int64))


def _text_peaks(datas: list[bytes], widths: list[int]) -> NDArray[np.uint8]:
    """Return the same for entries as they are written."""
    ends = np.cumsum([0, *map(len, datas)])
    hashes = ragged_hashes(np.frombuffer(b"".join(datas), np.uint8), ends[:-1], ends[1:], b"\0")
    return run_roots(hashes, np.array(widths, np.int64))


def entry_leaf(entry: Entry) -> bytes:
    """Return an entry's leaf data in the journal's tree: its RFC 8785 form.

    As msgspec writes it, which is the same for text and whole numbers within +-(2^53-1), and ten times as fast as
    `canonical_json`; a test compares them.
    """
    return msgspec.json.encode(entry, order="sorted")
