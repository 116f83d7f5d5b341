"""Open a PKCS#11 token and find the one key in it that somebody keeps there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import pkcs11
from pkcs11 import Attribute, ObjectClass

from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.model import Refused


class TokenKey:
    """A key that never leaves its token, behind a session that is open until `close`; what it does, its heirs know.

    A token knows one login for each process, which no fork takes along.

    Args:
        library: The module's PKCS#11 library.
        token: The token's label.
        key: The key's label in it.
        pin: File with the user's PIN, mode 0600.
        writable: Whether a key may be made in it.

    Raises:
        Refused: The library, token or PIN is not to be had; the PIN's file is open to others.
        FileNotFoundError: There is no such file with the PIN.

    Source: PKCS #11 Cryptographic Token Interface 3.1, OASIS.
    """

    def __init__(self, library: Path, token: str, key: str, pin: Path, *, writable: bool) -> None:
        self._token, self._label, self._lock = token, key, Lock()
        # Without the newline that editors leave behind it.
        words = load_secret(pin).strip().decode()
        try:
            found = pkcs11.lib(str(library)).get_token(token_label=token)
            self._slot, self._session = found.slot, found.open(user_pin=words, rw=writable)
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise Refused("a token opens with its label and PIN", token=token, found=named(error)) from error

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
        return f"{type(self).__name__}({self._token!r}, {self._label!r})"

    @contextmanager
    def _opening(self, rule: str) -> Iterator[None]:
        """Close again where what the token holds is not what is wanted, or it fails.

        Raises:
            Refused: It is not; or the token failed, against this rule.
        """
        try:
            yield
        except pkcs11.PKCS11Error as error:
            self.close()
            raise Refused(rule, token=self._token, key=self._label, found=named(error)) from error
        except BaseException:
            self.close()
            raise

    def _find(self, kind: ObjectClass) -> Any | None:
        found = list(self._session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: self._label}))
        if len(found) > 1:
            raise Refused("a token holds one key of a label", token=self._token, key=self._label, found=len(found))
        return found[0] if found else None

    def _refuse_missing(self, *, create: bool) -> None:
        """Refuse a token without the key unless one is to be made: an empty one must not look like a fresh start."""
        if not create:
            raise Refused("there is no such key in the token", token=self._token, key=self._label)

    def _refuse_readable(self, key: Any, rule: str, *, right: bool = True) -> None:
        """Refuse a key that can be read out, or could be once: then it may lie elsewhere already."""
        if not right or not key[Attribute.ALWAYS_SENSITIVE] or not key[Attribute.NEVER_EXTRACTABLE]:
            raise Refused(rule, token=self._token, key=self._label)


def named(error: Exception) -> str:
    """Return what a token's library calls an error, which often has no words of its own."""
    return f"{type(error).__name__} {error}".strip()
