"""`commonwatt delegate`: let somebody act for a member until a day, or no longer."""

from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import delegating
from commonwatt.apps.cli.screen import as_json
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.model import Kind


def delegate(
    folder: Annotated[Path, typer.Argument(help="A community's folder, with the member's key.", exists=True)],
    member: Annotated[str, typer.Argument(help="Whose key signs, as its file in keys/, for example member-03.")],
    to: Annotated[str, typer.Argument(help="Who may act: a public key in hex, or the name of a key in keys/.")],
    may: Annotated[list[str] | None, typer.Option(help="A kind of request, or inspect; repeat for more.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day, YYYY-MM-DD, UTC.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="Narrow it to an asset; repeat for more.")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take everything back instead, at once.")] = False,
    host: Annotated[str, typer.Option(help="Where the door is, see accept.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Likewise.", min=1, max=65_535)] = 7420,
    json: Annotated[bool, typer.Option("--json", help="Print what became of it as JSON.")] = False,
) -> None:
    """Sign a delegation, or its end, with a member's key, and send it through the community's open door."""
    if revoke == bool(may) or bool(may) != bool(until) or (revoke and asset):
        raise typer.BadParameter("say --may and --until to grant, or --revoke alone")
    public = delegating.public_key(folder, to)
    plain: dict[str, object] = {"to": public, "what": "revoke"}
    if not revoke:
        plain = {"to": public, "what": "grant", "kinds": may, "until_s": delegating.until_s(until or "")}
        plain |= {"assets": asset} if asset else {}
    body = bodies.read_body(Kind.DELEGATE, plain)
    assert isinstance(body, trust_bodies.Grant | trust_bodies.Revoke)
    done = delegating.delegate(folder, member, body, host, port)
    if json:
        typer.echo(as_json(done))
    elif revoke:
        typer.echo(f"{done.account} lets {done.to} act no longer, from the next request on")
    else:
        typer.echo(f"{done.account} lets {done.to} act until the end of {until}: {', '.join(may or ())}")
