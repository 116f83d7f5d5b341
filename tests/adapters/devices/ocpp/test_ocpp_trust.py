"""Certificates over real sockets: a change of root to its end, renewal by itself, given files, a second address."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from ocpp_yard import CHARGER, PASSWORD, now, station, until, yard

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.ocpp import certificates, management, opening, trust
from commonwatt.adapters.devices.ocpp.certificates import LEAF_LASTS, Authority, hash_data, pem, read_certificate
from commonwatt.adapters.devices.ocpp.control import do
from commonwatt.adapters.devices.ocpp.device import OcppDevice, open_device
from commonwatt.adapters.devices.ocpp.gate import Rule
from commonwatt.adapters.devices.ocpp.server import Server
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.model import InvalidValue, Refused
from commonwatt.simulator.devices.ocpp_keys import OWN, V2G, Keys
from commonwatt.simulator.devices.ocpp_maker import Maker
from commonwatt.simulator.devices.ocpp_station import OcppStation, running

VERSIONS = ["1.6", "2.0.1", "2.1"]


@pytest.mark.row("E12")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_end_of_a_change_of_root_leaves_one_root_everywhere_and_locks_nobody_out(
    version: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, secure):
            authority, known = authority_of(server), server.register("CP-1")
            simulated = station(server, version, secure)
            keys, old = keys_of(simulated), authority.root
            own_certificate(server, simulated)
            before = dict(keys.chains), dict(keys.made)
            async with running(simulated):
                await simulated.up()
                assert await trust.rotate(server) == {"CP-1": ""}
                assert await shown(secure) == authority.root.subject
                with pytest.raises(InvalidValue, match="of an old root"):
                    await trust.finish_rotation(server)
                assert old in authority.roots, "nothing is forgotten then"
                assert await trust.look_after(server) == ["CP-1"]
                await until(lambda: issuer(keys.chains[OWN]) == authority.root.subject)
                assert await trust.look_after(server) == []
                link = known.link
                trust.cut(server, "CP-1")
                await until(lambda: known.link not in (None, link))
                assert await trust.finish_rotation(server) == {"CP-1": ""}
                assert [text for _, text in keys.roots] == [pem(authority.root)]
                assert authority.roots == Authority(tmp_path / "authority", now).roots == [authority.root]
                assert await trust.installed(known) == [(trust.SERVER_ROOT, hash_data(authority.root, authority.root))]
                keys.chains, keys.made = before
                trust.cut(server, "CP-1")
                await until(lambda: "trusted no more" in str(server.memory.events("CP-1")))
                assert known.link is None

    asyncio.run(story())


def test_while_a_station_lacks_the_new_root_the_old_certificate_is_shown_also_after_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, secure):
            authority, old = authority_of(server), authority_of(server).root
            for name in ("CP-1", "CP-2"):
                server.register(name)
            simulated = station(server, "2.0.1")
            async with running(simulated):
                await simulated.up()
                found = await trust.rotate(server)
                assert (found["CP-1"], "not connected" in found["CP-2"]) == ("", True)
                await trust.look_after(server)
                assert await shown(secure) == old.subject
                again = Authority(tmp_path / "authority", now)
                assert again.server_root() == old
                assert read_certificate(again.server_files(server.names)[0].read_text()).issuer == old.subject
                with pytest.raises(InvalidValue, match="rotate again"):
                    await trust.finish_rotation(server)
                del server.stations["CP-2"]
                assert await trust.rotate(server) == {"CP-1": ""}
                assert len(authority.roots) == 2, "no third root is made"
                assert await shown(secure) == authority.root.subject

    asyncio.run(story())


@pytest.mark.parametrize("version", VERSIONS)
def test_roots_in_a_station_are_installed_listed_and_deleted(version: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, _):
            known, maker, root = server.register("CP-1"), Maker().root, authority_of(server).root
            async with running(station(server, version)) as simulated:
                await simulated.up()
                assert await trust.install(known, trust.MAKER_ROOT, maker) == ""
                both = [(trust.SERVER_ROOT, hash_data(root, root)), (trust.MAKER_ROOT, hash_data(maker, maker))]
                assert await trust.installed(known) == both, "its hashes are made by an OCSP request, ours are not"
                assert await trust.installed(known, trust.MAKER_ROOT) == both[1:]
                assert await trust.delete(known, both[1][1]) == ""
                assert "NotFound" in await trust.delete(known, both[1][1])
                assert await trust.installed(known, trust.MAKER_ROOT) == []
                assert "Failed" in await trust.delete(known, both[0][1]), "it keeps the last server that it trusts"

    asyncio.run(story())


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_certificate_for_cars_is_signed_by_a_root_of_its_own_and_opens_no_door_of_ours(
    version: str, tmp_path: Path
) -> None:
    services = Services(v2g=Authority(tmp_path / "v2g", now, "commonwatt V2G"))

    async def story() -> None:
        async with yard(tmp_path, services) as (server, secure):
            known, simulated = server.register("CP-1"), station(server, version)
            keys, v2g = keys_of(simulated), services.v2g
            assert server.gate is not None
            assert v2g is not None
            async with running(simulated):
                await simulated.up()
                assert await management.trigger(known, "SignV2GCertificate") == ""
                await until(lambda: V2G in keys.chains)
                made = read_certificate(keys.chains[V2G])
                made.verify_directly_issued_by(v2g.root)
                usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
                assert list(usage) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
                assert OWN not in keys.chains
            context = ssl.create_default_context(cadata=pem(authority_of(server).root))
            (tmp_path / "own.pem").write_bytes(keys.chains[V2G].encode() + plain(keys.made[V2G]))
            context.load_cert_chain(tmp_path / "own.pem")
            with pytest.raises((ssl.SSLError, ConnectionError, EOFError, asyncio.IncompleteReadError)):
                reader, writer = await asyncio.open_connection("127.0.0.1", secure, ssl=context)
                writer.write(b"GET /CP-1 HTTP/1.1\r\n\r\n")
                await reader.readexactly(1)

    asyncio.run(story())


def test_where_nobody_signs_for_cars_a_request_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, _):
            known = server.register("CP-1")
            async with running(station(server, "2.0.1")) as simulated:
                await simulated.up()
                told = await simulated.call(
                    "SignCertificate", {"csr": keys_of(simulated).request(V2G), "certificateType": V2G}
                )
                assert (told["status"], told["statusInfo"]["reasonCode"]) == ("Rejected", "NoAuthority")
                assert await management.trigger(known, "SignV2GCertificate") == ""
                await until(lambda: not simulated.queue)
                assert keys_of(simulated).chains == {}

    asyncio.run(story())


def test_a_certificate_that_a_station_does_not_take_is_not_held_to_be_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        async with yard(tmp_path) as (server, _):
            server.register("CP-1")
            async with running(station(server, "2.0.1")) as simulated:
                await simulated.up()
                request = keys_of(simulated).request()
                keys_of(simulated).request()  # another key is the newest now
                assert (await simulated.call("SignCertificate", {"csr": request}))["status"] == "Accepted"
                await until(lambda: "CertificateNotTaken" in str(server.memory.events("CP-1")))
                assert authority_of(server).due("CP-1")

    asyncio.run(story())


def test_what_expires_soon_is_renewed_by_itself_once_and_an_error_does_not_end_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[list[str]] = []

    async def look_after(server: Server) -> list[str]:
        looks.append([])
        if len(looks) == 1:
            raise OSError("no space left on device")
        looks[-1] = await trust.look_after(server)
        return looks[-1]

    monkeypatch.setattr(opening, "LOOK_AFTER_S", 0.05)
    monkeypatch.setattr(opening, "look_after", look_after)

    async def story() -> None:
        port = free_port()
        async with asyncio.timeout(20), opening.opened("127.0.0.1", port, now, tmp_path, secure=True) as server:
            assert server.gate is not None
            server.register("CP-1")
            simulated = station(server, "2.0.1", port)
            monkeypatch.setattr(certificates, "LEAF_LASTS", LEAF_LASTS / 20)
            own_certificate(server, simulated)
            first = keys_of(simulated).chains[OWN]
            monkeypatch.setattr(certificates, "LEAF_LASTS", LEAF_LASTS)
            async with running(simulated):
                await simulated.up()
                await until(lambda: keys_of(simulated).chains[OWN] != first)
                seen = len(looks)
                await until(lambda: len(looks) > seen + 3)
                assert looks[seen + 1 :][:3] == [[], [], []], "what is new is left alone"
            kinds = [kind for _, _, kind, _ in server.memory.events("CP-1", 50)]
            assert kinds.count("CertificateSigned") == 1
            assert "no space left" in str(server.memory.events("", 50))

    asyncio.run(story())


def test_a_server_shows_the_certificate_that_it_is_given_and_takes_a_newer_one_from_the_same_files(
    tmp_path: Path,
) -> None:
    other, key = Authority(tmp_path / "other", now, "somebody else"), tmp_path / "given.key"
    certificate, sealed, words = other.server_files(["127.0.0.1"])
    private = serialization.load_pem_private_key(load_secret(sealed), words)
    key.write_bytes(plain(private))
    key.chmod(0o644)
    (tmp_path / "ocpp.toml").write_text(f'certificate = "{certificate}"\nkey = "{key}"\n')

    async def story() -> None:
        port = free_port()
        with pytest.raises(Refused):
            async with opening.opened("127.0.0.1", port, now, tmp_path, secure=True):
                pytest.fail("others may read the key")
        key.unlink()
        save_secret(key, plain(private))
        async with asyncio.timeout(20), opening.opened("127.0.0.1", port, now, tmp_path, secure=True) as server:
            assert server.gate is not None
            server.register("CP-1")
            server.gate.rules["CP-1"] = Rule(2)
            server.gate.credentials.set("CP-1", PASSWORD)
            simulated = station(server, "2.0.1", port, password=PASSWORD)
            keys_of(simulated).roots[0] = ("CSMSRootCertificate", pem(other.root))
            async with running(simulated):
                await simulated.up()
                await trust.look_after(server)
                assert await shown(port) == other.root.subject
                assert server.gate.credentials.reached("CP-1") == 2
                newer = Authority(tmp_path / "newer", now, "another")
                files = newer.server_files(["127.0.0.1"])
                certificate.write_bytes(files[0].read_bytes())
                await trust.look_after(server)
                assert "KEY_VALUES_MISMATCH" in str(server.memory.events("", 50))
                assert not (await do(server, b'{"do":"trust","what":"rotate"}'))["ok"]
                assert await shown(port) == other.root.subject, "half a change changes nothing"
                save_secret(key, plain(serialization.load_pem_private_key(load_secret(files[1]), files[2])))
                await trust.look_after(server)
                assert await shown(port) == newer.root.subject, "new files need no restart"

    asyncio.run(story())


def test_a_station_on_its_way_up_finds_the_same_server_at_a_second_address(tmp_path: Path) -> None:
    plain_port, secure = free_port(), free_port()
    save_secret(tmp_path / "first-password", PASSWORD.encode())
    settings = {
        "password_file": str(tmp_path / "first-password"), "security_profile": 1,
        "also_at": f"wss://127.0.0.1:{secure}",
    }  # fmt: skip

    async def story() -> None:
        async with asyncio.timeout(20), Doors(clock=now, folder=tmp_path) as doors:
            devices = []
            for name in ("CP-1", "CP-2"):
                url = f"ws://127.0.0.1:{plain_port}/{name}"
                spec = DeviceSpec(asset=CHARGER.id, driver="ocpp", url=url, settings=settings)
                devices.append(await open_device(CHARGER, spec, doors))
            device: OcppDevice = devices[0]
            server, known = device.server, device.station
            assert devices[1].server is server
            assert server.gate is not None
            simulated = station(server, "2.0.1", password=PASSWORD)
            assert simulated.duties is not None
            simulated.url, keys_of(simulated).roots = f"ws://127.0.0.1:{plain_port}/CP-1", []
            async with running(simulated):
                await simulated.up()
                assert await trust.install(known, trust.SERVER_ROOT, authority_of(server).root) == ""
                url = f"wss://127.0.0.1:{secure}"
                simulated.duties.secure_url = f"{url}/CP-1"
                assert await management.raise_profile(known, server.gate, 2, url) == ""
                trust.cut(server, "CP-1")
                await until(lambda: server.gate is not None and server.gate.credentials.reached("CP-1") == 2)
                await until(lambda: known.link)
                assert (await device.read()).at is not None

    asyncio.run(story())


def authority_of(server: Server) -> Authority:
    assert server.services.authority is not None
    return server.services.authority


def keys_of(simulated: OcppStation) -> Keys:
    assert simulated.duties is not None
    return simulated.duties.keys


def own_certificate(server: Server, simulated: OcppStation) -> None:
    """Let a station have a certificate of its own from the beginning, and let it come in with no less."""
    assert server.gate is not None
    server.gate.rules["CP-1"] = Rule(3)
    keys = keys_of(simulated)
    assert keys.take(pem(authority_of(server).sign(keys.request(), "CP-1")))


def issuer(chain: str) -> x509.Name:
    return read_certificate(chain).issuer


async def shown(port: int) -> x509.Name:
    """Return who signed the certificate that is shown at a port."""
    return issuer(await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)))


def plain(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined,no-any-return]  # a private key of any kind
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
