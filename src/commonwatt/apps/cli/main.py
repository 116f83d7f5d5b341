"""The commonwatt command: run a street, plan, verify evidence, replay a log."""

import sqlite3
import sys

import typer

from commonwatt.apps.cli import planning, running, trusting
from commonwatt.model import CommonwattError

app = typer.Typer(
    name="commonwatt",
    help="Small energy assets act together as a power plant and trade as neighbours, on a ledger anyone can check.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command("run")(running.run)
app.command("plan")(planning.plan)
app.command("verify")(trusting.verify)
app.command("replay")(trusting.replay)


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit code 1."""
    try:
        app()
    except (CommonwattError, OSError, UnicodeError, sqlite3.Error) as error:
        print(f"commonwatt: {error}", file=sys.stderr)  # noqa: T201  the command line's own last word
        sys.exit(1)
