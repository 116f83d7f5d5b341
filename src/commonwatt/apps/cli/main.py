"""The commonwatt command: run a street, plan, verify evidence, replay a log, check it, serve it, watch one."""

import gc
import os
import signal
import sqlite3
import sys
from types import FrameType
from typing import NoReturn

import typer

from commonwatt.apps.cli import (
    accepting,
    billing,
    charging,
    checking,
    consenting,
    contracting,
    delegating,
    devices,
    erasing,
    forecasting,
    gateway_app,
    gatewaying,
    interchanging,
    joining,
    keeping,
    opening,
    persons,
    planning,
    running,
    showing,
    stations,
    trading,
    trusting,
    updating,
    watching,
)
from commonwatt.kernels.cores import COLLECT_AFTER
from commonwatt.model import CommonwattError

app = typer.Typer(
    name="commonwatt",
    help="Small energy assets act together as a power plant and trade as neighbours, on a ledger anyone can check.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command("run")(running.run)
app.command("accept")(accepting.accept)
app.command("app")(opening.app)
app.command("demo")(opening.demo)
app.command("bill")(billing.bill)
app.command("archive")(keeping.archive)
app.command("query")(keeping.query)
app.command("erase")(erasing.erase)
app.command("check")(checking.check)
app.command("consent")(consenting.consent)
app.command("contracts")(contracting.contracts)
app.command("delegate")(delegating.delegate)
app.command("plan")(planning.plan)
app.command("event", context_settings={"ignore_unknown_options": True})(planning.event)
app.command("key")(joining.key)
app.command("market")(trading.market)
app.command("order")(trading.order)
app.command("ask")(trading.ask)
app.add_typer(interchanging.app, name="interchange")
app.add_typer(devices.app, name="devices")
app.add_typer(persons.app, name="person")
app.add_typer(forecasting.app, name="forecast")
app.command("prove")(showing.prove)
app.command("inspect")(showing.inspect)
app.command("fairness")(showing.fairness)
app.command("charge")(charging.charge)
app.command("receipt")(charging.receipt)
app.command("commission")(charging.commission)
app.command("verify")(trusting.verify)
app.command("claim")(trusting.claim)
app.command("replay")(trusting.replay)
app.command("stations")(stations.stations)
app.command("serve")(watching.serve)
app.command("witness")(watching.witness)
gateway_app.app.command("init")(gatewaying.init)
gateway_app.app.command("run")(gatewaying.run)
gateway_app.app.command("show")(gatewaying.show)
gateway_app.app.command("register")(gatewaying.register)
gateway_app.app.command("claim")(gatewaying.claim)
gateway_app.app.command("demand")(gatewaying.demand)
gateway_app.app.command("update")(updating.update)
gateway_app.app.command("release")(updating.release)
app.add_typer(gateway_app.app, name="gateway")


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
