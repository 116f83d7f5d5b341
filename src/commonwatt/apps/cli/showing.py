"""`commonwatt prove`, `inspect` and `fairness`: what a run's log shows of one asset, and of how all were treated."""

import json as stdlib_json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import showing
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.flows.fairness import Deals
from commonwatt.flows.inspect import Dossier
from commonwatt.metering.batch import decode_items
from commonwatt.model import instant

Folder = Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)]
AssetName = Annotated[str, typer.Option(help="The asset, for example battery-03.")]


def prove(
    folder: Folder,
    asset: AssetName,
    slot: Annotated[str, typer.Option(help="When it began: 2018-11-14T17:30, or 17:30 of the log's first day.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to put the evidence.", dir_okay=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the story as JSON.")] = False,
) -> None:
    """Tell who asked, what was planned, who agreed, what a device took and what flowed; and put the proof in a file."""
    chain, story = showing.prove_slot(folder, asset, slot)
    if output:
        output.write_bytes(chain)
    if json:
        typer.echo(as_json({"story": story, "evidence": str(output) if output else None}))
        return
    for line in story:
        typer.echo(line)
    if output:
        typer.echo(f"\nevidence  commonwatt verify {output} --trust {folder / 'community.pub'}")


def inspect(
    folder: Folder,
    who: Annotated[str, typer.Option("--as", help="Name of the inspector's key in the folder's keys.")],
    asset: AssetName,
    json: Annotated[bool, typer.Option("--json", help="Print everything with its proofs as JSON.")] = False,
) -> None:
    """Show an inspector what owner or law allows about one asset: registration, credentials, readings, schedules."""
    found = showing.inspect_asset(folder, who, asset)
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    until = f" until {instant(found.right.until_s):%Y-%m-%d %H:%M} UTC" if found.right.until_s else ""
    limits = f"{found.asset.max_import_w} W in, {found.asset.max_export_w} W out, {found.asset.capacity_wh} Wh"
    console.print(f"{asset} of {found.asset.owner}, a {found.asset.kind.value}", highlight=False)
    console.print(f"read by leave of {found.right.by}{until}", highlight=False)
    console.print(f"limits in force: {limits}{'; SUSPENDED' if found.suspended else ''}", highlight=False)
    console.print(_leaves(found))
    console.print(_readings(found))


def fairness(
    folder: Folder, json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False
) -> None:
    """Tell how the markets treated each member: prices, priority, refusals, and who waited how long."""
    found = showing.fairness_of(folder)
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    for one in found.members:
        console.print(f"[bold]{one.member}[/]", highlight=False)
        table = Table("market", "orders", "Wh", "traded Wh", "price", "all paid", box=None, header_style="bold")
        for market in ("watt_bought", "watt_sold", "slot_bought", "slot_sold", "direct_bought", "direct_sold"):
            deals: Deals = getattr(one, market)
            counts = (deals.orders, deals.wanted_wh, deals.filled_wh)
            if deals.orders:
                table.add_row(market, *map(str, counts), ergon(deals.price), ergon(deals.market_price))
        console.print(table)
        refused = ", ".join(f"{times} {why}" for why, times in one.refusals.items()) or "none"
        console.print(f"waited {one.waited}, passed over {one.passed_over}, refused: {refused}", highlight=False)
        if one.run_ahead:
            console.print(f"perhaps run ahead of: {one.run_ahead} trades of sealed orders", highlight=False)
    groups = (("agents", found.agents), ("others' hands", found.platform), ("everybody else", found.others))
    for who, waits in groups:
        median = "-" if waits.median_s is None else f"{waits.median_s} s"
        console.print(
            f"WATT orders of {who}: {waits.orders}, {waits.matched} traded, {waits.at_once} at once, median {median}",
            highlight=False,
        )
    kept = "kept" if not found.passed_over else f"broken {found.passed_over} times"
    console.print(f"first come, first served: {kept}", highlight=False)


def _leaves(found: Dossier) -> Table:
    table = Table("position", "stamped (UTC)", "what", "outcome", box=None, header_style="bold")
    for leaf in found.leaves:
        request = stdlib_json.loads(leaf.body)
        if request["kind"] != "reading_batch":
            what = f"{request['kind']} {request['body'].get('what', '')}".strip()
            table.add_row(str(leaf.position), f"{instant(leaf.stamped_s):%Y-%m-%d %H:%M}", what, leaf.outcome.value)
    return table


def _readings(found: Dossier) -> Table:
    table = Table("slot (UTC)", "in Wh", "out Wh", "level Wh", box=None, header_style="bold")
    for batch in found.readings:
        for shown in batch.items:
            (item,) = decode_items(bytes.fromhex(shown.record))
            level = "" if item.level_wh is None else str(item.level_wh)
            table.add_row(f"{instant(item.start_s):%Y-%m-%d %H:%M}", str(item.import_wh), str(item.export_wh), level)
    return table
