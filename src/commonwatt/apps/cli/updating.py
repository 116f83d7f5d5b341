"""`commonwatt gateway update` and `release`: put a newer version in force or go back, and sign one."""

import time
from pathlib import Path
from typing import Annotated

import typer

from commonwatt.apps import updating
from commonwatt.apps.cli.screen import as_json
from commonwatt.model import InvalidValue

_DAY_S = 86_400
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def update(
    folder: Annotated[Path, typer.Argument(help="The gateway's folder.", exists=True, file_okay=False)],
    source: Annotated[str | None, typer.Option("--from", help="A release's folder, or where one is served.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Put the version before in force again.")] = False,
    trust: Annotated[
        Path | None, typer.Option(help="The release keys to pin, on first use.", exists=True, dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Verify a signed release, put it beside the present version, and switch to it; or go back.

    A launcher that runs the gateway (versions/launch.py in its folder) starts the new version at once and goes back by
    itself where that does not prove its health in time.
    """
    if back == (source is not None):
        raise InvalidValue("an update is --from somewhere, or goes --back: one of the two")
    now_s = int(time.time())
    done = updating.back(folder) if source is None else updating.update(folder, source, now_s, trust)
    typer.echo(as_json(done) if json else f"in force: {done.version}, before: {done.before}")


def release(
    folder: Annotated[Path, typer.Argument(help="With the wheels and zips of it.", exists=True, file_okay=False)],
    version: Annotated[str, typer.Option(help="Its own: two to four numbers with dots between.")],
    keys: Annotated[Path, typer.Option(help="The signer's folder; the key is made there on first use.")],
    name: Annotated[str, typer.Option(help="The signer's, such as releases.example.")],
    least: Annotated[str, typer.Option(help="The oldest version that it can replace.")] = "0.0",
    days: Annotated[int, typer.Option(help="For how long it may be installed.", min=1, max=3_650)] = 365,
    not_before: Annotated[
        int | None, typer.Option(help="Seconds since 1970 at which it may first be installed; else now.", min=0)
    ] = None,
    json: Json = False,
) -> None:
    """Sign a release; run by another signer on the same folder, it adds that one's signature.

    It prints the signer's public word. A gateway pins such words in releases.pub: {"threshold": 2, "keys": [...]}.
    """
    start_s = int(time.time()) if not_before is None else not_before
    word = updating.release(folder, version, keys, name, least=least, not_before_s=start_s, lasts_s=days * _DAY_S)
    typer.echo(as_json({"word": word}) if json else word)
