"""`commonwatt interchange`: trade WATT with another community that keeps a ledger of its own."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commonwatt.apps import interchanging
from commonwatt.apps.asking import Asked
from commonwatt.apps.cli.screen import as_json, ergon, screen
from commonwatt.apps.trading import micro

app = typer.Typer(help="Trade with another community: both ledgers book their side, or neither.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="This community's folder.", exists=True, file_okay=False)]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
Host = Annotated[str, typer.Option(help="Where the door is, see accept.")]
Port = Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Number = Annotated[int, typer.Argument(help="Of the document.", min=1)]


@app.command()
def card(folder: Folder) -> None:
    """Print who this community is, for another one's trust."""
    typer.echo(as_json(interchanging.card(folder)))


@app.command()
def trust(
    folder: Folder,
    other: File,
    most_wh: Annotated[int, typer.Option(help="WATT that may be owed either way, Wh.", min=0)],
    most: Annotated[str, typer.Option(help="ERGON that may be owed either way, like 20.")],
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Register another community by the card that it printed, with how far it is trusted."""
    _tell(interchanging.trust(folder, other, most_wh, micro(most), host, port), json=json)


@app.command()
def sign(folder: Folder, document: File, json: Json = False) -> None:
    """Put this operator's signature on a document, in its file."""
    paper = interchanging.sign(folder, document)
    both = paper.giver_signature and paper.taker_signature
    words = "signed by both" if both else "signed here; the other operator's turn"
    typer.echo(as_json(paper) if json else f"{document}: {words}")


@app.command()
def prepare(
    folder: Folder,
    document: File,
    reservation: Annotated[str | None, typer.Option(help="What the member here reserved for the operator.")] = None,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Set this side of a document aside, until the other log has said its word."""
    _tell(interchanging.prepare(folder, document, reservation, host, port), json=json)


@app.command()
def refuse(
    folder: Folder,
    community: Annotated[str, typer.Argument(help="The other one.")],
    number: Number,
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Say that nothing is prepared here under a number, ever."""
    _tell(interchanging.refuse(folder, community, number, host, port), json=json)


@app.command()
def word(folder: Folder, community: Annotated[str, typer.Argument(help="The other one.")], number: Number) -> None:
    """Print what this log has said about a number, proven, for the other log to decide by."""
    typer.echo(as_json(interchanging.word(folder, community, number)))


@app.command()
def decide(
    folder: Folder,
    other: File,
    name: Annotated[str, typer.Option("--as", help="Whose key shows it: the operator's or any member's.")] = "operator",
    host: Host = "127.0.0.1",
    port: Port = 7420,
    json: Json = False,
) -> None:
    """Show this log the other's word, in a file: its side is booked, or let go."""
    _tell(interchanging.decide(folder, name, other, host, port), json=json)


@app.command()
def show(folder: Folder, json: Json = False) -> None:
    """Show how this community stands with every other."""
    found = interchanging.standing(folder)
    if json:
        typer.echo(as_json(found))
        return
    table = Table("community", "owed to it, Wh", "ERGON", "waiting for its word", box=None)
    for one in found:
        waiting = ", ".join(map(str, one.waiting)) or "nothing"
        table.add_row(one.community, str(one.owed_wh), ergon(one.owed_micro), waiting)
    screen().print(table)


def _tell(done: Asked, *, json: bool) -> None:
    typer.echo(as_json(done) if json else f"{done.kind.value} for {done.account}: {done.outcome.value}")
