"""What every log store does to leaves before they rest, and after: numbers for names, encryption, and back."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from commonwatt.adapters.stores.vault import Vault, Wrapping
from commonwatt.ledger.leaf import LeafRow, pack_leaf, unpack_leaf
from commonwatt.model import Corrupt, Erased, InvalidValue, Outcome, Refused

SNAPSHOT = "*snapshots*"
"""The party under whose key snapshots rest; no account can bear this name."""

LeafColumns = tuple[int, int, str, bool, int, int, int, bytes]
"""Position, stamp, outcome, closes, author's number, the author's running number, owner's number, sealed."""
Stored = tuple[int, int, str, int, int, int, int, bytes, bytes | None]
"""The same as a store gives them back, with the sealed personal fields behind."""
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a batch puts into a store's tables, besides marks and tiles.

    Args:
        parties: Number and name of those who sign or own here for the first time.
        keys: Number and wrapped key of those who own here for the first time.
        leaves: See `LeafColumns`.
        personal: Position and sealed personal fields, where a leaf has any.
    """

    parties: list[tuple[int, str]]
    keys: list[tuple[int, bytes]]
    leaves: list[LeafColumns]
    personal: list[tuple[int, bytes]]


class Sealer:
    """The parties of one store, their numbers and their keys; turns leaves into columns and columns into leaves.

    Args:
        place: The store, for messages.
        wrapping: The master key.
        read_parties: Gives number, name and wrapped key of every party that the store holds.
    """

    def __init__(
        self, place: object, wrapping: Wrapping, read_parties: Callable[[], Iterable[tuple[int, str, bytes | None]]]
    ) -> None:
        self._place, self._read_parties = place, read_parties
        self._vault = Vault(wrapping)
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def load(self) -> None:
        """Take in the parties that the store holds.

        Raises:
            Corrupt: A key does not open under this master key.
        """
        found = list(self._read_parties())
        self._numbers = {name: number for number, name, _ in found}
        self._names = {number: name for number, name, _ in found}
        self._vault.load({name: wrapped for _, name, wrapped in found if wrapped is not None})

    def number(self, name: str) -> int | None:
        """Return a party's number, or None where nobody of that name signed or owns."""
        return self._numbers.get(name)

    def _name(self, number: int, position: int) -> str:
        """Return a party's name, also of one that joined since, where the store is read beside its writer."""
        if number not in self._names:
            self.load()
        if number not in self._names:
            raise Corrupt(f"leaf {position} in {self._place} is of party {number}, who is not there")
        return self._names[number]

    def seal(self, rows: Sequence[LeafRow]) -> list[bytes]:
        """Encrypt leaves, and after all of them the personal fields of those that have any.

        Stands apart from `columns` so that this work is done before the store's lock is taken.
        """
        texts = [(row.owner, row.position, pack_leaf(row)) for row in rows]
        return self._vault.seal(texts + [(row.owner, row.position, row.personal) for row in rows if row.personal])

    def columns(self, rows: Sequence[LeafRow], sealed: Sequence[bytes]) -> Columns:
        """Return what `seal` made of leaves as columns; from here on the store keeps them or is closed."""
        known = len(self._numbers)
        numbered = [(self._number(row.author), self._number(row.owner)) for row in rows]
        keys = self._keys()
        return Columns(
            parties=[(number, self._names[number]) for number in range(known, len(self._numbers))],
            keys=keys,
            leaves=[
                (row.position, row.stamped_s, row.outcome.value, row.closes, author, row.seq, owner, body)
                for row, (author, owner), body in zip(rows, numbered, sealed, strict=False)
            ],
            personal=list(zip((row.position for row in rows if row.personal), sealed[len(rows) :], strict=True)),
        )

    def snapshot_columns(self, size: int, content: bytes) -> tuple[Columns, bytes]:
        """Return a snapshot encrypted, and the columns that its party needs where it is the store's first."""
        (sealed,) = self._vault.seal([(SNAPSHOT, size, content)])
        known = len(self._numbers)
        self._number(SNAPSHOT)
        keys = self._keys()
        parties = [(number, self._names[number]) for number in range(known, len(self._numbers))]
        return Columns(parties=parties, keys=keys, leaves=[], personal=[]), sealed

    def open_snapshot(self, size: int, sealed: bytes) -> bytes:
        """Decrypt a snapshot.

        Raises:
            Corrupt: It is damaged.
        """
        try:
            return self._open(SNAPSHOT, size, sealed)
        except Corrupt as error:
            raise Corrupt(f"the snapshot of {size} leaves in {self._place} is damaged") from error

    def leaves(self, page: Sequence[Stored]) -> Iterator[LeafRow]:
        """Yield leaves from their columns, decrypted all at once.

        Raises:
            Corrupt: One is impossible or damaged, or its owner was erased; says which, after those before it.
        """
        opened = self._vault.open_many([(self._names.get(one[6], ""), one[0], one[7]) for one in page])
        for columns, text in zip(page, opened, strict=True):
            yield self.leaf(columns, text)

    def leaf(self, columns: Stored, opened: bytes | None = None) -> LeafRow:
        """Return a leaf from its columns.

        Args:
            columns: As the store keeps them.
            opened: What was encrypted, where that was opened before.

        Raises:
            Corrupt: It is impossible or damaged, or its owner was erased; says which.
        """
        position, stamped_s, outcome, closes, author, seq, owner_number, sealed, personal = columns
        if not sealed:
            raise Erased(f"leaf {position} cannot be read, its owner's key was erased")
        owner = self._name(owner_number, position)
        try:
            salt, body, items = unpack_leaf(opened or self._open(owner, position, sealed))
            if closes not in (0, 1):
                raise InvalidValue(f"a leaf closes what was decided with it or not, was {closes}")
            return LeafRow(
                position=position,
                stamped_s=stamped_s,
                salt=salt,
                body=body,
                outcome=_OUTCOMES.get(outcome) or Outcome(outcome),
                author=self._name(author, position),
                seq=seq,
                owner=owner,
                closes=bool(closes),
                items=items,
                personal=self._open(owner, position, personal) if personal else b"",
            )
        except (ValueError, TypeError) as error:
            raise Corrupt(f"leaf {position} in {self._place} is impossible: {error}") from error

    def forget(self, owner: str) -> None:
        """Let go of an owner's key, once the store has."""
        self._vault.forget(owner)

    def _open(self, owner: str, position: int, sealed: bytes) -> bytes:
        try:
            return self._vault.open(owner, position, sealed)
        except Corrupt:
            # Read beside the writer: the owner may have joined since, or come back after an erasure.
            self.load()
            return self._vault.open(owner, position, sealed)

    def _keys(self) -> list[tuple[int, bytes]]:
        return [(self._number(owner), wrapped) for owner, wrapped in self._vault.fresh().items()]

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._numbers)
            self._names[number] = name
        return number


