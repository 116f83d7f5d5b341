"""A mobility operator on loopback: contract certificates with a real chain, an OCSP responder and a contract pool."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Mobility:
    """A root, a sub-authority and one contract.

    Args:
        emaid: Whose contract.
        revoked: What the responder says of it.
        port: Of both services, once they run.
        served: How many requests were answered.
    """

    emaid: str = "DEABCC12345678"
    revoked: bool = False
    lasts: timedelta = timedelta(days=30)
    port: int = 0
    served: int = 0
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    sub_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    root: x509.Certificate = field(init=False)
    sub: x509.Certificate = field(init=False)
    contract: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        own = ec.generate_private_key(ec.SECP256R1()).public_key()
        self.root = made("MO root", "MO root", self.root_key.public_key(), self.root_key, ca=True)
        self.sub = made("MO sub", "MO root", self.sub_key.public_key(), self.root_key, ca=True)
        self.contract = made(self.emaid, "MO sub", own, self.sub_key, ca=False, lasts=self.lasts)

    @property
    def chain(self) -> str:
        """The contract and its sub-authority, PEM."""
        return "".join(
            one.public_bytes(serialization.Encoding.PEM).decode() for one in (self.contract, self.sub)
        )  # fmt: skip

    def hash_data(self) -> dict[str, str]:
        """How a station asks for the contract's revocation."""
        asked = ocsp.OCSPRequestBuilder().add_certificate(self.contract, self.sub, hashes.SHA256()).build()
        return {
            "hashAlgorithm": "SHA256", "issuerNameHash": asked.issuer_name_hash.hex(),
            "issuerKeyHash": asked.issuer_key_hash.hex(), "serialNumber": f"{asked.serial_number:x}",
            "responderURL": f"http://127.0.0.1:{self.port}/ocsp",
        }  # fmt: skip

    def ocsp(self, data: bytes) -> bytes:
        """Answer an OCSP request, signed by the sub-authority."""
        asked, now = ocsp.load_der_ocsp_request(data), datetime.now(UTC)
        if asked.serial_number != self.contract.serial_number:
            code = ocsp.OCSPResponseStatus.UNAUTHORIZED
            return ocsp.OCSPResponseBuilder.build_unsuccessful(code).public_bytes(serialization.Encoding.DER)
        status = ocsp.OCSPCertStatus.REVOKED if self.revoked else ocsp.OCSPCertStatus.GOOD
        made = ocsp.OCSPResponseBuilder().add_response(
            cert=self.contract, issuer=self.sub, algorithm=asked.hash_algorithm, cert_status=status,
            this_update=now - HOUR, next_update=now + HOUR, revocation_time=now - HOUR if self.revoked else None,
            revocation_reason=None,
        )  # fmt: skip
        made = made.responder_id(ocsp.OCSPResponderEncoding.HASH, self.sub)
        return made.sign(self.sub_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def pool(self, data: bytes) -> bytes:
        """Answer a car's request: as many bytes as stand for one, since nobody between car and issuer reads them."""
        asked = json.loads(data)
        exi = hashlib.sha256(base64.b64decode(asked["exiRequest"])).digest()
        return json.dumps({"status": "Accepted", "exiResponse": base64.b64encode(exi).decode()}).encode()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Mobility"]:
        """Run both over HTTP while the context is entered."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(next(line for line in head.splitlines() if line.startswith("content-length:")).split(":")[1])
        body = await reader.readexactly(length)
        made = self.ocsp(body) if head.startswith("post /ocsp") else self.pool(body)
        self.served += 1
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(made)}\r\nConnection: close\r\n\r\n".encode() + made)
        await writer.drain()
        writer.close()


def made(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
    lasts: timedelta = timedelta(days=365),
) -> x509.Certificate:
    """Return a certificate of a key, named and signed, that is two days old."""
    now = datetime.now(UTC)
    subject, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key)
    made = (
        made.serial_number(x509.random_serial_number()).not_valid_before(now - 48 * HOUR).not_valid_after(now + lasts)
    )
    made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return made.sign(signer, hashes.SHA256())
