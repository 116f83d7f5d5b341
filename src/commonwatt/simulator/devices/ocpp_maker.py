"""A maker of charging stations on loopback: firmware that it signs with a certificate of its own root, over HTTP."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commonwatt.simulator.devices.ocpp_firmware import MARK
from commonwatt.simulator.devices.ocpp_pki import made


@dataclass(slots=True)
class Maker:
    """A root, a certificate that signs, and one image.

    Args:
        version: Of the firmware.
        served: What is handed out; without, what was signed.
        port: Where, once it runs.
    """

    version: str = "2.0.0"
    served: bytes | None = None
    port: int = 0
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    root: x509.Certificate = field(init=False)
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.root = made("maker root", "maker root", self.root_key.public_key(), self.root_key, ca=True)
        self.certificate = made("maker signs", "maker root", self.key.public_key(), self.root_key, ca=False)

    @property
    def image(self) -> bytes:
        """The firmware: its mark, its version, and something that makes it one."""
        return MARK + self.version.encode() + b"\n" + bytes(range(256)) * 8

    def offer(self, *, signed: bool = True) -> dict[str, str]:
        """Return what it publishes of the firmware: address and hash, and where it signs them, how."""
        told = {
            "url": f"http://127.0.0.1:{self.port}/{self.version}.bin",
            "sha256": hashlib.sha256(self.image).hexdigest(),
        }
        if signed:
            signature = self.key.sign(self.image, ec.ECDSA(hashes.SHA256()))
            told["signature"] = base64.b64encode(signature).decode()
            told["certificate"] = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return told

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Maker"]:
        """Hand it out while the context is entered."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
        here = asked.split()[1:2] == [f"/{self.version}.bin".encode()]
        body = self.image if self.served is None else self.served
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body if here else b"HTTP/1.0 404 Not Found\r\n\r\n")
        await writer.drain()
        writer.close()
