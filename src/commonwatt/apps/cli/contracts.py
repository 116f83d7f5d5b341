"""`commonwatt contracts`: utility contracts of a run's log, and what became of each window."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.apps.contracts import ShownContract, ShownPart, show_contracts
from commonwatt.model import MICRO, instant


def contracts(
    folder: Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List utility contracts, their windows, and what was promised, delivered and paid in each."""
    found = show_contracts(folder)
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    if not found.standing and not found.parts:
        console.print("no utility has offered anything", highlight=False)
        return
    if found.standing:
        console.print(_standing(found.standing))
    if found.parts:
        console.print(_parts(found.parts))


def _standing(standing: list[ShownContract]) -> Table:
    table = Table("contract", "utility", "accept by (UTC)", "windows", "members", box=None, header_style="bold")
    for name in ("give back W", "charge W", "held"):
        table.add_column(name, justify="right")
    for one in standing:
        table.add_row(
            one.contract,
            one.utility,
            f"{instant(one.accept_by_s):%Y-%m-%d %H:%M}",
            str(one.windows_to_come),
            str(one.members),
            str(one.give_back_w),
            str(one.charge_w),
            _money(one.held_micro),
        )
    return table


def _parts(parts: list[ShownPart]) -> Table:
    table = Table("contract", "window (UTC)", "way", "member", "asset", "stage", box=None, header_style="bold")
    for name in ("promised Wh", "delivered Wh", "comes to"):
        table.add_column(name, justify="right")
    for part in parts:
        table.add_row(
            part.contract,
            f"{instant(part.start_s):%Y-%m-%d %H:%M}-{instant(part.end_s):%H:%M}",
            part.direction if part.called else f"{part.direction}, not called",
            part.member,
            part.asset,
            part.stage,
            str(part.promised_wh),
            str(part.delivered_wh),
            _money(part.due_micro),
        )
    return table


def _money(micro: int) -> str:
    return f"{micro / MICRO:.2f}"
