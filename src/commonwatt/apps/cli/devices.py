"""`commonwatt devices`: what drivers admit; find, add, list, replace, release and remove the devices of a gateway."""

import asyncio
import getpass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from commonwatt.apps import device_health, device_scan, devicing
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.flows.inventory import Rules, clock_words
from commonwatt.model import InvalidValue, epoch

app = typer.Typer(help="See which devices can be spoken to, and look after those of a gateway.")
Folder = Annotated[Path, typer.Argument(help="The gateway's folder.", exists=True, file_okay=False)]
Named = Annotated[str, typer.Argument(help="The asset.")]
Driver = Annotated[str, typer.Option(help="See `commonwatt devices`.")]
Url = Annotated[str, typer.Option(help="Where it is, as its driver's guide says.")]
Setting = Annotated[list[str] | None, typer.Option("--set", help="A setting of the driver, like unit=1; repeatable.")]
Rollover = Annotated[int | None, typer.Option(help="Where its counters begin again at 0, Wh.", min=1)]
Resolution = Annotated[int, typer.Option(help="What its counters leave out, Wh.", min=1)]
Trial = Annotated[bool, typer.Option("--trial/--no-trial", help="Read it first.")]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
COLOURS = {"healthy": "green", "new": "cyan", "silent": "yellow", "quarantined": "red"}


@app.callback(invoke_without_command=True)
def main(context: typer.Context, json: Json = False) -> None:
    """Tell what every installed driver does, what it need not do, and what is missing."""
    if context.invoked_subcommand is None:
        drivers(json=json)


@app.command()
def drivers(json: Json = False) -> None:
    """Tell what every installed driver does, what it need not do, and what is missing."""
    told = devicing.admissions()
    if json:
        typer.echo(as_json(told))
        return
    table = Table("driver", "", "what", "in words", box=None, header_style="bold")
    for one in told:
        head = f"{one.title} ({one.shape}{', can be found' if one.finds else ''})" if one.title else ""
        table.add_row(f"[bold]{escape(one.driver)}[/]", "", "", f"[bold]{escape(head)}[/]")
        if one.trouble:
            table.add_row("", "[red]not usable[/]", "", escape(one.trouble))
        for mark, words in (
            ("[green]done[/]", one.done),
            ("[cyan]exempt[/]", one.exempt),
            ("[yellow]missing[/]", one.missing),
        ):
            for name, why in words.items():
                table.add_row("", mark, escape(name.replace("_", " ")), escape(why))
    screen().print(table)


@app.command()
def scan(
    addresses: Annotated[
        list[str],
        typer.Argument(
            help="Like 192.0.2.7, meter.lan:23 or 192.0.2.0/28; no others. ws://0.0.0.0:9100 is one of ours, where "
            "charging stations call."
        ),
    ],
    within: Annotated[float, typer.Option(help="Seconds that an answer may take.", min=0.1, max=60)] = 3.0,
    listen: Annotated[float, typer.Option(help="Seconds to listen to what speaks by itself.", min=0.1, max=120)] = 12.0,
    json: Json = False,
) -> None:
    """Look for devices at the addresses that are given, at no others, and at most at those of a /24.

    Meters, brokers and charging stations are listened to: give stations two minutes, by --listen 120.
    """
    targets = device_scan.targets_of(addresses)
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=_beside()) as bar:
        task = bar.add_task("looking", total=len(targets))

        def told(target: device_scan.Target, done: int, found: int) -> None:
            bar.update(task, completed=done, description=f"{target} is done, {found} found")

        found = asyncio.run(device_scan.scan(targets, within_s=within, listens_s=listen, told=told))
    if json:
        typer.echo(as_json(found))
        return
    for one in found:
        said = [devicing.setting_text(name, value) for name, value in one.settings.items()]
        settings = "".join(f" --set {quote(setting)}" for setting in said)
        serial = f", serial number {one.nameplate.serial}" if one.nameplate.serial else ""
        typer.echo(f"{one.nameplate}{serial}")
        typer.echo(f"  commonwatt devices add FOLDER ASSET --driver {one.driver} --url {quote(one.url)}{settings}")
        if one.still:
            typer.echo(f"  still to say: {one.still}")
    typer.echo(f"{len(found)} found at {len(targets)} addresses")


@app.command("list")
def show(
    folder: Folder,
    every: Annotated[bool, typer.Option("--all", help="Those that were replaced or removed, too.")] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="Print figures as Prometheus reads them.")] = False,
    json: Json = False,
) -> None:
    """Show the devices of a gateway, and how they fare; none is asked."""
    now_s = epoch(datetime.now(UTC))
    if metrics:
        typer.echo(device_health.metrics(devicing.fares(folder, now_s)), nl=False)
        return
    seen = devicing.listing(folder, ended=every)
    if json:
        typer.echo(as_json(seen))
        return
    table = Table(
        "no", "asset", "driver", "state", "last seen", "power", "level", "what it is", "trouble", box=None,
        header_style="bold",
    )  # fmt: skip
    for column in (table.columns[5], table.columns[6]):
        column.justify = "right"
    for one in seen:
        colour = COLOURS.get(one.health, "dim")
        words = [one.trouble] if one.trouble else []
        if one.clock_wrong and one.clock_ahead_s is not None:
            words.append(clock_words(one.clock_ahead_s))
        trouble = "; ".join([*words, *(f"{deed} is ordered" for deed in one.ordered)])
        table.add_row(
            str(one.number or "-"),
            escape(one.asset),
            escape(one.driver),
            f"[{colour}]{one.health}[/]",
            ago(one.last_seen_s, now_s),
            "-" if one.power_w is None else f"{one.power_w} W",
            "-" if one.level_wh is None else f"{one.level_wh} Wh",
            escape(str(one.nameplate)),
            escape(trouble),
        )
    screen().print(table)


