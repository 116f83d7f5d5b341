"""Doors made of paper: a log in memory and gateways in this very process, for tests and quick looks."""

from collections.abc import Iterator, Mapping, Sequence

from commonwatt.adapters.devices.gateway.translate import Hello, Live, Lived
from commonwatt.flows.ports import NO_TILES
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import Refused
from commonwatt.simulator.box import Box, Memory, Spec


class PaperLog:
    """A log that lasts as long as the process; obeys the `LogStore` port otherwise."""

    def __init__(self) -> None:
        self._rows: list[LeafRow] = []
        self._marks: dict[str, str] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._snapshots: dict[int, bytes] = {}
        self._by_author: dict[tuple[str, int], int] = {}

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self._rows)

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        """Add rows, marks and tiles; refuses a gap."""
        for expected, row in enumerate(rows, len(self._rows)):
            if row.position != expected:
                raise Refused("positions go on without a gap", found=row.position, expected=expected)
        self._rows += rows
        self._by_author.update(((row.author, row.seq), row.position) for row in rows)
        self._marks.update(marks)
        self._tiles.update(tiles)

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the rows in order."""
        yield from self._rows[from_position:]

    def tile(self, level: int, index: int) -> bytes:
        """Return the hashes of a tile as far as they were stored."""
        return self._tiles.get((level, index), b"")

    def answered(self, author: str, seq: int) -> LeafRow | None:
        """Return the leaf of a key's request by its number."""
        position = self._by_author.get((author, seq))
        return None if position is None else self._rows[position]

    def save_snapshot(self, size: int, content: bytes) -> None:
        """Keep the state after so many leaves."""
        self._snapshots[size] = content

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """Yield what was kept, the latest first."""
        yield from sorted(self._snapshots.items(), reverse=True)

    def marks(self) -> dict[str, str]:
        """Return the marks."""
        return dict(self._marks)


class PaperProgram:
    """A gateway program without a process: the same box behind the same three calls.

    Args:
        spec: Who it is.
        memory: What it remembers from an earlier life; in this one, whoever wants to keep it takes it from here.
    """

    def __init__(self, spec: Spec, memory: Memory | None = None) -> None:
        self._spec, self.memory = spec, memory
        self._key = SigningKey.from_seed(spec.seed.encode(), spec.number)
        self._box = Box(spec, self._key, memory, self._remember)

    def greet(self) -> Hello:
        """Return what it says of itself."""
        return Hello(number=self._spec.number, public=self._key.public.hex())

    def ask(self, live: Live) -> None:
        """Let one slot pass."""
        self._lived = self._box.live(live)

    def answer(self, live: Live) -> Lived:
        """Return what came of it."""
        return self._lived

    def _remember(self, memory: Memory) -> None:
        self.memory = memory
