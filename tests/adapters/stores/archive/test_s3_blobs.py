import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from s3_server import KEYS, S3Server

from commonwatt.adapters.stores.archive.blobs import blob_name
from commonwatt.adapters.stores.archive.s3 import S3Blobs, S3Credentials
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.model import Corrupt, Refused

DATA = b"sealed"
NAME = blob_name("blob", DATA)
SECRET = "a-secret-that-must-not-show"
FILE = f"[default]\naws_access_key_id = somebody\naws_secret_access_key = {SECRET}\n"


def all_ways(blobs: S3Blobs) -> Iterator[object]:
    """Every method that says how it failed."""
    yield lambda: blobs.put(NAME, DATA)
    yield lambda: blobs.get(NAME)
    yield lambda: list(blobs.list("blob"))
    yield lambda: blobs.delete(NAME)


@pytest.mark.row("W6")
@pytest.mark.parametrize("key", ["archive-test", "nobody-known"])
def test_wrong_credentials_are_refused_and_never_shown(s3_server: S3Server, key: str) -> None:
    blobs = s3_server.blobs(keys=S3Credentials(access_key_id=key, secret_access_key=SECRET))
    for way in (*all_ways(blobs), lambda: blobs.exists(NAME)):
        with pytest.raises(Refused, match="does not let us in") as error:
            way()
        assert SECRET not in f"{error.value!r} {error.value} {error.value.__cause__} {blobs!r}"
    assert not (s3_server.bucket / NAME).exists()


def test_a_missing_bucket_is_named(s3_server: S3Server) -> None:
    blobs = s3_server.blobs(bucket="no-such-bucket")
    for way in all_ways(blobs):
        with pytest.raises(Refused, match="there is no such bucket: bucket no-such-bucket"):
            way()


def test_a_server_that_is_gone_is_an_error_to_try_again_and_nothing_answered_is_lost(own_s3_server: S3Server) -> None:
    blobs = own_s3_server.blobs()
    blobs.put(NAME, DATA)
    own_s3_server.kill()
    for way in (*all_ways(blobs), lambda: blobs.exists(NAME)):
        with pytest.raises(ConnectionError, match="does not answer"):
            way()
    own_s3_server.start()
    assert blobs.get(NAME) == DATA


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that gives every caller the same bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(65_536)
                    caller.sendall(answer)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nLast-Modified: Wed, 01 Apr 2026 00:00:00 GMT\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b'ETag: "x"\r\nContent-Length: 6\r\n\r\nsea',
        b"",
        b"\xff\x00 garbage",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Slow\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["cut in the middle", "hung up", "garbage", "500", "503", "no headers"],
)
def test_an_answer_that_breaks_off_or_makes_no_sense_is_never_taken_for_a_blob(answer: bytes) -> None:
    with answering(answer) as endpoint:
        blobs = S3Blobs("days", endpoint=endpoint, credentials=KEYS, timeout_s=2, retry_s=0.2)
        with pytest.raises((ConnectionError, Corrupt)) as error:
            blobs.get(NAME)
        assert NAME in str(error.value)
        with pytest.raises(ConnectionError):
            list(blobs.list("blob"))


def test_an_answer_of_other_bytes_is_corrupt() -> None:
    with answering(HEAD + b'ETag: "x"\r\nContent-Length: 6\r\n\r\nSealed') as endpoint:
        blobs = S3Blobs("days", endpoint=endpoint, credentials=KEYS, timeout_s=2, retry_s=0.2)
        with pytest.raises(Corrupt, match=NAME):
            blobs.get(NAME)


@pytest.mark.row("W6")
@pytest.mark.parametrize(
    "endpoint",
    ["http://s3.example.com", "http://10.0.0.1:9000", "http://127.0.0.1.example.com", "s3.example.com", "ftp://x", ""],
)
def test_nothing_leaves_this_machine_in_the_clear(endpoint: str) -> None:
    with pytest.raises(Refused, match="encrypted"):
        S3Blobs("days", endpoint=endpoint, credentials=KEYS)


def test_credentials_in_an_endpoint_are_refused_and_not_repeated() -> None:
    with pytest.raises(Refused, match="no credentials") as error:
        S3Blobs("days", endpoint=f"https://somebody:{SECRET}@s3.example.com", credentials=KEYS)
    assert SECRET not in str(error.value)


@pytest.mark.row("W6")
def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with S3Server(tmp_path / "s3", tls=(certificate, tmp_path / "key.pem")) as server:
        assert server.endpoint.startswith("https://")
        trusting = server.blobs(ca_pem=certificate.read_bytes())
        trusting.put(NAME, DATA)
        assert trusting.get(NAME) == DATA
        with pytest.raises(ConnectionError):
            server.blobs().get(NAME)


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem"


def test_credentials_come_from_a_closed_file_or_the_environment(tmp_path: Path) -> None:
    save_secret(tmp_path / "keys", FILE.encode())
    read = S3Credentials.from_file(tmp_path / "keys")
    environment = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": SECRET}
    assert read == S3Credentials.from_environment(environment)
    assert (read.access_key_id, read.secret_access_key, read.session_token) == ("somebody", SECRET, "")
    assert SECRET not in repr(read)


@pytest.mark.row("W6")
def test_credentials_that_others_may_read_are_refused(tmp_path: Path) -> None:
    save_secret(tmp_path / "keys", FILE.encode())
    (tmp_path / "keys").chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        S3Credentials.from_file(tmp_path / "keys")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (FILE.replace("default", "other"), Refused),
        ("[default]\naws_access_key_id = somebody\n", Refused),
        (FILE.replace("somebody", ""), Refused),
        (SECRET, Corrupt),
        (FILE + FILE, Corrupt),
        ("", Refused),
    ],
)
def test_bad_credentials_are_named_but_not_quoted(tmp_path: Path, text: str, error: type[Exception]) -> None:
    save_secret(tmp_path / "keys", text.encode())
    with pytest.raises(error) as raised:
        S3Credentials.from_file(tmp_path / "keys")
    assert SECRET not in f"{raised.value} {raised.value.__cause__}"


def test_an_empty_environment_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="missing aws_secret_access_key, place the environment"):
        S3Credentials.from_environment({"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": ""})


def test_the_environment_does_not_mix_into_given_credentials(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_BUCKET"):
        monkeypatch.setenv(name, "of-another-account")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    blobs = s3_server.blobs()
    blobs.put(NAME, DATA)
    assert blobs.get(NAME) == DATA
    blobs.delete(NAME)
