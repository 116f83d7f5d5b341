"""The street alive and its app, together: the street in a process of its own, so that no plan delays a page."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from commonwatt.apps import door_card
from commonwatt.apps.asking import send, state_of
from commonwatt.apps.chain_terms import RPC_PORT, want_embedded
from commonwatt.apps.delegating import delegate
from commonwatt.apps.demo_feeds import played_feeds
from commonwatt.apps.joining import join
from commonwatt.apps.opening import Opened, Way, open_app
from commonwatt.apps.rehearsal import account_of
from commonwatt.apps.wiring import open_key
from commonwatt.flows.rulebook.identity.delegating import INSPECT
from commonwatt.flows.rulebook.identity.trust_bodies import Grant
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.wallet_bodies import PurchaseBody
from commonwatt.identity.seat import Role
from commonwatt.model import MICRO, AssetKind, Commodity, Kind, Refused

JOINING = (Role.UTILITY, Role.AGGREGATOR, Role.TSO, Role.INSTALLER)
"""Who is in no street's file, and comes to a demo so that every seat can be taken."""
BUYERS = (Role.UTILITY, Role.AGGREGATOR)

_PROGRAM = "from commonwatt.apps.cli.main import main; main()"
_LOOK_S = 0.2
_OPEN_WITHIN_S = 300.0
"""Compiled parts are made at their first use on a fresh machine."""
_STOP_WITHIN_S = 30.0
_BUYER_MICRO = 100 * MICRO
"""What each of a demo's buyers of flexibility has to offer contracts with."""
_GRANT_S = 365 * 86_400


def demonstrate(
    street: Path,
    folder: Path,
    way: Way,
    words: Sequence[str],
    on_open: Callable[[Opened], None],
) -> None:
    """Let a street live on and serve its app, anybody in any seat, until the process is told to end.

    Args:
        street: Its folder, with its recorded data.
        folder: The live run's own.
        way: How the app is opened.
        words: Further words for `commonwatt run --live`.
        on_open: Told once people can come.

    Raises:
        Refused: The street did not begin; says what it said last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _told_to_end(), _alive(street, folder, words), played_feeds(street, folder, time.time):
        card = door_card.read(folder)
        let_roles_in(folder, card.host, card.port)
        want_embedded(folder, RPC_PORT)
        open_app(folder, way, on_open)


def let_roles_in(folder: Path, host: str, port: int) -> None:
    """Have whoever a street's file does not name in a community that only plays: `JOINING`, each for its own account.

    Who buys flexibility gets money for contracts. A home with a car lets the installer look after its devices.

    Args:
        folder: The community's, with everybody's keys.
        host: Where its door is.
        port: Likewise.

    Raises:
        Refused: The log took it not.
        OSError: The line to the door broke.
    """
    state = state_of(folder)
    for role in JOINING:
        if not state.keys.has_role(account_of(role), role.value):
            join(folder, account_of(role), role.value, None, host, port)
    for account in map(account_of, BUYERS):
        if not free(state, account, Commodity.ERGON):
            paid = PurchaseBody(account=account, amount_micro=_BUYER_MICRO, reference=f"first-{account}")
            send(folder, "payment", Kind.PURCHASE, paid, host, port)
    cars = sorted(one.owner for one in state.assets.values() if one.kind is AssetKind.VEHICLE)
    if cars and cars[0] not in state.trusted.delegations:
        to = open_key(folder, account_of(Role.INSTALLER)).public.hex()
        kinds = (INSPECT, Kind.REGISTER.value)
        delegate(folder, cars[0], Grant(to=to, kinds=kinds, until_s=state.settled_to_s + _GRANT_S), host, port)


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Leave the block in good order on SIGTERM, and when the terminal goes away, and only then end by it.

    The street has a session of its own and would live on with nobody before it. The server, once it has ended on
    SIGTERM, raises it again for whoever was there before it: for this.
    """
    told: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the street is being ended: a second word changes nothing
        raise SystemExit

    def hang_up(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # who was started to outlive its terminal does
        signal.signal(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if told:
            signal.raise_signal(signal.SIGTERM)


@contextmanager
def _alive(street: Path, folder: Path, words: Sequence[str]) -> Iterator[None]:
    """Keep a live street running as long as the block does; what it says lies beside its folder."""
    told = folder.with_name(f"{folder.name}.log")
    asked = ("run", str(street), "--live", "--port", "0", "--output", str(folder), *words)
    with told.open("wb") as output:
        living = subprocess.Popen(  # noqa: S603  our own program, told by our own command line
            [sys.executable, "-c", _PROGRAM, *asked],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # Ctrl-C at a terminal is for this process, which ends the street in good order afterwards.
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            _wait_for_door(living, folder, told)
            yield
        finally:
            living.terminate()
            with suppress(subprocess.TimeoutExpired):
                living.wait(_STOP_WITHIN_S)
            living.kill()
            living.wait()


def _wait_for_door(living: "subprocess.Popen[bytes]", folder: Path, told: Path) -> None:
    before_s = time.monotonic() + _OPEN_WITHIN_S
    began_ns = time.time_ns()
    card = folder / door_card.DOOR_CARD
    while time.monotonic() < before_s:
        with suppress(OSError):
            if card.stat().st_mtime_ns > began_ns:
                return
        if living.poll() is not None:
            break
        time.sleep(_LOOK_S)
    last = told.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    raise Refused("a street opens its door before its app", folder=folder, said=last[0][:400])
