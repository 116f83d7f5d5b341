"""`commonwatt contracts`: a folder's contracts in a table and as JSON."""

import json
from pathlib import Path

import pytest
from community import Community
from test_cli_prove import command, folder_of
from test_rulebook_contracting import PEAK, Contracting

from commonwatt.apps.cli.contracting import ergon
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
    for words in ("anna-battery", "give back", "2000", "0.600000"):
        assert words in command("contracts", folder)


def test_money_is_told_to_the_micro_however_much_it_is() -> None:
    assert [ergon(micro) for micro in (2**53 - 1, -1, 0)] == ["9007199254.740991", "-0.000001", "0.000000"]
    assert ergon(9_007_199_254_740_993) == "9007199254.740993", "which no float can tell"


def test_a_log_without_contracts_says_so(tmp_path: Path) -> None:
    assert "no contracts" in command("contracts", folder_of(Community(1), tmp_path / "run"))
