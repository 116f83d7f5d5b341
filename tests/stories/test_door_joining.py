"""Somebody new joins a community through its door, with a key of their own, and speaks at once."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from community import NOON, key
from door_client import found_folder
from test_door_kept import Kept, command

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.asking import state_of
from commonwatt.apps.wiring import open_key
from commonwatt.model import Refused


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def opened(folder: Path, doors: ExitStack) -> tuple[object, ...]:
    """Return how commands find the door of a town that was just founded."""
    door = Kept(folder).open()
    doors.callback(door.close)
    return "--port", door.port


@pytest.mark.row("W5")
@pytest.mark.row("E9")
def test_a_utility_a_station_and_a_car_join_and_speak_for_themselves(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    at = opened(folder, doors)
    told = json.loads(command("key", folder, "city-power", "utility", "--json", *at)[2:])
    assert (told["account"], told["role"]) == ("city-power", "utility")
    assert oct((folder / "keys" / "city-power.pem").stat().st_mode)[-3:] == "600"
    assert open_key(folder, "city-power").public.hex() == told["public"]
    command("key", folder, "plaza-point", "station", "--account", "plaza", *at)
    assert command("key", folder, "roadster", "car", *at).startswith("0 roadster is a car with the key 0")
    state = state_of(folder)
    assert all(state.has_wallet(account) for account in ("city-power", "plaza", "roadster"))
    tariff = {"what": "tariff", "meter": "ben-home", "from_s": NOON + 900, "micro_per_kwh": 50_000}
    with pytest.raises(Refused, match="account plaza, outcome"):  # the meter is ben's
        command("ask", folder, "plaza-point", "session", json.dumps(tariff), *at)
    save_secret(folder / "keys" / "payment.pem", key("payment").to_pem(b"open"))
    paid = {"what": "bought", "account": "city-power", "amount_micro": 10_000_000, "reference": "city-1"}
    assert command("ask", folder, "payment", "purchase", json.dumps(paid), *at) == "0 purchase for payment: BOOKED\n"
    window = {"direction": "charge", "price_micro_per_kwh": 50_000, "start_s": NOON + 3600, "end_s": NOON + 7200}
    offer = {"what": "offer", "budget_micro": 10_000_000, "power_w": 5_000, "most_windows": 1, "windows": [window]}
    offer |= {"accept_by_s": NOON + 3600, "until_s": NOON + 90_000, "basis": "instead", "most_micro_per_kwh": 400_000}
    offer |= {"penalty_micro_per_kwh": 0, "baseline": "metered_setpoint", "dispute_s": 3600}
    assert command("ask", folder, "city-power", "contract", json.dumps(offer), *at).endswith("BOOKED\n")


def test_nobody_joins_twice_or_as_something_that_there_is_not(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    save_secret(folder / "keys" / "anna.pem", key("anna").to_pem(b"open"))
    at = opened(folder, doors)
    with pytest.raises(Refused, match="registered once"):
        command("key", folder, "anna", "member", *at)
    with pytest.raises(Refused, match="has a role: found operator"):
        command("key", folder, "second", "operator", *at)
    for name in ("../out", "", "a b", "ä"):
        with pytest.raises(Refused, match="letters, digits"):
            command("key", folder, name, "car", *at)
    assert not list(folder.glob("**/out.pem"))


def test_a_key_that_was_made_before_the_door_opened_is_the_one_that_is_registered(
    tmp_path: Path, doors: ExitStack
) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    with pytest.raises(Refused, match="commonwatt accept"):
        command("key", folder, "roadster", "car", "--port", 9)
    made = open_key(folder, "roadster").public.hex()
    told = json.loads(command("key", folder, "roadster", "car", "--json", *opened(folder, doors))[2:])
    assert told["public"] == made


def test_a_number_that_the_door_s_own_desk_took_meanwhile_is_taken_anew(tmp_path: Path, doors: ExitStack) -> None:
    folder = tmp_path / "town"
    found_folder(folder)
    door = Kept(folder).open()
    doors.callback(door.close)
    for n in range(4):
        door.now_s += 900  # a checkpoint falls due: the operator's next number is the desk's
        told = command("key", folder, f"car-{n}", "car", "--port", door.port)
        assert told.startswith(f"0 car-{n} is a car")