def refuse_gap(place: object, size: int, rows: Sequence[LeafRow]) -> None:
    """Refuse leaves that do not go on from a size one by one.

    Raises:
        Refused: Says which position came instead of which.
    """
    for position, row in enumerate(rows, start=size):
        if row.position != position:
            raise Refused("leaves continue without gap", log=place, next=position, found=row.position)


def in_order(
    place: object,
    from_position: int,
    pruned_to: int,
    page: Callable[[int], Sequence[Stored]],
    leaves: Callable[[Sequence[Stored]], Iterator[LeafRow]],
) -> Iterator[LeafRow]:
    """Yield leaves page by page, also those that are appended meanwhile; no transaction stays open for a slow reader.

    Args:
        place: The store, for messages.
        from_position: The first leaf.
        pruned_to: The first that is still there.
        page: Gives the columns of some leaves from a position on, in order; none at the end.
        leaves: Makes leaves of them.

    Raises:
        InvalidValue: The first position is below zero.
        Refused: Leaves from there on were pruned; the archive has them.
        Corrupt: A position is missing, its leaf is impossible or its owner was erased; the message names it.
            Leaves that are missing from the end only a checkpoint can tell.
    """
    if from_position < 0:
        raise InvalidValue(f"a position is zero or more, was {from_position}")
    if from_position < pruned_to:
        raise Refused("leaves were pruned, the archive has them", log=place, pruned_to=pruned_to)
    expected = from_position
    while found := page(expected):
        gap = next((n for n, columns in enumerate(found) if columns[0] != expected + n), len(found))
        yield from leaves(found[:gap])
        expected += gap
        if gap < len(found):
            raise Corrupt(f"leaf {expected} is missing in {place}, found {found[gap][0]} in its place")
