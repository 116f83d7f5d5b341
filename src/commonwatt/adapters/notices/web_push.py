"""Tell a browser through its push service: encrypted for it alone, and signed so that the service knows us."""

import base64
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import http_ece
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.jwk import ECKey

from commonwatt.adapters.notices.outward import Outward, check_url
from commonwatt.adapters.notices.webhook import need_taken
from commonwatt.adapters.stores.keyfile import load_secret, save_first
from commonwatt.flows.notices.ports import Gone, Letter
from commonwatt.flows.notices.records import Channel
from commonwatt.model import Corrupt, InvalidValue

KEPT_FOR_S = 86_400
"""How long a push service keeps what a browser that sleeps has not fetched."""
_TOKEN_S = 12 * 3_600
_POINT_BYTES, _AUTH_BYTES = 65, 16
_GONE = frozenset({404, 410})
_LONGEST_TEXT = 600


class WebPush:
    """Implements `commonwatt.flows.notices.ports.Carrier` for browsers.

    Args:
        outward: The door to the outside: a browser's owner could name any place as its push service.
        key: Ours, by which push services know us.
        contact: Where their people reach ours: an ``https:`` or ``mailto:`` address.
        now_s: The system's clock, seconds since 1970.

    Source: RFC 8030 (push), RFC 8291 (its encryption), RFC 8292 (VAPID).
    """

    def __init__(
        self, outward: Outward, key: ec.EllipticCurvePrivateKey, contact: str, now_s: Callable[[], int]
    ) -> None:
        self._outward, self._contact, self._now_s = outward, contact, now_s
        self._signing = ECKey.import_key(_pem(key, None).decode())
        self.public = _text(_point(key.public_key()))
        """Our public key, as browsers take it to subscribe."""

    async def carry(self, channel: Channel, letter: Letter) -> None:
        """Hand a letter to a browser's push service; on return that took it.

        Raises:
            Undelivered: It did not.
            Gone: The browser unsubscribed.
        """
        told = {"id": letter.id, "title": letter.title, "text": letter.text[:_LONGEST_TEXT], "href": letter.href}
        headers = {
            "TTL": str(KEPT_FOR_S),
            "Urgency": "high" if letter.urgent else "normal",
            # What comes twice takes the place of what the browser has not fetched yet.
            "Topic": _text(sha256(letter.id.encode()).digest()[:24]),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": self._authorization(channel.address),
        }
        answer = await self._outward.post(channel.address, _sealed(channel, msgspec.json.encode(told)), headers)
        if answer.status in _GONE:
            raise Gone("the browser is subscribed no more")
        need_taken(answer)

    def _authorization(self, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": self._now_s() + _TOKEN_S,
            "sub": self._contact,
        }
        token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, self._signing)
        return f"vapid t={token}, k={self.public}"


def vapid_key(path: Path, words: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key in a file; at first use one is made there, encrypted under a passphrase.

    Raises:
        Refused: Others may read the file.
        Corrupt: It holds something else, or another passphrase's.
    """
    if not path.exists():
        save_first(path, _pem(ec.generate_private_key(ec.SECP256R1()), words))
    try:
        found = load_pem_private_key(load_secret(path), words)
    except (ValueError, TypeError) as error:
        raise Corrupt(f"{path.name} holds the key by which push services know us: {error}") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise Corrupt(f"{path.name} holds a key on P-256")
    return found


def check_subscription(endpoint: str, p256dh: str, auth: str) -> tuple[str, str]:
    """Return a browser's two keys in one form.

    Raises:
        InvalidValue: They are none, or its push service has no HTTPS address.
    """
    check_url(endpoint)
    point, secret = _bytes(p256dh), _bytes(auth)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise InvalidValue("a browser's key is a point on P-256") from error
    if len(point) != _POINT_BYTES or len(secret) != _AUTH_BYTES:
        raise InvalidValue(f"a browser's keys have {_POINT_BYTES} and {_AUTH_BYTES} bytes")
    return _text(point), _text(secret)


def _sealed(channel: Channel, content: bytes) -> bytes:
    point, secret = map(_bytes, channel.secrets)
    once = ec.generate_private_key(ec.SECP256R1())
    sealed: bytes = http_ece.encrypt(content, private_key=once, dh=point, auth_secret=secret, version="aes128gcm")
    return sealed


def _pem(key: ec.EllipticCurvePrivateKey, words: bytes | None) -> bytes:
    closed = NoEncryption() if words is None else BestAvailableEncryption(words)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise InvalidValue("a browser's keys are written in base64url") from error
