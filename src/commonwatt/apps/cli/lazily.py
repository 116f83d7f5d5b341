"""Commands that are imported when they are asked for: a gateway that starts need not read what plans a nation."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from commonwatt.apps.cli.examples import EXAMPLES

PROGRAM = "commonwatt"


def group(name: str, tells: str, places: Mapping[str, str]) -> typer.Typer:
    """Return a group of commands.

    Args:
        name: What the group is called.
        tells: What its commands are for.
        places: Per command its module in this folder and, after a colon, the function or group there.
    """

    class Lazily(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(places)

        def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
            return _command(name, cmd_name, places[cmd_name]) if cmd_name in places else None

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and args[0] not in places:
                # Whoever misspells one is told those that come close, which are looked for among those that are there.
                self.commands = {near: TyperCommand(near) for near in places}
            return super().resolve_command(ctx, args)

    found = typer.Typer(
        name=name,
        cls=Lazily,
        help=tells,
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        add_completion=False,  # ours starts no Python at every press of a key, see `completing`
    )
    found.callback()(_nothing)
    return found


@cache
def _command(above: str, name: str, place: str) -> TyperCommand | TyperGroup:
    module, attribute = place.split(":")
    found = getattr(import_module(f"commonwatt.apps.cli.{module}"), attribute)
    # Read below a program of its own: a group that is read alone has options of a whole program's.
    alone = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
        command = cast(TyperGroup, typer.main.get_command(alone)).commands[name]
    else:
        alone.command(name)(found)
        command = typer.main.get_command(alone)
    assert isinstance(command, TyperCommand | TyperGroup)
    command.name = name
    exemplify(command, name if above == PROGRAM else f"{above} {name}")
    return command


def exemplify(command: TyperCommand | TyperGroup, path: str) -> None:
    """Put its example under the help of a command, and of all that are read with it."""
    if told := EXAMPLES.get(path):
        command.epilog = f"Example: {PROGRAM} {told}"
    for name, below in getattr(command, "commands", {}).items():
        exemplify(below, f"{path} {name}")


def _nothing() -> None:
    """Do nothing before a command."""
