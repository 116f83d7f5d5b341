"""A car at a station somewhere else: its meter's signature on the receipt, a pulled plug, a kill of our side."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from charging_child import WANTS_WH
from charging_place import GATEWAY, POST
from outside import Outside, site
from test_door_charging import PLUG, doors, place_of, plaza_folder
from test_door_kept import Kept, command, until

from commonwatt.apps import plugging
from commonwatt.apps.charging import session_receipt
from commonwatt.apps.wiring import open_log
from commonwatt.metering.batch import decode_items
from commonwatt.simulator.devices.ocpp_meter import SigningMeter

__all__ = ["doors"]  # the fixture
KILLED = ["1.6", "2.0.1", "2.1"] if os.environ.get("COMMONWATT_NIGHTLY") else ["1.6"]


def outside_place(door: Kept, outside: Outside, said: list[str], at_wh: int = 0) -> plugging.Place:
    """Return a place where a minute passes at each look, also at the station; its plug is pulled at so much."""

    async def pause() -> None:
        if outside.connected:
            door.now_s += 60 - door.now_s % 60
        await outside.do(outside.station.live_to(door.now_s))
        if at_wh and outside.station.transaction and outside.plant.import_wh >= at_wh:
            await outside.do(outside.station.unplug())

    return replace(place_of(door, said), pause=pause)


@pytest.mark.row("E9", "E12")
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_receipt_shows_what_the_stations_own_meter_signed(version: str, tmp_path: Path, doors: ExitStack) -> None:
    meter, said = SigningMeter(serial="m-1"), list[str]()
    plaza_folder(tmp_path, signs_as="m-1", signs_by=meter.public_key)
    devices, port = site(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    with Outside(version, port, door.now_s, meter) as outside:
        plug = replace(PLUG, devices=devices)
        session = plugging.charge(tmp_path, "zoe", POST, plug, outside_place(door, outside, said))
    found = session_receipt(tmp_path, session)
    assert found.ended_by == "car"
    assert found.metered == (0, outside.plant.import_wh)
    assert (found.signed.energy_wh, found.signed.trouble) == (outside.plant.import_wh, "")
    assert len(found.signed.records) == 2
    shown = command("receipt", tmp_path, session)
    assert f"signed by meter m-1: {outside.plant.import_wh} Wh" in shown


@pytest.mark.row("E9", "E12")
def test_a_session_whose_records_are_forged_is_not_read_and_its_count_is_billed_after_the_grace(
    tmp_path: Path, doors: ExitStack
) -> None:
    said = list[str]()
    plaza_folder(tmp_path, signs_as="m-1", signs_by=SigningMeter(serial="m-1").public_key)
    devices, port = site(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    with Outside("2.0.1", port, door.now_s, SigningMeter(serial="m-1")) as outside:
        plug = replace(PLUG, devices=devices)
        session = plugging.charge(tmp_path, "zoe", POST, plug, outside_place(door, outside, said))
    assert any("signature does not hold" in word for word in said)
    found = session_receipt(tmp_path, session)
    assert (found.state, found.metered) == ("closed", None)
    assert found.billed_wh == found.counted_wh == outside.plant.import_wh
    assert "nothing signed by meter m-1" in command("receipt", tmp_path, session)


@pytest.mark.row("E9")
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_plug_that_is_pulled_ends_the_session_by_the_stations_word(
    version: str, tmp_path: Path, doors: ExitStack
) -> None:
    plaza_folder(tmp_path)
    devices, port = site(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    with Outside(version, port, door.now_s) as outside:
        plug = replace(PLUG, devices=devices)
        session = plugging.charge(tmp_path, "zoe", POST, plug, outside_place(door, outside, [], at_wh=1_500))
    found = session_receipt(tmp_path, session)
    assert 1_500 <= outside.plant.import_wh < PLUG.wants_wh
    assert (found.ended_by, found.counted_wh) == ("station", outside.plant.import_wh)
    assert found.metered == (0, outside.plant.import_wh)
    assert "unsigned: the station's tariff pins no key" in command("receipt", tmp_path, session)


class Side:
    """Our side in a process of its own, and what it says; the clock that it goes by is moved by hand."""

    def __init__(self, folder: Path, door: Kept, outside: Outside) -> None:
        self.door, self.outside, self._folder = door, outside, folder

    def start(self) -> None:
        here, self._words = Path(__file__).parent, self._folder / f"words-{time.monotonic_ns()}"
        self._write()
        paths = [str(here), str(here.parent / "flows"), os.environ.get("PYTHONPATH", "")]
        script = [sys.executable, str(here / "charging_child.py"), str(self._folder), str(self.door.port)]
        with self._words.open("w") as words:
            env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
            self._child = subprocess.Popen(script, env=env, stdout=words, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        self._child.send_signal(signal.SIGKILL)
        self._child.wait(60)

    def tick(self) -> None:
        """Let a minute pass at the station, which tells of it, and then here: in one second we count once."""
        now_s = self.door.now_s + 60 - self.door.now_s % 60
        self.outside.wait(self.outside.station.live_to(now_s))
        self.door.now_s = now_s
        self._write()

    def said(self, words: str) -> bool:
        assert self._child.poll() in (None, 0), self._words.read_text()
        return words in self._words.read_text()

    def counts_all(self) -> bool:
        """Tell whether it knows all that flowed, or needs to know no more; what was not answered is told again."""
        if self.outside.station.queue:
            self.outside.wait(self.outside.station._flush())
        return self.said(f"counted {self.outside.plant.import_wh} Wh") or self.said("ended by")

    def ended(self) -> str:
        """Let time pass until it has ended by itself, and return the session's name."""
        for _ in range(60):
            self.tick()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(0.3)
                break
        assert self.said("done")
        return self._words.read_text().split()[-1]

    def _write(self) -> None:
        fresh = self._folder / "clock.new"
        fresh.write_text(str(self.door.now_s), encoding="utf-8")
        fresh.replace(self._folder / "clock")


