"""`commonwatt check`: is every stored leaf still the one that was hashed?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commonwatt.apps import checking
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.model import Corrupt


def check(
    folder: Annotated[Path, typer.Argument(help="A community's folder.", exists=True, file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print what was checked as JSON.")] = False,
) -> None:
    """Hash every stored leaf again, and compare leaves, tiles and checkpoints; requests are not run, see replay."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=screen(quiet=json), transient=True, disable=json) as bar:
            task = bar.add_task("hashing leaves again", total=None)
            found = checking.check_folder(folder, lambda done, whole: bar.update(task, completed=done, total=whole))
    except Corrupt as error:
        typer.echo(f"commonwatt: the log is damaged: {error}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(as_json(found))
        return
    typer.echo(f"hashed again  {found.hashed} of {found.leaves} leaves; {found.checkpoints} checkpoints agree")
    if found.pruned or found.erased:
        typer.echo(f"hashes alone  {found.pruned} pruned, {found.erased} erased")
    typer.echo(f"log root      {found.log_root}, over all {found.leaves} leaves")
