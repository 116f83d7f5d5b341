"""`commonwatt bench`: list the benchmarks of a checkout, and run some."""

from typing import Annotated

import typer

from commonwatt.apps import benching
from commonwatt.apps.cli.screen import as_json


def bench(
    name: Annotated[
        list[str] | None, typer.Argument(help="Figures to measure, like P34; the list if left out.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print list or figures as JSON.")] = False,
) -> None:
    """List what can be measured, or measure it; where the benchmarks lie, which come with the source."""
    if not name:
        told = benching.figures()
        lines = (f"{one:10} {what}" for one, what in told.items())
        typer.echo(as_json(told) if json else "\n".join(lines))
        return
    found = benching.measure(name)
    if json:
        typer.echo(as_json(found))
        return
    for one in found:
        typer.echo(f"{one['id']:10} {one['value']:g} {one['unit']}, {one['share']:g} of the limit {one['limit']:g}")
