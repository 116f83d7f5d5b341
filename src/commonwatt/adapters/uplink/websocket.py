"""A gateway's line by WebSocket: it calls out, shows who it is, sends bursts and hears letters."""

import asyncio
import ssl
from collections.abc import Callable
from random import uniform

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from commonwatt.adapters.uplink.translate import Challenge, Greeting, Place, Welcome, read_hello
from commonwatt.flows.gateway.letters import MOST_BURST_BYTES, greeting
from commonwatt.identity.keys import RequestSigner
from commonwatt.model import CommonwattError, GatewayId, InvalidValue, Refused, Unreachable

CONNECTED_WITHIN_S = 20.0
PING_S = 20.0
"""A line over which nothing comes back for so long is taken for broken."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


class WebSocketUplink:
    """Implements `commonwatt.flows.gateway.ports.Uplink`.

    Args:
        where: The community's listener.
        community: Whose it has to be.
        number: The gateway's.
        key: The gateway's.
        tls: For ``wss``.
        first_wait_s: Before it calls again; doubled from try to try.
    """

    def __init__(
        self,
        where: Place,
        community: str,
        number: GatewayId,
        key: RequestSigner,
        tls: ssl.SSLContext | None,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._where, self._community, self._number, self._key, self._tls = where, community, number, key, tls
        self._first_wait_s = first_wait_s
        self._line: ClientConnection | None = None

    async def run(self, heard: Callable[[bytes], None], word: Callable[[str], None]) -> None:
        """Keep the line open until cancelled, whatever breaks."""
        failed = 0
        while True:
            try:
                async with connect(
                    str(self._where),
                    ssl=self._tls,
                    max_size=MOST_BURST_BYTES,
                    open_timeout=CONNECTED_WITHIN_S,
                    ping_interval=PING_S,
                    ping_timeout=PING_S,
                    proxy=None,
                ) as line:
                    async with asyncio.timeout(CONNECTED_WITHIN_S):
                        await self._greet(line)
                    failed, self._line = 0, line
                    word(f"the line to {self._where} is open")
                    async for letter in line:
                        heard(letter.encode() if isinstance(letter, str) else letter)
                    why = "the community hung up"
            except (CommonwattError, OSError, TimeoutError, WebSocketException) as error:
                why = str(error) or "no answer in time"
            finally:
                self._line = None
            word(f"the line to {self._where} is closed: {why}")
            # Thousands that lost one listener shall not all come back in the same second.
            await asyncio.sleep(min(LONGEST_WAIT_S, self._first_wait_s * 2.0 ** min(failed, 16)) * uniform(0.5, 1))  # noqa: S311  no secret
            failed += 1

    async def send(self, burst: bytes) -> None:
        """Send a burst on its way.

        Raises:
            Unreachable: The line is not open, or broke meanwhile.
        """
        if self._line is None:
            raise Unreachable(f"the line to {self._where} is closed")
        try:
            await self._line.send(burst)
        except (OSError, WebSocketException) as error:
            raise Unreachable(f"the line to {self._where} broke: {error}") from error

    async def _greet(self, line: ClientConnection) -> None:
        asked = read_hello(await line.recv(), Challenge)
        assert isinstance(asked, Challenge)
        if asked.community != self._community:
            raise InvalidValue(f"a gateway speaks with its own community {self._community}, was {asked.community!r}")
        signature = self._key.sign(greeting(self._community, self._number, asked.challenge))
        await line.send(msgspec.json.encode(Greeting(gateway=self._number, signature=signature)).decode())
        let = read_hello(await line.recv(), Welcome)
        assert isinstance(let, Welcome)
        if let.refused:
            raise Refused("the community lets a gateway in", says=let.refused)
