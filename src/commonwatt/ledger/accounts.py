"""Keep the books: who has how much of what, in double entry, one column a commodity."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels.sha256 import leaf_hashes, tree_root
from commonwatt.ledger.merkle import EMPTY_ROOT, MerkleTree
from commonwatt.model import AccountId, Commodity, Entry, InvalidValue
from commonwatt.model.request import MAX_SAFE_INTEGER

NAME_BYTES = 64
MARK_BYTES = 16
_COLUMN = {commodity: column for column, commodity in enumerate(Commodity)}
_FIRST_ROOM = 64
Numbers = NDArray[np.int64]


class Accounts:
    """Balances in whole base units of each commodity; what one account gains another loses.

    Accounts have numbers, from 0 in the order in which they were first seen, so that many entries can be posted at
    once as arrays. The numbers are this object's own: two books with the same balances have the same root, whatever
    happened on the way, since an account whose balances are all zero has no part in it.
    """

    def __init__(self) -> None:
        self._numbers: dict[AccountId, int] = {}
        self._names: list[AccountId] = []
        self._balances = np.zeros((len(_COLUMN), _FIRST_ROOM), np.int64)
        self._order: NDArray[np.int64] | None = None
        self._marks = np.empty((0, MARK_BYTES), np.uint8)

    def number(self, account: AccountId) -> int:
        """Return an account's number; a new one where nobody knew it.

        Raises:
            InvalidValue: The name is empty or longer than 64 bytes.
        """
        number = self._numbers.get(account)
        if number is None:
            if not 0 < len(account.encode()) <= NAME_BYTES or "\0" in account:
                raise InvalidValue(f"the name of an account has 1 to {NAME_BYTES} bytes, was {account!r}")
            number = self._numbers[account] = len(self._names)
            self._names.append(account)
            self._order = None
            if number == self._balances.shape[1]:
                self._balances = np.concatenate([self._balances, np.zeros_like(self._balances)], axis=1)
        return number

    def name(self, number: int) -> AccountId:
        """Return the name of a numbered account."""
        return self._names[number]

    def names(self, numbers: Iterable[int]) -> list[AccountId]:
        """Return the names of numbered accounts."""
        return [self._names[number] for number in numbers]

    def marks(self) -> NDArray[np.uint8]:
        """Return the `mark` of every account, by number; (n, 16) bytes."""
        known = len(self._marks)
        if known < len(self._names):
            more = b"".join(mark(name) for name in self._names[known:])
            self._marks = np.concatenate([self._marks, np.frombuffer(more, np.uint8).reshape(-1, MARK_BYTES)])
        return self._marks

    def post(self, entry: Entry) -> None:
        """Move the entry's amount from its source to its target.

        Nobody is stopped from going below zero here; who may is the rulebook's to say.

        Raises:
            InvalidValue: A balance would leave +-(2^53-1), beyond which no state root can be signed; nothing moved.
        """
        source, target = self.number(entry.source), self.number(entry.target)
        column = self._balances[_COLUMN[entry.commodity]]
        less, more = column.item(source) - entry.amount, column.item(target) + entry.amount
        if less < -MAX_SAFE_INTEGER or more > MAX_SAFE_INTEGER:
            raise InvalidValue(f"a balance is within +-(2^53-1), was {less} and {more} after {entry}")
        column[source], column[target] = less, more

    def spread(self, commodity: Commodity, source: AccountId, targets: Numbers, amounts: Numbers) -> None:
        """Move many amounts of one commodity from one account at once; those below zero go the other way.

        Args:
            commodity: What moves.
            source: The account that is reduced by their sum.
            targets: Numbers of the other accounts, each once; n values.
            amounts: Whole base units; n values.

        Raises:
            InvalidValue: A balance could leave +-(2^53-1) on the way; nothing moved.
        """
        # The sum of floats is as exact up to the limit, and beyond it does not wrap around.
        most = max(int(np.abs(amounts).sum()), int(np.abs(amounts).sum(dtype=np.float64)))
        number = self.number(source)
        before = self._balances[_COLUMN[commodity]]
        # Within this margin no order of postings can leave the range, so none needs to be followed one by one.
        if most > MAX_SAFE_INTEGER or int(np.abs(before).max()) + most > MAX_SAFE_INTEGER:
            raise InvalidValue(f"a balance is within +-(2^53-1), {most} of {commodity} are to move at once")
        before[targets] += amounts
        before[number] -= int(amounts.sum())

    def balance(self, account: AccountId, commodity: Commodity) -> int:
        """Return what an account has, in base units; negative where it owes, 0 where nobody knows it."""
        number = self._numbers.get(account)
        return 0 if number is None else self._balances.item(_COLUMN[commodity], number)

    def column(self, commodity: Commodity) -> Numbers:
        """Return all balances of one commodity by account number, in base units; a copy."""
        return self._balances[_COLUMN[commodity], : len(self._names)].copy()

    def headroom(self, commodity: Commodity) -> int:
        """Return how much can surely still move, in base units, before any balance could leave +-(2^53-1)."""
        return MAX_SAFE_INTEGER - int(np.abs(self._balances[_COLUMN[commodity]]).max())

    def total(self, commodity: Commodity) -> int:
        """Return the sum over all accounts, in base units: 0, or the books are broken."""
        return int(self._balances[_COLUMN[commodity]].sum())

    def balances(self) -> Iterator[tuple[AccountId, Commodity, int]]:
        """Yield account, commodity and balance wherever it is not zero, sorted by account, then commodity."""
        for number in self._sorted():
            for commodity in sorted(Commodity):
                if balance := int(self._balances[_COLUMN[commodity], number]):
                    yield self._names[number], commodity, balance

    def rows(self) -> NDArray[np.uint8]:
        """Return the books as leaf data, one row an account that has anything, sorted by name.

        A row is the name, filled up with zeros to 64 bytes, then its balances as big-endian int64, in the order of
        `Commodity`.

        Returns:
            (n, 64 + 8 * commodities) bytes.
        """
        order = self._sorted()
        names = np.array([self._names[number].encode() for number in order], f"S{NAME_BYTES}")
        balances = np.ascontiguousarray(self._balances[:, order].T.astype(">i8"))
        return np.concatenate(
            [
                names.view(np.uint8).reshape(-1, NAME_BYTES),
                balances.view(np.uint8).reshape(len(order), 8 * len(_COLUMN)),
            ],
            axis=1,
        )

    def root(self) -> bytes:
        """Return the Merkle root over `rows`, 32 bytes."""
        rows = self.rows()
        return tree_root(leaf_hashes(rows)) if len(rows) else EMPTY_ROOT

    def proof(self, account: AccountId) -> tuple[bytes, int, int, list[bytes]]:
        """Return an account's leaf data, its index, the number of leaves and its path to `root`.

        Raises:
            InvalidValue: The account has nothing, so no leaf shows it.
        """
        number = self._numbers.get(account, -1)
        order = list(self._sorted())
        if number not in order:
            raise InvalidValue(f"an account with a balance has a proof, {account} has none")
        rows = [row.tobytes() for row in self.rows()]
        index = order.index(number)
        return rows[index], index, len(rows), MerkleTree(rows).inclusion_proof(index, len(rows))

    def dump(self) -> list[tuple[str, list[int]]]:
        """Return every account that has anything with its balances, sorted by name: a snapshot's form."""
        return [(self._names[number], self._balances[:, number].tolist()) for number in self._sorted()]

    @classmethod
    def load(cls, dumped: Sequence[tuple[str, Sequence[int]]]) -> "Accounts":
        """Return the books that `dump` wrote."""
        books = cls()
        for name, balances in dumped:
            number = books.number(AccountId(name))
            books._balances[:, number] = balances
        return books

    def _sorted(self) -> NDArray[np.int64]:
        """Return the numbers of the accounts that have anything, by name."""
        if self._order is None:
            self._order = np.array(sorted(range(len(self._names)), key=self._names.__getitem__), np.int64)
        return self._order[self._balances[:, self._order].any(axis=0)]


def mark(account: AccountId) -> bytes:
    """Return what stands for an account where there is no room for its name: the first half of its SHA-256."""
    return sha256(account.encode()).digest()[:MARK_BYTES]


def read_row(row: bytes) -> tuple[AccountId, dict[Commodity, int]]:
    """Return account and balances of one leaf, see `Accounts.rows`.

    Raises:
        InvalidValue: The row has another length or its name is no text.
    """
    if len(row) != NAME_BYTES + 8 * len(_COLUMN):
        raise InvalidValue(f"the leaf of an account has {NAME_BYTES + 8 * len(_COLUMN)} bytes, was {len(row)}")
    try:
        name = row[:NAME_BYTES].rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise InvalidValue("the name of an account is text") from error
    numbers = np.frombuffer(row[NAME_BYTES:], ">i8").tolist()
    return AccountId(name), dict(zip(Commodity, numbers, strict=True))