@app.command()
def history(folder: Folder, asset: Named, json: Json = False) -> None:
    """Tell the life of an asset's devices, oldest first; times are UTC."""
    notes = devicing.history(folder, asset)
    if json:
        typer.echo(as_json(notes))
        return
    for note in notes:
        moment = datetime.fromtimestamp(note.at_s, UTC)
        typer.echo(f"{moment:%Y-%m-%d %H:%M:%S}  no {note.number}  {note.mark}: {note.words}")


@app.command()
def add(
    folder: Folder,
    asset: Named,
    driver: Driver,
    url: Url,
    settings: Setting = None,
    rollover_wh: Rollover = None,
    resolution_wh: Resolution = 1,
    trial: Trial = True,
    json: Json = False,
) -> None:
    """Write a device into the devices file, after it gave a reading; opened at the gateway's next start."""
    spec = devicing.spec_of(asset, driver, url, settings or [], rollover_wh, resolution_wh)
    tried = devicing.add(folder, spec, trial=trial)
    if json:
        typer.echo(as_json({"asset": asset, "driver": driver, "url": url, "tried": _tried(tried)}))
        return
    _tell_tried(tried)
    typer.echo(f"{asset} has a device: {driver} at {url}")


@app.command()
def replace(
    folder: Folder,
    asset: Named,
    driver: Driver,
    url: Url,
    settings: Setting = None,
    rollover_wh: Rollover = None,
    resolution_wh: Resolution = 1,
    last: Annotated[str, typer.Option(help="What the old one's counters came to: IMPORT,EXPORT in Wh.")] = "",
    first: Annotated[str, typer.Option(help="Where the new one's begin: IMPORT,EXPORT in Wh.")] = "",
    trial: Trial = True,
    json: Json = False,
) -> None:
    """Put another device in the place of an asset's: the asset's history goes on, and no energy is lost between.

    Without --last the old one is asked once more; where it does not answer, what it showed last stands.
    """
    spec = devicing.spec_of(asset, driver, url, settings or [], rollover_wh, resolution_wh)
    tried, exchange = devicing.replace(
        folder, spec, getpass.getuser(), last=_both(last), first=_both(first), trial=trial
    )
    if json:
        told = {"asset": asset, "driver": driver, "url": url, "tried": _tried(tried)}
        typer.echo(as_json(told | {"last": exchange.last, "first": exchange.first}))
        return
    _tell_tried(tried)
    ended = "nobody read it" if exchange.last is None else f"{exchange.last[0]} Wh in, {exchange.last[1]} Wh out"
    typer.echo(f"the old one ended at: {ended}")
    typer.echo(f"the new one begins at: {exchange.first[0]} Wh in, {exchange.first[1]} Wh out")


@app.command()
def release(
    folder: Folder,
    asset: Named,
    counters_from: Annotated[
        str, typer.Option(help="Its counters were set back and began again at IMPORT,EXPORT in Wh, like 0,0.")
    ] = "",
    json: Json = False,
) -> None:
    """Let a device out of quarantine; if it goes on as before, it goes back."""
    devicing.release(folder, asset, getpass.getuser(), first=_both(counters_from))
    words = f"{asset}: its release is ordered; the gateway takes it up within a second, or at its next start"
    typer.echo(as_json({"asset": asset, "ordered": "release"}) if json else words)


@app.command()
def remove(folder: Folder, asset: Named, json: Json = False) -> None:
    """Take an asset's device out of the devices file; its history stays."""
    devicing.remove(folder, asset, getpass.getuser())
    typer.echo(as_json({"asset": asset, "removed": True}) if json else f"{asset} has no device any more")


def _beside() -> Console:
    """Return the terminal beside what is printed, so that what a program reads stays clean."""
    return Console(stderr=True)


def ago(at_s: int | None, now_s: int) -> str:
    """Return how long ago something was, as people say it."""
    if at_s is None:
        return "never"
    seconds = max(0, now_s - at_s)
    for unit_s, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            count = seconds // unit_s
            return f"{count} {'day' if unit == 'days' and count == 1 else unit} ago"
    return f"{seconds} s ago"


def _tried(tried: devicing.Tried | None) -> dict[str, object] | None:
    """Return how a device answered at its trial, for programs; None where there was none."""
    if tried is None:
        return None
    state = tried.state
    return {
        "nameplate": str(tried.nameplate),
        "power_w": state.power_w,
        "import_wh": state.import_wh,
        "export_wh": state.export_wh,
        "level_wh": state.level_wh,
        "clock_ahead_s": tried.clock_ahead_s,
    }


def _tell_tried(tried: devicing.Tried | None) -> None:
    if tried is None:
        return
    state = tried.state
    shown = [
        f"{value} {unit}"
        for value, unit in (
            (state.power_w, "W"),
            (state.import_wh, "Wh in"),
            (state.export_wh, "Wh out"),
            (state.level_wh, "Wh stored"),
        )
        if value is not None
    ]
    typer.echo(f"it answers: {tried.nameplate}; {', '.join(shown) or 'no figures'}")
    if tried.clock_ahead_s is not None and abs(tried.clock_ahead_s) > Rules().skew_s:
        typer.echo(f"{clock_words(tried.clock_ahead_s)}; its readings are taken at our time")


def _both(words: str) -> tuple[int, int] | None:
    if not words:
        return None
    try:
        imported, exported = (int(part) for part in words.split(","))
    except ValueError as error:
        raise InvalidValue(f"counters are said as IMPORT,EXPORT in Wh, like 1200,0, was {words!r}") from error
    return imported, exported
