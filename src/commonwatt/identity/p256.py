"""Check signatures of P-256, for gateways whose secure element has no other curve, and tell such keys from others."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commonwatt.identity.keys import SECP256K1, SIGNATURE, VerifyingKey, address, signed_digest
from commonwatt.model import InvalidValue

P256 = "P-256"
"""NIST's curve as registrations name it; SEC 2 calls it secp256r1, X9.62 prime256v1."""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PUBLIC_BYTES = 33
# The digest is keccak-256, as for every other key; of SHA-256 this takes no more than the length of 32 bytes.
_SIGNS = ec.ECDSA(Prehashed(SHA256()))


class P256VerifyingKey:
    """The public half of a gateway's P-256 key; named by its coordinates, as every key is.

    Args:
        public: 33 bytes, the compressed form of SEC 1.

    Raises:
        InvalidValue: These bytes are no point of the curve in compressed form.

    Source: FIPS 186-5 section 6.4.2; SEC 1 sections 2.3.4 and 4.1.4; EIP-191 version 0x45; EIP-2 (low s).
    """

    alg = P256

    def __init__(self, public: bytes) -> None:
        try:
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        except ValueError as error:
            raise InvalidValue(f"a public key is a point of P-256, was {public.hex()}") from error
        if len(public) != _PUBLIC_BYTES:
            raise InvalidValue(f"a public key is in compressed form, was {public.hex()}")
        self.public = public
        self.id = address(self._key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def verify(self, message: bytes, signature: str) -> bool:
        """Tell whether the key signed this message: the 32 bytes of `signed_digest`, hashed no further.

        Only r and s, low-s, as 128 lower-case hex digits will do, so that nobody can change a signature without its
        key.
        """
        if not SIGNATURE.fullmatch(signature):
            return False
        r, s = int(signature[:64], 16), int(signature[64:], 16)
        if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
            return False
        try:
            self._key.verify(encode_dss_signature(r, s), signed_digest(message), _SIGNS)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"P256VerifyingKey({self.id})"


AnyVerifyingKey = VerifyingKey | P256VerifyingKey
"""The public half of whatever key may sign a request."""


def verifying_key(public: bytes, alg: str) -> AnyVerifyingKey:
    """Return a public key by the name of its curve.

    Raises:
        InvalidValue: The bytes are no point of that curve in compressed form, or there is no such name.
    """
    if alg not in (SECP256K1, P256):
        raise InvalidValue(f"a key is of {SECP256K1} or {P256}, was {alg}")
    return VerifyingKey(public) if alg == SECP256K1 else P256VerifyingKey(public)
