"""`commonwatt forecast`: how good forecasts are, over recorded data or in a run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import forecasting
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.apps.views.foresight import Card
from commonwatt.flows.summary import Score
from commonwatt.forecasting.sun import Place
from commonwatt.forecasting.trial import LEAST_DAYS, Trial
from commonwatt.model import SLOTS_PER_DAY, instant

app = typer.Typer(help="Forecasts, and how good they are.", no_args_is_help=True)


@app.callback()
def forecast() -> None:
    """Forecasts, and how good they are."""


@app.command()
def score(
    of: Annotated[
        Path, typer.Argument(help="A recording (CSV: local time, then Wh a column) or a run's folder.", exists=True)
    ],
    timezone: Annotated[str, typer.Option(help="Of the recording.")] = "Europe/London",
    latitude: Annotated[float, typer.Option(help="Degrees north, for the hours of darkness.")] = 51.5,
    longitude: Annotated[float, typer.Option(help="Degrees east.")] = 0.0,
    region: Annotated[
        str, typer.Option(help="Whose holidays people kept there, as ISO 3166 names it: AU, AU-NSW. None: unknown.")
    ] = "",
    first: Annotated[int, typer.Option(help="The first day that is scored.", min=LEAST_DAYS)] = 28,
    cards: Annotated[
        bool, typer.Option("--cards", help="Of a run's folder: the app's score cards, from its log.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """Score the next day's load of every home, each day forecast from those before it; or show what a run's missed.

    With --cards a community's log is looked at: homes, roofs, sums and prices, and what the last finished day's plan
    lost to its forecast against one that knew.

    A model that lost to the mean of seven days or to the median of 28 is not used, and says so.
    """
    if of.is_dir() and cards:
        found = forecasting.cards(forecasting.book_of(of))
        if json:
            typer.echo(as_json(found))
        else:
            screen().print(_community(found))
        return
    if of.is_dir():
        run = forecasting.score_run(of)
        if json:
            typer.echo(as_json(run))
        else:
            screen().print(_run(run))
        return
    trials = forecasting.score_recorded(of, timezone, Place(latitude, longitude, region), first)
    if json:
        typer.echo(as_json(trials))
        return
    console = screen()
    console.print(_cards(trials))
    for one in trials:
        if not one.choice.used:
            console.print(f"{one.card.series}: {one.choice.reason}", highlight=False)


@app.command(name="issued")
def issued_(
    folder: Annotated[Path, typer.Argument(help="A community's folder.", exists=True, file_okay=False)],
    day: Annotated[str, typer.Option(help="Of one day alone, as YYYY-MM-DD (UTC) of the issue; else of all.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON, with every quantile.")] = False,
) -> None:
    """Show what a community's app forecast, as it was told at the time; kept for ever, but for members who were erased.

    One line a series and issue: what its first day was expected to come to, and the sums of its lowest and highest
    quantiles. What is told anew of homes that did not change is not kept again.
    """
    found = forecasting.issued_in(folder, day)
    if json:
        typer.echo(as_json(found))
        return
    if not found:
        typer.echo("nothing was issued")
        return
    table = Table("issued", "of", "series", "model", "first day", "low", "high", box=None, header_style="bold")
    for column in table.columns[4:]:
        column.justify = "right"
    for one in found:
        table.add_row(
            f"{instant(one.issued_s):%Y-%m-%d %H:%M}",
            one.of,
            one.series,
            one.model,
            *(f"{value:,}" for value in (one.expected, one.low, one.high)),
        )
    screen().print(table)


@app.command()
def scenarios(
    folder: Annotated[Path, typer.Argument(help="A community's folder, with its log.", exists=True, file_okay=False)],
    count: Annotated[int, typer.Option(help="How many.", min=1, max=200)] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON, slot by slot.")] = False,
) -> None:
    """Draw whole futures of today and tomorrow of a community and its zones, each as likely as any other.

    What was high together on a past day, over slots and zones, is high together in one of them. The table tells what
    each brings today, and its highest quarter-hour.
    """
    found = forecasting.scenarios_of(folder, count)
    if json:
        typer.echo(as_json(found))
        return
    if not found.energy_wh:
        typer.echo("too little is known of what moves together")
        return
    table = Table("future", "of", "kWh today", "highest kW", "at", box=None, header_style="bold")
    for number, one in enumerate(found.energy_wh, 1):
        for name, row in zip(found.series, one, strict=True):
            today = row[:SLOTS_PER_DAY]
            peak = max(range(len(today)), key=today.__getitem__)
            when = f"{instant(found.starts_s[peak]):%H:%M}"
            table.add_row(str(number), name, f"{sum(today) / 1000:.1f}", f"{today[peak] / 250:.1f}", when)
    screen().print(table)


@app.command()
def cars(
    folder: Annotated[Path, typer.Argument(help="A community's folder, with its log.", exists=True, file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON, with every quantile.")] = False,
) -> None:
    """Show when each car leaves and what it needs, or when it is back, as of the end of the log."""
    found = forecasting.cars_of(folder)
    if json:
        typer.echo(as_json(found))
        return
    table = Table("car", "next", "from", "likely", "to", "kWh", "stays", "skill", box=None, header_style="bold")
    for one in found:
        told, card = one.next, one.card
        skill = "-" if card is None else f"{card.departure_skill:+.3f}"
        if told is None:
            table.add_row(one.asset, "too few stays", "-", "-", "-", "-", "-", skill)
            continue
        low, middle, high = (f"{instant(told.until_s[at]):%Y-%m-%d %H:%M}" for at in (0, len(told.until_s) // 2, -1))
        need = f"{told.needs_wh[len(told.needs_wh) // 2] / 1000:.1f}" if told.here else "-"
        word = "leaves" if told.here else "is back"
        table.add_row(one.asset, word, low, middle, high, need, str(told.stays), skill)
    screen().print(table)


def _cards(trials: list[Trial]) -> Table:
    heads = (
        "series",
        "model",
        "used",
        "slots",
        "nMAE",
        "7-day mean",
        "28-day median",
        "skill",
        "MASE",
        "pinball Wh",
        "in 90 % band",
    )
    table = Table(*heads, box=None, header_style="bold")
    for column in table.columns[3:]:
        column.justify = "right"
    for one in trials:
        card = one.card
        table.add_row(
            card.series,
            card.model,
            "yes" if card.used else "no",
            str(card.slots),
            f"{card.nmae:.3f}",
            f"{card.baseline_nmae:.3f}",
            f"{card.median_nmae:.3f}",
            f"{card.skill:+.3f}",
            "-" if card.mase is None else f"{card.mase:.3f}",
            f"{card.pinball_wh:.1f}",
            f"{card.coverage_permille / 10:.1f} %",
        )
    return table


def _community(cards: list[Card]) -> Table:
    heads = (
        "of",
        "series",
        "lead",
        "model",
        "used",
        "nMAE",
        "7-day mean",
        "28-day median",
        "skill",
        "in 90 % band",
        "as told",
        "lost",
    )
    table = Table(*heads, box=None, header_style="bold")
    for column in table.columns[5:]:
        column.justify = "right"
    for one in cards:
        scored = (one.nmae, one.baseline_nmae, one.median_nmae, one.skill)
        held = "-" if one.coverage_permille is None else f"{one.coverage_permille / 10:.1f} %"
        table.add_row(
            one.of,
            one.series,
            one.lead,
            one.model,
            "yes" if one.used else "no",
            *("-" if value is None else f"{value:.3f}" for value in scored),
            held,
            "-" if one.told_nmae is None else f"{one.told_nmae:.3f}",
            "-" if one.decision_micro is None else ergon(one.decision_micro),
        )
    return table


def alarms(
    folder: Annotated[Path, typer.Argument(help="A community's folder, with its log.", exists=True, file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Show what ails roofs, batteries, meters and chargers, as far as a community's log tells.

    Each with its statistic, where that alarms, how often healthy devices do, and what was lost since.
    """
    found = forecasting.book_of(folder).alarms
    if json:
        typer.echo(as_json(found))
        return
    if not found:
        typer.echo("no device needs a look")
        return
    heads = ("device", "what", "since", "off", "score", "alarms from", "false of 1000 days", "lost kWh", "lost")
    table = Table(*heads, box=None, header_style="bold")
    for one in found:
        table.add_row(
            one.asset,
            one.ailment.value,
            f"{instant(one.since_s):%Y-%m-%d}",
            f"{one.off_permille / 10:.1f} %",
            f"{one.score:.1f}",
            f"{one.threshold:.1f}",
            str(one.false_alarms_permille),
            f"{one.lost_wh / 1000:.1f}",
            ergon(one.lost_micro),
        )
    screen().print(table)


def _run(scores: list[Score]) -> Table:
    heads = ("member", "load, next slot", "load, next day", "roof, next slot", "roof, next day")
    table = Table(*heads, box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for one in scores:
        told = (one.load_slot_ahead, one.load_day_ahead, one.solar_slot_ahead, one.solar_day_ahead)
        table.add_row(one.member, *(f"{value:.3f}" for value in told))
    return table
