"""A person's own wallet: keys made, brought from elsewhere, listed and taken along; nothing shows them."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from commonwatt.adapters.stores.keyfile import load_secret, save_first
from commonwatt.adapters.stores.wallet_folder import Kept, TokenPlace, WalletFolder
from commonwatt.identity import mnemonic
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.keystore import MOST_BYTES, Words, read_keystore
from commonwatt.identity.signing_in.passwords import SHORTEST
from commonwatt.identity.signing_in.wallet import read_address, with_checksum
from commonwatt.model import InvalidValue, KeyId, Refused

Asks = Callable[[], bytes]
"""Asked for a passphrase where one is needed."""
_HEX = re.compile(rb"(0x)?[0-9a-fA-F]{64}")


class Form(StrEnum):
    """What a key is taken along as: a sealed file of wallets, its words, the bare key in hex, or sealed PKCS#8."""

    KEYSTORE = "keystore"
    WORDS = "words"
    HEX = "hex"
    PEM = "pem"


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as it is shown: its address with checksum."""

    name: str
    address: str
    kind: str
    path: str | None


def wallet_in(folder: Path) -> WalletFolder:
    """Return the wallet in a folder, which is made with its first key."""
    return WalletFolder(folder)


def the_one(wallet: Path, name: str | None) -> str:
    """Return which key of a wallet is meant: the one of this name, or the only one where none is told.

    Raises:
        Refused: None is told, and there is not one alone.
    """
    if name is not None:
        return name
    names = [one.name for one in wallet_in(wallet).kept()]
    if len(names) != 1:
        raise Refused("say which key: there is not one alone in the wallet", wallet=wallet, found=", ".join(names))
    return names[0]


def listed(kept: Kept) -> Listed:
    """Return a key as it is shown."""
    return Listed(kept.name, with_checksum(kept.address), kept.kind, kept.path)


def told_passphrase(file: Path | None, variable: str) -> bytes | None:
    """Return a passphrase from a file of mode 0600, or from a variable of the environment; None where neither tells.

    Raises:
        Refused: Others may read the file, or it is empty.
        FileNotFoundError: There is no such file.
    """
    if file is None:
        return os.environ[variable].encode() if os.environ.get(variable) else None
    words = load_secret(file).strip()
    if not words:
        raise Refused("a passphrase is not empty", file=file)
    return words


def make(wallet: WalletFolder, name: str, passphrase: Asks, *, count: int, words_to: Path | None) -> tuple[Kept, str]:
    """Make a key from new words, and keep both sealed.

    Args:
        wallet: Where it is kept.
        name: Under which.
        passphrase: Twelve characters or more.
        count: Of words.
        words_to: A file of mode 0600 that gets the words, made before the key is kept: no key without them.

    Returns:
        The key as kept, and its words: whoever has them has the key, and who shows them shows them once.

    Raises:
        Refused: The name is taken, the passphrase is short, or the file exists.
        InvalidValue: The name is none, or there are no so many words.
    """
    words = Words(mnemonic.new_words(count), mnemonic.path())
    key = mnemonic.key_of(words)
    wallet.refuse_taken(name, key.id)
    sealed_under = long_enough(passphrase())
    if words_to is not None:
        save_new(words_to, words.text.encode() + b"\n")
    return wallet.add(name, key, sealed_under, words), words.text


def bring(
    wallet: WalletFolder, name: str, content: bytes, opens: Asks, passphrase: Asks, path: str = "", extra: str = ""
) -> Kept:
    """Keep a key that was made elsewhere; what it is written in is seen from the content.

    Args:
        wallet: Where it is kept.
        name: Under which.
        content: A keystore, PKCS#8 PEM, 64 hex digits, or words.
        opens: Asked for the passphrase that a keystore or PEM is sealed under.
        passphrase: Under which it is kept.
        path: Below words; that of wallets' first account where none is told.
        extra: BIP-39's own passphrase of words, which most people have not; it is kept nowhere.

    Raises:
        Refused: The content is none of these, does not open, or the name or key is there already.
        Corrupt: The content is damaged.
        InvalidValue: The name or path is none.
    """
    key, words = read_key(content, opens, path, extra)
    wallet.refuse_taken(name, key.id)
    return wallet.add(name, key, long_enough(passphrase()), words)


def take(wallet: WalletFolder, name: str, out: Path, form: Form, passphrase: Asks, anew: Asks) -> Kept:
    """Write a key to a new file of mode 0600.

    Args:
        wallet: Where it is kept.
        name: Under which.
        out: The file.
        form: As what.
        passphrase: Opens the wallet's file.
        anew: Seals what is written, where the form does so.

    Raises:
        Refused: The file exists, the passphrase is wrong or the new one short, the key is in a token, or has no words.
        Corrupt: The wallet's file is damaged.
    """
    _refuse_there(out)
    key, words = wallet.take_out(name, passphrase())
    if form is Form.HEX:
        content = key.secret().hex().encode() + b"\n"
    elif form is Form.WORDS:
        if words is None:
            raise Refused("words are taken along where the key came from them", name=name)
        content = words.text.encode() + b"\n"
    elif form is Form.PEM:
        content = key.to_pem(long_enough(anew()))
    else:
        content = wallet.sealed(key, long_enough(anew()))
    save_new(out, content)
    return wallet.find(name)


def make_in_token(wallet: WalletFolder, name: str, library: Path, token: str, label: str, pin: Path) -> Kept:
    """Remember a key in a token behind PKCS#11; made there, unless it holds one of that label.

    Args:
        wallet: Where it is remembered.
        name: Under which.
        library: The module's PKCS#11 library.
        token: The token's label.
        label: The key's label in it.
        pin: File with the user's PIN, mode 0600.

    Raises:
        Refused: The name or key is there already, or the token is not to be had.
        InvalidValue: The name is none.
    """
    place = TokenPlace(library=str(library.absolute()), token=token, label=label, pin=str(pin.absolute()))
    return wallet.add_token(name, place, create=True)


def read_secret(place: str) -> bytes:
    """Return what holds a key: of a file of mode 0600, or what stands on standard input for ``-``.

    Raises:
        Refused: Others may read the file.
        FileNotFoundError: There is no such file.
    """
    return sys.stdin.buffer.read(MOST_BYTES + 1) if place == "-" else load_secret(Path(place))


def address_of(wallet: WalletFolder, who: str) -> KeyId:
    """Return the address that somebody means: written out, or by the name of a key in the wallet.

    Raises:
        InvalidValue: An address's checksum is wrong.
        Refused: The wallet has no such key.
    """
    return read_address(who) if who.lower().startswith("0x") else wallet.find(who).address


def save_new(path: Path, content: bytes) -> None:
    """Write a secret to a file that is not there yet, mode 0600.

    Raises:
        Refused: It is there.
    """
    _refuse_there(path)
    save_first(path, content)
    if load_secret(path) != content:
        _refuse_there(path)


def long_enough(passphrase: bytes) -> bytes:
    """Return a passphrase under which a key may rest.

    Raises:
        Refused: It has too few characters.
    """
    if len(passphrase.decode(errors="replace")) < SHORTEST:
        raise Refused(f"a key rests under a passphrase of {SHORTEST} characters or more")
    return passphrase


def _refuse_there(path: Path) -> None:
    if path.exists():
        raise Refused("a key is written to a new file: what is there could be another key", file=path)


def read_key(content: bytes, opens: Asks, path: str = "", extra: str = "") -> tuple[SigningKey, Words | None]:
    """Return the key that something from elsewhere holds, and the words that it came as; keeps nothing.

    Args, Raises: As `bring`.
    """
    if len(content) > MOST_BYTES:
        raise Refused(f"what holds a key has at most {MOST_BYTES} bytes", found=len(content))
    stripped = content.strip()
    if stripped.startswith(b"{"):
        found, words = read_keystore(stripped, opens()), None
    elif stripped.startswith(b"-----BEGIN"):
        found, words = SigningKey.from_pem(stripped, opens()), None
    elif _HEX.fullmatch(stripped):
        found, words = _of_hex(stripped), None
    elif len(stripped.split()) in mnemonic.COUNTS:
        words = Words(" ".join(stripped.decode(errors="replace").split()), path or mnemonic.path())
        found = mnemonic.key_of(words, extra)
    else:
        # Not what was found: it may be a key with one letter too many.
        raise Refused("a key comes as a keystore, as PEM, as 64 hex digits, or as 12 to 24 words")
    if path and words is None:
        raise InvalidValue("a path leads from words to a key, and this is a key")
    return found, words


def _of_hex(text: bytes) -> SigningKey:
    try:
        return SigningKey(bytes.fromhex(text.decode().removeprefix("0x")))
    except InvalidValue:
        raise Refused("a key is a number from 1 up to the curve's order") from None
