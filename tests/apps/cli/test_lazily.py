"""A command is read when it is asked for, and found by a person who misspells it."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from commonwatt.apps.cli.lazily import group
from commonwatt.apps.cli.main import COMMANDS, app


def test_nothing_heavy_is_read_before_a_command_is_chosen() -> None:
    asks = "import sys, commonwatt.apps.cli.main; print(*sys.modules)"
    read = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "fastapi", "numpy", "highspy", "nicegui"} & {*read}


def test_a_wallet_without_a_chain_does_not_wait_for_what_speaks_to_one() -> None:
    asks = """
import sys
from commonwatt.apps.cli.main import app
for words in (["wallet", "--help"], ["wallet", "send", "--help"], ["wallet", "list"]):
    try:
        app(words)
    except SystemExit:
        pass
print(*sys.modules)
"""
    read = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout.split()
    assert "commonwatt.apps.cli.wallet_chain" in read
    assert not {"web3", "eth", "eth_account", "eth_abi"} & {*read}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_says_what_it_does(name: str) -> None:
    told = CliRunner().invoke(app, [name, "--help"])
    assert told.exit_code == 0, told.output
    assert f"{name} [OPTIONS]" in told.output


def test_who_misspells_a_command_is_told_which_comes_close() -> None:
    told = CliRunner().invoke(app, ["repaly"])
    assert (told.exit_code, "Did you mean 'replay'?" in told.output) == (2, True)


def test_a_group_of_nothing_knows_nothing() -> None:
    told = CliRunner().invoke(group("empty", "Nothing.", {}), ["anything"])
    assert told.exit_code == 2
