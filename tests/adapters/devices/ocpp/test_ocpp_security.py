"""Security profiles over real sockets: who comes in, with what, and never with less than before."""

import asyncio
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from ocpp_yard import PASSWORD, now, station, until, yard
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from commonwatt.adapters.devices.ocpp import management, trust
from commonwatt.adapters.devices.ocpp.certificates import Authority
from commonwatt.adapters.devices.ocpp.credentials import Credentials
from commonwatt.adapters.devices.ocpp.gate import Rule
from commonwatt.model import Refused
from commonwatt.simulator.devices.ocpp_station import running

VERSIONS = ["1.6", "2.0.1", "2.1"]


@pytest.mark.row("E12")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_station_goes_from_a_password_to_tls_to_its_own_certificate_and_never_back(
    version: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, secure):
            assert server.gate is not None
            gate, known = server.gate, server.register("CP-1")
            gate.rules["CP-1"] = Rule(1)
            gate.credentials.set("CP-1", PASSWORD)
            simulated = station(server, version, password=PASSWORD)
            assert simulated.duties is not None
            plain_url, wss = simulated.url, f"wss://127.0.0.1:{secure}/CP-1"
            async with running(simulated):
                await simulated.up()
                assert gate.credentials.reached("CP-1") == 1
                assert "3 needs a certificate" in await management.raise_profile(known, gate, 3, wss)
                simulated.duties.secure_url = wss
                assert await management.raise_profile(known, gate, 2, wss) == ""
                trust.cut(server, "CP-1")
                await until(lambda: gate.credentials.reached("CP-1") == 2 and known.link)
                await simulated.up()
                assert await trust.renew(known) == ""
                await until(lambda: simulated.duties is not None and simulated.duties.keys.chains)
                trust.cut(server, "CP-1")
                await until(lambda: gate.credentials.reached("CP-1") == 3 and known.link)
                assert "only ever rises" in await management.raise_profile(known, gate, 2, wss)
                simulated.duties.keys.chains, simulated.url = {}, plain_url
                trust.cut(server, "CP-1")
                await until(lambda: any(one[2] == "TurnedAway" for one in server.memory.events("CP-1")))
                assert known.link is None

    asyncio.run(story())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_password_holds_once_the_station_comes_with_it(version: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, secure):
            assert server.gate is not None
            gate, known = server.gate, server.register("CP-1")
            gate.rules["CP-1"] = Rule(2)
            gate.credentials.set("CP-1", PASSWORD)
            simulated = station(server, version, secure, password=PASSWORD)
            async with running(simulated):
                await simulated.up()
                assert await management.change_password(known, gate) == ""
                assert gate.credentials.waits("CP-1")
                assert await gate.credentials.holds("CP-1", PASSWORD.encode())
                trust.cut(server, "CP-1")
                await until(lambda: not gate.credentials.waits("CP-1"))
                assert not await gate.credentials.holds("CP-1", PASSWORD.encode())
        kept = tmp_path / "ocpp-credentials.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert simulated.duties is not None
        assert simulated.duties.password not in kept.read_text()
        assert PASSWORD not in kept.read_text()

    asyncio.run(story())


def test_wrong_passwords_are_slowed_and_noted_without_the_password(tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, _):
            assert server.gate is not None
            server.register("CP-1")
            server.gate.rules["CP-1"] = Rule(1)
            server.gate.credentials.set("CP-1", PASSWORD)
            simulated = station(server, "2.0.1", password="not the password")
            assert simulated.duties is not None
            codes = []
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(simulated.url, subprotocols=["ocpp2.0.1"],  # type: ignore[list-item]
                                  additional_headers=simulated.duties.headers, proxy=None)  # fmt: skip
                codes.append(refused.value.response.status_code)
            assert codes == [401, 429]
            assert "not the password" not in str(server.memory.events("CP-1"))

    asyncio.run(story())


def test_a_revoked_certificate_and_anothers_certificate_open_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, secure):
            assert server.gate is not None
            known = server.register("CP-1")
            assert server.services.authority is not None
            server.gate.rules["CP-1"] = Rule(3)
            simulated = station(server, "2.0.1", secure)
            duties = simulated.duties
            assert duties is not None
            assert duties.keys.take(_signed(server.services.authority, duties.keys.request(), "CP-1"))
            async with running(simulated):
                await simulated.up()
                assert trust.revoke(server, "CP-1") == 1
                await until(lambda: "was revoked" in str(server.memory.events("CP-1")))
                assert known.link is None
                duties.keys.name = "CP-2"
                assert duties.keys.take(_signed(server.services.authority, duties.keys.request(), "CP-2"))
                await until(lambda: "a certificate of 'CP-2'" in str(server.memory.events("CP-1")))
                assert known.link is None

    asyncio.run(story())


def test_a_root_is_changed_without_losing_a_station(tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, secure):
            assert server.gate is not None
            server.register("CP-1")
            server.gate.rules["CP-1"] = Rule(2)
            server.gate.credentials.set("CP-1", PASSWORD)
            simulated = station(server, "2.0.1", secure, password=PASSWORD)
            async with running(simulated):
                await simulated.up()
                assert await trust.rotate(server) == {"CP-1": ""}
                simulated._up.clear()
                trust.cut(server, "CP-1")
                await asyncio.wait_for(simulated.up(), 5)

    asyncio.run(story())


def test_a_request_is_signed_only_in_the_stations_name_with_a_strong_key_and_a_good_signature(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca", now)
    strong, weak = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)
    with pytest.raises(Refused, match="own name"):
        authority.sign(_request("CP-2", strong), "CP-1")
    with pytest.raises(Refused, match="2048"):
        authority.sign(_request("CP-1", weak), "CP-1")
    with pytest.raises(Refused):
        authority.sign("nonsense", "CP-1")
    der = bytearray(x509.load_pem_x509_csr(_request("CP-1", strong).encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(Refused, match="signature"):
        authority.sign(broken, "CP-1")
    made = authority.sign(_request("CP-1", strong), "CP-1")
    assert not authority.is_revoked(made)
    assert authority.revoke("CP-1") == 1
    other = Authority(tmp_path / "ca", now)
    assert other.is_revoked(made)
    assert other.take_crl(other.crl()) == 1
    with pytest.raises(Refused, match="root of ours"):
        other.take_crl(Authority(tmp_path / "stranger", now, "stranger").crl())


def test_bytes_of_a_password_in_hexadecimal_are_the_password_too() -> None:
    credentials = Credentials(None)
    credentials.set("CP-1", "00ff" * 10)
    assert asyncio.run(credentials.holds("CP-1", bytes.fromhex("00ff" * 10)))


def _request(name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _signed(authority: Authority, request: str, name: str) -> str:
    return authority.sign(request, name).public_bytes(serialization.Encoding.PEM).decode()
