"""`commonwatt contracts`: what a log tells of contracts, in a table and as JSON."""

import json
from pathlib import Path

import pytest
from test_cli_prove import command, folder_of
from utility import accepted, at, live_until, offer, offered, once, pass_time, with_utility

from commonwatt.market.contracts.terms import Direction

PEAK, LATE = at(2, 17), at(2, 19)


@pytest.mark.row("W5")
def test_contracts_show_what_was_promised_delivered_and_paid(tmp_path: Path) -> None:
    community = with_utility()
    told = json.loads(command("contracts", folder_of(community, tmp_path / "none"), "--json"))
    assert told == {"standing": [], "parts": []}
    peak = once(Direction.GIVE_BACK, PEAK, LATE)
    first = offered(community, offer(peak))
    accepted(community, first, up_w=1_600)
    live_until(community, at(2, 0))
    live_until(community, at(3, 0), anna=lambda slot_s: 200 if PEAK <= slot_s < LATE else 400)
    second = offered(community, offer(once(Direction.CHARGE, at(5, 1), at(5, 2)), accept_by_s=at(4, 9)))
    folder = folder_of(community, tmp_path / "due")
    told = json.loads(command("contracts", folder, "--json"))
    assert [one["contract"] for one in told["standing"]] == [first, second]
    (part,) = told["parts"]
    assert (part["stage"], part["promised_wh"], part["delivered_wh"]) == ("due", 3_200, 1_600)
    pass_time(community, at(4, 1))
    folder = folder_of(community, tmp_path / "paid")
    told = json.loads(command("contracts", folder, "--json"))
    assert [one["contract"] for one in told["standing"]] == [second]
    (part,) = told["parts"]
    assert (part["stage"], part["due_micro"], part["member"]) == ("paid", 480_000 - 160_000, "anna")
    printed = command("contracts", folder)
    for words in ("anna-home", "give back", "paid", "3200", "1600", "0.32", "utility"):
        assert words in printed
    assert "no utility has offered anything" in command("contracts", tmp_path / "none")
