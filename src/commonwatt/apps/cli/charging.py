"""`commonwatt charge`, `receipt` and `commission`: a car charges, what it came to, and what storage owes."""

import asyncio
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import charging, plugging, trading
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.apps.cli.trading import Host, Port
from commonwatt.model import instant

Folder = Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)]
LOOK_EVERY_S = 1.0
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


class Version(StrEnum):
    """Versions of OCPP."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


def receipt(
    folder: Folder,
    session: Annotated[str, typer.Argument(help="The session: the position of its authorisation in the log.")],
    json: AsJson = False,
) -> None:
    """Show a charging session: who counted what, what it cost slot by slot, and where the energy came from."""
    _show(charging.session_receipt(folder, session), json=json)


def charge(
    folder: Folder,
    car: Annotated[str, typer.Argument(help="The car's key, as its file in keys/.")],
    station: Annotated[str, typer.Argument(help="The station's key, likewise.")],
    wh: Annotated[int, typer.Option(help="How much the car wants, Wh.", min=1, max=10**8)] = 500,
    most: Annotated[str, typer.Option(help="What it pays at most, ERGON.")] = "1",
    devices: Annotated[
        Path | None, typer.Option(help="Folder whose devices file names a real station.", exists=True, file_okay=False)
    ] = None,
    ocpp: Annotated[Version, typer.Option(help="That a simulated station speaks.")] = Version.V201,
    power_w: Annotated[int | None, typer.Option(help="Of a simulated one, W; 11 kW if its connection can.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the slot's end, and tell what the connection took.")] = True,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: AsJson = False,
) -> None:
    """Let a car charge at a station that speaks OCPP, through the open door, and show the receipt as it stands.

    Without a devices file the station is our own simulated one, on this machine, over the same wire.
    """
    console = screen()
    place = plugging.Place(
        host=host,
        port=port,
        now_s=lambda: int(time.time()),
        pause=lambda: asyncio.sleep(LOOK_EVERY_S),
        on_word=(lambda word: None) if json else (lambda word: console.print(word, highlight=False, soft_wrap=True)),
    )
    plug = plugging.Plug(
        wants_wh=wh,
        most_micro=trading.micro(most),
        devices=devices,
        version=ocpp.value,
        power_w=power_w,
    )
    session = plugging.charge(folder, car, station, plug, place, wait=wait)
    _show(charging.session_receipt(folder, session), json=json)


def _show(found: charging.SessionReceipt, *, json: bool) -> None:
    if json:
        typer.echo(as_json(found))
        return
    lines = [f"session {found.session}: {found.car} at {found.station}, {found.state}"]
    if found.started_s is not None:
        ended = "" if found.ended_s is None else f", ended {_time(found.ended_s)} by {found.ended_by}"
        lines.append(f"started {_time(found.started_s)} UTC{ended}")
    read = "not read yet" if found.metered is None else f"read {found.metered[1] - found.metered[0]} Wh"
    lines.append(f"counted {found.counted_wh} Wh, register {read}, billed {found.billed_wh} Wh")
    if found.difference_wh:
        lines.append(f"count and register differ by {found.difference_wh} Wh")
    lines.append(_signature(found.signed, read=found.metered is not None))
    for line in lines:
        typer.echo(line)
    if found.lines:
        screen().print(_slots(found))
    energy, service = ergon(found.energy_micro), ergon(found.service_micro)
    typer.echo(f"energy {energy} ERGON, service {service} ERGON, paid {ergon(found.paid_micro)} ERGON")
    typer.echo(f"authorised {found.authorised_wh} Wh and {ergon(found.authorised_micro)} ERGON")
    if found.unpaid_micro:
        typer.echo(f"beyond what was authorised, and not paid: {ergon(found.unpaid_micro)} ERGON")
    if found.source != "any":
        typer.echo(f"of the {found.source} energy that was wished, {found.met_wh} Wh came")


def _signature(signed: charging.Signature, *, read: bool) -> str:
    if not signed.meter:
        return "unsigned: the station's tariff pins no key of its meter"
    if signed.trouble:
        return f"signature does not hold: {signed.trouble}"
    if signed.energy_wh is None:
        return f"nothing signed by meter {signed.meter}" + ("" if read else " yet")
    return f"signed by meter {signed.meter}: {signed.energy_wh} Wh"


def commission(folder: Folder, json: AsJson = False) -> None:
    """Show what storage owed the operator per kWh charged and discharged, by whom, and for whom it was waived."""
    found = charging.earnings(folder)
    if json:
        typer.echo(as_json(found))
        return
    rates = f"{found.charged_micro_per_kwh} micro per kWh charged, {found.discharged_micro_per_kwh} discharged"
    typer.echo(rates)
    table = Table("owner", "asset", "owed", "waived", box=None, header_style="bold")
    for one in found.assets:
        table.add_row(one.owner, one.asset, f"{ergon(one.owed_micro)} ERGON", f"{ergon(one.waived_micro)} ERGON")
    screen().print(table)
    for account, micro in found.licences:
        typer.echo(f"licences of {account}: {ergon(micro)} ERGON")
    totals = f"commission {ergon(found.commission_micro)} ERGON, licences {ergon(found.licences_micro)} ERGON"
    typer.echo(f"{totals}, waived {ergon(found.waived_micro)} ERGON")


def _slots(found: charging.SessionReceipt) -> Table:
    table = Table("slot (UTC)", "Wh", "per kWh", "cost", "sun", "WATT", "other", "grid", box=None, header_style="bold")
    for line in found.lines:
        mix = line.mix
        table.add_row(
            _time(line.slot_s),
            str(line.energy_wh),
            f"{ergon(line.price_micro_per_kwh)} ERGON",
            f"{ergon(line.cost_micro)} ERGON",
            *(str(wh) for wh in (mix.solar_wh, mix.watt_wh, mix.other_wh, mix.grid_wh)),
        )
    return table


def _time(at_s: int) -> str:
    return f"{instant(at_s):%Y-%m-%d %H:%M}"
