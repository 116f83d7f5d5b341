"""`commonwatt fairness`: the report from a folder's log, for people and for programs."""

import json
from pathlib import Path

import pytest
from test_cli_prove import command, folder_of
from test_rulebook_book import stored

from commonwatt.model import Refused, Side


@pytest.mark.row("E4")
def test_the_report_is_told_and_printed_as_json(tmp_path: Path) -> None:
    community = stored()
    community.order("anna", Side.ASK, 300, 200_000)
    community.order("cleo", Side.BID, 100, 250_000)
    community.order("cleo", Side.BID, 1, 250_000, 1)
    folder = folder_of(community, tmp_path / "run")
    told = json.loads(command("fairness", folder, "--json"))
    assert [one["member"] for one in told["members"]] == ["anna", "cleo"]
    assert told["members"][1]["watt_bought"] | {"price": 0} == {
        "orders": 1,
        "wanted_wh": 100,
        "filled_wh": 100,
        "price": 0,
        "market_price": 200_000,
    }
    page = command("fairness", folder)
    assert "waited 0, passed over 0, refused: 1 TOO_LATE" in page
    assert "WATT orders of everybody else: 2, 2 traded, 2 at once, median 0 s" in page
    assert "first come, first served: kept" in page


def test_an_empty_folder_has_no_report(tmp_path: Path) -> None:
    community = stored()
    folder = folder_of(community, tmp_path / "run")
    (folder / "log.sqlite").unlink()
    with pytest.raises(Refused):
        command("fairness", folder)
