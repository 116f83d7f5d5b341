"""`commonwatt verify` and `commonwatt replay`: believe nobody, look yourself."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import deeds
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.flows.verify import verify_evidence
from commonwatt.model import Corrupt, InvalidValue, Refused


def verify(
    evidence: Annotated[Path, typer.Argument(help="The evidence file.", exists=True, dir_okay=False)],
    trust: Annotated[Path, typer.Option(help="The community's public keys.", exists=True, dir_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check an evidence file alone, offline: exit code 0 if all of it holds, 1 if anything does not."""
    report = verify_evidence(evidence.read_bytes(), trust.read_text(errors="replace"))
    if json:
        typer.echo(as_json(report))
    else:
        console = screen()
        for line in report.lines:
            mark = "[green]holds[/]" if line.ok else "[red]FAILS[/]"
            console.print(f"{mark}  {line.name}: ", end="", highlight=False)
            console.print(line.detail, markup=False, highlight=False, soft_wrap=True)
        console.print("[green]all of it holds[/]" if report.ok else "[red]not to be believed[/]")
    raise typer.Exit(0 if report.ok else 1)


def replay(
    folder: Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print the roots as JSON.")] = False,
) -> None:
    """Run a log again from zero: every signature, outcome and checkpoint is checked, and the state root compared."""
    try:
        found = deeds.replay_folder(folder)
    except (Corrupt, InvalidValue, Refused) as error:
        typer.echo(f"commonwatt: cannot be replayed: {error}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(as_json(found))
    else:
        typer.echo(
            f"replayed {found.leaves} leaves from zero: every outcome and all {found.checkpoints} checkpoints agree"
        )
        typer.echo(f"log root    {found.log_root}\nstate root  {found.state_root}")