def taken_wh(folder: Path) -> int:
    """Return what the station's connection told of all slots; a later word of a slot replaces an earlier one."""
    told: dict[int, int] = {}
    with open_log(folder) as log:
        for row in log.rows():
            if row.items and b'"gateway":"%b"' % GATEWAY.encode() in row.body:
                told |= {item.start_s: item.import_wh for item in decode_items(row.items)}
    return sum(told.values())


@pytest.mark.row("E9", "E12")
@pytest.mark.parametrize("version", KILLED)
def test_a_kill_of_our_side_in_the_midst_of_a_session_loses_nothing_and_counts_nothing_twice(
    version: str, tmp_path: Path, doors: ExitStack
) -> None:
    plaza_folder(tmp_path)
    _, port = site(tmp_path)
    door = Kept(tmp_path).open()
    doors.callback(door.close)
    outside = doors.enter_context(Outside(version, port, door.now_s))
    side = Side(tmp_path, door, outside)
    side.start()
    until(lambda: outside.station.transaction not in (None, "-1") or side.said("done"), 120)
    for _ in range(4):
        side.tick()
        until(side.counts_all, 120)
    side.kill()
    stood_wh = outside.plant.import_wh
    for _ in range(4):
        side.tick()
    assert outside.plant.import_wh > stood_wh + 1_000, "the station goes on without us"
    assert len(outside.station.queue) == 4, "and keeps what it would have told"
    side.start()
    until(lambda: side.said("counted"), 120)
    while not side.said("ended by"):
        side.tick()
        until(side.counts_all, 120)
    found = session_receipt(tmp_path, side.ended())
    took_wh = outside.plant.import_wh
    assert outside.station._starts == 1, "no second transaction began"
    assert (found.ended_by, found.metered) == ("car", (0, took_wh))
    assert stood_wh + 1_000 < found.counted_wh <= took_wh, "all was counted but the last minute, at most"
    assert taken_wh(tmp_path) == took_wh >= WANTS_WH, "its connection tells all of it, once"
    with open_log(tmp_path) as log:
        words = [row for row in log.rows() if b'"what":"authorise"' in row.body]
    assert len(words) == 1, "nor was a second one authorised"
