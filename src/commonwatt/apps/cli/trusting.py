"""`commonwatt verify` and `commonwatt replay`: believe nobody, look yourself."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commonwatt.apps import claiming, deeds
from commonwatt.apps.cli.screen import as_json, screen
from commonwatt.flows.verify import Report, verify_file
from commonwatt.model import Corrupt, InvalidValue, Refused

FRAUD_PROVEN = 3
"""Exit code where a fraud or a broken promise is proven: neither all well, nor a file that proves nothing."""


def verify(
    evidence: Annotated[
        Path,
        typer.Argument(
            help="The evidence file, the proof of a fraud, or the claim that a promised request was withheld; with"
            " --chain also a community's folder with its log.",
            exists=True,
        ),
    ],
    trust: Annotated[Path, typer.Option(help="The community's public keys.", exists=True, dir_okay=False)],
    chain: Annotated[
        str, typer.Option(help="Look at the chain as well: a node's URL, or a folder with an embedded chain.")
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(help="For a file and a URL: folder with chain/deployment.json.", exists=True, file_okay=False),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="For a folder: keep here how far it came, and go on from there.", dir_okay=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check evidence, the proof of a fraud or the claim that a request was withheld, alone and offline.

    With --chain: that the evidence's checkpoint is anchored for good; or, of a folder, hold its whole log against the
    chain: each checkpoint and who signed it, what came in, what was paid out, and whether the Vault holds what is owed.

    Exit code 0: evidence, and all of it holds. 1: evidence, a proof or a claim that is not to be believed. 2: misuse.
    3: a fraud or a broken promise is proven, whoever signed it is not to be believed.
    """
    if evidence.is_dir() and not chain:
        raise typer.BadParameter("of a folder the log is held against a chain: say --chain")
    if resume is not None and not evidence.is_dir():
        raise typer.BadParameter("--resume is for a folder")
    words = trust.read_text(errors="replace")
    report = _on_chain(evidence, words, chain, folder, resume, json=json) if chain else None
    report = report or verify_file(evidence.read_bytes(), words)
    if json:
        typer.echo(as_json(report))
    else:
        console = screen()
        for line in report.lines:
            mark = "[green]holds[/]" if line.ok else "[red]FAILS[/]"
            console.print(f"{mark}  {line.name}: ", end="", highlight=False)
            console.print(line.detail, markup=False, highlight=False, soft_wrap=True)
        console.print(_verdict(report))
    raise typer.Exit(FRAUD_PROVEN if report.fraud else 0 if report.ok else 1)


def _on_chain(
    evidence: Path, trust: str, chain: str, folder: Path | None, resume: Path | None, *, json: bool
) -> Report:
    from commonwatt.apps import auditing  # noqa: PLC0415  web3 and py-evm take a second: for who asks

    if not evidence.is_dir():
        return auditing.verify_anchored(evidence.read_bytes(), trust, chain, folder)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen(quiet=json), transient=True, disable=json) as bar:
        task = bar.add_task("running leaves again", total=None)
        return auditing.audit_folder(
            evidence,
            trust,
            chain,
            resume=resume,
            on_progress=lambda done, whole: bar.update(task, completed=done, total=whole),
            word=lambda line: typer.echo(line, err=True),
        )


def claim(
    folder: Annotated[Path, typer.Argument(help="A folder with the log.", exists=True, file_okay=False)],
    receipt: Annotated[Path, typer.Argument(help="As --receipt kept it.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(help="Where to write the claim.")] = Path("claim.json"),
    index: Annotated[int, typer.Option(help="Which of the requests that were sent together.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print where the claim lies as JSON.")] = False,
) -> None:
    """Claim that an operator held a request back, or let it stand later than its receipt promised; see verify."""
    claiming.claim(folder, receipt, index, out)
    typer.echo(as_json({"claim": str(out)}) if json else f"{out}: a broken promise is proven, see commonwatt verify")


def _verdict(report: Report) -> str:
    if report.fraud:
        return f"[red]{report.lines[-1].name}: who signed this is not to be believed[/]"
    return "[green]all of it holds[/]" if report.ok else "[red]not to be believed[/]"


def replay(
    folder: Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print the roots as JSON.")] = False,
) -> None:
    """Run a log again, from zero or from where it is whole: all signatures, outcomes and roots are checked."""
    try:
        found = deeds.replay_folder(folder)
    except (Corrupt, InvalidValue, Refused) as error:
        typer.echo(f"commonwatt: cannot be replayed: {error}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(as_json(found))
    else:
        agree = f"every outcome and all {found.checkpoints} checkpoints agree"
        if found.from_leaf:
            typer.echo(f"leaves before {found.from_leaf} were erased or pruned: replayed from the snapshot there")
            count = found.leaves - found.from_leaf
            typer.echo(f"replayed {count} of {found.leaves} leaves: {agree}; so do the hashes of all")
        else:
            typer.echo(f"replayed {found.leaves} leaves from zero: {agree}")
        typer.echo(f"log root    {found.log_root}\nstate root  {found.state_root}")
