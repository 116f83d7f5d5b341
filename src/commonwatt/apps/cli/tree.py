"""All commands as a tree: for completion, the reference, and the tests that hold them alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args

import typer
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Word:
    """An option or an argument.

    Args:
        names: As one writes it; of an argument, its name.
        help: What it is.
        takes: Whether a value follows.
        choices: Which, where they are few.
        required: Whether it must be there.
        is_option: Whether it begins with dashes.
    """

    names: tuple[str, ...]
    help: str
    takes: bool
    choices: tuple[str, ...]
    required: bool
    is_option: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A command, or a group of them.

    Args:
        path: Its words, without the program's own.
        help: What it does.
        example: How it is used, a whole line; empty for groups.
        words: Its options and arguments.
        below: Names of commands in it.
    """

    path: tuple[str, ...]
    help: str
    example: str
    words: tuple[Word, ...]
    below: tuple[str, ...]


def nodes(app: typer.Typer) -> list[Node]:
    """Return a program's commands and groups, the program itself first."""
    return list(_walk(get_command(app), ()))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[Node]:
    names = command.list_commands(None) if hasattr(command, "list_commands") else ()
    below = {name: command.get_command(None, name) for name in names}
    words = tuple(_word(one) for one in command.params if not getattr(one, "hidden", False))
    yield Node(
        path, (command.help or "").strip(), (command.epilog or "").removeprefix("Example: "), words, tuple(below)
    )
    for name, one in below.items():
        yield from _walk(one, (*path, name))


def _word(told: Any) -> Word:
    is_option = told.param_type_name == "option"
    names = (*told.opts, *told.secondary_opts) if is_option else (told.name.upper(),)
    takes = not (is_option and (told.is_flag or told.count))
    return Word(names, told.help or "", takes, _choices(told) if takes else (), told.required, is_option)


def _choices(told: Any) -> tuple[str, ...]:
    kind = getattr(getattr(told, "type_descriptor", None), "annotation", None)
    kind = next(iter(get_args(kind)), kind)  # of what may be repeated, one
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        return ()
    return tuple(str(one.value) for one in kind)
