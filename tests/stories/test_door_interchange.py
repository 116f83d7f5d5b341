"""Two towns with a door each trade by commands alone: cards, a document that both sign, and each log's word."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from community import NOON
from test_door_kept import Kept, command
from two_towns import Town, note_key, town_key

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.asking import state_of
from commonwatt.apps.wiring import MASTER_KEY, open_log
from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, Refused

pytestmark = pytest.mark.row("E15")
DOCUMENT = {
    "number": 1,
    "giver": "east",
    "taker": "west",
    "seller": "anna",
    "buyer": "ben",
    "energy_wh": 100,
    "price_micro_per_kwh": 200_000,
    "wheeling_micro_per_kwh": 10_000,
    "decide_by_s": NOON + 7_200,
}


class Place:
    """One town: its folder, and the door that is open there."""

    def __init__(self, name: str, below: Path, doors: ExitStack) -> None:
        self.folder = below / name
        (self.folder / "keys").mkdir(parents=True)
        save_secret(self.folder / "keys" / "passphrase", b"open")
        for who in ("operator", "anna", "ben"):
            save_secret(self.folder / "keys" / f"{who}.pem", town_key(name, who).to_pem(b"open"))
        save_secret(self.folder / "keys" / "note.pem", note_key(name).to_pem(b"open"))
        with SqliteLog(self.folder / "log.sqlite", MasterKey.in_file(self.folder / MASTER_KEY)) as log:
            town = Town(name, store=log)
            town.sequencer.close()
        self.door = Kept(self.folder)
        self.door.now_s = town.now_s + 10
        self.door.open()
        doors.callback(self.door.close)

    def say(self, verb: str, *words: object, sends: bool = True) -> str:
        return command("interchange", verb, self.folder, *words, *(("--port", self.door.port) if sends else ()))

    def show(self, verb: str, *words: object) -> str:
        return self.say(verb, *words, sends=False)

    def reserve(self, who: str, body: dict[str, object]) -> str:
        """Let a member reserve something for the operator; return the reservation's name."""
        with open_log(self.folder) as log:
            name = str(log.size)
        told = {"what": "reserve", "target": "operator", "until_s": NOON + 7_200} | body
        assert command("ask", self.folder, who, "transfer", json.dumps(told), "--port", self.door.port)[0] == "0"
        return name

    def word(self, other: str, path: Path) -> Path:
        """Put this log's word into a file, once a checkpoint is over it."""
        self.door.now_s += SLOT_SECONDS
        why: Refused | None = None
        for _ in range(200):
            try:
                path.write_text(self.show("word", other, 1)[2:])
                return path
            except Refused as error:
                why = error
                time.sleep(0.05)
        raise AssertionError(f"no checkpoint came: {why} {self.door.error}")


@pytest.fixture
def towns(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    with ExitStack() as doors:
        yield Place("east", tmp_path, doors), Place("west", tmp_path, doors)


def meet(east: Place, west: Place, below: Path) -> None:
    """Let both operators register each other by their cards."""
    for here, other in ((east, west), (west, east)):
        card = below / f"{other.folder.name}.json"
        card.write_text(other.show("card")[2:])
        assert here.say("trust", card, "--most-wh", 1_000, "--most", "5") == "0 interchange for operator: BOOKED\n"


def test_two_towns_trade_by_commands_and_both_ledgers_say_so(towns: tuple[Place, Place], tmp_path: Path) -> None:
    east, west = towns
    meet(east, west, tmp_path)
    paper = tmp_path / "document.json"
    paper.write_text(json.dumps({"document": DOCUMENT}))
    sold = {"commodity": "watt_wh", "amount": 100, "against": {"commodity": "ergon_micro", "amount": 20_000}}
    bought = {"commodity": "ergon_micro", "amount": 21_000, "against": {"commodity": "watt_wh", "amount": 100}}
    mine, yours = east.reserve("anna", sold), west.reserve("ben", bought)
    with pytest.raises(Refused, match="signed by both operators: signed nobody"):
        east.say("prepare", paper, "--reservation", mine)
    assert "the other operator's turn" in east.show("sign", paper)
    assert "signed by both" in west.show("sign", paper)
    assert east.say("prepare", paper, "--reservation", mine).endswith("BOOKED\n")
    assert json.loads(east.show("show", "--json")[2:])[0]["waiting"] == [1]
    assert west.say("prepare", paper, "--reservation", yours).endswith("BOOKED\n")
    of_east = east.word("west", tmp_path / "of-east.json")
    assert west.say("decide", of_east, "--as", "ben") == "0 interchange for ben: BOOKED\n", "any member may carry it"
    assert east.say("decide", west.word("east", tmp_path / "of-west.json")).endswith("BOOKED\n")
    (there,), (here,) = (json.loads(town.show("show", "--json")[2:]) for town in (east, west))
    assert (there["owed_wh"], there["owed_micro"], there["waiting"]) == (100, -20_000, [])
    assert (here["owed_wh"], here["owed_micro"], here["waiting"]) == (-100, 20_000, [])
    assert state_of(west.folder).watt(AccountId("ben")) == 100
    assert "west" in east.show("show") and "-0.02" in east.show("show")


def test_a_number_that_is_refused_gives_back_what_waits_for_it(towns: tuple[Place, Place], tmp_path: Path) -> None:
    east, west = towns
    meet(east, west, tmp_path)
    paper = tmp_path / "document.json"
    paper.write_text(json.dumps({"document": DOCUMENT}))
    for town in (east, west):
        town.show("sign", paper)
    sold = {"commodity": "watt_wh", "amount": 100, "against": {"commodity": "ergon_micro", "amount": 20_000}}
    assert east.say("prepare", paper, "--reservation", east.reserve("anna", sold)).endswith("BOOKED\n")
    before = state_of(east.folder).watt(AccountId("anna"))
    assert west.say("refuse", "east", 1).endswith("BOOKED\n")
    assert east.say("decide", west.word("east", tmp_path / "of-west.json")).endswith("BOOKED\n")
    assert state_of(east.folder).watt(AccountId("anna")) == before + 100


def test_what_is_no_paper_or_nobody_s_is_refused_before_it_is_sent(towns: tuple[Place, Place], tmp_path: Path) -> None:
    east, west = towns
    paper = tmp_path / "document.json"
    for wrong in ("", "[1]", '{"document": 1}', "{" * 5_000):
        paper.write_text(wrong)
        with pytest.raises(InvalidValue, match="cannot be read"):
            east.show("sign", paper)
    paper.write_text(json.dumps({"document": DOCUMENT | {"taker": "north", "giver": "south"}}))
    with pytest.raises(Refused, match="between this community and another"):
        east.show("sign", paper)
    paper.write_text(json.dumps({"document": DOCUMENT, "giver_signature": "ab" * 64, "taker_signature": "ab" * 64}))
    with pytest.raises(Refused, match="not the signature of: community east"):
        east.say("prepare", paper)
    east.show("sign", paper)
    with pytest.raises(Refused, match="known before it is traded with: see trust: community west"):
        east.say("prepare", paper)
    meet(east, west, tmp_path)
    with pytest.raises(Refused, match="not the signature of: community west"):
        east.say("prepare", paper)
    with pytest.raises(Refused, match="proven once it is said"):
        east.show("word", "west", 1)
