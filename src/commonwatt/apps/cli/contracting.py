"""`commonwatt contracts`: what was offered, promised, delivered and paid under a community's contracts."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import showing
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.model import instant

Folder = Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)]


def contracts(
    folder: Folder, json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False
) -> None:
    """List contracts window by window: how far each is, what was promised, delivered and paid."""
    found = showing.contracts_of(folder)
    if json:
        typer.echo(as_json(found))
        return
    table = Table(
        "contract",
        "offer",
        "member",
        "asset",
        "window (UTC)",
        "asks to",
        "status",
        "promised Wh",
        "delivered Wh",
        "due ERGON",
        "paid ERGON",
        box=None,
        header_style="bold",
    )
    for one in found:
        due, paid = ergon(one.due_micro), ergon(one.paid_micro)
        told = (one.contract, one.offer, one.member, one.asset, f"{instant(one.start_s):%Y-%m-%d %H:%M}")
        energy = (str(one.promised_wh), str(one.delivered_wh))
        table.add_row(*told, one.direction.replace("_", " "), one.status, *energy, due, paid)
    console = screen()
    if not found:
        console.print("no contracts")
        return
    console.print(table)
