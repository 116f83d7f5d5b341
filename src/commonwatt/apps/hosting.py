"""A payment provider's side of an open door: its webhook hosted, and what members want of it asked for by the clock."""

import asyncio
import os
import threading
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.payments.client import HttpProvider
from commonwatt.adapters.payments.webhook import SETTLED, Doubts, webhook_app
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.apps.api.serving import server
from commonwatt.apps.publishing import address, listen
from commonwatt.apps.wiring import open_key
from commonwatt.flows.payments import PaymentDesk
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import Corrupt, InvalidValue, Outcome, Refused

if TYPE_CHECKING:
    from commonwatt.adapters.door.server import Door

DOUBTS = "payment-doubts.jsonl"
_Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
_URL = r"^(https://[^/].*[^/]|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/.*[^/])?)\Z"


class Terms(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a payment configuration file says, in TOML; files are named from where it lies.

    Args:
        provider: Where the provider's API is: by https, since our key goes there; by http on this machine alone.
        api_key: The file with our key to it, mode 0600.
        secrets: The files with the secrets under which it signs, mode 0600; two while they change.
        currency: The community's, ISO 4217.
        host: Where the webhook listens; beyond this machine only behind TLS.
        port: Likewise; 0 for any that is free.
        every_s: Between two rounds of asking.
    """

    provider: Annotated[str, Meta(pattern=_URL, max_length=1_000)]
    api_key: _Text
    secrets: Annotated[list[_Text], Meta(min_length=1, max_length=8)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
    host: _Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 7421
    every_s: Annotated[int, Meta(ge=1, le=86_400)] = 60


class PaymentHost:
    """Hosts a provider's webhook beside a door, whose one writer logs what is told.

    Args:
        folder: The community's, with its payment key; doubts are kept there.
        terms: The configuration file.
        sequencer: The community's writer, behind the door.
        clock: The log's time, seconds since 1970.
        now_s: The system's clock, by which deliveries are signed.
        turn: Held while the payment key signs, by whoever else signs with it here.

    Raises:
        InvalidValue: The file says no such thing, or a secret is too short.
        Refused: A key or secret is missing, or not its owner's alone; or the log knows no such payment key.
        Corrupt: The doubts are damaged.
    """

    def __init__(
        self,
        folder: Path,
        terms: Path,
        sequencer: Sequencer,
        clock: Callable[[], int],
        now_s: Callable[[], int],
        turn: threading.Lock,
    ) -> None:
        self._terms = read_terms(terms)
        self._secrets = [_secret(terms.parent / name) for name in self._terms.secrets]
        self._api_key = _secret(terms.parent / self._terms.api_key).decode()
        self._key = open_key(folder, "payment")
        self._sequencer, self._clock, self._now_s, self._turn = sequencer, clock, now_s, turn
        self._doubts = open_doubts(folder / DOUBTS)
        PaymentDesk(sequencer, self._key, clock).check_key()

    def run(
        self, door: "Door", loop: asyncio.AbstractEventLoop, stop: threading.Event, on_word: Callable[[str], None]
    ) -> None:
        """Host the webhook and ask round by round until told to stop; in a thread of its own.

        What it reads of the state it reads at once, name by name; whatever it changes goes through the door.
        """

        def send(wires: list[bytes]) -> list[Outcome]:
            return asyncio.run_coroutine_threadsafe(door.submit(wires), loop).result()

        desk, terms = PaymentDesk(self._sequencer, self._key, self._clock, send, self._turn), self._terms
        app = webhook_app(desk.hear, self._secrets, terms.currency, self._now_s, self._doubts)
        community = self._sequencer.state.community
        with ExitStack() as doors:
            provider = doors.enter_context(HttpProvider(terms.provider, self._api_key, community, terms.currency))
            socket = doors.enter_context(listen(terms.host, terms.port))
            hook = server(app)
            thread = threading.Thread(target=hook.run, args=([socket],), daemon=True)
            thread.start()
            on_word(f"hearing the payment provider at {address(socket)}/payments/events")
            try:
                while True:
                    asked = desk.round(provider)
                    if asked.refused or asked.unheard:
                        on_word(f"the payment provider refused {asked.refused} and did not hear {asked.unheard} asks")
                    if stop.wait(terms.every_s):
                        return
            finally:
                hook.should_exit = True
                thread.join(5)


def read_terms(path: Path) -> Terms:
    """Read a payment configuration file.

    Raises:
        InvalidValue: It is no TOML, or says no such thing.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Terms)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidValue(f"{path} does not say where the payment provider is: {error}") from error


def open_doubts(path: Path) -> Doubts:
    """Return the events that a person has to look at, kept in a file of one line each: what came, and what went.

    Raises:
        Corrupt: A line is none.
    """

    def keep(event: str, word: str) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as file:
            file.write(msgspec.json.encode([event, word]) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    standing: dict[str, Outcome] = {}
    # A last line without its end was never answered for.
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for line in lines:
        try:
            event, word = msgspec.json.decode(line, type=tuple[str, str])
            standing.pop(event, None)
            if word != SETTLED:
                standing[event] = Outcome(word)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Corrupt(f"{path} does not tell of events: {line[:80]!r}") from error
    return Doubts(keep, list(standing.items()))


def _secret(path: Path) -> bytes:
    try:
        return load_secret(path).strip()
    except FileNotFoundError as error:
        raise Refused("a payment provider's secrets lie in files", missing=path) from error
