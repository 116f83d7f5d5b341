"""Write the reference of commands from the commands themselves: `update` writes it, `check` says whether it is so."""

import sys
from collections.abc import Iterator
from pathlib import Path

from commonwatt.apps.cli.lazily import PROGRAM
from commonwatt.apps.cli.main import app
from commonwatt.apps.cli.tree import Node, Word, nodes

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"


def main(words: list[str]) -> int:
    """Do what the words ask for, and return the exit code."""
    if words not in (["update"], ["check"]):
        sys.stderr.write("say update or check\n")
        return 2
    told = written()
    if words == ["update"]:
        REFERENCE.write_text(told)
    if not REFERENCE.exists() or REFERENCE.read_text() != told:
        sys.stderr.write(f"{REFERENCE.name} is not what the commands say: python scripts/cli.py update\n")
        return 1
    return 0


def written() -> str:
    """Return the reference's text."""
    return "\n".join(_lines(nodes(app))) + "\n"


def _lines(tree: list[Node]) -> Iterator[str]:
    yield from (
        "# All commands",
        "",
        "Written from the commands by `scripts/cli.py`; `commonwatt COMMAND --help` says the same. `--json` prints for",
        "programs; what goes wrong is one line on standard error and exit code 1, what is misused exit code 2.",
        "",
    )
    for node in tree[1:]:
        yield from (f"{'#' * (1 + len(node.path))} {PROGRAM} {' '.join(node.path)}", "", _paragraphs(node.help), "")
        if node.example:
            yield from ("```sh", node.example, "```", "")
        shown = [one for one in node.words if one.names != ("--help",)]
        if shown:
            yield from (*map(_word, shown), "")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _word(one: Word) -> str:
    needed = (
        ", needed" if one.required and one.is_option else "" if one.required or one.is_option else ", may be left out"
    )
    among = f" One of {', '.join(f'`{choice}`' for choice in one.choices)}." if one.choices else ""
    return f"- {', '.join(f'`{name}`' for name in one.names)}{needed}: {' '.join(one.help.split())}{among}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
