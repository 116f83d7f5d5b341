"""The commonwatt command: run a street, plan, verify evidence, replay a log, check it, serve it, watch one."""

import gc
import os
import signal
import sqlite3
import sys
from types import FrameType
from typing import NoReturn

from commonwatt.apps.cli import lazily
from commonwatt.kernels.cores import COLLECT_AFTER
from commonwatt.model import CommonwattError

COMMANDS = {
    "init": "founding:init",
    "run": "running:run",
    "accept": "accepting:accept",
    "app": "opening:app",
    "demo": "opening:demo",
    "bill": "billing:bill",
    "alarms": "forecasting:alarms",
    "archive": "keeping:archive",
    "query": "keeping:query",
    "erase": "erasing:erase",
    "check": "checking:check",
    "feeds": "feeding:feeds",
    "consent": "consenting:consent",
    "contracts": "contracting:contracts",
    "delegate": "delegating:delegate",
    "plan": "planning:plan",
    "what-if": "trying:what_if",
    "bench": "benching:bench",
    "key": "joining:key",
    "market": "trading:market",
    "order": "trading:order",
    "ask": "trading:ask",
    "member": "members:app",
    "asset": "assets:app",
    "constraint": "constraints:app",
    "schedule": "schedules:app",
    "wallet": "wallet_app:app",
    "chain": "chaining:app",
    "channel": "channel_app:app",
    "event": "events:app",
    "interchange": "interchanging:app",
    "devices": "devices:app",
    "person": "persons:app",
    "forecast": "forecasting:app",
    "prove": "showing:prove",
    "inspect": "showing:inspect",
    "fairness": "showing:fairness",
    "charge": "charging:charge",
    "receipt": "charging:receipt",
    "commission": "charging:commission",
    "verify": "trusting:verify",
    "claim": "trusting:claim",
    "replay": "trusting:replay",
    "stations": "stations:stations",
    "completion": "completing:completion",
    "serve": "watching:serve",
    "witness": "watching:witness",
    "gateway": "gateway_app:app",
}
"""Each command's module in this folder, and its function or group there."""

app = lazily.group(
    "commonwatt",
    "Small energy assets act together as a power plant and trade as neighbours, on a ledger anyone can check.",
    COMMANDS,
)


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit code 1."""
    gc.set_threshold(*COLLECT_AFTER)
    interrupted: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # who was started to ignore it goes on to
        signal.signal(signal.SIGINT, interrupt)
    try:
        app()
    except SystemExit as ended:
        if interrupted:
            _leave(ended.code if isinstance(ended.code, int) else 1)
        raise
    except (CommonwattError, OSError, UnicodeError, sqlite3.Error) as error:
        print(f"commonwatt: {error}", file=sys.stderr)  # noqa: T201  the command line's own last word
        _leave(1)


def _leave(code: int) -> NoReturn:
    """End at once: everything is closed by now.

    An interruption can leave a lock of the pools' held for ever, for whose threads the interpreter would wait, and a
    library prints pages about objects that an error still holds when it ends in good order.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
