"""Sign requests and checkpoint notes, and check who signed a request."""

import hmac
import re
from dataclasses import replace
from typing import Protocol

from coincurve import PrivateKey, PublicKey

# Straight to libsecp256k1, since coincurve's own verify takes signatures in DER only and ours are compact.
from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]  # a compiled module without stubs
from coincurve.context import GLOBAL_CONTEXT
from Crypto.Hash import keccak
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from commonwatt.model import Corrupt, InvalidValue, KeyId, Refused, Request

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECP256K1 = "secp256k1"
"""The curve of every key but some gateways', as registrations name it; see `commonwatt.identity.p256` for those."""
SIGNATURE = re.compile("[0-9a-f]{128}")
"""How r and s are written."""


class RequestSigner(Protocol):
    """Whatever signs requests: a key in memory, or one in a secure element that never gives it out."""

    @property
    def id(self) -> KeyId:
        """The address that requests name as their author."""

    @property
    def alg(self) -> str:
        """Its curve, as its registration names it."""

    @property
    def public(self) -> bytes:
        """The public key, 33 bytes."""

    def sign(self, message: bytes) -> str:
        """Return the signature over a message, as `SigningKey.sign` writes it."""


class WalletSigner(RequestSigner, Protocol):
    """What signs for a ledger and for a chain alike: a key in memory, or one that never leaves its token."""

    def sign_digest(self, digest: bytes) -> str:
        """Return the signature over 32 bytes that are a hash already, as `SigningKey.sign_digest` writes it."""


def sign_request(request: Request, key: RequestSigner) -> Request:
    """Return the request with the key's signature over its signed bytes in place of any other.

    Raises:
        InvalidValue: The request has no canonical form, see `commonwatt.model.canonical_json`.
    """
    return replace(request, signature=key.sign(request.signed_bytes()))


class SigningKey:
    """A secp256k1 key that signs as an Ethereum wallet does; neither text nor repr of it tells the secret.

    Args:
        secret: 32 bytes, a number from 1 up to the curve's order.

    Raises:
        InvalidValue: The secret has another length or lies outside that range.

    Source: EIP-191 version 0x45 (``personal_sign``) over keccak-256; SEC 1 section 4.1, nonces of RFC 6979.
    """

    alg = SECP256K1

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32 or not 0 < int.from_bytes(secret) < CURVE_ORDER:
            raise InvalidValue(
                f"a secret is 32 bytes from 1 up to the curve's order, was {len(secret)} bytes or beyond"
            )
        self._key = PrivateKey(secret)
        self.public = self._key.public_key.format()
        self.id = address(self._key.public_key.format(compressed=False))

    @classmethod
    def generate(cls) -> "SigningKey":
        """Return a new key from the machine's randomness."""
        return cls(PrivateKey().secret)

    @classmethod
    def from_seed(cls, seed: bytes, name: str) -> "SigningKey":
        """Return the key that a simulation gives to a name: the same for the same seed, and no more secret than it."""
        digest = int.from_bytes(hmac.digest(seed, name.encode(), "sha256"))
        return cls((digest % (CURVE_ORDER - 1) + 1).to_bytes(32))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes) -> "SigningKey":
        """Return the key that `to_pem` wrote.

        Raises:
            Refused: The passphrase does not open it.
            Corrupt: It holds no secp256k1 key.
        """
        key = _open_pem(pem, passphrase)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
            raise Corrupt(f"a signing key is of secp256k1, this is a {type(key).__name__}")
        return cls(key.private_numbers().private_value.to_bytes(32))

    def to_pem(self, passphrase: bytes) -> bytes:
        """Return the key as PKCS#8 PEM, encrypted under a passphrase of one byte or more."""
        return _to_pem(ec.derive_private_key(self._key.to_int(), ec.SECP256K1()), passphrase)

    def sign(self, message: bytes) -> str:
        """Return the signature over a message: r and s, low-s, as 128 lower-case hex digits."""
        return self.sign_digest(signed_digest(message))

    def sign_digest(self, digest: bytes) -> str:
        """Return the signature over 32 bytes that are a hash already, in the form of `sign`.

        For digests that their own rule sets apart from every request's, as EIP-712 does.
        """
        # The 65th byte would let a chain recover the key; a request names its author, so it is dropped.
        return self._key.sign_recoverable(digest, hasher=None)[:64].hex()

    def secret(self) -> bytes:
        """Return the secret itself, 32 bytes: for whoever seals it, or takes it along."""
        return self._key.secret

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


