"""The bash script completes commands, options and choices in a real bash; those of other shells name the same words."""

import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commonwatt.apps.cli.completing import Shell, script
from commonwatt.apps.cli.main import app
from commonwatt.apps.cli.tree import nodes

TREE = nodes(app)
ASK = """
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_commonwatt
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def sourced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "commonwatt.bash"
    path.write_text(script(Shell.BASH, TREE))
    return path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["wal"], {"wallet"}),
        (["wallet", ""], {"balances", "history", "send", "approve", "exit", "entries", "list", "address", "create",
                          "import", "export", "--help"}),
        (["wallet", "history", "--comm"], {"--commodity"}),
        (["wallet", "history", "--commodity", "w"], {"watt_wh"}),
        (["wallet", "history", "member-05", "--commodity", "erg"], {"ergon_micro"}),
        (["completion", "b"], {"bash"}),
        (["gateway", "cl"], {"claim"}),
        (["wallet", "history", "--folder", ""], set()),
        (["nonsense", "--xyz"], set()),
        (["member", "show", "--fol"], {"--folder"}),
    ],
)  # fmt: skip
def test_bash_offers_what_may_stand_there(sourced: Path, words: list[str], offered: set[str]) -> None:
    told = ASK.format(words=" ".join(map(shlex.quote, ["commonwatt", *words])))
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {sourced}\n{told}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert set(done.stdout.split()) == offered


def test_bash_is_told_whose_words_these_are(sourced: Path) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {sourced}; complete -p commonwatt"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "complete -o default -F _commonwatt commonwatt"


@pytest.mark.parametrize("shell", Shell)
def test_every_shells_script_names_every_command_and_option(shell: Shell) -> None:
    done = CliRunner().invoke(app, ["completion", shell.value])
    assert (done.exit_code, done.stdout) == (0, script(shell, TREE))
    for node in TREE:
        for name in (*node.path, *(name.lstrip("-") for word in node.words if word.is_option for name in word.names)):
            assert name in done.stdout
