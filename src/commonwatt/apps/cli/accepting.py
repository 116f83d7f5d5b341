"""`commonwatt accept`: hold a community's door open for signed requests."""

import time
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import accepting
from commonwatt.apps.cli.screen import screen


def accept(
    folder: Annotated[Path, typer.Argument(help="A community's folder, as a run leaves it.", exists=True)],
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any free port.")] = 7420,
    host: Annotated[str, typer.Option(help="Where to listen; loopback unless told otherwise.")] = "127.0.0.1",
) -> None:
    """Take signed requests over a socket: each gets a receipt, and its outcome once it is durable."""
    console = screen()
    console.print(f"opening {folder} ...")
    accepting.accept(
        folder,
        host,
        port,
        lambda: int(time.time()),
        on_open=lambda where, leaves: console.print(f"{leaves} leaves; taking requests on {host}:{where}"),
    )
