"""Encrypt what rests on disk: a key for each owner, wrapped by one master key that never lies beside the data."""

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from numpy.typing import NDArray

from commonwatt.adapters.stores.keyfile import load_secret, save_first
from commonwatt.kernels.gcm import KEY_BYTES, NONCE_BYTES, TAG_BYTES, open_many, seal_many
from commonwatt.kernels.native import AES_256_GCM
from commonwatt.model import Corrupt, Erased, InvalidValue

_MORE = NONCE_BYTES + TAG_BYTES
_FEW = 8
"""Texts below which whole arrays are not worth their making."""


class Wrapping(Protocol):
    """A master key: wraps 32-byte keys for storage and opens them again. A file's, or a security module's."""

    def wrap(self, key: bytes) -> bytes:
        """Return a key so that only this master key can open it."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return a wrapped key.

        Raises:
            Corrupt: It was wrapped by another master key, or is damaged.
        """


class MasterKey:
    """A master key of 32 bytes in memory.

    Args:
        secret: The key.

    Raises:
        InvalidValue: It has another length.

    Source: AES Key Wrap, RFC 3394.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise InvalidValue(f"a master key has {KEY_BYTES} bytes, was {len(secret)}")
        self._secret = secret

    @classmethod
    def in_file(cls, path: Path) -> "MasterKey":
        """Return the master key of a file that only its owner can read; on first use a random one is put there.

        Raises:
            Refused: Group or others may read the file.
            Corrupt: The file holds something else.
        """
        if not path.exists():
            save_first(path, secrets.token_bytes(KEY_BYTES))
        try:
            return cls(load_secret(path))
        except InvalidValue as error:
            raise Corrupt(f"{path} holds no master key: {error}") from error

    def wrap(self, key: bytes) -> bytes:
        """Return a key so that only this master key can open it."""
        return aes_key_wrap(self._secret, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return a wrapped key.

        Raises:
            Corrupt: It was wrapped by another master key, or is damaged.
        """
        try:
            return aes_key_unwrap(self._secret, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise Corrupt("this master key does not open what was wrapped by another, or it is damaged") from error

    def __repr__(self) -> str:
        return "MasterKey(...)"


@dataclass(slots=True)
class Vault:
    """The owners' keys of one store, opened as they are needed, and what is encrypted under them.

    The store keeps the wrapped keys: `fresh` hands out those that were made since it last asked, to be stored in the
    same transaction as what was encrypted under them.

    Args:
        wrapping: The master key.

    Source: AES-256-GCM, NIST SP 800-38D; random nonces of 96 bits, far below 2^32 messages for one owner.
    """

    wrapping: Wrapping
    _keys: dict[str, bytes] = field(default_factory=dict)
    _fresh: dict[str, bytes] = field(default_factory=dict)

    def load(self, wrapped: Mapping[str, bytes]) -> None:
        """Open the keys that a store keeps, all of them.

        Raises:
            Corrupt: One does not open.
        """
        self._keys = {owner: self._unwrapped(owner, key) for owner, key in wrapped.items()}
        self._fresh = {}

    def knows(self, owner: str) -> bool:
        """Tell whether an owner has a key here."""
        return owner in self._keys

    def fresh(self) -> dict[str, bytes]:
        """Return the wrapped keys that were made since the last call."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def seal(self, texts: Sequence[tuple[str, int, bytes]]) -> list[bytes]:
        """Encrypt texts, each for its owner and bound to its place; an owner without key gets one.

        Args:
            texts: Owner, log position, and what is to be encrypted.
        """
        keys = [self._keys.get(owner) or self._new(owner) for owner, _, _ in texts]
        nonces = os.urandom(NONCE_BYTES * len(texts))
        bound = [_bound(owner, position) for owner, position, _ in texts]
        if not AES_256_GCM or len(texts) < _FEW:
            return [
                nonce + AESGCM(key).encrypt(nonce, text, tied)
                for key, nonce, (_, _, text), tied in zip(keys, _cut(nonces, NONCE_BYTES), texts, bound, strict=True)
            ]
        told = [text for _, _, text in texts]
        ends = _ends(told)
        sealed = seal_many(_rows(keys), _rows([nonces], NONCE_BYTES), _flat(told), ends, _flat(bound), _ends(bound))
        return _pieces(sealed.tobytes(), ends + _MORE * np.arange(len(ends)))

    def open_many(self, sealed: Sequence[tuple[str, int, bytes]]) -> list[bytes | None]:
        """Decrypt what `seal` made of many texts; None where `open` would raise.

        Args:
            sealed: Owner, log position, and what was sealed.
        """
        places = [n for n, (owner, _, text) in enumerate(sealed) if owner in self._keys and len(text) >= _MORE]
        opened: list[bytes | None] = [None] * len(sealed)
        if not AES_256_GCM or len(places) < _FEW:
            for place in places:
                with suppress(Corrupt):
                    opened[place] = self.open(*sealed[place])
            return opened
        told = [sealed[place][2] for place in places]
        bound = [_bound(sealed[place][0], sealed[place][1]) for place in places]
        ends = _ends(told)
        texts, good = open_many(
            _rows([self._keys[sealed[place][0]] for place in places]), _flat(told), ends, _flat(bound), _ends(bound)
        )
        for place, text, whole in zip(
            places, _pieces(texts.tobytes(), ends - _MORE * np.arange(len(ends))), good.tolist(), strict=True
        ):
            opened[place] = text if whole else None
        return opened

    def open(self, owner: str, position: int, sealed: bytes) -> bytes:
        """Decrypt what `seal` made for this owner and place.

        Raises:
            Corrupt: It is damaged, of another place, or its owner's key is gone.
        """
        key = self._keys.get(owner)
        if key is None:
            raise Erased(f"leaf {position} cannot be read, its owner's key was erased")
        try:
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(owner, position))
        except (InvalidTag, ValueError) as error:
            raise Corrupt(f"leaf {position} is damaged, or not the one that was written there") from error

    def forget(self, owner: str) -> None:
        """Let go of an owner's key; the store does likewise."""
        self._keys.pop(owner, None)
        self._fresh.pop(owner, None)

    def _unwrapped(self, owner: str, wrapped: bytes) -> bytes:
        try:
            return self.wrapping.unwrap(wrapped)
        except Corrupt as error:
            raise Corrupt(f"the key of {owner} does not open: {error}") from error

    def _new(self, owner: str) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        self._keys[owner] = key
        self._fresh[owner] = self.wrapping.wrap(key)
        return key


def _bound(owner: str, position: int) -> bytes:
    return f"{position} {owner}".encode()


def _flat(pieces: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(pieces), np.uint8)


def _rows(pieces: Sequence[bytes], width: int = KEY_BYTES) -> NDArray[np.uint8]:
    return _flat(pieces).reshape(-1, width)


def _ends(pieces: Sequence[bytes]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, pieces)])


def _pieces(whole: bytes, ends: NDArray[np.int64]) -> list[bytes]:
    told = ends.tolist()
    return [whole[at:to] for at, to in pairwise(told)]


def _cut(whole: bytes, width: int) -> list[bytes]:
    return [whole[at : at + width] for at in range(0, len(whole), width)]
