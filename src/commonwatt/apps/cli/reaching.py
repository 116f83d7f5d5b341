"""The options by which a command's community is reached: a folder and a seat in it, or an app and a token."""

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer
from rich.table import Table

from commonwatt.apps.cli.screen import as_json, screen

if TYPE_CHECKING:
    from commonwatt.apps.reaching import Reached

P = ParamSpec("P")
TOKEN = "COMMONWATT_TOKEN"  # noqa: S105  the name of a variable
Folder = Annotated[
    Path | None,
    typer.Option(
        help="The community's folder, with its keys.", exists=True, file_okay=False, envvar="COMMONWATT_FOLDER"
    ),
]
Sits = Annotated[
    str | None,
    typer.Option(
        "--as", help="With --folder: as whom, a role or a member's account; whom it is about, or the operator."
    ),
]
App = Annotated[str, typer.Option(help="Address of an app, like https://localhost:8443.", envvar="COMMONWATT_APP")]
TokenFile = Annotated[
    Path | None,
    typer.Option(help=f"With --app: file with a program's token; else it is in {TOKEN}.", exists=True, dir_okay=False),
]
Ca = Annotated[
    Path | None,
    typer.Option(help="With --app: the site's own authority, tls/authority.pem.", exists=True, dir_okay=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
_OPTIONS: dict[str, Any] = {"folder": (Folder, None), "sits": (Sits, None), "app": (App, ""),
                            "token_file": (TokenFile, None), "ca": (Ca, None)}  # fmt: skip


def reaches(command: "Callable[Concatenate[Reached, P], None]") -> Callable[..., None]:
    """Give a command the options by which its community is reached; it is called with that in their place.

    Where nobody says as whom in a folder, it is whom the command's `account` names, or else the operator.
    """
    own = list(inspect.signature(command, eval_str=False).parameters.values())[1:]

    def run(**told: Any) -> None:
        # Here, and not above: the API takes seconds to load, and every other command would wait for them.
        from commonwatt.apps.reaching import OPERATOR, Way, reached  # noqa: PLC0415

        folder, sits, app, token_file, ca = (told.pop(name) for name in _OPTIONS)
        if folder is not None and not app and (token_file or ca):
            raise typer.BadParameter("--token-file and --ca are for an app")
        if app and sits:
            raise typer.BadParameter("--as is for a folder: in an app its token says who asks")
        way = Way(
            folder=None if app and folder is None else folder,
            sits=sits or told.get("account") or OPERATOR,
            app=app,
            token=os.environ.get(TOKEN, "").strip(),
            token_file=token_file,
            ca=ca,
        )
        with reached(way) as here:
            command(here, **told)  # type: ignore[call-arg]  # Typer gives what the signature names

    by_name = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _OPTIONS.items()
    ]
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    run.__signature__ = inspect.Signature([*own, *by_name])  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {one.name: one.annotation for one in (*own, *by_name)}
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run


def show(told: object, columns: Sequence[str], rows: Sequence[Sequence[object]], *, json: bool, none: str) -> None:
    """Print what a command found: as JSON, as a table, or in words that there is nothing.

    Args:
        told: All of it, for JSON.
        columns: Names, for people.
        rows: A cell a column.
        json: Whether JSON is wanted.
        none: What is said where there are no rows.
    """
    if json:
        typer.echo(as_json(told))
    elif not rows:
        typer.echo(none)
    else:
        table = Table(*columns, box=None, header_style="bold")
        for row in rows:
            table.add_row(*("-" if cell is None else str(cell) for cell in row))
        screen().print(table, markup=False, highlight=False)
