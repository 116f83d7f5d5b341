"""The community's lines to its gateways, in the process of its door: a listener, a bridge to a broker, or both."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from commonwatt.adapters.door.server import Door
from commonwatt.adapters.uplink.mqtt_host import MqttHost
from commonwatt.adapters.uplink.translate import Tls, client_tls, place, server_tls
from commonwatt.adapters.uplink.websocket_host import WebSocketHost
from commonwatt.apps.demanding import standing
from commonwatt.apps.gateway_folder import login_of, read_toml
from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.gateway.post_office import PostOffice
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import SLOT_SECONDS, CommonwattError, Outcome


class LineSecrets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lines under TLS, and a broker, ask for; paths are from the folder of the file."""

    websocket: Tls = Tls()
    mqtt: Tls = Tls()
    login: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Where gateways come in; with neither, none do.

    Args:
        gateways: Where to listen, such as ``ws://127.0.0.1:7421``.
        mqtt: Where the broker is, such as ``mqtt://127.0.0.1:1883``.
        secrets: A file as `LineSecrets`, TOML.
    """

    gateways: str | None = None
    mqtt: str | None = None
    secrets: Path | None = None


NO_LINES = Lines()


class GatewayLines:
    """All lines of one door. Orders go out as soon as the log, or the slot, asks for other ones.

    Args:
        lines: Where.
        sequencer: The community's writer.
        operator: Signs letters.
        now_s: The clock, seconds since 1970.
        on_word: Told in words who comes and goes.
        look_every_s: Between two looks at what is to be told.
        folder: The community's, where what is demanded stands.
    """

    def __init__(
        self,
        lines: Lines,
        sequencer: Sequencer,
        operator: SigningKey,
        now_s: Callable[[], int],
        on_word: Callable[[str], None],
        look_every_s: float,
        folder: Path,
    ) -> None:
        self._lines, self._sequencer, self._operator = lines, sequencer, operator
        self._now_s, self._on_word, self._look_every_s, self._folder = now_s, on_word, look_every_s, folder
        told = LineSecrets() if lines.secrets is None else read_toml(lines.secrets, LineSecrets)
        base = Path() if lines.secrets is None else lines.secrets.parent
        self._websocket = None if lines.gateways is None else place(lines.gateways, "ws", "wss")
        self._mqtt = None if lines.mqtt is None else place(lines.mqtt, "mqtt", "mqtts")
        self._listening = None if self._websocket is None else server_tls(self._websocket, _from(base, told.websocket))
        self._calling = None if self._mqtt is None else client_tls(self._mqtt, _from(base, told.mqtt))
        self._login = login_of(None if told.login is None else base / told.login)
        self.port = 0
        self._hosts = list[WebSocketHost | MqttHost]()

    @property
    def connected(self) -> int:
        """Gateways whose own line is open; those behind a broker are not told apart from here."""
        return sum(host.connected for host in self._hosts if isinstance(host, WebSocketHost))

    async def run(self, door: Door) -> None:
        """Serve until cancelled.

        Raises:
            Refused: The log takes nothing more.
        """

        async def submit(wires: list[bytes]) -> list[Outcome]:
            return await door.submit(wires, promised=False)

        state = self._sequencer
        office = PostOffice(lambda: state.state, self._operator, submit, lambda: 1_000 * self._now_s(), self._demands)
        hosts = self._hosts
        async with asyncio.TaskGroup() as tasks:
            server = None
            if self._websocket is not None:
                listener = WebSocketHost(office, self._websocket, self._listening, self._on_word)
                server = await listener.listen()
                self.port = next(iter(server.sockets)).getsockname()[1]
                self._on_word(f"gateways call {self._websocket.scheme}://{self._websocket.host}:{self.port}")
                hosts.append(listener)
            if self._mqtt is not None:
                bridge = MqttHost(office, self._mqtt, self._calling, self._on_word, self._login)
                tasks.create_task(bridge.run())
                hosts.append(bridge)
            try:
                await self._look(office, hosts)
            finally:
                if server is not None:
                    server.close()

    async def _look(self, office: PostOffice, hosts: list[WebSocketHost | MqttHost]) -> None:
        known: tuple[int, int, list[Called]] = (-1, -1, [])
        while True:
            found = len(self._sequencer.tree), self._now_s() // SLOT_SECONDS, self._demands()
            if found != known:
                known = found
                letters = office.orders()
                for host in hosts:
                    with suppress(OSError):
                        await host.tell(letters)
            await asyncio.sleep(self._look_every_s)

    def _demands(self) -> list[Called]:
        try:
            return standing(self._folder, self._now_s())
        except (CommonwattError, OSError) as error:
            self._on_word(str(error))
            return []


def _from(base: Path, tls: Tls) -> Tls:
    def found(path: Path | None) -> Path | None:
        return None if path is None else base / path

    return Tls(ca=found(tls.ca), cert=found(tls.cert), key=found(tls.key))
