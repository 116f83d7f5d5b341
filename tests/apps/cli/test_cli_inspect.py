"""`commonwatt inspect`: who holds a key reads what owner or law allows, and nothing else."""

import json
from pathlib import Path

import pytest
from community import key
from professionals import BATTERY
from test_cli_prove import command, folder_of
from test_inspect import allow, street

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.model import Refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose log lets the inspector read about one battery, with keys of several people."""
    community = street()
    allow(community)
    keep = folder_of(community, tmp_path / "run") / "keys"
    save_secret(keep / "passphrase", b"open sesame")
    for who in ("inspector", "anna", "ben", "operator"):
        save_secret(keep / f"{who}.pem", key(who).to_pem(b"open sesame"))
    return tmp_path / "run"


@pytest.mark.row("X12")
def test_an_inspector_reads_the_asset_in_plain_words_and_as_json(folder: Path) -> None:
    printed = command("inspect", folder, "--as", "inspector", "--asset", BATTERY)
    for words in ("read by leave of delegation until", "3000 W in", "SUSPENDED", "attest credential", "400"):
        assert words in printed
    found = json.loads(command("inspect", folder, "--as", "inspector", "--asset", BATTERY, "--json"))
    assert (found["right"]["by"], len(found["readings"]), found["suspended"]) == ("delegation", 3, True)
    assert (
        json.loads(command("inspect", folder, "--as", "anna", "--asset", BATTERY, "--json"))["right"]["by"] == "owner"
    )


@pytest.mark.row("X12")
@pytest.mark.parametrize(
    ("who", "asset"), [("inspector", "anna-home"), ("inspector", "x"), ("ben", BATTERY), ("operator", BATTERY)]
)
def test_nobody_reads_more_than_is_allowed(who: str, asset: str, folder: Path) -> None:
    with pytest.raises(Refused, match="what owner or law allows"):
        command("inspect", folder, "--as", who, "--asset", asset)


@pytest.mark.parametrize("name", ["stranger", "", "../keys/anna", "anna.pem", "passphrase"])
def test_a_key_that_is_not_there_opens_nothing(name: str, folder: Path) -> None:
    with pytest.raises(Refused, match="a key is named"):
        command("inspect", folder, "--as", name, "--asset", BATTERY)


def test_a_key_that_cannot_be_opened_is_nobodys(folder: Path) -> None:
    save_secret(folder / "keys" / "passphrase", b"guess")
    with pytest.raises(Refused, match="passphrase"):
        command("inspect", folder, "--as", "inspector", "--asset", BATTERY)
