"""Keep a person's own keys in a folder: each sealed in a file that other wallets read, or named where its token is."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.adapters.stores.keyfile import load_secret, save_first
from commonwatt.adapters.stores.pkcs11_signer import Pkcs11Signer
from commonwatt.identity.keys import SigningKey, WalletSigner
from commonwatt.identity.keystore import STANDARD, Cost, Words, address_in, read_keystore, read_words, write_keystore
from commonwatt.model import Corrupt, InvalidValue, KeyId, Refused

_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,63}")
_ENDING = ".json"
Passphrase = Callable[[], bytes]
"""Asked for the passphrase where one is needed."""


class TokenPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a key is that never leaves its token.

    Args:
        library: The module's PKCS#11 library.
        token: The token's label.
        label: The key's label in it.
        pin: File with the user's PIN, mode 0600.
        address: The key's, so that it is known while the token is away.
    """

    library: str
    token: str
    label: str
    pin: str
    address: Annotated[str, Meta(pattern="^(0x[0-9a-f]{40})?$")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A key in the folder: its name, its address, where it is kept, and the path below words it was derived from."""

    name: str
    address: KeyId
    kind: str
    path: str | None = None


class WalletFolder:
    """A folder of keys, mode 0700, a file of mode 0600 each; no file is ever written over.

    Args:
        folder: Made with the first key.
        cost: Of every guess at a passphrase.
    """

    def __init__(self, folder: Path, *, cost: Cost = STANDARD) -> None:
        self._folder, self._cost = folder, cost

    def kept(self) -> list[Kept]:
        """Return all keys, by name; nothing is opened.

        Raises:
            Refused: A file is open to others.
            Corrupt: A file is damaged.
        """
        paths = sorted(self._folder.glob(f"*{_ENDING}")) if self._folder.is_dir() else []
        return [self._read(path.name.removesuffix(_ENDING))[0] for path in paths]

    def find(self, name: str) -> Kept:
        """Return the key of a name.

        Raises:
            Refused: There is none, or its file is open to others.
            Corrupt: It is damaged.
        """
        return self._read(name)[0]

    @contextmanager
    def opened(self, name: str, passphrase: Passphrase) -> Iterator[WalletSigner]:
        """Open a key for signing as long as the block runs; a token is logged out of afterwards.

        Raises:
            Refused: There is no such key, the passphrase does not open it, or its token is not to be had.
            Corrupt: Its file is damaged, or another key's than it says.
        """
        kept, content = self._read(name)
        if kept.kind == "keystore":
            yield read_keystore(content, passphrase())
            return
        with _in_token(msgspec.json.decode(content, type=TokenPlace)) as signer:
            if signer.id != kept.address:
                raise Corrupt(f"{name} is {kept.address}, the token's key is {signer.id}")
            yield signer

    def take_out(self, name: str, passphrase: bytes) -> tuple[SigningKey, Words | None]:
        """Return a key itself, and the words that it was derived from, where they are kept.

        Raises:
            Refused: It is in a token, which never gives it out; or as `opened`.
            Corrupt: As `opened`.
        """
        kept, content = self._read(name)
        if kept.kind != "keystore":
            raise Refused("a key in a token never leaves it", name=name)
        return read_keystore(content, passphrase), read_words(content, passphrase)

    def sealed(self, key: SigningKey, passphrase: bytes) -> bytes:
        """Return the file of a key alone, for whoever takes it along.

        Raises:
            InvalidValue: The passphrase is empty.
        """
        return write_keystore(key, passphrase, cost=self._cost)

    def add(self, name: str, key: SigningKey, passphrase: bytes, words: Words | None = None) -> Kept:
        """Keep a key, sealed under a passphrase.

        Raises:
            Refused: There is one of that name, or one of that address.
            InvalidValue: The name is none, or the passphrase is empty.
        """
        self.refuse_taken(name, key.id)
        return self._save(name, write_keystore(key, passphrase, words, self._cost))

    def add_token(self, name: str, place: TokenPlace, *, create: bool) -> Kept:
        """Remember a key in a token.

        Args:
            name: Under which it is found.
            place: Where it is.
            create: Whether to make it there; one of that label is taken as it is.

        Raises:
            Refused: There is one of that name or address, or the token is not to be had.
            InvalidValue: The name is none.
        """
        self.refuse_taken(name, None)
        with _in_token(place, create=create) as signer:
            self.refuse_taken(name, signer.id)
            told = msgspec.structs.replace(place, address=signer.id)
        return self._save(name, msgspec.json.format(msgspec.json.encode(told)) + b"\n")

    def refuse_taken(self, name: str, address: KeyId | None) -> None:
        """Refuse a key that could not be kept, before anybody is asked for a passphrase.

        Raises:
            Refused: There is one of that name, or one of that address.
            InvalidValue: The name is none.
        """
        if not _NAME.fullmatch(name):
            raise InvalidValue(f"a key's name is of a-z, 0-9, '.', '_' and '-', was {name[:80]!r}")
        for one in self.kept():
            if one.name == name:
                raise Refused("a name is one key's, and no key is written over", name=name)
            if one.address == address:
                raise Refused("a key is kept once", name=one.name, address=address)

    def _save(self, name: str, content: bytes) -> Kept:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(name)
        save_first(path, content)
        if load_secret(path) != content:
            raise Refused("a name is one key's, and no key is written over", name=name)
        return self._read(name)[0]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_ENDING}"

    def _read(self, name: str) -> tuple[Kept, bytes]:
        path = self._path(name)
        # A name with a slash would lead elsewhere; foreign names of files are read, not made.
        if Path(name).name != name or not path.is_file():
            raise Refused("there is no such key in the wallet: `commonwatt wallet list`", name=name[:80])
        content = load_secret(path)
        try:
            return _told(name, content), content
        except Corrupt as error:
            raise Corrupt(f"{path}: {error}") from error


def _told(name: str, content: bytes) -> Kept:
    try:
        told = msgspec.json.decode(content)
        if isinstance(told, dict) and "library" in told:
            place = msgspec.convert(told, TokenPlace)
            return Kept(name=name, address=KeyId(place.address), kind="pkcs11")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt(f"this is no key file: {error}") from error
    address, path = address_in(content)
    return Kept(name=name, address=address, kind="keystore", path=path)


def _in_token(place: TokenPlace, *, create: bool = False) -> Pkcs11Signer:
    return Pkcs11Signer(Path(place.library), token=place.token, key=place.label, pin=Path(place.pin), create=create)
