"""Tell people by mail: plain text through one SMTP server, encrypted on the way there."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path

from commonwatt.flows.notices.ports import Letter, Undelivered
from commonwatt.flows.notices.records import Channel
from commonwatt.model import InvalidValue, instant

WITHIN_S = 20.0
_LONGEST_SUBJECT = 200


class Security(StrEnum):
    """How the line to a mail server is kept private."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """Not at all: for a server on this very machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Which mail server takes our letters.

    Args:
        host: Its name, which its certificate has to bear.
        port: Likewise.
        security: How the line is kept private; a server that does not offer it gets nothing.
        sender: The address from which letters come.
        user: As whom we sign in; empty for not at all.
        password: With which.
        ca: A file with who vouches for its certificate; the machine's authorities where there is none.

    Raises:
        InvalidValue: The sender is no address, or a password would travel in the open.
    """

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None

    def __post_init__(self) -> None:
        address_of(self.sender)
        if self.security is Security.NONE and self.user:
            raise InvalidValue("a password goes to a mail server over TLS")


class Mail:
    """Implements `commonwatt.flows.notices.ports.Carrier` for mail addresses.

    Args:
        server: Which takes them.
        name: The community's, which stands before the sender's address.
    """

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name

    async def carry(self, channel: Channel, letter: Letter) -> None:
        """Hand a letter to the mail server; on return that took it.

        Raises:
            Undelivered: It did not.
        """
        text = f"{letter.text}\n\n{letter.href}\n"
        await self.send(channel.address, letter.id, letter.at_s, letter.title, text)

    async def send(self, to: str, id: str, at_s: int, subject: str, text: str) -> None:
        """Send a text to one address; see `carry`.

        Args:
            to: The address.
            id: Of the message, the same at every try.
            at_s: Its date.
            subject: In a line; line breaks in it become blanks.
            text: What it says.
        """
        try:
            message = written(self._server.sender, self._name, to, id, at_s, subject, text)
        except InvalidValue as error:
            raise Undelivered(str(error)) from error
        await asyncio.to_thread(self._hand_over, message, to)

    def _hand_over(self, message: EmailMessage, to: str) -> None:
        told = self._server
        try:
            context = None if told.security is Security.NONE else ssl.create_default_context(cafile=told.ca)
            with self._line(context) as line:
                if told.security is Security.STARTTLS:
                    line.starttls(context=context)
                if told.user:
                    line.login(told.user, told.password)
                line.send_message(message, told.sender, [to])
        except (smtplib.SMTPException, ssl.SSLError, OSError, ValueError) as error:
            # Its words may hold what we sent, a password included; its kind does not.
            raise Undelivered(f"the mail server did not take it: {type(error).__name__}") from error

    def _line(self, context: ssl.SSLContext | None) -> smtplib.SMTP:
        told = self._server
        if told.security is Security.TLS:
            return smtplib.SMTP_SSL(told.host, told.port, timeout=WITHIN_S, context=context)
        return smtplib.SMTP(told.host, told.port, timeout=WITHIN_S)


def written(sender: str, name: str, to: str, id: str, at_s: int, subject: str, text: str) -> EmailMessage:
    """Return a message; nothing that somebody typed adds a header to it or another address.

    Raises:
        InvalidValue: An address is none.
    """
    message = EmailMessage(policy=SMTP)
    origin = address_of(sender)
    try:
        message["From"] = Address(_one_line(name), addr_spec=sender)
        message["To"] = address_of(to)
        message["Subject"] = _one_line(subject)[:_LONGEST_SUBJECT]
        message["Date"] = format_datetime(instant(at_s))
        message["Message-ID"] = f"<{_one_line(id)}@{origin.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.replace("\r\n", "\n").replace("\r", "\n"))
    except (ValueError, MessageError) as error:
        raise InvalidValue(f"a letter cannot be written: {error}") from error
    return message


def address_of(text: str) -> Address:
    """Return a mail address.

    Raises:
        InvalidValue: It is none, or more than one line or address.
    """
    if not text.isprintable() or len(text) > 254:
        raise InvalidValue(f"an address looks like anna@sun.example, was {text[:80]!r}")
    try:
        found = Address(addr_spec=text)
    except (ValueError, MessageError, IndexError) as error:
        raise InvalidValue(f"an address looks like anna@sun.example, was {text[:80]!r}") from error
    if not found.username or not found.domain:
        raise InvalidValue(f"an address looks like anna@sun.example, was {text[:80]!r}")
    return found


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
