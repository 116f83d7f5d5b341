"""The connection to a broker, one a process: found again when it is lost, with all that was asked of it."""

import asyncio
import logging
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt

from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.model import InvalidValue, Refused, Unreachable

LOG = logging.getLogger(__name__)
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 30.0
KEEPALIVE_S = 15
ONLINE, OFFLINE = b"online", b"offline"
AT_LEAST_ONCE = 1
AT_ONCE = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""Small messages do not wait for each other."""


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived; ``retained``: the broker kept it, nobody knows since when."""

    topic: str
    payload: bytes
    retained: bool


Done = TypeVar("Done")
Hear = Callable[[Message], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How a broker is reached, and as whom. It holds no secret: only where one lies."""

    host: str
    port: int
    status_topic: str
    user: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    within_s: float = 5.0

    def check(self) -> None:
        """Read what the files say, so that a wrong one is found when a device is opened.

        Raises:
            InvalidValue: A file is missing, or others may read the password.
        """
        self.password()
        self.context()

    def password(self) -> str | None:
        """Return the password."""
        if self.password_file is None:
            return None
        try:
            return load_secret(self.password_file).decode().strip()
        except (OSError, Refused, UnicodeDecodeError) as error:
            raise InvalidValue(f"the password of {self.user} at {self.host}: {error}") from error

    def context(self) -> ssl.SSLContext | None:
        """Return what TLS needs to know, where TLS is asked for."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise InvalidValue(f"certificates for {self.host}: {error}") from error
        return context


class Broker:
    """One connection for all devices of a process.

    While it is lost, nothing is queued: a command that arrives late is worse than one that does not. When it stands
    again, everything is subscribed again and everybody who greets greets again.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._client: aiomqtt.Client | None = None
        self._ears: list[tuple[str, Hear]] = []
        self._greeters: list[Callable[[], Awaitable[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost = asyncio.Event()
        self._stood = 0
        # The same name each time: a broker then knows a connection of ours that it takes for alive for the old one.
        self._name = f"commonwatt-{secrets.token_hex(6)}"
        self.trouble = "not connected yet"

    @property
    def connected(self) -> bool:
        """Tell whether it stands, as far as anybody knows."""
        return self._client is not None

    @property
    def status_topic(self) -> str:
        """The topic that says whether we are there: Last Will included."""
        return self._login.status_topic

    async def listen(self, topic_filter: str, hear: Hear) -> None:
        """Hear what arrives on topics, now and after each new connection."""
        known = any(mine == topic_filter for mine, _ in self._ears)
        self._ears.append((topic_filter, hear))
        if self._client is not None and not known:
            with suppress(aiomqtt.MqttError):  # lost just now: subscribed when it is found again
                await self._client.subscribe(topic_filter, AT_LEAST_ONCE)

    def leave(self, hear: Hear) -> None:
        """Hear no more."""
        self._ears = [(topic_filter, ear) for topic_filter, ear in self._ears if ear != hear]

    async def greet(self, greeter: Callable[[], Awaitable[None]]) -> None:
        """Call something after each connection, and now where one stands; it may raise `Unreachable`."""
        self._greeters.append(greeter)
        if self._client is not None:
            with suppress(Unreachable):
                await greeter()

    def ungreet(self, greeter: Callable[[], Awaitable[None]]) -> None:
        """Call it no more."""
        self._greeters = [one for one in self._greeters if one != greeter]

    def soon(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something beside, from where nobody can wait."""
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, within_s: float = 5.0) -> None:
        """Send a message; on return the broker has it.

        Raises:
            Unreachable: There is no connection, or the broker did not confirm in time.
        """
        client = self._client
        if client is None:
            raise Unreachable(f"no connection to the broker at {self._login.host}: {self.trouble}")
        try:
            await client.publish(topic, payload, AT_LEAST_ONCE, retain, timeout=within_s)
        except (aiomqtt.MqttError, ValueError) as error:
            raise Unreachable(f"the broker at {self._login.host} did not take {topic}: {error}") from error

    async def unless_lost(self, doing: Coroutine[Any, Any, Done]) -> Done:
        """Wait for something that needs the connection, no longer than it stands.

        Raises:
            Unreachable: It was lost meanwhile.
        """
        task, lost = asyncio.ensure_future(doing), asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Unreachable(f"the connection to the broker at {self._login.host} was lost")
        finally:
            task.cancel()
            lost.cancel()
            await asyncio.gather(task, lost, return_exceptions=True)

    async def run(self) -> None:
        """Connect, again and again, until cancelled."""
        wait_s = FIRST_WAIT_S
        while True:
            stood = self._stood
            try:
                await self._stay()
            except Exception as error:  # whatever it was: without this task no device of the broker is ever heard again
                if stood != self._stood:
                    wait_s = FIRST_WAIT_S
                self.trouble = str(error) or type(error).__name__
            finally:
                self._client = None
                self._lost.set()
            # Not all at the same moment: a broker that comes back has many who wait for it.
            await asyncio.sleep(wait_s * (0.5 + secrets.randbelow(500) / 1000))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _stay(self) -> None:
        login = self._login
        async with aiomqtt.Client(
            login.host,
            login.port,
            username=login.user or None,
            password=login.password(),
            identifier=self._name,
            will=aiomqtt.Will(login.status_topic, OFFLINE, AT_LEAST_ONCE, retain=True),
            keepalive=KEEPALIVE_S,
            timeout=login.within_s,
            tls_context=login.context(),
            socket_options=AT_ONCE,
        ) as client:
            for topic_filter in dict.fromkeys(mine for mine, _ in self._ears):
                await client.subscribe(topic_filter, AT_LEAST_ONCE)
            self._client, self.trouble = client, ""
            self._lost.clear()
            self._stood += 1
            greeting = asyncio.ensure_future(self._greet(client))
            try:
                async for message in client.messages:
                    self._hear(message)
            finally:
                self._client = None
                self._lost.set()
                greeting.cancel()
                with suppress(asyncio.CancelledError):
                    await greeting

    async def _greet(self, client: aiomqtt.Client) -> None:
        with suppress(aiomqtt.MqttError):
            await client.publish(self._login.status_topic, ONLINE, AT_LEAST_ONCE, retain=True)
        for greeter in list(self._greeters):
            with suppress(Unreachable):
                await greeter()

    def _hear(self, message: aiomqtt.Message) -> None:
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        heard = Message(message.topic.value, payload, bool(message.retain))
        for topic_filter, hear in list(self._ears):
            if message.topic.matches(topic_filter):
                try:
                    hear(heard)
                except Exception:  # one message must not cost all devices of a broker their connection
                    LOG.exception("a message of %d bytes on %s was not understood", len(payload), heard.topic)

    async def close(self) -> None:
        """Say that we are gone, as the Last Will would."""
        with suppress(Unreachable):
            await self.publish(self._login.status_topic, OFFLINE, retain=True, within_s=1.0)


@asynccontextmanager
async def broker(login: Login) -> AsyncIterator[Broker]:
    """Keep a connection until the end; it need not stand yet when this returns."""
    one = Broker(login)
    running = asyncio.ensure_future(one.run())
    try:
        yield one
    finally:
        await one.close()
        for task in (running, *one._tasks):
            task.cancel()
        await asyncio.gather(running, *one._tasks, return_exceptions=True)
