"""A car charges at a station through the open door: its word, the counts, the register, the payment, the receipt."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from charging_place import FEE, GATEWAY, POINT, POST, START_FEE, STATION, Plaza
from community import IMPORT, key
from door_client import NOTE
from test_door_kept import Kept, command

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps import plugging
from commonwatt.apps.charging import session_receipt
from commonwatt.apps.wiring import MASTER_KEY
from commonwatt.flows.rulebook.charging import session_bodies
from commonwatt.model import MICRO, SLOT_SECONDS, Kind, Outcome, Refused, cost_micro

ALWAYS = '{"what": "consent", "asset": "anna-solar", "mode": "always"}'
PLUG = plugging.Plug(wants_wh=4_000, most_micro=3 * MICRO, power_w=22_000)


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def plaza_folder(folder: Path, **tariff: Any) -> Plaza:
    """Put the plaza into a folder, with the keys that its desk, its cars and its station hold, and another tariff."""
    (folder / "keys").mkdir(parents=True)
    (folder / "gateways" / GATEWAY).mkdir(parents=True)
    for path in (folder / "keys", folder / "gateways" / GATEWAY):
        save_secret(path / "passphrase", b"open")
    for name in ("operator", "zoe", "guest", "anna", POST):
        save_secret(folder / "keys" / f"{name}.pem", key(name).to_pem(b"open"))
    save_secret(folder / "keys" / "note.pem", NOTE.to_pem(b"open"))
    save_secret(folder / "gateways" / GATEWAY / "key.pem", key(GATEWAY).to_pem(b"open"))
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        plaza = Plaza(store=log)
        if tariff:
            body = session_bodies.Tariff(meter=POINT, from_s=plaza.now_s + 1, **tariff)
            assert plaza.ask(POST, Kind.SESSION, body, account=STATION) is Outcome.BOOKED
        return plaza


def place_of(door: Kept, said: list[str], minute_s: int = 60) -> plugging.Place:
    """Return a place where a minute passes at each look, the first one a short one: looks fall on ends of slots."""

    async def pause() -> None:
        door.now_s += minute_s - door.now_s % minute_s

    return plugging.Place(host="127.0.0.1", port=door.port, now_s=lambda: door.now_s, pause=pause, on_word=said.append)


@pytest.mark.row("E9")
def test_a_car_charges_through_the_door_and_its_receipt_is_paid_once_the_slots_are_settled(
    tmp_path: Path, doors: ExitStack
) -> None:
    plaza, said = plaza_folder(tmp_path), list[str]()
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    session = plugging.charge(tmp_path, "zoe", POST, PLUG, place_of(door, said))
    found = session_receipt(tmp_path, session)
    assert (found.car, found.station, found.state, found.ended_by) == ("zoe", STATION, "ended", "car")
    assert said[0] == f"session {session}: authorised"
    assert said[-1] == f"session {session}: ended by car, register read {found.counted_wh} Wh"
    assert 4_000 <= found.counted_wh < 4_500
    while door.now_s < plaza.slot_s + 5 * SLOT_SECONDS:
        door.now_s += SLOT_SECONDS
        command("ask", tmp_path, "anna", "consent", ALWAYS, "--port", door.port)
    paid = session_receipt(tmp_path, session)
    assert (paid.state, paid.billed_wh) == ("closed", found.counted_wh)
    assert abs(paid.paid_micro - cost_micro(paid.billed_wh, IMPORT + FEE) - START_FEE) <= 2
    again = plugging.charge(tmp_path, "guest", POST, replace(PLUG, wants_wh=500), place_of(door, said), wait=False)
    assert session_receipt(tmp_path, again).register_wh == found.counted_wh, "a register goes on where it stood"


@pytest.mark.row("E9")
def test_the_command_charges_by_its_own_clock_and_prints_the_receipt(
    tmp_path: Path, doors: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    plaza_folder(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)

    async def minute(seconds: float) -> None:
        door.now_s += 60

    monkeypatch.setattr("commonwatt.apps.cli.charging.time", SimpleNamespace(time=lambda: door.now_s))
    monkeypatch.setattr("commonwatt.apps.cli.charging.asyncio", SimpleNamespace(sleep=minute))
    told = command("charge", tmp_path, "zoe", POST, "--wh", 300, "--no-wait", "--port", door.port)
    assert "authorised\n" in told
    assert "zoe at plaza, ended" in told
    shown = json.loads(command("charge", tmp_path, "zoe", POST, "--no-wait", "--json", "--port", door.port)[2:])
    assert (shown["car"], shown["state"], shown["authorised_micro"]) == ("zoe", "ended", MICRO)


def test_who_cannot_charge_is_told_why(tmp_path: Path, doors: ExitStack) -> None:
    plaza_folder(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    place = place_of(door, [])
    for car, station, plug, why in (
        ("anna", POST, PLUG, "a car by its key"),
        ("zoe", "anna", PLUG, "a station by its key"),
        ("nobody", POST, PLUG, "named as its file"),
        ("zoe", POST, replace(PLUG, power_w=400_001), f"its connection carries.*{POINT}"),
        ("zoe", POST, replace(PLUG, most_micro=11 * MICRO), "NOT_BACKED"),
    ):
        with pytest.raises(Refused, match=why):
            plugging.charge(tmp_path, car, station, plug, place)
