"""Seal a key under a passphrase in the file that Ethereum's wallets share, and open theirs.

Source: Web3 Secret Storage Definition, version 3.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from Crypto.Protocol.KDF import scrypt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from msgspec import Meta, Struct

from commonwatt.identity.keys import SigningKey, keccak256
from commonwatt.model import Corrupt, InvalidValue, KeyId, Refused

VERSION = 3
MOST_BYTES = 16_384
"""Of a file: the next is not even read."""
_KEY_BYTES = 32
_SCRYPT_MEMORY = 2**29
_SCRYPT_STEPS = 2**22
_PBKDF2_ROUNDS = 2**24
"""The most work that a file from elsewhere may ask for before its passphrase is known to be right."""
_CIPHER = "aes-128-ctr"
_Hex = Annotated[str, Meta(pattern="^([0-9a-fA-F]{2})+$", max_length=2_048)]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Cost:
    """What every guess at a passphrase costs, as scrypt counts it.

    Args:
        n: Rounds, a power of two; memory is 128 * n * r bytes.
        r: Size of a block.
        p: Times all of it.
    """

    n: int = 2**18
    r: int = 8
    p: int = 1


STANDARD = Cost()
"""That of most wallets: 256 MiB, and most of a second."""


class _Iv(Struct, frozen=True):
    iv: Annotated[str, Meta(pattern="^[0-9a-fA-F]{32}$")]


class _Sealed(Struct, frozen=True):
    cipher: str
    ciphertext: _Hex
    cipherparams: _Iv
    kdf: str
    kdfparams: dict[str, Any]
    mac: Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]


class _Scrypt(Struct, frozen=True):
    n: Annotated[int, Meta(ge=2)]
    r: Annotated[int, Meta(ge=1)]
    p: Annotated[int, Meta(ge=1)]
    dklen: Annotated[int, Meta(ge=32, le=64)]
    salt: _Hex


class _Pbkdf2(Struct, frozen=True):
    c: Annotated[int, Meta(ge=1, le=_PBKDF2_ROUNDS)]
    dklen: Annotated[int, Meta(ge=32, le=64)]
    prf: str
    salt: _Hex


class Words(Struct, frozen=True, repr_omit_defaults=True):
    """The words that a key was derived from, and its path below them."""

    text: str
    path: str

    def __repr__(self) -> str:
        return f"Words({self.path})"


class _Ours(Struct, frozen=True):
    path: str
    words: _Sealed


class _File(Struct, frozen=True):
    version: int
    crypto: _Sealed
    address: Annotated[str, Meta(pattern="^(0x)?[0-9a-fA-F]{40}$")] | None = None
    commonwatt: _Ours | None = None


def write_keystore(key: SigningKey, passphrase: bytes, words: Words | None = None, cost: Cost = STANDARD) -> bytes:
    """Return the file of a key, as JSON.

    Args:
        key: What is sealed.
        passphrase: One byte or more.
        words: What it was derived from, sealed beside it in a member of ours that other wallets pass over.
        cost: Of every guess.

    Raises:
        InvalidValue: The passphrase is empty.
    """
    told: dict[str, Any] = {
        "version": VERSION,
        "id": str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        "address": key.id[2:],
        "crypto": _sealed(key.secret(), passphrase, cost),
    }
    if words is not None:
        told["commonwatt"] = {"path": words.path, "words": _sealed(words.text.encode(), passphrase, cost)}
    return msgspec.json.format(msgspec.json.encode(told)) + b"\n"


def read_keystore(content: bytes, passphrase: bytes) -> SigningKey:
    """Return the key in a file, ours or another wallet's, sealed by scrypt or PBKDF2.

    Raises:
        Refused: The passphrase does not open it, or the file asks for more work than one should do for it.
        Corrupt: It is no such file, or is another key's than it says.
    """
    told = _read(content)
    secret = _opened(told.crypto, passphrase)
    try:
        key = SigningKey(secret)
    except InvalidValue as error:
        raise Corrupt(f"a key file holds a key of secp256k1: {error}") from error
    # Nothing else binds the address that is shown before the file is opened.
    if told.address is not None and _plain(told.address) != key.id:
        raise Corrupt(f"a key file tells its own key's address, this says {told.address} and holds {key.id}")
    return key


def read_words(content: bytes, passphrase: bytes) -> Words | None:
    """Return the words that a file's key was derived from; None where they are not in it. Errors as `read_keystore`."""
    ours = _read(content).commonwatt
    return None if ours is None else Words(_opened(ours.words, passphrase).decode(), ours.path)


