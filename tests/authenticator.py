"""A simulated authenticator: makes passkeys and signs with them as browser and device would (WebAuthn level 3)."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey of one person; counts its signatures.

    Args:
        origin: Of the page that the browser shows.
        rp_id: For which site the page asks; a browser would see that it is the origin's own.
        verified: Whether the device saw that it is its owner.
    """

    def __init__(self, origin: str, rp_id: str, *, verified: bool = True) -> None:
        self.origin, self.rp_id, self.verified = origin, rp_id, verified
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.counter, self.handle = secrets.token_bytes(32), 0, ""

    def register(self, options: dict[str, Any]) -> dict[str, Any]:
        self.handle = options["user"]["id"]
        public = self.key.public_key().public_numbers()
        cose = (
            b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"
            + public.x.to_bytes(32)
            + b"\x22\x58\x20"
            + public.y.to_bytes(32)
        )
        attested = bytes(15) + b"\x01" + len(self.id).to_bytes(2) + self.id + cose
        data = self._data(ATTESTED) + attested
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59" + len(data).to_bytes(2) + data
        told = self._client("webauthn.create", options["challenge"])
        return self._answer({"clientDataJSON": _text(told), "attestationObject": _text(attestation)})

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        data, told = self._data(0), self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + sha256(told).digest(), ec.ECDSA(hashes.SHA256()))
        parts = {"clientDataJSON": told, "authenticatorData": data, "signature": signature}
        return self._answer({**{name: _text(part) for name, part in parts.items()}, "userHandle": self.handle})

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        name = _text(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def _data(self, flags: int) -> bytes:
        self.counter += 1
        flags |= PRESENT | (VERIFIED if self.verified else 0)
        return sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4)

    def _client(self, what: str, challenge: str) -> bytes:
        return json.dumps({"type": what, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()


def unpacked(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
