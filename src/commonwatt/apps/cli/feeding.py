"""`commonwatt feeds`: prices, carbon and weather from outside, how they stand, and asking them now."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import feeding
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.model import instant


def feeds(
    folder: Annotated[
        Path, typer.Argument(help="The community's folder, with feeds.toml.", exists=True, file_okay=False)
    ],
    fetch: Annotated[bool, typer.Option("--fetch", help="Ask those that are due first.")] = False,
    name: Annotated[
        list[str] | None, typer.Option(help="Ask this one first, as soon as its publisher allows; repeat.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all as JSON.")] = False,
) -> None:
    """Show a community's feeds: who is asked, when they last answered, and what they said last.

    `commonwatt app` asks them in the background and tells the log of prices; this command tells it nothing.
    """
    found = feeding.fetch(folder, name or ()) if fetch or name else feeding.standing(folder)
    if json:
        typer.echo(as_json(found))
        return
    console = screen()
    console.print(_table(found))
    for line in found.feeds:
        if line.trouble:
            console.print(f"{line.name}: {line.failures} times without an answer: {line.trouble}", highlight=False)
    for one in found.corrected:
        told, now = one.told, one.published
        console.print(
            f"{_at(one.slot_s)}: told as {told[0]} and {told[1]} micro, published as {now[0]} and {now[1]} now"
        )


def _table(found: feeding.Standing) -> Table:
    table = Table(
        "feed", "of", "answered (UTC)", "next", "issued", "from", "to", "values", box=None, header_style="bold"
    )
    for line in found.feeds:
        for n, one in enumerate(line.series):
            who = (line.name, _at(line.answered_s), _at(line.next_s or None)) if n == 0 else ("", "", "")
            times = (_at(one.issued_s), _at(one.start_s), _at(one.end_s))
            table.add_row(who[0], one.topic, who[1], who[2], *times, f"{one.values} {one.unit}")
    return table


def _at(at_s: int | None) -> str:
    return "-" if at_s is None else f"{instant(at_s):%Y-%m-%d %H:%M}"
