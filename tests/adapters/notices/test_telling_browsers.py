"""A push service takes what is for a browser, which alone can read it; both by the RFCs and not by our own code."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from commonwatt.adapters.notices.outward import Outward
from commonwatt.adapters.notices.web_push import WebPush, check_subscription, vapid_key
from commonwatt.flows.notices.ports import Gone, Letter, Undelivered
from commonwatt.flows.notices.records import Channel, Way
from commonwatt.model import Corrupt, InvalidValue, Refused
from servers.listener import NOW_S, Posted, listening

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


class Browser:
    """A browser's half of a subscription."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.auth = b"0123456789abcdef"

    def channel(self, endpoint: str) -> Channel:
        keys = check_subscription(endpoint, text(self.point), text(self.auth))
        return Channel(
            id="c", person="p", way=Way.WEB_PUSH, label="phone", address=endpoint, made_s=0, secrets=tuple(keys)
        )

    def reads(self, body: bytes) -> bytes:
        return opened(body, self.key, self.point, self.auth)


def opened(body: bytes, key: ec.EllipticCurvePrivateKey, point: bytes, auth: bytes) -> bytes:
    """Decrypt a message of one record, as RFC 8291 and RFC 8188 say."""
    salt, length = body[:16], body[20]
    theirs, sealed = body[21 : 21 + length], body[21 + length :]
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    mixed = derived(shared, auth, b"WebPush: info\0" + point + theirs, 32)
    secret = derived(mixed, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derived(mixed, salt, b"Content-Encoding: nonce\0", 12)
    return AESGCM(secret).decrypt(nonce, sealed, None).rstrip(b"\0").removesuffix(b"\x02")


def derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def plain(told: str) -> bytes:
    return base64.urlsafe_b64decode(told + "=" * (-len(told) % 4))


def carried(tmp_path: Path, letter: Letter, browser: Browser, answer: bytes = CREATED) -> tuple[Posted, str]:
    key = vapid_key(tmp_path / "web-push.pem", b"words")

    async def visit() -> tuple[Posted, str]:
        async with listening(tmp_path / "tls") as there:
            there.answers = [answer]
            door = Outward(["localhost"], there.trusting())
            push = WebPush(door, key, "mailto:olga@sun.example", lambda: NOW_S)
            try:
                await push.carry(browser.channel(there.url("/push/abc")), letter)
            finally:
                await door.close()
            return there.posted[0], there.url("")

    return asyncio.run(visit())


def test_only_the_browser_reads_what_was_sent_to_it(tmp_path: Path, letter: Letter) -> None:
    browser = Browser()
    posted, _ = carried(tmp_path, letter, browser)
    assert posted.headers["content-encoding"] == "aes128gcm" and int(posted.headers["ttl"]) > 0
    assert json.loads(browser.reads(posted.body)) == {
        "id": letter.id,
        "title": letter.title,
        "text": letter.text,
        "href": letter.href,
    }
    assert b"battery" not in posted.body
    with pytest.raises(InvalidTag):
        Browser().reads(posted.body)


def test_our_test_reads_the_example_of_rfc_8291() -> None:
    key = ec.derive_private_key(int.from_bytes(plain("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), ec.SECP256R1())
    point = plain("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    body = plain(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert opened(body, key, point, plain("BTBZMqHH6r4Tts7J_aSIgg")) == b"When I grow up, I want to be a watermelon"


def test_a_push_service_knows_us_by_our_key(tmp_path: Path, letter: Letter) -> None:
    posted, origin = carried(tmp_path, letter, Browser())
    told = dict(part.split("=", 1) for part in posted.headers["authorization"].removeprefix("vapid ").split(", "))
    head, claims, signature = told["t"].split(".")
    raw = plain(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), plain(told["k"]))
    dss = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(dss, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(plain(claims))
    assert (said["aud"], said["sub"]) == (origin.rstrip("/"), "mailto:olga@sun.example")
    assert NOW_S < said["exp"] <= NOW_S + 86_400, "RFC 8292: a day at most"


@pytest.mark.parametrize("status", [b"404 Not Found", b"410 Gone"])
def test_a_browser_that_unsubscribed_is_gone(tmp_path: Path, letter: Letter, status: bytes) -> None:
    with pytest.raises(Gone):
        carried(tmp_path, letter, Browser(), b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


def test_a_push_service_that_is_busy_is_asked_again(tmp_path: Path, letter: Letter) -> None:
    with pytest.raises(Undelivered, match="503"):
        carried(tmp_path, letter, Browser(), b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("endpoint", "p256dh", "auth"),
    [
        ("http://push.example/1", text(Browser().point), text(b"0" * 16)),
        ("https://push.example/1", text(Browser().point), text(b"0" * 15)),
        ("https://push.example/1", text(b"\4" + b"1" * 64), text(b"0" * 16)),
        ("https://push.example/1", text(Browser().point[:33]), text(b"0" * 16)),
        ("https://push.example/1", "{}", "!"),
        ("https://push.example/1", "", ""),
    ],
    ids=["in the open", "a short secret", "no point of the curve", "half a point", "no base64", "nothing"],
)
def test_what_is_no_subscription_is_refused(endpoint: str, p256dh: str, auth: str) -> None:
    with pytest.raises(InvalidValue):
        check_subscription(endpoint, p256dh, auth)


def test_our_key_is_made_once_and_kept_as_other_secrets_are(tmp_path: Path) -> None:
    path = tmp_path / "web-push.pem"
    first, again = (vapid_key(path, b"words").private_numbers() for _ in range(2))
    assert first == again and path.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(Corrupt):
        vapid_key(path, b"other words")
    path.chmod(0o644)
    with pytest.raises(Refused):
        vapid_key(path, b"words")
