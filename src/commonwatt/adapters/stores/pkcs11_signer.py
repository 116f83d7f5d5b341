"""Let a gateway's key live in a secure element behind PKCS#11: it signs there, and never comes out."""

from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.identity.keys import CURVE_ORDER, VerifyingKey, signed_digest
from commonwatt.model import InvalidValue, Refused

_CURVE = encode_named_curve_parameters("secp256k1")
_NUMBER_BYTES = 32
_POINT_BYTES = 65


class Pkcs11Signer:
    """Implements `commonwatt.identity.keys.RequestSigner` with a secp256k1 key that never leaves its token.

    Args:
        library: The module's PKCS#11 library.
        token: The token's label.
        key: The key pair's label in it.
        pin: File with the user's PIN, mode 0600.
        create: Whether to make the key pair where the token holds none of that label; otherwise that is refused.

    Raises:
        Refused: The library, token, PIN or key is not to be had, the key could be read out of the token, or the token
            does not know the curve secp256k1.
        FileNotFoundError: There is no such file with the PIN.

    Source: PKCS #11 Cryptographic Token Interface 3.1, OASIS, section 6.3 (elliptic curves); EIP-2 (low s).
    """

    def __init__(self, library: Path, *, token: str, key: str, pin: Path, create: bool = False) -> None:
        self._token, self._label, self._lock = token, key, Lock()
        words = load_secret(pin).strip().decode()
        try:
            found = pkcs11.lib(str(library)).get_token(token_label=token)
            self._session = found.open(user_pin=words, rw=create)
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise Refused("a token opens with its label and PIN", token=token, found=_named(error)) from error
        try:
            if Mechanism.ECDSA not in found.slot.get_mechanisms():
                raise Refused("a gateway's token signs by ECDSA, this one does not", token=token)
            self._key = self._find(ObjectClass.PRIVATE_KEY) or self._make(create=create)
            self._refuse_readable()
            self.public = self._read_public()
        except pkcs11.PKCS11Error as error:
            self.close()
            raise Refused("a token holds the gateway's key", token=token, key=key, found=_named(error)) from error
        except Refused:
            self.close()
            raise
        self._verifying = VerifyingKey(self.public)
        self.id = self._verifying.id

    def sign(self, message: bytes) -> str:
        """Return the signature over a message: r and s, low-s, as 128 lower-case hex digits.

        Raises:
            Refused: The token failed, or what it signed is not what it was asked for.
        """
        digest = signed_digest(message)
        try:
            with self._lock:
                raw = bytes(self._key.sign(digest, mechanism=Mechanism.ECDSA))
        except pkcs11.PKCS11Error as error:
            raise Refused("a token signs", token=self._token, found=_named(error)) from error
        if len(raw) != 2 * _NUMBER_BYTES:
            raise Refused("a token's signature has 64 bytes", token=self._token, found=len(raw))
        s = int.from_bytes(raw[_NUMBER_BYTES:])
        signature = raw[:_NUMBER_BYTES].hex() + min(s, CURVE_ORDER - s).to_bytes(_NUMBER_BYTES).hex()
        if not self._verifying.verify(message, signature):
            raise Refused("what a token signs its own public key verifies", token=self._token, key=self._label)
        return signature

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
        return f"Pkcs11Signer({self._token!r}, {self._label!r})"

    def _find(self, kind: ObjectClass) -> Any | None:
        found = list(self._session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: self._label}))
        if len(found) > 1:
            raise Refused("a token holds one key of a label", token=self._token, key=self._label, found=len(found))
        return found[0] if found else None

    def _make(self, *, create: bool) -> Any:
        if not create:
            raise Refused("there is no such key in the token", token=self._token, key=self._label)
        curve = self._session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: _CURVE}, local=True)
        try:
            _, made = curve.generate_keypair(
                store=True,
                label=self._label,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
        except pkcs11.PKCS11Error as error:
            raise Refused(
                "a gateway signs with secp256k1, and this token does not make such keys (most TPMs have P-256 alone)",
                token=self._token,
                found=_named(error),
            ) from error
        return made

    def _refuse_readable(self) -> None:
        """Refuse a key that can be read out, or could be once, and one of another curve."""
        key = self._key
        if key[Attribute.KEY_TYPE] != KeyType.EC or bytes(key[Attribute.EC_PARAMS]) != _CURVE:
            raise Refused("a gateway's key is of secp256k1", token=self._token, key=self._label)
        if not key[Attribute.ALWAYS_SENSITIVE] or not key[Attribute.NEVER_EXTRACTABLE]:
            raise Refused(
                "a gateway's key is made in its token, sensitive and never to be read out",
                token=self._token,
                key=self._label,
            )

    def _read_public(self) -> bytes:
        known = self._find(ObjectClass.PUBLIC_KEY)
        if known is None:
            raise Refused("a token holds the public key beside the private one", token=self._token, key=self._label)
        point = bytes(known[Attribute.EC_POINT])
        if len(point) == _POINT_BYTES + 2 and point[:2] == bytes([0x04, _POINT_BYTES]):
            point = point[2:]  # a DER octet string as the standard says; some modules leave that off
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), point)
        except ValueError as error:
            raise InvalidValue(f"a public key is a point of secp256k1, was {point.hex()}") from error
        return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _named(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