class VerifyingKey:
    """The public half of a `SigningKey`, parsed once so that many signatures are checked fast.

    Args:
        public: 33 bytes, the compressed form of SEC 1.

    Raises:
        InvalidValue: These bytes are no point of the curve in compressed form.
    """

    alg = SECP256K1

    def __init__(self, public: bytes) -> None:
        try:
            key = PublicKey(public)
        except ValueError as error:
            raise InvalidValue(f"a public key is a point of secp256k1, was {public.hex()}") from error
        if key.format() != public:
            raise InvalidValue(f"a public key is in compressed form, was {public.hex()}")
        self.public = public
        self.id = address(key.format(compressed=False))
        self._point = key.public_key
        self.point = bytes(ffi.buffer(key.public_key, 64))
        """The key as libsecp256k1 keeps it in memory, 64 bytes; for compiled kernels, never to be stored."""

    def verify(self, message: bytes, signature: str) -> bool:
        """Tell whether the key signed this message; False for anything that `SigningKey.sign` would not write.

        A high-s twin is refused by libsecp256k1, so that nobody can change a signature without its key.
        """
        return self.verify_digest(signed_digest(message), signature)

    def verify_digest(self, digest: bytes, signature: str) -> bool:
        """Tell whether the key signed these 32 bytes, see `SigningKey.sign_digest`; False as in `verify`."""
        if not SIGNATURE.fullmatch(signature):
            return False
        parsed = ffi.new("secp256k1_ecdsa_signature *")
        context = GLOBAL_CONTEXT.ctx
        if not lib.secp256k1_ecdsa_signature_parse_compact(context, parsed, bytes.fromhex(signature)):
            return False
        return bool(lib.secp256k1_ecdsa_verify(context, parsed, digest, self._point))

    def __repr__(self) -> str:
        return f"VerifyingKey({self.id})"


class NoteKey:
    """An Ed25519 key that signs checkpoint notes; neither text nor repr of it tells the secret.

    Args:
        private: The key itself, for whoever signs notes.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> "NoteKey":
        """Return a new key from the machine's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes, name: str) -> "NoteKey":
        """Return the key that a simulation gives to a name: the same for the same seed, and no more secret than it."""
        # A prefix of its own, so that a name's two keys never share their secret bytes.
        secret = hmac.digest(seed, b"ed25519\x00" + name.encode(), "sha256")
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes) -> "NoteKey":
        """Return the key that `to_pem` wrote.

        Raises:
            Refused: The passphrase does not open it.
            Corrupt: It holds no Ed25519 key.
        """
        key = _open_pem(pem, passphrase)
        if not isinstance(key, Ed25519PrivateKey):
            raise Corrupt(f"a note key is of Ed25519, this is a {type(key).__name__}")
        return cls(key)

    def to_pem(self, passphrase: bytes) -> bytes:
        """Return the key as PKCS#8 PEM, encrypted under a passphrase of one byte or more."""
        return _to_pem(self.private, passphrase)

    def __repr__(self) -> str:
        return f"NoteKey({self.public.hex()})"


def signed_digest(message: bytes) -> bytes:
    """Return the 32 bytes that a wallet signs for a message (EIP-191)."""
    return keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))


def recovered(digest: bytes, signature: bytes, parity: int) -> KeyId | None:
    """Return whose secp256k1 key made a signature over a digest; None where no key did, or for its high-s twin.

    Args:
        digest: What was signed, 32 bytes.
        signature: r and s, 64 bytes.
        parity: 0 or 1, of the y of the signature's point: without it two keys come into question.

    Source: SEC 1 section 4.1.6; EIP-2 (low s).
    """
    if int.from_bytes(signature[32:]) > CURVE_ORDER // 2:
        return None
    try:
        key = PublicKey.from_signature_and_message(signature + bytes([parity]), digest, hasher=None)
    except ValueError:
        return None
    return address(key.format(compressed=False))


def address(point: bytes) -> KeyId:
    """Return a key's name, its Ethereum address: the last 20 bytes of the hash of its point's two coordinates.

    Args:
        point: 65 bytes, the uncompressed form of SEC 1, of whichever curve.
    """
    return KeyId("0x" + keccak256(point[1:])[-20:].hex())


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte hash that Ethereum calls keccak-256; not SHA3-256, which pads differently."""
    return keccak.new(data=data, digest_bits=256).digest()


def _to_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, passphrase: bytes) -> bytes:
    if not passphrase:
        raise InvalidValue("a key rests under a passphrase of one byte or more, was empty")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


def _open_pem(pem: bytes, passphrase: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError) as error:
        raise Refused("the passphrase does not open this key, or it is damaged", found=str(error)) from error
