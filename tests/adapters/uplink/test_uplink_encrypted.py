"""Both lines under TLS on loopback: a client certificate is shown, and nobody without one comes in."""

import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from commonwatt.adapters.uplink.mqtt import MqttUplink
from commonwatt.adapters.uplink.mqtt_host import MqttHost
from commonwatt.adapters.uplink.translate import Place, Tls, client_tls, place, server_tls
from commonwatt.adapters.uplink.websocket import WebSocketUplink
from commonwatt.adapters.uplink.websocket_host import WebSocketHost
from commonwatt.flows.gateway.letters import Answers, digest, open_letter, pack
from commonwatt.flows.gateway.ports import Uplink
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.state import Gateway
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.model import AccountId, GatewayId, Outcome
from servers.mosquitto import Mosquitto, free_port

pytestmark = pytest.mark.row("H6")
NUMBER = GatewayId("HEPEK-0007")
OPERATOR, OWN = SigningKey.from_seed(b"tls", "operator"), SigningKey.from_seed(b"tls", "gateway")
WIRE = b'{"author":"%b"}' % OWN.id.encode()


def certificates(folder: Path) -> tuple[Tls, Tls]:
    """Make an authority, and a certificate of it for each side of 127.0.0.1."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _signed("authority", root_key, "authority", root_key, ca=True)
    (folder / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    sides = []
    for name in ("community", "gateway"):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _signed(name, key, "authority", root_key, ca=False)
        (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.key").write_bytes(plain)
        (folder / f"{name}.key").chmod(0o644)  # the broker runs as somebody else
        sides.append(Tls(ca=folder / "ca.pem", cert=folder / f"{name}.pem", key=folder / f"{name}.key"))
    return sides[0], sides[1]


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, by: str, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(signer, SHA256())


def office() -> PostOffice:
    state = State("tiny")
    state.keys.add(VerifyingKey(OWN.public), "gateway", AccountId(NUMBER), NUMBER)
    state.gateways[NUMBER] = Gateway(OWN.id)

    async def submit(wires: list[bytes]) -> list[Outcome]:
        return [Outcome.BOOKED] * len(wires)

    return PostOffice(lambda: state, OPERATOR, submit, lambda: 1_780_315_200_000)


async def answered(line: Uplink, words: list[str]) -> Answers:
    """Send a burst once the line is open, and return its answers."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    running = asyncio.create_task(line.run(heard.put_nowait, words.append))
    try:
        async with asyncio.timeout(10):
            while not any("is open" in word for word in words):
                await asyncio.sleep(0.01)
            await line.send(pack([WIRE]))
            while True:
                letter = open_letter(await heard.get(), VerifyingKey(OPERATOR.public), "tiny", NUMBER)
                if isinstance(letter, Answers):
                    return letter
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def websocket(where: Place, tls: Tls) -> WebSocketUplink:
    return WebSocketUplink(where, "tiny", NUMBER, OWN, client_tls(where, tls), first_wait_s=0.05)


def test_a_websocket_under_tls_lets_in_who_shows_a_certificate(tmp_path: Path) -> None:
    ours, theirs = certificates(tmp_path)
    where = place(f"wss://127.0.0.1:{free_port()}", "wss")

    async def story() -> None:
        server = await WebSocketHost(office(), where, server_tls(where, ours), lambda word: None).listen()
        answers = await answered(websocket(where, theirs), [])
        assert (answers.burst, answers.outcomes) == (digest(pack([WIRE])), [Outcome.BOOKED])
        words = list[str]()
        stranger = asyncio.create_task(websocket(where, Tls(ca=theirs.ca)).run(lambda wire: None, words.append))
        async with asyncio.timeout(10):
            while not any("is closed" in word for word in words):
                await asyncio.sleep(0.01)
        assert not any("is open" in word for word in words)
        stranger.cancel()
        server.close()

    asyncio.run(story())


def test_a_broker_under_tls_carries_for_both_sides(tmp_path: Path) -> None:
    ours, theirs = certificates(tmp_path)
    for folder in (tmp_path, *(one for one in tmp_path.parents if one.name.startswith(("pytest-", "popen-")))):
        folder.chmod(0o755)
    settings = (
        f"cafile {tmp_path}/ca.pem", f"certfile {tmp_path}/community.pem", f"keyfile {tmp_path}/community.key",
        "require_certificate true", "allow_anonymous true",
    )  # fmt: skip
    with Mosquitto(*settings) as broker:
        where = place(f"mqtts://127.0.0.1:{broker.port}", "mqtts")

        async def story() -> None:
            words = list[str]()
            host = MqttHost(office(), where, client_tls(where, ours), words.append)
            bridge = asyncio.create_task(host.run())
            async with asyncio.timeout(10):
                while not any("is open" in word for word in words):
                    await asyncio.sleep(0.01)
            line = MqttUplink(where, "tiny", NUMBER, client_tls(where, theirs), first_wait_s=0.05)
            assert (await answered(line, [])).outcomes == [Outcome.BOOKED]
            bridge.cancel()
            await asyncio.gather(bridge, return_exceptions=True)

        asyncio.run(story())
