"""What py-evm reads its state from and writes it to: values by their hash, kept when the block is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from eth.abc import AtomicWriteBatchAPI
from eth.db.backends.base import BaseAtomicDB
from lru import LRU

from commonwatt.identity.keys import keccak256
from commonwatt.model import Corrupt

_REMEMBERED = 65_536
"""Nodes that are not read again from disk; some 200 bytes each."""


class Nodes(BaseAtomicDB):
    """The state of all blocks: what is written waits in memory until its block is stored.

    A value from disk is believed only if it has the hash by which it was asked for.

    Args:
        stored: Reads a value from disk; None where there is none.
    """

    def __init__(self, stored: Callable[[bytes], bytes | None]) -> None:
        self._stored = stored
        self._known: LRU[bytes, bytes] = LRU(_REMEMBERED)
        self.fresh: dict[bytes, bytes] = {}
        """What was written since the last `keep` or `forget`."""

    def keep(self) -> None:
        """What was written is on disk now."""
        self._known.update(self.fresh)
        self.fresh = {}

    def forget(self) -> None:
        """What was written came to nothing."""
        self.fresh = {}

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
        """Return where to write: all of it waits for its block anyway."""
        yield cast(AtomicWriteBatchAPI, self)

    def __getitem__(self, key: bytes) -> bytes:
        value = self.fresh.get(key)
        if value is None:
            value = self._known.get(key)
        if value is None:
            value = self._stored(key)
            if value is None:
                raise KeyError(key)
            if keccak256(value) != key:
                raise Corrupt(f"a chain's state is damaged: a node of another hash stands under {key.hex()}")
            self._known[key] = value
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.fresh[key] = value

    def __delitem__(self, key: bytes) -> None:
        raise NotImplementedError("states of earlier blocks stay")

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True
