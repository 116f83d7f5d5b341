"""`commonwatt completion`: a script by which a shell completes our words without starting us."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from commonwatt.apps.cli.lazily import PROGRAM
from commonwatt.apps.cli.screen import as_json
from commonwatt.apps.cli.tree import Node, nodes


class Shell(StrEnum):
    """Whose script is wanted."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="Whose script.")],
    json: Annotated[bool, typer.Option("--json", help="Print the script as JSON.")] = False,
) -> None:
    """Print a script that completes commands, options and choices; keep it where your shell looks, anew after updates.

    bash: ~/.local/share/bash-completion/completions/commonwatt; fish: ~/.config/fish/completions/commonwatt.fish;
    zsh: any file that .zshrc reads with source.
    """
    from commonwatt.apps.cli.main import app  # noqa: PLC0415  it holds this command, too

    told = script(shell, nodes(app))
    typer.echo(as_json({"shell": shell.value, "script": told}) if json else told, nl=json)


def script(shell: Shell, tree: Sequence[Node]) -> str:
    """Return the script of a shell for a program's commands."""
    if shell is Shell.FISH:
        return "\n".join(_fish(tree)) + "\n"
    lines = list(_bash(tree))
    if shell is Shell.ZSH:
        lines = ["autoload -U +X compinit && compinit", "autoload -U +X bashcompinit && bashcompinit", *lines]
    return "\n".join(lines) + "\n"


def _bash(tree: Sequence[Node]) -> Iterator[str]:
    """Yield a function that follows the words to a command, and offers what may stand there.

    Where it offers nothing, the shell offers files.
    """
    paths = "|".join(_quoted(" ".join(node.path)) for node in tree if node.path)
    yield from (
        f"_{PROGRAM}() {{",
        '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" path="" offered="" i',
        "    COMPREPLY=()",
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        '        case "${path:+$path }${COMP_WORDS[i]}" in',
        f'            {paths}) path="${{path:+$path }}${{COMP_WORDS[i]}}" ;;',
        "        esac",
        "    done",
        '    case "$path|$before" in',
    )
    for node in tree:
        for one in node.words:
            if one.is_option and one.takes:
                names = "|".join(_quoted(f"{' '.join(node.path)}|{name}") for name in one.names)
                choices = " ".join(_simple(one.choices))
                yield f'        {names}) COMPREPLY=($(compgen -W {_quoted(choices)} -- "$word")); return ;;'
    yield from ("    esac", '    case "$path" in')
    for node in tree:
        yield f"        {_quoted(' '.join(node.path))}) offered={_quoted(' '.join(_offered(node)))} ;;"
    yield from (
        "    esac",
        '    COMPREPLY=($(compgen -W "$offered" -- "$word"))',
        "}",
        f"complete -o default -F _{PROGRAM} {PROGRAM}",
    )


def _fish(tree: Sequence[Node]) -> Iterator[str]:
    paths = " ".join(_quoted(" ".join(node.path)) for node in tree if node.path)
    yield from (
        f"set -g __{PROGRAM}_paths {paths}",
        f"function __{PROGRAM}_at",
        "    set -l path",
        "    for word in (commandline -opc)[2..]",
        f"        if contains -- (string join ' ' $path $word) $__{PROGRAM}_paths",
        "            set path $path $word",
        "        end",
        "    end",
        "    test (string join ' ' $path) = \"$argv[1]\"",
        "end",
    )
    told = {node.path: node for node in tree}
    for node in tree:
        here = f"complete -c {PROGRAM} -n {_quoted(f'__{PROGRAM}_at ' + _double(' '.join(node.path)))}"
        for name in node.below:
            yield f"{here} -f -a {name} -d {_quoted(_first(told[*node.path, name].help))}"
        for one in node.words:
            if one.is_option:
                named = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in one.names)
                after = " -r" if one.takes else ""
                among = f" -f -a {_quoted(' '.join(_simple(one.choices)))}" if one.choices else ""
                yield f"{here} {named}{after}{among} -d {_quoted(_first(one.help))}"
            elif one.choices:
                yield f"{here} -f -a {_quoted(' '.join(_simple(one.choices)))}"


def _offered(node: Node) -> list[str]:
    """Return what may stand after a command: its commands, its options, and the choices of its arguments."""
    options = [name for one in node.words if one.is_option for name in one.names]
    among = [choice for one in node.words if not one.is_option for choice in _simple(one.choices)]
    return [*node.below, *among, *options, *(() if "--help" in options else ("--help",))]


def _simple(choices: Sequence[str]) -> list[str]:
    """Return choices of one word: others would have to be quoted, each shell in its way."""
    return [choice for choice in choices if " " not in choice]


def _first(text: str) -> str:
    return text.partition("\n")[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _double(text: str) -> str:
    return f'"{text}"'
