"""A gateway's line over an MQTT broker: it says bursts under ``requests``, and hears ``answers`` and ``commands``."""

import asyncio
import ssl
from collections.abc import Callable
from random import uniform

import aiomqtt

from commonwatt.adapters.uplink.translate import Place, topic
from commonwatt.model import GatewayId, Unreachable

QOS = 1
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
KEEP_ALIVE_S = 30


class MqttUplink:
    """Implements `commonwatt.flows.gateway.ports.Uplink`.

    Args:
        where: The broker.
        community: Under whose topics.
        number: The gateway's.
        tls: For ``mqtts``.
        login: Name and password for the broker, where it asks.
        first_wait_s: Before it connects again; doubled from try to try.
    """

    def __init__(
        self,
        where: Place,
        community: str,
        number: GatewayId,
        tls: ssl.SSLContext | None,
        login: tuple[str, str] | None = None,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._where, self._tls, self._login, self._first_wait_s = where, tls, login, first_wait_s
        self._topics = {last: topic(community, number, last) for last in ("requests", "answers", "commands")}
        self._name = f"commonwatt-{community}-{number}"
        self._line: aiomqtt.Client | None = None

    async def run(self, heard: Callable[[bytes], None], word: Callable[[str], None]) -> None:
        """Keep the line open until cancelled, whatever breaks."""
        name, password = self._login or (None, None)
        failed = 0
        while True:
            try:
                async with aiomqtt.Client(
                    self._where.host,
                    self._where.port,
                    username=name,
                    password=password,
                    identifier=self._name,
                    tls_context=self._tls,
                    keepalive=KEEP_ALIVE_S,
                ) as line:
                    # Orders are retained: whoever subscribes has the last ones at once.
                    for last in ("answers", "commands"):
                        await line.subscribe(self._topics[last], QOS)
                    failed, self._line = 0, line
                    word(f"the line to {self._where} is open")
                    async for message in line.messages:
                        if isinstance(message.payload, bytes | bytearray) and message.payload:
                            heard(bytes(message.payload))
                why = "the broker hung up"
            except (aiomqtt.MqttError, OSError) as error:
                why = str(error)
            finally:
                self._line = None
            word(f"the line to {self._where} is closed: {why}")
            await asyncio.sleep(min(LONGEST_WAIT_S, self._first_wait_s * 2.0 ** min(failed, 16)) * uniform(0.5, 1))  # noqa: S311  no secret
            failed += 1

    async def send(self, burst: bytes) -> None:
        """Send a burst on its way.

        Raises:
            Unreachable: The line is not open, or the broker did not take it in time.
        """
        if self._line is None:
            raise Unreachable(f"the line to {self._where} is closed")
        try:
            await self._line.publish(self._topics["requests"], burst, qos=QOS)
        except (aiomqtt.MqttError, OSError) as error:
            raise Unreachable(f"{self._where} did not take a burst: {error}") from error
