"""A secure element that knows P-256 alone, in memory: it signs as a TPM would."""

import hmac
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commonwatt.identity.keys import signed_digest
from commonwatt.identity.p256 import P256, P256_ORDER, P256VerifyingKey


class P256Signer:
    """Implements `commonwatt.identity.keys.RequestSigner`; signs a message always alike (RFC 6979)."""

    alg = P256

    def __init__(self, secret: int) -> None:
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        self.public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.id = P256VerifyingKey(self.public).id

    def sign(self, message: bytes) -> str:
        return self.sign_digest(signed_digest(message))

    def sign_digest(self, digest: bytes) -> str:
        signed = self._key.sign(digest, ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True))
        r, s = decode_dss_signature(signed)
        return f"{r:064x}{min(s, P256_ORDER - s):064x}"


@cache
def secure_key(who: str) -> P256Signer:
    """Return somebody's key."""
    return P256Signer(int.from_bytes(hmac.digest(b"secure", who.encode(), "sha256")) % (P256_ORDER - 1) + 1)
