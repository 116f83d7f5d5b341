"""`commonwatt key`: bring a utility, a station, a car, an oracle, an agent or a member into a community."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import joining
from commonwatt.apps.cli.screen import as_json


def key(
    folder: Annotated[Path, typer.Argument(help="The community's folder, with the operator's key.", exists=True)],
    name: Annotated[str, typer.Argument(help="Of the new key's file in keys/, for example city-power.")],
    role: Annotated[str, typer.Argument(help=f"What it is for: {', '.join(joining.ROLES)}.")],
    account: Annotated[str | None, typer.Option(help="The account that it acts for; its own name if left out.")] = None,
    host: Annotated[str, typer.Option(help="Where the door is, see accept.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)] = 7420,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Make a key, keep it encrypted in the folder, and register it through the open door."""
    done = joining.join(folder, name, role, account, host, port)
    typer.echo(as_json(done) if json else f"{done.account} is a {done.role} with the key {done.public}\n{done.file}")
