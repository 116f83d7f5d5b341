"""`commonwatt what-if`: a community's next day, or a past one, planned as it is and with something changed."""

from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli.reaching import Json, reaches
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.model import read_day

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

_More = typer.Option(help="How many more, of the size that is usual here.", min=0)


@reaches
def what_if(
    here: "Reached",
    day: Annotated[str, typer.Option(help="A past day, YYYY-MM-DD; else the 24 hours that come.")] = "",
    batteries: Annotated[int, _More] = 0,
    cars: Annotated[int, _More] = 0,
    roofs: Annotated[int, _More] = 0,
    zone: Annotated[str, typer.Option(help="Whose load is limited.")] = "",
    limit_w: Annotated[int, typer.Option(help="The most that it may draw, W.", min=0)] = 0,
    import_percent: Annotated[int, typer.Option(help="What the grid takes, in per cent of now.", min=0)] = 100,
    export_percent: Annotated[int, typer.Option(help="What the grid gives, likewise.", min=0)] = 100,
    days: Annotated[bool, typer.Option("--days", help="Only list the past days that can be tried.")] = False,
    json: Json = False,
) -> None:
    """Try more batteries, cars or roofs, a limit or a tariff on a day; nothing changes by it, and Ctrl-C ends it."""
    commons = here.client.commons
    if days:
        told = [one.isoformat() for one in commons.days_to_try()]
        typer.echo(as_json(told) if json else "\n".join(told) or "no past day was told whole yet")
        return
    console = screen(quiet=json)
    with console.status("planning four times"):
        found = commons.would_be(
            day=read_day(day) if day else None,
            batteries=batteries,
            cars=cars,
            roofs=roofs,
            zone=zone,
            limit_w=limit_w,
            import_percent=import_percent,
            export_percent=export_percent,
        )
    if json:
        typer.echo(as_json(found))
        return
    rows = [
        ("as metered", found.was.peak_w, found.was.cost_micro, "") if found.was else None,
        ("as it is", found.as_is.peak_w, found.as_is.cost_micro, str(len(found.as_is.missed))),
        ("changed", found.changed.peak_w, found.changed.cost_micro, str(len(found.changed.missed))),
    ]
    typer.echo(f"{found.homes} homes; {'what came was known' if found.was else 'by forecast'}")
    for row in filter(None, rows):
        name, peak_w, cost_micro, missed = row
        more = f", {missed} limits missed" if missed else ""
        typer.echo(f"{name:>10}: highest load {peak_w} W, the grid is paid {ergon(cost_micro)} ERGON{more}")
    for line in found.changed.missed:
        typer.echo(f"  missed: {line}")
