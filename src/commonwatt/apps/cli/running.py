"""`commonwatt run`: a recorded street lives through its day, and the day is put before people."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commonwatt.apps import deeds, scenes
from commonwatt.apps.cli import living
from commonwatt.apps.cli.screen import as_json, screen, show
from commonwatt.apps.report.page import write_page
from commonwatt.flows.foreseeing import Forecasts
from commonwatt.model import SLOTS_PER_DAY, Refused

if TYPE_CHECKING:
    from commonwatt.apps.chain_commands import Anchored


def run(
    street: Annotated[Path, typer.Argument(help="Folder with street.toml and its data.", exists=True, file_okay=False)],
    day: Annotated[
        str | None, typer.Option(help="Another recorded day, YYYY-MM-DD; covered: 2018-11-01 to -30.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the run; default runs/<street>/<day>.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw an earlier run in that folder away first.")] = False,
    witness: Annotated[
        list[Path] | None,
        typer.Option(
            help="Card of a witness, as `commonwatt witness --folder` makes it; repeat for more.", exists=True
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the day's figures as JSON and nothing else.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Live on at a pace, day after day, with the community's door open.")
    ] = False,
    pace: Annotated[float | None, typer.Option(help="Seconds that a quarter-hour lasts, live; default 10.")] = None,
    port: Annotated[int | None, typer.Option(help="Where a live street's door is; 0 for any free port.")] = None,
    forecast: Annotated[
        Forecasts | None, typer.Option(help="How plans foresee homes and roofs; default as the street's file says.")
    ] = None,
    homes: Annotated[
        int | None, typer.Option(help="Make a live street so large: every recorded household under every roof.")
    ] = None,
    chain: Annotated[
        bool, typer.Option("--chain", help="Anchor each slot's checkpoint on a chain in the run's folder.")
    ] = False,
) -> None:
    """Run a street for one recorded day; run it again after a kill and it goes on where it was.

    With --live it does not end with the day, and takes signed requests meanwhile, as `commonwatt accept` does.
    """
    if live:
        stage = scenes.foreseen_by(scenes.live_scene(street, day, homes), forecast)
        stage = scenes.watched(stage, witness or [])
        living.live(stage, output, living.options(pace, port, on_paper=homes is not None), fresh=fresh, json=json)
        return
    if (pace, port, homes) != (None, None, None):
        raise Refused("--pace, --port and --homes are for a street that runs --live", street=street)
    stage = scenes.watched(scenes.foreseen_by(scenes.scene(street, day), forecast), witness or [])
    folder = output or Path("runs") / stage.street.community / f"{stage.street.day}"
    console = screen(quiet=json)
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("slots"))
    bar = Progress(*columns, TimeElapsedColumn(), console=console)
    with bar, ExitStack() as doors:
        task = bar.add_task(f"{stage.street.community} {stage.street.day}", total=SLOTS_PER_DAY)
        anchored = doors.enter_context(_anchored(folder)) if chain else None

        def on_slot() -> None:
            bar.advance(task)
            if anchored is not None:
                anchored.look()

        summary = deeds.run_durably(stage, street, folder, fresh=fresh, on_slot=on_slot)
        if anchored is not None:
            anchored.look()
    page = folder / "report.html"
    write_page(summary, page)
    if json:
        typer.echo(as_json(summary))
    else:
        show(summary, console)
        console.print(_where(folder, page, summary.unproven), markup=False, highlight=False, soft_wrap=True)
        if anchored is not None:
            console.print(_on_chain(anchored), markup=False, highlight=False, soft_wrap=True)


def _anchored(folder: Path) -> "Anchored":
    # Here, and not above: what executes contracts takes seconds to load.
    from commonwatt.apps.chain_commands import Anchored  # noqa: PLC0415

    return Anchored(folder)


def _on_chain(anchored: "Anchored") -> str:
    facts = anchored.facts
    if facts is None or anchored.trouble:
        return f"chain     not kept: {anchored.trouble}"
    last = facts.anchored[0] if facts.anchored else None
    told = f"{last.size} leaves in block {last.block} by 0x{last.tx}, {last.gas} gas" if last else facts.stage
    return f"chain     head {facts.head.number}, {facts.anchored_count} checkpoints anchored\nanchored  {told}"


def _where(folder: Path, page: Path, unproven: str) -> str:
    verify = f"commonwatt verify {folder / 'evidence.json'} --trust {folder / 'community.pub'}"
    return (
        f"\npage      {page}"
        f"\nevidence  {f'none: {unproven}' if unproven else verify}"
        f"\nlog       commonwatt replay {folder}"
    )
