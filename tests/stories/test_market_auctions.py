"""Whoever looks at the market sees what the auctions stand at, and what came of the last ones."""

import json
from pathlib import Path

import pytest
from auction_hall import LASTS_S, Hall, sealed_reserve
from test_door_kept import command

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps import trading
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.flows.rulebook.market.auctions import auction_bodies as bodies
from commonwatt.market.auctions import Form, Good
from commonwatt.market.auctions.standing import MOST_CLOSED
from commonwatt.model import SLOT_SECONDS, Outcome, Side

pytestmark = pytest.mark.row("E5")


def store(folder: Path) -> SqliteLog:
    (folder / "keys").mkdir()
    return SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY))


def test_an_open_auction_shows_what_it_stands_at_by_the_communitys_clock(tmp_path: Path) -> None:
    with store(tmp_path) as log:
        hall = Hall(store=log)
        now_s = hall.now_s
        english, _ = hall.open(amount=100, step=5_000)
        hall.bid("ben", english, 110_000, 100)
        hall.bid("cleo", english, 120_000, 100)
        terms = {"opening_price": 300_000, "step": 10_000, "tick_s": 60, "divisible": True, "amount": 200}
        dutch, _ = hall.open(form=Form.DUTCH, **terms)
        hall.bid("ben", dutch, 300_000, 50)
        from_s = hall.slot_s + 4 * SLOT_SECONDS
        told = {"from_s": from_s, "to_s": from_s + SLOT_SECONDS, "good": Good.UP, "side": Side.BID, "amount": 900}
        sealed, _ = hall.open("utility", Form.FIRST_PRICE, reserve_hash=sealed_reserve("utility", 7), **told)
        assert hall.seal("anna", sealed, 5, 900) is Outcome.BOOKED
    shown = trading.view(tmp_path, now_s + 130)
    rising, falling, hidden = shown.auctions
    assert (rising.auction, rising.price, rising.reserve, rising.step, rising.bids) == (
        english,
        120_000,
        100_000,
        5_000,
        2,
    )
    assert (rising.phase, rising.starts, rising.ends) == ("open", "2026-06-01 13:15", "2026-06-01 13:20")
    assert (falling.price, falling.left, falling.amount, falling.bids) == (280_000, 150, 200, 1)
    assert (hidden.price, hidden.reserve, hidden.bids) == (None, None, 1)
    assert hidden.window == ("2026-06-01 14:15", "2026-06-01 14:30")
    assert trading.view(tmp_path).auctions[1].price == 300_000, "when the log was written last"
    assert trading.view(tmp_path, now_s + 10**6).auctions[1].price == 260_000, "where it stood at the end"
    page = command("market", tmp_path)
    assert "150 of 200" in page and "0.120000" in page


def test_a_closed_auction_shows_who_got_how_much_at_which_price_even_when_the_state_forgot_it(tmp_path: Path) -> None:
    with store(tmp_path) as log:
        hall = Hall(store=log, correction_slots=4)
        name, _ = hall.open(amount=300, divisible=True)
        hall.bid("ben", name, 110_000, 200)
        hall.bid("cleo", name, 120_000, 200)
        hall.now_s += LASTS_S
        unsold, _ = hall.open(amount=100)
        assert hall.do("anna", bodies.TakeDown(auction=unsold)) is Outcome.BOOKED
        for _ in range(7):
            hall.live()
        hall.at(hall.now_s)
        assert hall.state.auctions.items() == []
        hall.sequencer.save_snapshot()
        hall.check_rebuilt()
    shown = json.loads(command("market", tmp_path, "--json")[2:])
    withdrawn, sold = shown["results"]
    assert (withdrawn["auction"], withdrawn["why"], withdrawn["awards"]) == (unsold, "withdrawn before any bid", [])
    assert (sold["auction"], sold["owner"], sold["closed"]) == (name, "anna", "2026-06-01 13:20")
    assert sold["awards"] == [["cleo", 200, 120_000], ["ben", 100, 110_000]]
    assert "cleo 200 at 0.120000, ben 100 at 0.110000" in " ".join(command("market", tmp_path).split())


def test_no_more_than_the_last_results_are_kept(tmp_path: Path) -> None:
    with store(tmp_path) as log:
        hall = Hall(store=log, correction_slots=4)
        names = []
        for _ in range(MOST_CLOSED + 2):
            names.append(hall.open(amount=100)[0])
            hall.do("anna", bodies.TakeDown(auction=names[-1]))
        for _ in range(6):
            hall.live()
        names.append(hall.open(amount=100)[0])
        hall.do("anna", bodies.TakeDown(auction=names[-1]))
    assert [found.auction for found in trading.view(tmp_path).results] == names[: -MOST_CLOSED - 1 : -1]
