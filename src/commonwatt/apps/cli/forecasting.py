"""`commonwatt forecast`: how good forecasts are, over recorded data or in a run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import forecasting
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.flows.summary import Score
from commonwatt.forecasting.trial import LEAST_DAYS, Trial

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
    first: Annotated[int, typer.Option(help="The first day that is scored.", min=LEAST_DAYS)] = 28,
    json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """Score the next day's load of every home, each day forecast from those before it; or show what a run's missed.

    A model that lost to the mean of seven days is not used, and says so.
    """
    if of.is_dir():
        run = forecasting.score_run(of)
        if json:
            typer.echo(as_json(run))
        else:
            screen().print(_run(run))
        return
    trials = forecasting.score_recorded(of, timezone, latitude, longitude, first)
    if json:
        typer.echo(as_json(trials))
        return
    console = screen()
    console.print(_cards(trials))
    for one in trials:
        if not one.choice.used:
            console.print(f"{one.card.series}: {one.choice.reason}", highlight=False)


def _cards(trials: list[Trial]) -> Table:
    heads = ("series", "model", "used", "slots", "nMAE", "7-day mean", "skill", "MASE", "pinball Wh", "in 90 % band")
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
            f"{card.skill:+.3f}",
            "-" if card.mase is None else f"{card.mase:.3f}",
            f"{card.pinball_wh:.1f}",
            f"{card.coverage_permille / 10:.1f} %",
        )
    return table


def _run(scores: list[Score]) -> Table:
    heads = ("member", "load, next slot", "load, next day", "roof, next slot", "roof, next day")
    table = Table(*heads, box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for one in scores:
        told = (one.load_slot_ahead, one.load_day_ahead, one.solar_slot_ahead, one.solar_day_ahead)
        table.add_row(one.member, *(f"{value:.3f}" for value in told))
    return table
