"""`commonwatt plan` and `event foresee`: what would the next day look like under these statements, or this call?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import planning, scenes
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.flexibility.events.call import EventKind
from commonwatt.flexibility.plan import Engine

Street = Annotated[Path, typer.Option(help="Folder with street.toml and its data.")]
Day = Annotated[str | None, typer.Option(help="Another recorded day, YYYY-MM-DD.")]
EXAMPLE = Path("examples/street")


def plan(
    constraints: Annotated[
        Path, typer.Argument(help="One statement a line; # starts a comment.", exists=True, dir_okay=False)
    ],
    street: Street = EXAMPLE,
    day: Day = None,
    at: Annotated[str, typer.Option(help="Time of day from which to plan, HH:MM.")] = "17:30",
    engine: Annotated[Engine, typer.Option(help="Who plans.")] = Engine.AUTO,
    why: Annotated[list[str] | None, typer.Option(help="Explain a slot: car-01@02:15; may be given often.")] = None,
    schedules: Annotated[
        Path | None, typer.Option(help="Folder for the schedules in the open format, a file each.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Plan the next 24 hours of a street under the statements in a file; say what cannot be kept, why, and the cure."""
    stage = scenes.scene(street, day)
    console = screen(quiet=json)
    with console.status("living up to then, and planning"):
        found = planning.plan_statements(
            stage, constraints.read_text(encoding="utf-8-sig"), at, engine=engine, asks=why or (), into=schedules
        )
    if json:
        typer.echo(as_json(found))
        return
    for line in found.statements:
        console.print(f"stated  {line}", highlight=False, soft_wrap=True)
    table = Table("asset", "from", "to", "instruction", "W", "Wh", "reason", box=None, header_style="bold")
    for entry in found.diary:
        table.add_row(
            entry.asset, entry.start, entry.end, entry.verb, str(entry.power_w), str(entry.expected_wh), entry.reason
        )
    console.print(table)
    for line in found.unmet:
        console.print(f"[red]cannot be kept:[/] {line}", highlight=False, soft_wrap=True)
    if not found.unmet:
        console.print("[green]every statement is kept[/]")
    for line in (*found.conflict, *found.why):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    console.print(f"{found.engine} engine, within {found.gap_percent:g} % of the best", highlight=False)


def foresee(
    kind: Annotated[EventKind, typer.Argument(help="What is called for.")],
    power_w: Annotated[int, typer.Argument(help="W: to send out (DEMAND), or to change by; above zero less is drawn.")],
    start: Annotated[str, typer.Option("--from", help="When it begins, HH:MM.")] = "18:00",
    end: Annotated[str, typer.Option("--to", help="When it ends, HH:MM.")] = "19:00",
    street: Street = EXAMPLE,
    day: Day = None,
    at: Annotated[str, typer.Option(help="When it becomes known, HH:MM.")] = "17:30",
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Say what a street can give at once, who would move, and what the plan under the event looks like."""
    console = screen(quiet=json)
    with console.status("living up to then, and planning"):
        found = planning.call_event(scenes.scene(street, day), at, kind, power_w, (start, end))
    if json:
        typer.echo(as_json(found))
        return
    console.print(
        f"ready at {start}: {found.ready_up_w} W up, {found.ready_down_w} W down; "
        + ("[green]guaranteed at once[/]" if found.guaranteed else "[red]not guaranteed at once[/]"),
        highlight=False,
    )
    for asset, watts in found.at_once_w.items():
        console.print(f"  {asset} by {watts} W", highlight=False)
    table = Table("slot", "planned W", "asked W", "given W", box=None, header_style="bold")
    for slot, row in enumerate(zip(found.planned_w, found.asked_w, found.given_w, strict=True)):
        table.add_row(str(slot), *map(str, row))
    console.print(table)
    met = "[green]met in every slot[/]" if found.met else "[red]not met in every slot[/]"
    console.print(f"{met}; it costs {found.costs_micro / 1e6:.2f} by the plan", highlight=False)
