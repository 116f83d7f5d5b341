"""Let the master key live in a security module, which wraps and unwraps owners' keys and never gives it out."""

import secrets
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass

from commonwatt.adapters.stores.token_key import TokenKey, named
from commonwatt.kernels.gcm import KEY_BYTES
from commonwatt.model import Corrupt, InvalidValue, Refused

_KEY_BITS = 8 * KEY_BYTES
_WRAPPED_BYTES = KEY_BYTES + 8
_NONCE_BYTES, _TAG_BYTES = 12, 16
_GCM_BYTES = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_OPEN = {
    Attribute.TOKEN: False,
    Attribute.SENSITIVE: False,
    Attribute.EXTRACTABLE: True,
}


class Pkcs11Master(TokenKey):
    """Implements `commonwatt.adapters.stores.vault.Wrapping` with an AES-256 key that never leaves its token.

    Wraps by AES key wrap (RFC 3394) where the token offers it, by AES-256-GCM with a random nonce where it does not;
    what was wrapped tells by its length how. The logs of a process share one of these.

    Args:
        library: The module's PKCS#11 library.
        token: The token's label.
        key: The key's label in it.
        pin: File with the user's PIN, mode 0600.
        create: Whether to make the key where the token holds none of that label; otherwise that is refused.

    Raises:
        Refused: The library, token, PIN or key is not to be had, the key could be read out of the token, or the token
            offers neither mechanism; the PIN's file is open to others.
        FileNotFoundError: There is no such file with the PIN.
    """

    def __init__(self, library: Path, *, token: str, key: str, pin: Path, create: bool = False) -> None:
        super().__init__(library, token, key, pin, writable=create)
        with self._opening("a token holds the master key"):
            self._by_gcm = not _offers(self._slot, Mechanism.AES_KEY_WRAP, MechanismFlag.WRAP | MechanismFlag.UNWRAP)
            if self._by_gcm and not _offers(
                self._slot, Mechanism.AES_GCM, MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
            ):
                raise Refused("a master key needs AES key wrap or AES-GCM, the token has neither", token=token)
            self._key = self._find(ObjectClass.SECRET_KEY) or self._make(create=create)
            right = self._key[Attribute.KEY_TYPE] == KeyType.AES and self._key[Attribute.VALUE_LEN] == KEY_BYTES
            rule = "a master key is AES-256, made in its token, sensitive and never to be read out"
            self._refuse_readable(self._key, rule, right=right)

    def wrap(self, key: bytes) -> bytes:
        """Return a key so that only this master key can open it.

        Raises:
            InvalidValue: The key has another length.
            Refused: The token failed.
        """
        if len(key) != KEY_BYTES:
            raise InvalidValue(f"a key to wrap has {KEY_BYTES} bytes, was {len(key)}")
        try:
            with self._lock:
                return self._encrypt(key) if self._by_gcm else self._wrap(key)
        except pkcs11.PKCS11Error as error:
            raise Refused("a token wraps keys", token=self._token, found=named(error)) from error

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return a wrapped key.

        Raises:
            Corrupt: It was wrapped by another master key, or is damaged.
            Refused: The token failed.
        """
        if len(wrapped) not in (_WRAPPED_BYTES, _GCM_BYTES):
            raise Corrupt(f"a wrapped key has {_WRAPPED_BYTES} or {_GCM_BYTES} bytes, was {len(wrapped)}")
        try:
            with self._lock:
                return self._decrypt(wrapped) if len(wrapped) == _GCM_BYTES else self._unwrap(wrapped)
        except pkcs11.PKCS11Error as error:
            # Modules disagree on what to call a key that does not open; one that still works has answered.
            probe = secrets.token_bytes(KEY_BYTES)
            with self._lock:
                self._refuse_broken(probe, error)
            raise Corrupt("this master key does not open what was wrapped by another, or it is damaged") from error

    def _make(self, *, create: bool) -> Any:
        self._refuse_missing(create=create)
        uses = MechanismFlag.WRAP | MechanismFlag.UNWRAP | MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
        closed = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        return self._session.generate_key(
            KeyType.AES, _KEY_BITS, label=self._label, store=True, capabilities=uses, template=closed
        )

    def _refuse_broken(self, probe: bytes, cause: Exception) -> None:
        try:
            if self._by_gcm:
                works = self._decrypt(self._encrypt(probe)) == probe
            else:
                works = self._unwrap(self._wrap(probe)) == probe
        except pkcs11.PKCS11Error:
            works = False
        if not works:
            raise Refused("a token unwraps keys", token=self._token, found=named(cause)) from cause

    def _wrap(self, key: bytes) -> bytes:
        told = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: key}
        guest = self._session.create_object({**told, **_OPEN})
        try:
            return bytes(self._key.wrap_key(guest, mechanism=Mechanism.AES_KEY_WRAP))
        finally:
            guest.destroy()

    def _unwrap(self, wrapped: bytes) -> bytes:
        guest = self._key.unwrap_key(
            ObjectClass.SECRET_KEY, KeyType.AES, wrapped, mechanism=Mechanism.AES_KEY_WRAP, store=False, template=_OPEN
        )
        try:
            return bytes(guest[Attribute.VALUE])
        finally:
            guest.destroy()

    def _encrypt(self, key: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + bytes(self._key.encrypt(key, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce)))

    def _decrypt(self, wrapped: bytes) -> bytes:
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        return bytes(self._key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce)))


def _offers(slot: Any, mechanism: Mechanism, uses: MechanismFlag) -> bool:
    if mechanism not in slot.get_mechanisms():
        return False
    return bool(uses == uses & slot.get_mechanism_info(mechanism).flags)
