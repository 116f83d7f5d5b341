"""`commonwatt prove`, `inspect`, `receipt` and `commission`: what a run's log shows, and to whom."""

import json as stdlib_json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import showing
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.flows.inspect import Dossier
from commonwatt.metering.batch import decode_items
from commonwatt.model import MICRO, instant
from commonwatt.settlement.charging import Receipt

Folder = Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)]
AssetName = Annotated[str, typer.Option(help="The asset, for example battery-03.")]


def prove(
    folder: Folder,
    asset: AssetName,
    slot: Annotated[str, typer.Option(help="When it began: 2018-11-14T17:30, or 17:30 of the log's first day.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to put the evidence.", dir_okay=False)
    ] = None,
) -> None:
    """Tell who asked, what was planned, who agreed, what a device took and what flowed; and put the proof in a file."""
    chain, story = showing.prove_slot(folder, asset, slot)
    for line in story:
        typer.echo(line)
    if output:
        output.write_bytes(chain)
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


def receipt(
    folder: Folder,
    session: Annotated[str, typer.Argument(help="The session: where its authorisation stands in the log.")],
    json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Show what a charging session came to: energy, price and source slot by slot, the station's fee, what was paid."""
    found = showing.session_receipt(folder, session)
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    for line in _told(found):
        console.print(line, highlight=False)
    console.print(_receipt_lines(found))


def commission(
    folder: Folder,
    json: Annotated[bool, typer.Option("--json", help="Print the sums as JSON.")] = False,
) -> None:
    """Show what owners of storage owed the operator for charging and discharging, and what licences waived."""
    found = showing.storage_commissions(folder)
    if json:
        typer.echo(as_json(found))
        return
    table = Table("account", "charged", "discharged", "owed", "waived", "licences", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for one in found:
        money = (_money(micro) for micro in (one.owed_micro, one.waived_micro, one.licences_micro))
        table.add_row(one.account, f"{one.charged_wh} Wh", f"{one.discharged_wh} Wh", *money)
    screen().print(table)


def _told(found: Receipt) -> list[str]:
    began, ended = (f"{instant(at):%Y-%m-%d %H:%M:%S}" for at in (found.started_s, found.stopped_s))
    counted = "no count of the meter yet" if found.metered_wh is None else f"meter {found.metered_wh} Wh"
    if found.difference_wh:
        counted += f", {found.difference_wh:+} Wh against the stream"
    source = found.sources
    return [
        f"session {found.session}: {found.car} at {found.station}, meter {found.meter}",
        f"from {began} to {ended} UTC, ended by: {found.why}",
        f"streamed {found.streamed_wh} Wh, {counted}; sold {found.energy_wh} Wh, not sold {found.unsold_wh} Wh",
        f"from neighbours {source.neighbours_wh} Wh, from storage {source.stored_wh} Wh, "
        f"from the grid {source.grid_wh} Wh; wished {found.wish}: {found.wished_wh} Wh",
        f"fee {_money(found.fee_micro)}, paid {_money(found.paid_micro)} of {_money(found.most_micro)} authorised"
        f"{'' if found.final else '; not final, the meter may still speak'}",
    ]


def _receipt_lines(found: Receipt) -> Table:
    table = Table("slot (UTC)", "Wh", "per kWh", "paid", "neighbours", "storage", "grid", box=None, header_style="bold")
    for line in found.lines:
        parts = (line.sources.neighbours_wh, line.sources.stored_wh, line.sources.grid_wh)
        table.add_row(
            f"{instant(line.slot_s):%Y-%m-%d %H:%M}",
            str(line.energy_wh),
            _money(line.price_micro_per_kwh),
            _money(line.paid_micro),
            *map(str, parts),
        )
    return table


def _money(micro: int) -> str:
    """Return an amount with all its six places, exactly."""
    return f"{'-' if micro < 0 else ''}{abs(micro) // MICRO}.{abs(micro) % MICRO:06}"


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
