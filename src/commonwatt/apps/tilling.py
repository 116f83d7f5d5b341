"""A till for payment channels beside an open door: it takes vouchers over HTTP, and a watchtower looks by the clock."""

import asyncio
import logging
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.payments.shown import VOUCHERS
from commonwatt.adapters.payments.till import till_app
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.apps.api.serving import server
from commonwatt.apps.publishing import address, listen
from commonwatt.apps.wiring import open_key
from commonwatt.flows.chain_ports import Contract
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.terms import LEAST_DELAY_S, Terms
from commonwatt.flows.channels.till import Till
from commonwatt.flows.channels.watchtower import Watchtower
from commonwatt.flows.payments import PaymentDesk
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AccountId, CommonwattError, InvalidValue, Outcome
from commonwatt.tokens.channel import MOST_DELAY_S

if TYPE_CHECKING:
    from commonwatt.adapters.door.server import Door

HELD, TOWER = "vouchers.sqlite", "watchtower.pem"
_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
_log = logging.getLogger(__name__)


class TillFile(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a file of channels says, in TOML.

    Args:
        chain: The JSON-RPC of a node: the embedded chain's on this machine, or a network's.
        contract: The contract of channels there.
        token: The community's ERGON there.
        payee: Who is paid.
        least_delay_s: The shortest delay of a channel that is taken.
        host: Where the till listens; beyond this machine only behind TLS.
        port: Likewise; 0 for any that is free.
        every_s: Between two looks of the watchtower.
    """

    chain: Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=1_000)]
    contract: _Address
    token: _Address
    payee: _Address
    least_delay_s: Annotated[int, Meta(ge=60, le=MOST_DELAY_S)] = LEAST_DELAY_S
    host: Annotated[str, Meta(min_length=1, max_length=1_000)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 7422
    every_s: Annotated[int, Meta(ge=1, le=3_600)] = 15


class TillHost:
    """Hosts a till, whose credits the door's one writer logs, and watches over what it holds.

    Args:
        folder: The community's, with its payment key; vouchers are kept there, and the watchtower's key.
        told: The file of channels.
        sequencer: The community's writer, behind the door.
        clock: The log's time, seconds since 1970.
        turn: Held while the payment key signs, by whoever else signs with it here.

    Raises:
        InvalidValue: The file says no such thing.
        Refused: A key is missing, or not its owner's alone; or the log knows no such payment key.
        Corrupt: The vouchers are damaged.
    """

    def __init__(
        self, folder: Path, told: Path, sequencer: Sequencer, clock: Callable[[], int], turn: threading.Lock
    ) -> None:
        self._folder, self._told = folder, read_till(told)
        self._sequencer, self._clock, self._turn = sequencer, clock, turn
        self._key, self._tower = open_key(folder, "payment"), _tower_key(folder / "keys")
        PaymentDesk(sequencer, self._key, clock).check_key()

    def run(
        self, door: "Door", loop: asyncio.AbstractEventLoop, stop: threading.Event, on_word: Callable[[str], None]
    ) -> None:
        """Host the till and watch until told to stop; in a thread of its own.

        Whatever goes wrong here is said and tried again: the door that it stands beside stays open.
        """

        def send(wires: list[bytes]) -> list[Outcome]:
            return asyncio.run_coroutine_threadsafe(door.submit(wires), loop).result()

        say = _Saying(on_word)
        while not stop.is_set():
            with say.trouble("no vouchers are taken now"):
                self._host(send, stop, say)
            stop.wait(self._told.every_s)

    def _host(self, send: Callable[[list[bytes]], list[Outcome]], stop: threading.Event, say: "_Saying") -> None:
        with ExitStack() as doors:
            channels = self._reach(stop, say)
            if channels is None:
                return
            held = doors.enter_context(HeldFile(self._folder / HELD))
            desk = PaymentDesk(self._sequencer, self._key, self._clock, send, self._turn)
            till = Till(channels, self._terms(channels), held, desk, self._knows)
            socket = doors.enter_context(listen(self._told.host, self._told.port))
            app = server(till_app(till.take, till.terms))
            thread = threading.Thread(target=app.run, args=([socket],), daemon=True)
            thread.start()
            say.word(f"taking vouchers at {address(socket)}{VOUCHERS}; {self._tower.id} watches over them")
            try:
                self._watch(till, Watchtower(channels, held, self._told.payee, self._tower), stop, say)
            finally:
                app.should_exit = True
                thread.join(5)

    def _watch(self, till: Till, tower: Watchtower, stop: threading.Event, say: "_Saying") -> None:
        known = dict[str, int]()
        while True:
            # Each by itself: what the log does not take of one payer must not leave all others' vouchers unwatched.
            with say.trouble("nobody watches over vouchers now"):
                going = {one.channel: one.owed for one in tower.look()}
                for channel in going.keys() - known.keys():
                    say.word(f"a payer withdraws from channel {channel}: {going[channel]} micro are claimed")
                known = going
            with say.trouble("not all vouchers are credited yet"):
                till.catch_up()
            if stop.wait(self._told.every_s):
                return

    def _reach(self, stop: threading.Event, say: "_Saying") -> Channels | None:
        # Read here, since web3 takes a second to load, for which nobody waits who has no channels.
        from commonwatt.adapters.chains.contracts.artifact import artifact  # noqa: PLC0415
        from commonwatt.adapters.chains.rpc import network  # noqa: PLC0415

        while True:
            with say.trouble("no vouchers are taken yet"):
                return Channels(network(self._told.chain), Contract(self._told.contract, artifact("Channel").abi))
            if stop.wait(self._told.every_s):
                return None

    def _terms(self, channels: Channels) -> Terms:
        return Terms(
            community=self._sequencer.state.community,
            chain_id=channels.chain.chain_id,
            contract=self._told.contract,
            payee=self._told.payee,
            token=self._told.token,
            least_delay_s=self._told.least_delay_s,
        )

    def _knows(self, account: str) -> bool:
        return self._sequencer.state.has_wallet(AccountId(account))


class _Saying:
    """Says what goes wrong, once as long as it stays the same, and keeps it from whoever asked.

    Args:
        word: Told in words.
    """

    def __init__(self, word: Callable[[str], None]) -> None:
        self.word = word
        self._said = dict[str, str]()

    @contextmanager
    def trouble(self, what: str) -> Iterator[None]:
        """Say that something is not done now, and why; whatever it was, the caller goes on."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, (CommonwattError, OSError)):
                _log.warning("%s", what, exc_info=error)
            why = str(error) or type(error).__name__
            if self._said.get(what) != why:
                self.word(f"{what}: {why}")
            self._said[what] = why
        else:
            self._said.pop(what, None)


def read_till(path: Path) -> TillFile:
    """Read a file of channels.

    Raises:
        InvalidValue: It is no TOML, or says no such thing.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), TillFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidValue(f"{path} does not say where channels are: {error}") from error


def _tower_key(keys: Path) -> SigningKey:
    """Return the key that claims; made the first time. All that it can do is have the payee paid."""
    if not (keys / TOWER).exists():
        save_secret(keys / TOWER, SigningKey.generate().to_pem(passphrase(keys / "passphrase")))
    return SigningKey.from_pem(load_secret(keys / TOWER), passphrase(keys / "passphrase"))
