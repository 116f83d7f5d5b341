"""`commonwatt plan`: what would the next day look like under these statements?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import deeds, wiring
from commonwatt.apps.cli.screen import as_json, screen


def plan(
    constraints: Annotated[
        Path, typer.Argument(help="One statement a line; # starts a comment.", exists=True, dir_okay=False)
    ],
    street: Annotated[Path, typer.Option(help="Folder with street.toml and its data.")] = Path("examples/street"),
    day: Annotated[str | None, typer.Option(help="Another recorded day, YYYY-MM-DD.")] = None,
    at: Annotated[str, typer.Option(help="Time of day from which to plan, HH:MM.")] = "17:30",
    json: Annotated[bool, typer.Option("--json", help="Print the schedules as JSON.")] = False,
) -> None:
    """Plan the next 24 hours of a street under the statements in a file; say which cannot be kept, and by how much."""
    found = deeds.plan_statements(wiring.scene(street, day), constraints.read_text(), at)
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    for line in found.statements:
        console.print(f"stated  {line}", highlight=False, soft_wrap=True)
    table = Table("asset", "from", "to", "instruction", "W", "Wh", "reason", box=None, header_style="bold")
    for entry in found.diary:
        table.add_row(
            entry.asset, entry.start, entry.end, entry.verb, str(entry.power_w), str(entry.expected_wh), entry.reason
        )
    console.print(table)
    if found.unmet:
        for line in found.unmet:
            console.print(f"[red]cannot be kept:[/] {line}", highlight=False, soft_wrap=True)
    else:
        console.print("[green]every statement is kept[/]")
