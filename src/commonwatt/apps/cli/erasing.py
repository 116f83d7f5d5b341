"""`commonwatt erase`: a member leaves, and takes along what can be taken."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import erasing
from commonwatt.apps.cli.screen import as_json


def erase(
    folder: Annotated[Path, typer.Argument(help="A community's folder.", exists=True, file_okay=False)],
    account: Annotated[str, typer.Argument(help="The member, for example member-03.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON; needs --yes.")] = False,
) -> None:
    """Delete the keys under which a member's requests and readings rest, for good; all other proofs still hold.

    What snapshots go on saying of the member, and until when, is told afterwards.
    """
    if json and not yes:
        raise typer.BadParameter("--json does not ask, say --yes too")

    def confirm(owners: Sequence[str]) -> bool:
        return yes or typer.confirm(f"Nobody will be able to read what {', '.join(owners)} signed, ever again. Go on?")

    done = erasing.erase(folder, account, confirm)
    if done is None:
        typer.echo("nothing was erased")
        raise typer.Exit(1)
    if json:
        typer.echo(as_json(done))
        return
    typer.echo(f"gone          {done.leaves} requests and readings of {', '.join(done.owners)}, with their keys")
    for label, lines in (("stays", done.stays), ("out of reach", done.out_of_reach)):
        for line in lines:
            typer.echo(f"{label:12}  {line}")
    typer.echo(f"from now on   every replay starts at the snapshot after {done.replay_from} leaves")
