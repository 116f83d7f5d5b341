"""`commonwatt stations`: see charging stations, and ask something of them while their server runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from commonwatt.apps import stationing
from commonwatt.apps.cli.screen import as_json
from commonwatt.model import InvalidValue

Folder = Annotated[Path, typer.Argument(help="The folder of the devices' process.", exists=True, file_okay=False)]
DETAILS = "What belongs to it, as NAME=VALUE: evse=1 token=ABC seconds=3600 url=https://... what=renew"


def stations(
    folder: Folder,
    do: Annotated[
        str,
        typer.Argument(
            help="list, show, reset, unlock, available, reserve, cancel, local-list, firmware, diagnostics, watch "
            "or trust."
        ),
    ],
    station: Annotated[str, typer.Argument(help="The station's id.")] = "",
    details: Annotated[list[str] | None, typer.Argument(help=DETAILS)] = None,
) -> None:
    """Show charging stations, or have one restart, unlock, keep a place free, take a list, firmware or certificate."""
    told: dict[str, Any] = {"station": station} if station else {}
    for one in details or []:
        name, equals, value = one.partition("=")
        if not equals:
            raise InvalidValue(f"details are NAME=VALUE, was {one!r}")
        told[name] = _value(value)
    if do == "firmware" and "offer" not in told:
        told["offer"] = {name: told.pop(name) for name in ("url", "sha256", "signature", "certificate") if name in told}
    typer.echo(as_json(stationing.ask(folder, do, told)))


def _value(text: str) -> str | int | bool:
    """Return a number, a truth, a file's text for ``@FILE``, or the text itself."""
    if text.startswith("@"):
        return Path(text[1:]).read_text()
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() and len(text) < 10 else text
