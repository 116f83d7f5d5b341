"""`commonwatt archive` and `commonwatt query`: days that are over, kept for long and asked about."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import keeping
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.model import read_day


def archive(
    folder: Annotated[Path, typer.Argument(help="A community's folder.", exists=True, file_okay=False)],
    day: Annotated[str, typer.Argument(help="The day, YYYY-MM-DD, UTC; over in the log.")],
    to: Annotated[str, typer.Option(help="A folder, or s3://bucket@host:port.")],
    prune: Annotated[bool, typer.Option("--prune", help="Let the log go of what is archived now.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was archived as JSON.")] = False,
) -> None:
    """Put a final day into the archive: Parquet, encrypted, named by its hash, which the log is told.

    A day is final once two thirds of the witnesses' weight cosigned a checkpoint that covers it; where a community has
    no witnesses, once a checkpoint in the log does.
    """
    done = keeping.archive(folder, read_day(day), to, prune=prune)
    if json:
        typer.echo(as_json(done))
        return
    held = f"{done.leaves} leaves, {done.entries} entries and {done.readings} readings"
    typer.echo(f"{done.day}: {held} in {done.size_bytes} bytes")
    typer.echo(f"manifest {done.digest}, told to the log" + ("; the log has let go of them" if done.pruned else ""))


def query(
    folder: Annotated[Path, typer.Argument(help="A community's folder, for its key.", exists=True, file_okay=False)],
    sql: Annotated[str, typer.Argument(help="One SELECT over leaf, entry and reading; each row has its day.")],
    at: Annotated[str, typer.Option(help="A folder, or s3://bucket@host:port.")],
    rows: Annotated[int, typer.Option(help="Rows at most.")] = 1_000,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Ask the archive."""
    names, found = keeping.ask(folder, at, sql, rows=rows)
    if json:
        typer.echo(as_json([dict(zip(names, row, strict=True)) for row in found]))
        return
    table = Table(*names, box=None, header_style="bold")
    for row in found:
        table.add_row(*map(str, row))
    screen().print(table)
