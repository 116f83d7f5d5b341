"""`commonwatt schedule`: what an asset is to do and why, and one's calendar at a secret address."""

from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli.reaching import Json, reaches
from commonwatt.apps.cli.screen import as_json, screen, when

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

app = typer.Typer(help="See what an asset is to do, and have it in a calendar.", no_args_is_help=True)


@app.command("show")
@reaches
def show_(
    here: "Reached",
    name: Annotated[str, typer.Argument(help="The asset, for example battery-05.")],
    json: Json = False,
) -> None:
    """Show an asset's diary: each instruction with its reason, what waits for its owner, by when it is to be ready."""
    from rich.table import Table  # noqa: PLC0415  only people need it

    found = here.client.assets.diary(name)
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"{found.asset} as of {when(found.as_of_s)} UTC, consent: {found.consent.mode.value}")
    table = Table("from (UTC)", "to", "instruction", "W", "Wh", "reason", box=None, header_style="bold")
    for one in found.entries:
        watts = (str(one.power_w), str(one.expected_wh))
        table.add_row(when(one.start_s), when(one.end_s), one.verb, *watts, one.reason)
    if found.entries:
        screen().print(table, markup=False, highlight=False)
    else:
        typer.echo("no schedule is in force")
    if found.waiting is not None:
        typer.echo(f"a schedule waits for its owner until {when(found.waiting.deadline_s)} UTC, see consent")
    if found.ready is not None:
        typer.echo(f"to be at {found.ready.percent} % by {when(found.ready.at_s)} UTC")


@app.command("address")
@reaches
def address(
    here: "Reached",
    at: Annotated[str, typer.Option(help="Where people reach the app; --app's address if left out.")] = "",
    revoke: Annotated[bool, typer.Option("--revoke", help="End the address in place of a new one.")] = False,
    json: Json = False,
) -> None:
    """Make a secret address where one's diaries stand as a calendar (iCalendar); the one before is good no more.

    With --folder say as which member; a program's token may not.
    """
    if revoke:
        here.client.feeds.revoke()
        typer.echo(as_json({"url": None}) if json else "there is nothing at the address any more")
        return
    url = f"{(at or here.at).rstrip('/')}{here.client.feeds.make().path}"
    typer.echo(as_json({"url": url}) if json else url)
