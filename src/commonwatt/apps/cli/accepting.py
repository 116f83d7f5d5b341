"""`commonwatt accept`: hold a community's door open for signed requests."""

import time
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import accepting, gateway_lines
from commonwatt.apps.cli.screen import screen


def accept(
    folder: Annotated[Path, typer.Argument(help="A community's folder, as a run leaves it.", exists=True)],
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any free port.")] = 7420,
    host: Annotated[str, typer.Option(help="Where to listen; loopback unless told otherwise.")] = "127.0.0.1",
    slept: Annotated[
        bool, typer.Option("--slept", help="The log really slept until now: settle all that has come due since.")
    ] = False,
    ahead: Annotated[
        int, typer.Option(help="Seconds that the clock may be ahead of the log; beyond, accept stops.", min=900)
    ] = accepting.MOST_AHEAD_S,
    payments: Annotated[
        Path | None,
        typer.Option(help="Says where the payment provider is (TOML): hosts its webhook.", exists=True, dir_okay=False),
    ] = None,
    channels: Annotated[
        Path | None,
        typer.Option(help="Says where payment channels are (TOML): takes vouchers.", exists=True, dir_okay=False),
    ] = None,
    gateways: Annotated[
        str | None, typer.Option(help="Let registered gateways call here, such as ws://127.0.0.1:7421.")
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(help="Hear gateways through this broker, such as mqtt://127.0.0.1:1883.")
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(help="Certificates and login for the two (TOML), see the guide.", exists=True, dir_okay=False),
    ] = None,
    check: Annotated[bool, typer.Option(help="Hash every stored leaf again meanwhile.")] = True,
    metrics: Annotated[
        int | None, typer.Option(help="Show metrics at this port on loopback; 0 for any free one.", min=0, max=65_535)
    ] = None,
    traces: Annotated[str, typer.Option(help="Send traces to this OTLP collector: http://HOST:4318.")] = "",
) -> None:
    """Take signed requests over a socket: each gets a receipt, and its outcome once it is durable.

    A checkpoint is signed in every quarter-hour. Every stored leaf is hashed again meanwhile; where one is not what it
    was, or the clock leaves the log behind, the door closes with the reason and exit code 1.
    """
    console, told = screen(), gateway_lines.Lines(gateways=gateways, mqtt=mqtt, secrets=lines)
    console.print(f"opening {folder} ...")
    accepting.accept(
        folder,
        host,
        port,
        lambda: int(time.time()),
        on_open=lambda where, leaves: console.print(f"{leaves} leaves; taking requests on {host}:{where}"),
        on_word=lambda word: console.print(word, markup=False, highlight=False, soft_wrap=True),
        hours=accepting.Hours(
            most_ahead_s=ahead,
            slept=slept,
            payments=payments,
            channels=channels,
            check=check,
            lines=told,
            metrics=metrics,
            traces=traces,
        ),
    )
