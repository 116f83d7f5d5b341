"""A member orders through the door, for a slot and for WATT, sees it on the market, and takes it back."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from community import NAME, NOON, Community, key
from door_client import found_folder
from test_door_kept import Kept, command, until

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.wiring import MASTER_KEY, open_log
from commonwatt.flows.replay import resume
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, Kind, Order, Outcome, Refused, Side


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.row("M1")
@pytest.mark.row("E5")
def test_orders_are_said_seen_and_taken_back_through_the_door(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    for who in ("anna", "ben"):
        save_secret(folder / "keys" / f"{who}.pem", key(who).to_pem(b"open"))
    door = Kept(folder).open()
    doors.callback(door.close)
    at = ("--port", door.port)
    evening = ("--slot", "2026-06-01T18:00")
    buys = command("order", folder, "anna", "buy", 200, "0.20", *evening, "--source", "solar", "--premium", "0.05", *at)
    assert buys == "0 anna: buy 200 Wh at 0.20, BOOKED\n"
    sells = command("order", folder, "ben", "sell", 300, "0.12", *evening, "--source", "solar", "--json", *at)
    assert json.loads(sells[2:])["body"]["price_micro_per_kwh"] == 120_000
    assert command("order", folder, "ben", "sell", 50, "0.30", *at).endswith("BOOKED\n"), "WATT that is not backed yet"
    shown = json.loads(command("market", folder, "--json")[2:])
    (slot,) = shown["slots"]
    assert (slot["slot"], slot["open"], slot["bids_wh"], slot["asks_wh"]) == ("2026-06-01 18:00", True, 200, 300)
    (name, owner, side, wh, price) = shown["watt_orders"][0]
    assert (owner, side, wh, price) == ("ben", "ask", 50, 300_000)
    page = command("market", folder)
    assert "lowest ask 0.300000 for 50 Wh, highest bid -" in page
    assert "of what could trade now: lowest ask -, highest bid -" in page
    assert "what could not trade moves them by - and -" in page
    assert "2026-06-01 18:00" in page
    gone = ("order", folder, "anna", "buy", 50)
    assert command(*gone, "any", *at).endswith("BOOKED\n"), "nothing is backed: it is gone"
    assert command(*gone, "0.40", "--now", *at).endswith("BOOKED\n")
    assert command(*gone, "0.10", "--until", "2099-06-01T18:00", *at).endswith("BOOKED\n")
    with pytest.raises(Refused, match="NOT_ALLOWED"):
        command(*gone, "any", "--until", "2099-06-01T18:00", *at)
    assert len(json.loads(command("market", folder, "--json")[2:])["watt_orders"]) == 2
    cancel = command("ask", folder, "ben", "cancel", json.dumps({"what": "cancel", "order": name}), *at)
    assert cancel == "0 cancel for ben: BOOKED\n"
    (order,) = json.loads(command("market", folder, "--json")[2:])["watt_orders"]
    assert order[1:] == ["anna", "bid", 50, 100_000]
    with pytest.raises(Refused, match="UNKNOWN_THING"):
        command("ask", folder, "ben", "cancel", json.dumps({"what": "cancel", "order": name}), *at)


def test_what_cannot_be_meant_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    save_secret(folder / "keys" / "anna.pem", key("anna").to_pem(b"open"))
    save_secret(folder / "keys" / "stranger.pem", key("stranger").to_pem(b"open"))
    order = ("order", folder, "anna")
    with pytest.raises(Refused, match=r"a number like 0\.21"):
        command(*order, "buy", 5, "cheap")
    for endless in ("Infinity", "nan", "1e9999999", "1e20", "9" * 5_000):
        with pytest.raises(Refused, match=r"a number like 0\.21"):
            command(*order, "sell", 5, endless)
    for depth in (900, 3_000):
        with pytest.raises((Refused, InvalidValue), match="a body"):
            command("ask", folder, "anna", "order", '{"what":' + "[" * depth + "]" * depth + "}")
    with pytest.raises(Refused, match="six decimals"):
        command(*order, "buy", 5, "0.1234567")
    with pytest.raises(Refused, match="a date and time like"):
        command(*order, "buy", 5, "0.1", "--slot", "tonight")
    assert command(*order, "buy", 5, "0.1", "--near").startswith("2 "), "a preference is about a slot"
    with pytest.raises(Refused, match="of a kind that has rules"):
        command("ask", folder, "anna", "wish", "{}")
    with pytest.raises(Refused, match="JSON object"):
        command("ask", folder, "anna", "cancel", "[1]")
    with pytest.raises(InvalidValue, match="cannot be read"):
        command("ask", folder, "anna", "cancel", '{"what": "cancel", "order": 5}')
    with pytest.raises(Refused, match="registered before"):
        command("ask", folder, "stranger", "cancel", '{"what": "cancel", "order": "5"}')


def standing(folder: Path, who: str) -> list[tuple[Side, int, int, bool]]:
    with open_log(folder) as log:
        orders: list[Order] = resume(log, NAME).state.book.of(AccountId(who))
    return [(order.side, order.energy_wh, order.price_micro_per_kwh, order.by_agent) for order in orders]


@pytest.mark.row("E7")
def test_the_door_lets_agents_act_once_a_slot_for_members_whose_keys_it_keeps(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    save_secret(folder / "keys" / "anna.pem", key("anna").to_pem(b"open"))
    save_secret(folder / "keys" / "ben.pem", key("cleo").to_pem(b"open"))
    pen = Community()
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        town = Sequencer(log, NAME, lambda _: bytes(32))
        switched = order_bodies.AgentOn(buy_micro_per_kwh=150_000, sell_micro_per_kwh=250_000)
        wires = [pen.wire(who, Kind.ORDER, switched) for who in ("anna", "ben")]
        assert town.submit(wires, NOON) == [Outcome.BOOKED] * 2
    door = Kept(folder).open()
    doors.callback(door.close)
    until(lambda: len(door.notes()) == 1)
    assert standing(folder, "anna") == [], "nothing is settled yet"
    for n in (1, 2, 3):
        door.now_s = NOON + n * SLOT_SECONDS + 1
        until(lambda n=n: len(door.notes()) == n + 1)
    until(lambda: standing(folder, "anna") == [(Side.BID, 500, 150_000, True)])
    assert standing(folder, "ben") == [], "a file that is called like a member holds no key of theirs"
    at = ("--port", door.port)
    name = json.loads(command("market", folder, "--json")[2:])["watt_orders"][0][0]
    cancel = json.dumps({"what": "cancel", "order": name})
    assert command("ask", folder, "anna", "cancel", cancel, *at) == "0 cancel for anna: BOOKED\n"
    assert standing(folder, "anna") == [], "once a slot"
    door.now_s += SLOT_SECONDS
    until(lambda: standing(folder, "anna") == [(Side.BID, 500, 150_000, True)])
