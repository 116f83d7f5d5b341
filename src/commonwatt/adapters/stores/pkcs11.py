"""Let the master key live in a security module, which wraps and unwraps owners' keys and never gives it out."""

import secrets
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass

from commonwatt.adapters.stores.keyfile import load_secret
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


class Pkcs11Master:
    """Implements `commonwatt.adapters.stores.vault.Wrapping` with an AES-256 key that never leaves its token.

    Wraps by AES key wrap (RFC 3394) where the token offers it, by AES-256-GCM with a random nonce where it does not;
    what was wrapped tells by its length how. A token knows one login for each process, which no fork takes along:
    the logs of a process share one of these.

    Args:
        library: The module's PKCS#11 library.
        token: The token's label.
        key: The key's label in it.
        pin: File with the user's PIN, mode 0600.
        create: Whether to make the key where the token holds none of that label. Otherwise that is refused: an empty
            token in place of the right one should not look like a fresh start.

    Raises:
        Refused: The library, token, PIN or key is not to be had, the key could be read out of the token, or the token
            offers neither mechanism; the PIN's file is open to others.
        FileNotFoundError: There is no such file with the PIN.

    Source: PKCS #11 Cryptographic Token Interface 3.1, OASIS.
    """

    def __init__(self, library: Path, *, token: str, key: str, pin: Path, create: bool = False) -> None:
        self._token, self._label, self._lock = token, key, Lock()
        # Without the newline that editors leave behind it.
        words = load_secret(pin).strip().decode()
        try:
            found = pkcs11.lib(str(library)).get_token(token_label=token)
            self._session = found.open(user_pin=words, rw=create)
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise Refused("a token opens with its label and PIN", token=token, found=_named(error)) from error
        try:
            self._by_gcm = not _offers(found.slot, Mechanism.AES_KEY_WRAP, MechanismFlag.WRAP | MechanismFlag.UNWRAP)
            if self._by_gcm and not _offers(
                found.slot, Mechanism.AES_GCM, MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
            ):
                raise Refused("a master key needs AES key wrap or AES-GCM, the token has neither", token=token)
            self._key = self._find() or self._make(create=create)
            self._refuse_readable()
        except pkcs11.PKCS11Error as error:
            self.close()
            raise Refused("a token holds the master key", token=token, key=key, found=_named(error)) from error
        except Refused:
            self.close()
            raise

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
            raise Refused("a token wraps keys", token=self._token, found=_named(error)) from error

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

    def close(self) -> None:
        """Log out of the token; closing twice is no error."""
        # Nothing is left to close where the token was taken away, or this was closed before.
        with suppress(pkcs11.PKCS11Error):
            self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Pkcs11Master({self._token!r}, {self._label!r})"

    def _find(self) -> Any | None:
        wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: self._label}
        found = list(self._session.get_objects(wanted))
        if len(found) > 1:
            raise Refused("a token holds one key of a label", token=self._token, key=self._label, found=len(found))
        return found[0] if found else None

    def _make(self, *, create: bool) -> Any:
        if not create:
            raise Refused("there is no such key in the token", token=self._token, key=self._label)
        uses = MechanismFlag.WRAP | MechanismFlag.UNWRAP | MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
        closed = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        return self._session.generate_key(
            KeyType.AES, _KEY_BITS, label=self._label, store=True, capabilities=uses, template=closed
        )

    def _refuse_readable(self) -> None:
        """Refuse a key that can be read out, or could be once: then it may lie elsewhere already."""
        key = self._key
        right = key[Attribute.KEY_TYPE] == KeyType.AES and key[Attribute.VALUE_LEN] == KEY_BYTES
        if not right or not key[Attribute.ALWAYS_SENSITIVE] or not key[Attribute.NEVER_EXTRACTABLE]:
            raise Refused(
                "a master key is AES-256, made in its token, sensitive and never to be read out",
                token=self._token,
                key=self._label,
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
            raise Refused("a token unwraps keys", token=self._token, found=_named(cause)) from cause

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


def _named(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
