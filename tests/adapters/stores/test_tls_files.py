"""A site of one's own has TLS from its first run on, renewed in time, by an authority that is good for nothing else."""

import socket
import ssl
import stat
import threading
import time
from pathlib import Path

import pytest

from commonwatt.adapters.stores.tls_files import TlsFiles, tls_files
from commonwatt.identity.local_tls import Pair, make_server
from commonwatt.model import Corrupt, InvalidValue, Refused

NAMES = ["localhost", "127.0.0.1", "sun-street.local"]
DAY_S = 86_400


def now_s() -> int:
    return int(time.time())


def greeted(files: TlsFiles, name: str) -> str:
    """Return the TLS version of a real handshake with a server on loopback, as a client that trusts the authority."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(files.authority))
    server.load_cert_chain(files.certificate, files.key)
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            line, _ = door.accept()
            line.settimeout(10)
            try:
                with server.wrap_socket(line, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:
                line.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            with (
                socket.create_connection(door.getsockname(), timeout=10) as line,
                client.wrap_socket(line, server_hostname=name) as wrapped,
            ):
                return str(wrapped.version())
        finally:
            thread.join(10)


@pytest.mark.row("W8")
@pytest.mark.parametrize("name", NAMES)
def test_who_trusts_the_authority_reaches_the_site_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    assert greeted(tls_files(tmp_path / "tls", "sun street", NAMES, now_s()), name) == "TLSv1.3"


def test_the_authority_is_believed_for_no_other_site(tmp_path: Path) -> None:
    files = tls_files(tmp_path / "tls", "sun street", NAMES, now_s())
    with pytest.raises(ssl.SSLCertVerificationError):
        greeted(files, "bank.example")
    stolen = Pair(certificate=files.authority.read_bytes(), key=(tmp_path / "tls" / "authority.key").read_bytes())
    forged = make_server(stolen, ["bank.example"], now_s())
    files.certificate.write_bytes(forged.certificate)
    files.key.write_bytes(forged.key)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        greeted(files, "bank.example")


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    files = tls_files(tmp_path / "tls", "sun street", NAMES, now_s())
    for path in (files.key, tmp_path / "tls" / "authority.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    files.key.chmod(0o640)
    with pytest.raises(Refused):
        tls_files(tmp_path / "tls", "sun street", NAMES, now_s())


def test_what_is_good_stays_and_what_is_about_to_end_is_renewed(tmp_path: Path) -> None:
    began_s = now_s()

    def at(day: int, names: list[str] = NAMES) -> tuple[bytes, bytes, bool]:
        files = tls_files(tmp_path / "tls", "sun street", names, began_s + day * DAY_S)
        return files.authority.read_bytes(), files.certificate.read_bytes(), files.renewed

    first = at(0)
    assert first[2] and at(1) == (*first[:2], False) and at(366) == (*first[:2], False)
    second = at(368)
    assert second[0] == first[0] and second[1] != first[1] and not second[2]
    assert at(3_300)[2] and at(3_301, [*NAMES, "more.local"])[2]


def test_a_kill_between_key_and_certificate_is_mended(tmp_path: Path) -> None:
    files = tls_files(tmp_path / "tls", "sun street", NAMES, now_s())
    files.certificate.unlink()
    again = tls_files(tmp_path / "tls", "sun street", NAMES, now_s())
    assert greeted(again, "localhost") == "TLSv1.3" and not again.renewed
    files.certificate.write_bytes(files.authority.read_bytes())
    with pytest.raises(Corrupt):
        tls_files(tmp_path / "tls", "sun street", NAMES, now_s())


@pytest.mark.parametrize("name", ["", "a b", "*.example", "ümlaut.example", "a\nb"])
def test_a_certificate_is_for_plain_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue):
        tls_files(tmp_path / "tls", "sun street", [name], now_s())
