"""`commonwatt app`: open a community's app, API and pages."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps.cli.screen import screen
from commonwatt.apps.opening import Opened, Way, open_app
from commonwatt.apps.web.window import open_window


def app(
    folder: Annotated[Path, typer.Argument(help="The community's folder, with its log.", exists=True, file_okay=False)],
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise; 0 for any free one.", min=0, max=65_535)] = 8443,
    name: Annotated[list[str] | None, typer.Option(help="Host name under which people reach it; repeat.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Without TLS: behind somebody else's, or here alone.")] = False,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Let anybody take any seat; of a simulated community on this machine.")
    ] = False,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window of its own, too.")] = False,
    currency: Annotated[str, typer.Option(help="What one ERGON is worth one of, ISO 4217.")] = "GBP",
) -> None:
    """Open a community's app until it is interrupted.

    It follows the folder's log, which `accept` or `run --live` may write meanwhile, and asks for things through their
    open door. On first run it makes certificates of its own in the folder's tls/.
    """
    console = screen()

    def on_open(opened: Opened) -> None:
        console.print(f"open at {opened.url}", highlight=False, soft_wrap=True)
        if opened.authority is not None:
            console.print(f"to be trusted by browsers: {opened.authority}", highlight=False, soft_wrap=True)
        if window:
            open_window(opened.url, folder / "window")

    way = Way(
        host=host, port=port, names=tuple(name or ()), plain=plain, rehearsal=rehearsal, currency=currency.upper()
    )
    open_app(folder, way, on_open)
