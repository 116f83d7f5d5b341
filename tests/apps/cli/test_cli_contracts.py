"""`commonwatt contracts`: a folder's contracts in a table and as JSON."""

import json
from pathlib import Path

import pytest
from community import Community
from test_cli_prove import command, folder_of
from test_rulebook_contracting import PEAK, Contracting

from commonwatt.model import Outcome


@pytest.mark.row("W5")
def test_contracts_are_listed_with_what_was_promised_delivered_and_paid(tmp_path: Path) -> None:
    lane = Contracting()
    offer = lane.offer(PEAK)
    assert lane.guarantee() is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    lane.plan(PEAK.start_s, -2_000)
    lane.pass_to(PEAK.end_s)
    lane.meter(PEAK.start_s, *[(0, 500)] * 4)
    lane.pass_to(PEAK.end_s + 2_000)
    folder = folder_of(lane, tmp_path / "run")
    (told,) = json.loads(command("contracts", folder, "--json"))
    assert (told["offer"], told["member"], told["status"]) == (offer, "anna", "measured")
    assert (told["delivered_wh"], told["due_micro"], told["paid_micro"]) == (2_000, 600_000, 0)
    assert told["promised_wh"] == 2_000
    for words in ("anna-battery", "give back", "2000"):
        assert words in command("contracts", folder)


def test_a_log_without_contracts_says_so(tmp_path: Path) -> None:
    assert "no contracts" in command("contracts", folder_of(Community(1), tmp_path / "run"))
