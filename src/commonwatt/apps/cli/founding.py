"""`commonwatt init`: found a community in a folder of its own."""

import time
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import founding
from commonwatt.apps.cli.screen import as_json


def init(
    folder: Annotated[Path, typer.Argument(help="Made here; there must be nothing in it.")],
    name: Annotated[str, typer.Option(help="Of the community; the folder's name if left out.")] = "",
    timezone: Annotated[str, typer.Option(help="Whose clock it lives by, like Europe/Vienna.")] = "UTC",
    b_max_wh: Annotated[
        int, typer.Option(help="The most stored energy (WATT) that a member may hold, Wh.", min=0)
    ] = 10_000,
    json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
) -> None:
    """Found a community: keys made at random and kept encrypted, and a log that says who is who.

    Then open its door (accept), let people and things join (key, gateway register), and open its app (app).
    """
    terms = founding.Terms(name=name or folder.resolve().name, timezone=timezone, b_max_wh=b_max_wh)
    done = founding.found(folder, terms, int(time.time()))
    if json:
        typer.echo(as_json(done))
        return
    typer.echo(f"{done.community} is founded in {done.folder}; hand {done.trust} to all who check it")
    typer.echo(f"next  commonwatt accept {folder}\n      commonwatt key {folder} member-01 member")
