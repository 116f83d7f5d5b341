"""`commonwatt receipt` and `commonwatt commission`: figures from a folder's log, by the real commands."""

import json
from pathlib import Path

import pytest
from community import Flow
from sockets import OWNER, Sockets, charged
from test_cli_prove import command, folder_of

from commonwatt.flows.rulebook.licence_bodies import Licence
from commonwatt.model import Kind, Outcome, Refused

RATES = {"operator_micro_per_kwh_charged": 5_000, "operator_micro_per_kwh_discharged": 7_000}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a run in which a car charged, and its session's name."""
    community = Sockets(2, terms=RATES)
    grant = Licence(account="ben", from_s=community.now_s, until_s=community.now_s + 9_000)
    assert community.ask("operator", Kind.REGISTER, grant) is Outcome.BOOKED
    name = charged(community, 2_000)
    community.pass_slot(2_000, anna=Flow(charge_wh=1_000, solar_wh=1_500), ben=Flow(charge_wh=400))
    return folder_of(community, tmp_path_factory.mktemp("charged") / "run"), name


@pytest.mark.row("E9")
def test_a_receipt_is_shown_from_the_log(lived: tuple[Path, str]) -> None:
    folder, name = lived
    told = command("receipt", folder, name)
    assert f"session {name}: car at pole, meter volta-point" in told
    assert "ended by: station" in told
    assert "streamed 2000 Wh, meter 2000 Wh; sold 2000 Wh, not sold 0 Wh" in told
    assert "from neighbours 417 Wh, from storage 0 Wh, from the grid 1583 Wh" in told
    assert "fee 0.300000, paid 0.900000 of 4.000000 authorised" in told
    assert "2026-06-01 12:00" in told.splitlines()[-1]


@pytest.mark.row("E9")
def test_a_receipt_as_json_adds_up(lived: tuple[Path, str]) -> None:
    folder, name = lived
    told = json.loads(command("receipt", folder, name, "--json"))
    assert sum(line["paid_micro"] for line in told["lines"]) + told["fee_micro"] == told["paid_micro"] == 900_000
    assert sum(told["lines"][0]["sources"].values()) == told["energy_wh"] == 2_000
    assert (told["final"], told["metered_wh"]) == (True, 2_000)


def test_a_session_that_nobody_had_has_no_receipt(lived: tuple[Path, str]) -> None:
    with pytest.raises(Refused, match="settled"):
        command("receipt", lived[0], "3")


@pytest.mark.row("W7")
def test_the_operators_commission_is_shown_with_what_was_waived(lived: tuple[Path, str]) -> None:
    found = {one["account"]: one for one in json.loads(command("commission", lived[0], "--json"))}
    assert found["anna"]["owed_micro"] == 5_000
    assert (found["ben"]["owed_micro"], found["ben"]["waived_micro"], found["ben"]["charged_wh"]) == (0, 2_000, 400)
    assert OWNER not in found, "it has no storage"
    told = command("commission", lived[0]).splitlines()
    assert told[1].split()[:6] == ["anna", "1000", "Wh", "0", "Wh", "0.005000"]
