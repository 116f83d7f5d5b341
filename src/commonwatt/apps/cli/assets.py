"""`commonwatt asset`: what there is, how its owner lets it be scheduled, and what its meter told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli.reaching import Json, reaches, show
from commonwatt.apps.cli.screen import as_json, when

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

app = typer.Typer(help="See assets, and what their meters told.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The asset, for example battery-05.")]
EVER_S = 32_503_680_000


@app.command("list")
@reaches
def list_(here: "Reached", json: Json = False) -> None:
    """List the assets that who asks may see."""
    found = here.client.assets.assets()
    rows = [
        (
            one.asset.id,
            one.asset.kind.value,
            one.asset.owner,
            one.asset.zone,
            one.consent.mode.value,
            when(one.last_slot_s),
        )
        for one in found
    ]
    columns = ("asset", "kind", "owner", "zone", "consent", "told last (UTC)")
    show(found, columns, rows, json=json, none="no assets that you may see")


@app.command("show")
@reaches
def show_(here: "Reached", name: Name, json: Json = False) -> None:
    """Show one asset as it is registered."""
    found = here.client.assets.asset(name)
    if json:
        typer.echo(as_json(found))
        return
    one = found.asset
    typer.echo(f"{one.id} is a {one.kind.value} of {one.owner} in {one.zone}, behind {one.gateway}")
    typer.echo(f"takes {one.min_import_w} to {one.max_import_w} W, gives up to {one.max_export_w} W")
    if one.stores:
        typer.echo(
            f"holds {one.capacity_wh} Wh, {one.charge_permille} and {one.discharge_permille} permille of it kept"
        )
    typer.echo(f"consent: {found.consent.mode.value}{', suspended' if found.suspended else ''}")
    typer.echo(f"its meter told last of {when(found.last_slot_s)} UTC")


@app.command("readings")
@reaches
def readings(
    here: "Reached",
    name: Name,
    from_s: Annotated[int, typer.Option("--from", help="From when on, seconds since 1970.", min=0)] = 0,
    to_s: Annotated[int, typer.Option("--to", help="Until before when.", min=0)] = EVER_S,
    parquet: Annotated[
        Path | None, typer.Option(help="Put them into this file as Parquet instead.", dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """List what an asset's meter told, slot by slot; ten thousand at most."""
    if parquet is not None:
        size = parquet.write_bytes(here.client.assets.readings_packed(name, from_s=from_s, to_s=to_s))
        typer.echo(as_json({"file": str(parquet), "bytes": size}) if json else f"{parquet}: {size} bytes")
        return
    found = here.client.assets.readings(name, from_s=from_s, to_s=to_s)
    rows = [(when(one.slot_s), one.import_wh, one.export_wh, one.level_wh, one.quality) for one in found]
    columns = ("slot (UTC)", "import Wh", "export Wh", "level Wh", "quality")
    show(found, columns, rows, json=json, none="its meter told nothing in this time")