def address_in(content: bytes) -> tuple[KeyId, str | None]:
    """Return whose key a file says that it is, and the path that it was derived by, where it tells that.

    Raises:
        Corrupt: It is no such file, or does not say whose.
    """
    told = _read(content)
    if told.address is None:
        raise Corrupt("a key file says whose key it holds, this does not")
    return _plain(told.address), None if told.commonwatt is None else told.commonwatt.path


def _plain(address: str) -> KeyId:
    return KeyId("0x" + address.lower().removeprefix("0x"))


def _read(content: bytes) -> _File:
    if len(content) > MOST_BYTES:
        raise Corrupt(f"a key file has at most {MOST_BYTES} bytes")
    try:
        told = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt(f"this is no key file: {error}") from error
    if not isinstance(told, dict) or told.get("version") != VERSION:
        raise Corrupt(f"a key file is of version {VERSION}, this is none of it")
    # Some wallets write "Crypto".
    return _as({name.lower(): value for name, value in told.items()}, _File, "this is no key file")


def _as(told: object, kind: type[_Read], rule: str) -> _Read:
    try:
        return msgspec.convert(told, kind)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"{rule}: {error}") from error


def _sealed(secret: bytes, passphrase: bytes, cost: Cost) -> dict[str, Any]:
    if not passphrase:
        raise InvalidValue("a key rests under a passphrase of one byte or more, was empty")
    salt, iv = secrets.token_bytes(32), secrets.token_bytes(16)
    params = {"n": cost.n, "r": cost.r, "p": cost.p, "dklen": _KEY_BYTES, "salt": salt.hex()}
    derived = _derived("scrypt", params, passphrase)
    ciphertext = _ciphered(derived, iv, secret)
    return {
        "cipher": _CIPHER,
        "ciphertext": ciphertext.hex(),
        "cipherparams": {"iv": iv.hex()},
        "kdf": "scrypt",
        "kdfparams": params,
        "mac": _mac(derived, ciphertext).hex(),
    }


def _opened(sealed: _Sealed, passphrase: bytes) -> bytes:
    if sealed.cipher != _CIPHER:
        raise Corrupt(f"a key file is sealed by {_CIPHER}, was {sealed.cipher[:80]!r}")
    ciphertext = bytes.fromhex(sealed.ciphertext)
    derived = _derived(sealed.kdf, sealed.kdfparams, passphrase)
    if not hmac.compare_digest(_mac(derived, ciphertext), bytes.fromhex(sealed.mac)):
        raise Refused("the passphrase does not open this key, or it is damaged")
    return _ciphered(derived, bytes.fromhex(sealed.cipherparams.iv), ciphertext)


def _derived(kdf: str, params: Mapping[str, Any], passphrase: bytes) -> bytes:
    if kdf == "scrypt":
        s = _as(params, _Scrypt, "scrypt has its parameters")
        if 128 * s.n * s.r > _SCRYPT_MEMORY or s.n * s.r * s.p > _SCRYPT_STEPS:
            raise Refused("a key file asks for work that a wallet does", n=s.n, r=s.r, p=s.p)
        # Not OpenSSL's: that refuses many rounds with small blocks, as in the definition's own example.
        try:
            return bytes(scrypt(passphrase, bytes.fromhex(s.salt), s.dklen, s.n, s.r, s.p))  # type: ignore[arg-type]  # takes bytes too
        except ValueError as error:
            raise Corrupt(f"scrypt has its parameters: {error}") from error
    if kdf == "pbkdf2":
        b = _as(params, _Pbkdf2, "PBKDF2 has its parameters")
        if b.prf != "hmac-sha256":
            raise Corrupt(f"PBKDF2 runs with hmac-sha256, was {b.prf[:80]!r}")
        return hashlib.pbkdf2_hmac("sha256", passphrase, bytes.fromhex(b.salt), b.c, b.dklen)
    raise Corrupt(f"a key file's passphrase goes through scrypt or pbkdf2, was {kdf[:80]!r}")


def _mac(derived: bytes, ciphertext: bytes) -> bytes:
    return keccak256(derived[16:32] + ciphertext)


def _ciphered(derived: bytes, iv: bytes, content: bytes) -> bytes:
    # The same both ways.
    return Cipher(AES(derived[:16]), CTR(iv)).encryptor().update(content)
