"""`commonwatt member`: who is in a community, a home at a glance, and a link by which somebody joins."""

from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli import persons
from commonwatt.apps.cli.reaching import Json, reaches, show
from commonwatt.apps.cli.screen import as_json, ergon, when

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

app = typer.Typer(help="See who is in a community, and ask somebody in.", no_args_is_help=True)


@app.command("list")
@reaches
def list_(here: "Reached", json: Json = False) -> None:
    """List members by pseudonym, with what is theirs; an operator or auditor sees all."""
    found = here.client.commons.how_it_runs().members
    rows = [
        (one.account, ", ".join(f"{count} {kind}" for kind, count in one.kinds.items()), when(one.last_slot_s))
        for one in found
    ]
    show(found, ("member", "assets", "told last (UTC)"), rows, json=json, none="no members")


@app.command("show")
@reaches
def show_(
    here: "Reached",
    account: Annotated[str | None, typer.Argument(help="Whose home; one's own if left out.")] = None,
    json: Json = False,
) -> None:
    """Show a home at a glance: levels, what comes next, and what is held."""
    found = here.client.homes.home(here.whose(account))
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"{found.account} at {when(found.as_of_s)} UTC: {ergon(found.ergon_micro)} ERGON")
    for store in found.stores:
        level = "-" if store.level_wh is None else f"{store.level_wh} of {store.capacity_wh} Wh"
        typer.echo(f"{store.asset}  {level}, {store.control.value}")
    for one in found.next:
        typer.echo(f"next  {one.asset} {one.verb} {when(one.start_s)}: {one.reason}")
    if found.paused:
        typer.echo("all control is paused")


@app.command("place")
@reaches
def place(
    here: "Reached",
    where: Annotated[str, typer.Argument(help="Latitude and longitude, such as '48.2082, 16.3738'; or forget.")],
    account: Annotated[str | None, typer.Option(help="Whose home; one's own if left out.")] = None,
    json: Json = False,
) -> None:
    """State where a home stands, or have that forgotten; who runs the community sees it, others only roughly."""
    from commonwatt.apps.views.positions import read_position  # noqa: PLC0415  it takes a second to load

    owner, homes = here.whose(account), here.client.homes
    if where == "forget":
        homes.forget_position(owner)
    else:
        told = read_position(where)
        body = {"latitude_udeg": told.latitude_udeg, "longitude_udeg": told.longitude_udeg}
        homes.state_position(owner, body)
    now = homes.position(owner)
    typer.echo(as_json(now) if json else f"{owner}: {now or 'in no place'}")


app.command("invite")(persons.invite)
