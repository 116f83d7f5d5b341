"""Who is known: registered keys with their roles, and the running number of each, as rows of a table."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.identity.keys import SECP256K1, VerifyingKey
from commonwatt.identity.p256 import AnyVerifyingKey
from commonwatt.kernels.secp256k1 import POINT_BYTES
from commonwatt.model import AccountId, GatewayId, InvalidValue, KeyId

_FIRST_ROOM = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A registered key: its row, what it may do, and for whom."""

    number: int
    verifying: AnyVerifyingKey
    role: str
    account: AccountId
    gateway: GatewayId | None = None

    def leaf(self) -> dict[str, object]:
        """Return what the state root commits to of it; a curve is told only where it is not secp256k1."""
        key, alg = self.verifying.public.hex(), self.verifying.alg
        told: dict[str, object] = {"account": self.account, "gateway": self.gateway, "key": key, "role": self.role}
        return told if alg == SECP256K1 else {**told, "alg": alg}


class Directory:
    """Registered keys in order of registration, each with the sequence number that its next request must have."""

    def __init__(self) -> None:
        self._records: dict[KeyId, KeyRecord] = {}
        self._roles: set[tuple[AccountId, str]] = set()
        self._places: dict[AccountId, int] = {}
        self._points = np.zeros((_FIRST_ROOM, POINT_BYTES), np.uint8)
        self._next = np.ones(_FIRST_ROOM, np.int64)

    def add(self, key: AnyVerifyingKey, role: str, account: AccountId, gateway: GatewayId | None = None) -> KeyRecord:
        """Take in a key.

        Raises:
            InvalidValue: It is there already.
        """
        if key.id in self._records:
            raise InvalidValue(f"a key is registered once, {key.id} is known")
        number = len(self._records)
        if number == len(self._next):
            self._points = np.concatenate([self._points, np.zeros_like(self._points)])
            self._next = np.concatenate([self._next, np.ones_like(self._next)])
        if isinstance(key, VerifyingKey):
            self._points[number] = np.frombuffer(key.point, np.uint8)
        record = KeyRecord(number=number, verifying=key, role=role, account=account, gateway=gateway)
        self._records[key.id] = record
        self._roles.add((account, role))
        self._places.setdefault(account, number)
        return record

    def get(self, key: KeyId) -> KeyRecord | None:
        """Return a key's record, or None where nobody registered it."""
        return self._records.get(key)

    def quick(self, key: KeyId) -> int | None:
        """Return the row of a key that `commonwatt.kernels.secp256k1` checks; None for P-256, and for nobody's key."""
        record = self._records.get(key)
        return record.number if record is not None and isinstance(record.verifying, VerifyingKey) else None

    def has_role(self, account: AccountId, role: str) -> bool:
        """Tell whether any key acts for an account in a role."""
        return (account, role) in self._roles

    def place(self, account: AccountId) -> int:
        """Return an account's place in the order in which accounts were first registered; last without any key."""
        return self._places.get(account, len(self._records))

    def accounts(self, role: str) -> list[AccountId]:
        """Return the accounts for which any key acts in a role, sorted."""
        return sorted(account for account, known in self._roles if known == role)

    def __getitem__(self, key: KeyId) -> KeyRecord:
        return self._records[key]

    def __contains__(self, key: KeyId) -> bool:
        return key in self._records

    def __iter__(self) -> Iterator[KeyRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def next_seq(self, key: KeyId) -> int:
        """Return the sequence number that the key's next request must have; 1 for a key that nobody knows."""
        record = self._records.get(key)
        return 1 if record is None else int(self._next[record.number])

    def spoke(self, record: KeyRecord) -> None:
        """Note that a request of this key stands in the log now."""
        self._next[record.number] += 1

    def points(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return parsed public keys by row, of those that are `quick`; (n, 64) bytes."""
        return self._points[numbers]

    def next_seqs(self) -> NDArray[np.int64]:
        """Return the next sequence numbers in order of registration; a copy."""
        return self._next[: len(self._records)].copy()

    def set_next_seqs(self, numbers: NDArray[np.int64]) -> None:
        """Set all sequence numbers at once, as a snapshot tells them.

        Raises:
            InvalidValue: There is not one number, above zero, for each key.
        """
        if len(numbers) != len(self._records) or (len(numbers) and numbers.min() < 1):
            raise InvalidValue(f"{len(self._records)} keys have a number each, from 1, was {len(numbers)} numbers")
        self._next[: len(numbers)] = numbers
