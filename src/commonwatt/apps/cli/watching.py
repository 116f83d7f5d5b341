"""`commonwatt serve` and `commonwatt witness`: show a log to others, and look over an operator's shoulder."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commonwatt.apps import publishing, witnessing
from commonwatt.apps.cli.screen import screen
from commonwatt.apps.cli.trusting import FRAUD_PROVEN
from commonwatt.flows.witness import FraudProven
from commonwatt.model import instant


def serve(
    folder: Annotated[Path, typer.Argument(help="A run's folder.", exists=True, file_okay=False)],
    host: Annotated[str, typer.Option(help="Where to listen; beyond this machine only behind TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any that is free.", min=0, max=65_535)] = 8470,
) -> None:
    """Serve a log in C2SP tlog-tiles form, its leaves to its witnesses, and take their cosignatures."""
    publishing.serve_folder(folder, host, port, lambda where: typer.echo(f"serving {folder} at {where}"))


def witness(
    folder: Annotated[Path, typer.Option(help="The witness's own: its keys, what it must never forget, its state.")],
    url: Annotated[str | None, typer.Argument(help="Where the log is served; none to make the keys only.")] = None,
    name: Annotated[str | None, typer.Option(help="The witness's name, on first use.")] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="The community's public keys; else taken from the log on first use.", exists=True),
    ] = None,
    peer: Annotated[list[str] | None, typer.Option(help="Where another witness serves; repeat for more.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Serve the last cosigned checkpoint here, on loopback.", min=0, max=65_535)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.05, max=86_400)] = 30,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each look.")] = False,
) -> None:
    """Re-run a log, compare it with what its operator signed, and cosign it where everything agrees.

    Started again, it goes on from the state that it kept. Where it kept none and leaves are gone, it begins at the
    state of a final checkpoint, for which two thirds of the witnesses ran what this one cannot; it says which it did.

    Exit code 1: the log contradicts itself, or with --once could not be looked at. 3: fraud is proven, fraud.json in
    the folder convinces anyone, see `commonwatt verify`.
    """
    if url is None:
        keys = witnessing.open_keys(folder, name)
        card = folder / witnessing.CARD
        typer.echo(card.read_text() if json else f"{keys.word}\nregister with  commonwatt run STREET --witness {card}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("leaves"))
    console = screen(quiet=json)
    try:
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=json) as bar:
            task = bar.add_task("running the log again", total=None)
            looks = witnessing.watch(
                url,
                folder,
                name=name,
                trust=trust,
                peers=peer or (),
                port=port,
                once=once,
                every_s=every,
                on_open=lambda where: typer.echo(f"showing what is cosigned at {where}", err=True),
                on_progress=lambda done, whole: bar.update(task, completed=done, total=whole),
            )
            for looked in looks:
                if json:
                    typer.echo(msgspec.json.encode(looked).decode())
                else:
                    console.print(_line(looked), markup=False, highlight=False, soft_wrap=True)
    except FraudProven as fraud:
        typer.echo(f"commonwatt: fraud proven: {fraud}", err=True)
        raise typer.Exit(FRAUD_PROVEN) from fraud


def _line(looked: witnessing.Looked) -> str:
    if looked.trouble is not None:
        return f"trouble   {looked.trouble}"
    closed = f"{instant(looked.slot_s or 0):%d %B %Y %H:%M} UTC"
    return f"cosigned  {looked.size} leaves, up to the quarter-hour at {closed}, {looked.began}"
