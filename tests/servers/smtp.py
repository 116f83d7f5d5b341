"""A mail server of the tests' own on loopback: keeps letters, with TLS from the start, on asking, or without."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from servers.listener import certificates, serving


@dataclass(frozen=True)
class Letter:
    """A letter as it came: from and to whom, whether the line was private, and all of it."""

    sender: str
    to: list[str]
    private: bool
    message: EmailMessage
    raw: bytes


@dataclass
class PostOffice:
    """A mail server that listens.

    Args:
        port: Where.
        authority: A file with who vouches for it.
        offers: Whether it offers STARTTLS.
        password: Under which alone it takes letters; none where it is empty.
        busy: How many letters it refuses for now.
    """

    port: int
    authority: Path
    offers: bool = True
    password: str = ""
    busy: int = 0
    letters: list[Letter] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class _Talk:
    def __init__(self, office: PostOffice, context: object, private: bool) -> None:
        self.office, self.context, self.private = office, context, private
        self.sender, self.to, self.known = "", list[str](), not office.password

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post.example\r\n")
        try:
            while line := await reader.readline():
                told = line.decode().strip()
                self.office.said.append(told)
                if told.upper() == "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                await self._answer(told, reader, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, told: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = told.split(" ", maxsplit=1)[0].upper()
        if word == "EHLO":
            starttls = b"250-STARTTLS\r\n" if self.office.offers and not self.private else b""
            writer.write(b"250-post.example\r\n" + starttls + b"250 AUTH PLAIN\r\n")
        elif word == "STARTTLS":
            writer.write(b"220 go on\r\n")
            await writer.drain()
            await writer.start_tls(self.context)  # type: ignore[arg-type]
            self.private = True
        elif word == "AUTH":
            given = base64.b64decode(told.rsplit(" ", maxsplit=1)[-1]).split(b"\0")[-1].decode()
            self.known = given == self.office.password
            writer.write(b"235 welcome\r\n" if self.known else b"535 no " + given.encode() + b"\r\n")
        elif word == "MAIL" and not self.known:
            writer.write(b"530 who are you\r\n")
        elif word in ("MAIL", "RCPT"):
            address = told.partition("<")[2].partition(">")[0]
            if word == "MAIL":
                self.sender, self.to = address, []
            else:
                self.to.append(address)
            writer.write(b"250 fine\r\n")
        elif word == "DATA":
            await self._letter(reader, writer)
        else:
            writer.write(b"250 fine\r\n")

    async def _letter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"354 go on\r\n")
        raw = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
        if self.office.busy:
            self.office.busy -= 1
            writer.write(b"451 later\r\n")
            return
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.office.letters.append(Letter(self.sender, self.to, self.private, message, raw))
        writer.write(b"250 taken\r\n")


@asynccontextmanager
async def post_office(folder: Path, *, private: bool = False) -> AsyncIterator[PostOffice]:
    """Listen in this loop until the end of the block; private: with TLS from the start."""
    files = certificates(folder)
    context = serving(files)
    office = PostOffice(0, files.authority)
    server = await asyncio.start_server(
        lambda reader, writer: _Talk(office, context, private).talk(reader, writer),
        "127.0.0.1",
        0,
        ssl=context if private else None,
    )
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
