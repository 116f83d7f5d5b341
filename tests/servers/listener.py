"""A web server of the tests' own on loopback, over TLS: keeps what is posted to it, and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from commonwatt.adapters.stores.tls_files import TlsFiles, tls_files

NOW_S = 1_790_000_000
TAKEN = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Posted:
    """What somebody posted; names of headers in small letters."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """A server that listens.

    Args:
        port: Where.
        authority: A file with who vouches for it.
        answers: What it answers, one after the other; `TAKEN` once they are over. Empty bytes: it never answers.
    """

    port: int
    authority: Path
    answers: list[bytes] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"https://localhost:{self.port}{path}"

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (one.partition(":") for one in head[1:] if one)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.posted.append(Posted(head[0], headers, body))
            answer = self.answers.pop(0) if self.answers else TAKEN
            if not answer:
                await reader.read()
            writer.write(answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


def certificates(folder: Path) -> TlsFiles:
    """Return certificates for ``localhost``."""
    return tls_files(folder, "sun street", ["localhost"], NOW_S)


def serving(files: TlsFiles) -> ssl.SSLContext:
    """Return what a server needs to show them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[Listener]:
    """Listen in this loop until the end of the block."""
    files = certificates(folder)
    found = Listener(0, files.authority)
    server = await asyncio.start_server(found._serve, "127.0.0.1", 0, ssl=serving(files))
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
