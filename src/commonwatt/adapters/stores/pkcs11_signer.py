"""Let a gateway's or a wallet's key live in a secure element behind PKCS#11: it signs there, and never comes out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.constants import DEFAULT
from pkcs11.util.ec import encode_named_curve_parameters

from commonwatt.adapters.stores.token_key import TokenKey, named
from commonwatt.identity.keys import CURVE_ORDER, SECP256K1, VerifyingKey, signed_digest
from commonwatt.identity.p256 import P256, P256_ORDER, verifying_key
from commonwatt.model import InvalidValue, Refused

_CURVES: dict[str, tuple[bytes, ec.EllipticCurve, int]] = {
    SECP256K1: (encode_named_curve_parameters("secp256k1"), ec.SECP256K1(), CURVE_ORDER),
    P256: (encode_named_curve_parameters("secp256r1"), ec.SECP256R1(), P256_ORDER),
}
_NUMBER_BYTES = 32
_POINT_BYTES = 65


class Pkcs11Signer(TokenKey):
    """Implements `commonwatt.identity.keys.WalletSigner` with a key that never leaves its token.

    Args:
        library: The module's PKCS#11 library.
        token: The token's label.
        key: The key pair's label in it.
        pin: File with the user's PIN, mode 0600.
        alg: The key's curve: secp256k1, or P-256 where the token knows no other, as most TPMs.
        create: Whether to make the key pair where the token holds none of that label; otherwise that is refused.

    Raises:
        Refused: The library, token, PIN or key is not to be had, the key could be read out of the token, or the token
            does not know the curve.
        InvalidValue: There is no such curve here.
        FileNotFoundError: There is no such file with the PIN.

    Source: PKCS #11 Cryptographic Token Interface 3.1, OASIS, section 6.3 (elliptic curves); EIP-2 (low s).
    """

    def __init__(
        self, library: Path, *, token: str, key: str, pin: Path, alg: str = SECP256K1, create: bool = False
    ) -> None:
        if alg not in _CURVES:
            raise InvalidValue(f"a gateway's key is of {' or '.join(_CURVES)}, was {alg!r}")
        super().__init__(library, token, key, pin, writable=create)
        self.alg = alg
        self._parameters, self._curve, self._order = _CURVES[alg]
        with self._opening("a token holds the gateway's key"):
            if Mechanism.ECDSA not in self._slot.get_mechanisms():
                raise Refused("a gateway's token signs by ECDSA, this one does not", token=token)
            self._key = self._find(ObjectClass.PRIVATE_KEY) or self._make(create=create)
            if self._key[Attribute.KEY_TYPE] != KeyType.EC or bytes(self._key[Attribute.EC_PARAMS]) != self._parameters:
                raise Refused(f"this gateway's key is of {alg}", token=token, key=key)
            self._refuse_readable(self._key, "a gateway's key is made in its token, sensitive and never to be read out")
            self.public = self._read_public()
            self._verifying = verifying_key(self.public, alg)
        self.id = self._verifying.id

    def sign(self, message: bytes) -> str:
        """Return the signature over a message: r and s, low-s, as 128 lower-case hex digits.

        The token is handed the 32 bytes of `signed_digest`, and hashes nothing.

        Raises:
            Refused: The token failed, or what it signed is not what it was asked for.
        """
        return self._signed(signed_digest(message), lambda signature: self._verifying.verify(message, signature))

    def sign_digest(self, digest: bytes) -> str:
        """Return the signature over 32 bytes that are a hash already, in the form of `sign`: a chain's transactions.

        Raises:
            Refused: As in `sign`; or the key is of P-256, which no chain knows.
        """
        verifying = self._verifying
        if not isinstance(verifying, VerifyingKey):
            raise Refused(f"a chain's transactions are signed with {SECP256K1}", key=self._label, found=self.alg)
        return self._signed(digest, lambda signature: verifying.verify_digest(digest, signature))

    def _signed(self, digest: bytes, holds: Callable[[str], bool]) -> str:
        try:
            with self._lock:
                raw = bytes(self._key.sign(digest, mechanism=Mechanism.ECDSA))
        except pkcs11.PKCS11Error as error:
            raise Refused("a token signs", token=self._token, found=named(error)) from error
        if len(raw) != 2 * _NUMBER_BYTES:
            raise Refused("a token's signature has 64 bytes", token=self._token, found=len(raw))
        s = int.from_bytes(raw[_NUMBER_BYTES:])
        signature = raw[:_NUMBER_BYTES].hex() + min(s, self._order - s).to_bytes(_NUMBER_BYTES).hex()
        if not holds(signature):
            raise Refused("what a token signs its own public key verifies", token=self._token, key=self._label)
        return signature

    def _make(self, *, create: bool) -> Any:
        self._refuse_missing(create=create)
        try:
            told = {Attribute.EC_PARAMS: self._parameters}
            curve = self._session.create_domain_parameters(KeyType.EC, told, local=True)
            _, made = curve.generate_keypair(
                store=True,
                label=self._label,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                # Whether it could also encrypt is left to the module: a TPM's has its own word for that.
                public_template={Attribute.ENCRYPT: DEFAULT},
                private_template={
                    Attribute.DECRYPT: DEFAULT,
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                },
            )
        except pkcs11.PKCS11Error as error:
            other = P256 if self.alg == SECP256K1 else SECP256K1
            raise Refused(
                f"this gateway signs with {self.alg}, and this token does not make such keys; it may make {other}",
                token=self._token,
                found=named(error),
            ) from error
        return made

    def _read_public(self) -> bytes:
        known = self._find(ObjectClass.PUBLIC_KEY)
        if known is None:
            raise Refused("a token holds the public key beside the private one", token=self._token, key=self._label)
        point = bytes(known[Attribute.EC_POINT])
        if len(point) == _POINT_BYTES + 2 and point[:2] == bytes([0x04, _POINT_BYTES]):
            point = point[2:]  # a DER octet string as the standard says; some modules leave that off
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, point)
        except ValueError as error:
            raise InvalidValue(f"a public key is a point of {self.alg}, was {point.hex()}") from error
        return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
