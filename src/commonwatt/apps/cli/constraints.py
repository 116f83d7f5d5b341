"""`commonwatt constraint`: state a line in the constraint language, see what stands, take it back."""

from typing import TYPE_CHECKING, Annotated

import typer

from commonwatt.apps.cli.reaching import Json, reaches, show
from commonwatt.apps.cli.screen import as_json, when
from commonwatt.model import Refused

if TYPE_CHECKING:
    from commonwatt.apps.api.v1.writing import WriteDone
    from commonwatt.apps.reaching import Reached

app = typer.Typer(help="Say what has to hold, see what stands, take it back.", no_args_is_help=True)
Line = Annotated[str, typer.Argument(help='Like "charge of car-05 >= 80% at 07:30", see the guide to constraints.')]
Account = Annotated[str | None, typer.Option("--for", help="For which account; one's own if left out.")]


@app.command("say")
@reaches
def say(here: "Reached", line: Line, account: Account = None, json: Json = False) -> None:
    """State a line; it is signed with the account's key that the community keeps."""
    _state(here, here.whose(account), line, json=json)


@app.command("try")
@reaches
def try_(here: "Reached", line: Line, json: Json = False) -> None:
    """Say how a line is understood, and whether who asks may state it; nothing is stated.

    Exit code 1: it is not understood, or they may not.
    """
    found = here.client.assets.understood(text=line)
    if json:
        typer.echo(as_json(found))
    else:
        for means in found.means:
            typer.echo(means)
        if not found.may:
            typer.echo(f"no: {found.why}" + (f"; did you mean: {found.instead}" if found.instead else ""))
    if not found.may:
        raise typer.Exit(1)


@app.command("list")
@reaches
def list_(
    here: "Reached",
    account: Annotated[str | None, typer.Argument(help="Whose; one's own if left out.")] = None,
    json: Json = False,
) -> None:
    """List what an account stated that still matters."""
    found = here.client.assets.constraints(here.whose(account))
    rows = [(one.position, one.text, one.means, when(one.ends_s)) for one in found]
    show(found, ("position", "said", "means", "ends (UTC)"), rows, json=json, none="nothing stands")


@app.command("withdraw")
@reaches
def withdraw(
    here: "Reached",
    position: Annotated[int, typer.Argument(help="Where it stands in the log, see list.", min=0)],
    account: Account = None,
    json: Json = False,
) -> None:
    """Take a line back, with all that was said in it."""
    whose = here.whose(account)
    found = [one for one in here.client.assets.constraints(whose) if one.position == position]
    if not found:
        raise Refused("what is taken back stands", account=whose, position=position)
    # With its days written out: in words like "tomorrow" it would mean another time by now.
    for means in sorted({one.means for one in found}):
        _state(here, whose, f"no longer: {means}", json=json)


def _state(here: "Reached", account: str, line: str, *, json: bool) -> None:
    done: WriteDone = here.client.assets.state(account, {"text": line})
    typer.echo(as_json(done) if json else f"{account} at {done.position}: {line}")
