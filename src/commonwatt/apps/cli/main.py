"""The commonwatt command: run a street, plan, verify evidence, replay a log, check it, serve it, watch one."""

import gc
import sqlite3
import sys

import typer

from commonwatt.apps.cli import (
    accepting,
    checking,
    delegating,
    erasing,
    keeping,
    planning,
    running,
    showing,
    trusting,
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
app.command("archive")(keeping.archive)
app.command("query")(keeping.query)
app.command("erase")(erasing.erase)
app.command("check")(checking.check)
app.command("delegate")(delegating.delegate)
app.command("plan")(planning.plan)
app.command("prove")(showing.prove)
app.command("inspect")(showing.inspect)
app.command("verify")(trusting.verify)
app.command("replay")(trusting.replay)
app.command("serve")(watching.serve)
app.command("witness")(watching.witness)


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit code 1."""
    gc.set_threshold(*COLLECT_AFTER)
    try:
        app()
    except (CommonwattError, OSError, UnicodeError, sqlite3.Error) as error:
        print(f"commonwatt: {error}", file=sys.stderr)  # noqa: T201  the command line's own last word
        sys.exit(1)
