"""Every command has help, an example that it would take, and `--json` where it prints; the reference says the same."""

import importlib.util
import shlex
from pathlib import Path

import pytest

from commonwatt.apps.cli.examples import EXAMPLES
from commonwatt.apps.cli.main import app
from commonwatt.apps.cli.tree import Node, nodes

ROOT = Path(__file__).parents[3]
TREE = nodes(app)
LEAVES = [node for node in TREE if not node.below]
WITHOUT_JSON = {
    "accept": "it runs until it is stopped",
    "app": "likewise",
    "demo": "likewise",
    "serve": "likewise",
    "gateway run": "likewise",
    "stations": "it prints JSON alone",
    "interchange card": "likewise",
    "interchange word": "likewise",
}
"""Commands without `--json`, and why."""
WANTED = "init run member asset constraint plan schedule order wallet event verify archive devices bench completion"


def named(node: Node) -> str:
    return " ".join(node.path)


def test_all_that_was_promised_is_there() -> None:
    assert set(WANTED.split()) <= {node.path[0] for node in TREE[1:]}


@pytest.mark.parametrize("node", TREE, ids=named)
def test_a_command_says_what_it_does(node: Node) -> None:
    assert node.help.endswith((".", "?", "]")), node.help
    for word in node.words:
        assert word.help or not word.is_option, word.names


@pytest.mark.parametrize("node", LEAVES, ids=named)
def test_a_command_prints_for_programs(node: Node) -> None:
    has = any("--json" in word.names for word in node.words)
    assert has is (named(node) not in WITHOUT_JSON)


@pytest.mark.parametrize("node", LEAVES, ids=named)
def test_a_command_would_take_its_example(node: Node) -> None:
    program, *words = shlex.split(node.example)
    assert program == "commonwatt"
    assert tuple(words[: len(node.path)]) == node.path
    options = {name: word for word in node.words if word.is_option for name in word.names}
    given, left = set[str](), iter(words[len(node.path) :])
    count = 0
    for one in left:
        if one.startswith("--"):
            assert one in options, one
            given.add(options[one].names[0])
            value = next(left) if options[one].takes else None
            assert not options[one].choices or value in options[one].choices
        else:
            count += 1
    assert {word.names[0] for word in options.values() if word.required} <= given
    arguments = [word for word in node.words if not word.is_option]
    assert sum(word.required for word in arguments) <= count
    assert count <= len(arguments) or "repeat" in " ".join(word.help for word in arguments)


def test_no_example_is_of_a_command_that_is_no_more() -> None:
    assert EXAMPLES.keys() == {named(node) for node in LEAVES}
    assert WITHOUT_JSON.keys() <= EXAMPLES.keys()


def test_the_reference_is_what_the_commands_say() -> None:
    spec = importlib.util.spec_from_file_location("cli_script", ROOT / "scripts" / "cli.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.main(["check"]) == 0
    assert all(f"commonwatt {named(node)}" in script.written() for node in LEAVES)
