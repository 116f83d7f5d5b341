"""Devices are added after a trial, listed as people read them, released, replaced and removed; drivers admit all."""

import asyncio
import importlib
import json
import logging
import stat
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commonwatt.adapters.devices import driver
from commonwatt.adapters.devices.driver import GROUP, DeviceSpec, Doors, Driver
from commonwatt.adapters.stores.inventory import InventoryFile
from commonwatt.adapters.stores.outbox import OutboxFile
from commonwatt.apps import device_files, device_health, device_watch, devicing
from commonwatt.apps.cli.devices import ago
from commonwatt.apps.cli.main import app
from commonwatt.flows.gateway.gateway import Gateway, Identity
from commonwatt.flows.inventory import Health, Mark, Record
from commonwatt.flows.keeper import Keeper
from commonwatt.identity.keys import SigningKey
from commonwatt.model import AssetId, GatewayId, InvalidValue, Refused, Unreachable, instant

pytestmark = pytest.mark.row("W11")
NOON_S = 1_767_268_800
ACME = '''
"""A driver from somebody else's package: a device whose figures stand in a file."""

import json
from pathlib import Path

from commonwatt.model import Ack, Caps, DeviceState, InvalidValue, Nameplate, Unreachable


class Device:
    caps = Caps(max_import_w=5000, max_export_w=5000, lease_s=60)

    def __init__(self, path, clock):
        self.path, self.clock = Path(path), clock

    def said(self):
        if not self.path.exists():
            raise Unreachable(f"nobody at {self.path}")
        return json.loads(self.path.read_text())

    async def read(self):
        said = self.said()
        said.pop("serial", None)
        return DeviceState(at=self.clock(), **said)

    async def identity(self):
        return Nameplate(make="Acme", model="B1", serial=self.said().get("serial", ""))

    async def apply(self, command):
        return Ack(command=command.id, asset=command.asset, taken=command.band)

    async def release(self):
        pass

    async def close(self):
        pass


async def open_device(asset, spec, doors):
    if spec.settings.get("wrong"):
        raise InvalidValue("a setting is wrong")
    return Device(spec.url, doors.clock)
'''
QUALITY = """\
title = "Acme"
shape = "polled"
[done]
reading = "all of it"
[missing]
real_hardware = "none was seen"
"""
DEVICES = """\
# What is behind this gateway.

[[asset]]
id = "battery"
kind = "battery"
max_import_w = 5000
max_export_w = 5000
capacity_wh = 10000

[[asset]]
id = "home"
kind = "connection"
max_import_w = 23000
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A gateway's folder, and drivers: one that is whole, and several that are not."""
    for name, code, quality in (
        ("acme_whole", ACME, QUALITY),
        ("acme_torn", ACME, "title = "),
        ("acme_shapeless", ACME, QUALITY.replace("polled", "round")),
        ("acme_silent", ACME, None),
        ("acme_broken", "import no_such_module_anywhere", QUALITY),
        ("acme_raises", "raise RuntimeError('a bug')", QUALITY),
    ):
        package = tmp_path / "site" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "device.py").write_text(code)
        if quality is not None:
            (package / "quality.toml").write_text(quality)
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    names = ["acme_whole", "acme_torn", "acme_shapeless", "acme_silent", "acme_broken", "acme_raises", "acme_gone"]
    entries = [EntryPoint(name, f"{name}.device:open_device", GROUP) for name in names]
    entries.append(EntryPoint("canned", "acme_gone.device:open_device [foxbms]", GROUP))
    monkeypatch.setattr(driver, "entry_points", lambda group: entries)
    home = tmp_path / "gateway"
    home.mkdir()
    (home / "devices.toml").write_text(DEVICES)
    yield home


def shows(path: Path, **figures: int | str) -> None:
    path.write_text(json.dumps(figures))


def spec(path: Path, asset: str = "battery") -> DeviceSpec:
    return DeviceSpec(asset=AssetId(asset), driver="acme_whole", url=str(path), settings={"unit": 1})


def test_a_driver_that_is_missing_or_broken_is_listed_with_what_is_wrong(folder: Path) -> None:
    told = {one.driver: one for one in devicing.admissions()}
    assert (told["acme_whole"].title, told["acme_whole"].trouble) == ("Acme", "")
    assert "acme_torn cannot be read" in told["acme_torn"].trouble
    assert "round" in told["acme_shapeless"].trouble
    assert "brings no quality.toml" in told["acme_silent"].trouble
    assert "no_such_module_anywhere" in told["acme_broken"].trouble
    assert told["acme_broken"].missing, "what it admits is shown nevertheless"
    assert "a bug" in told["acme_raises"].trouble
    assert "not installed" in told["acme_gone"].trouble
    assert "needs commonwatt[foxbms]" in told["canned"].trouble
    shown = CliRunner().invoke(app, ["devices"])
    assert shown.exit_code == 0
    assert "none was seen" in shown.output
    as_json = CliRunner().invoke(app, ["devices", "drivers", "--json"])
    assert len(json.loads(as_json.output)) == 8


def ours() -> list[Driver]:
    here = Path(driver.__file__).parent
    return [one for name, one in driver.drivers().items() if (here / name / "device.py").exists()]


def test_every_driver_of_ours_admits_what_is_missing() -> None:
    for one in ours():
        admitted = one.quality()
        assert admitted.title
        assert admitted.shape in ("polled", "session", "push")
        assert admitted.done
        assert admitted.missing, f"{one.name}: nothing is ever complete"


def test_a_device_is_added_after_a_trial_and_listed_before_the_gateway_ran(folder: Path) -> None:
    figures = folder / "acme.json"
    with pytest.raises(Unreachable, match="nobody at"):
        asyncio.run(devicing.attempt(device_files.assets_of(folder)[AssetId("battery")], spec(figures), 0.3))
    shows(figures, power_w=1_000, import_wh=7, serial="A-1")
    words = ["devices", "add", str(folder), "battery", "--driver", "acme_whole", "--url", str(figures)]
    done = CliRunner().invoke(app, [*words, "--set", "unit=1", "--set", "note=a b"])
    assert done.exit_code == 0, done.output
    assert "1000 W" in done.output
    (added,) = device_files.specs_of(folder)
    assert added.settings == {"unit": 1, "note": "a b"}
    assert (folder / "devices.toml").read_text().startswith(DEVICES.rstrip())
    with pytest.raises(Refused, match="one device"):
        devicing.add(folder, spec(figures))
    listed = CliRunner().invoke(app, ["devices", "list", str(folder)])
    assert "battery" in listed.output
    assert "never" in listed.output


def test_what_cannot_be_the_asset_is_not_added(folder: Path) -> None:
    figures = folder / "acme.json"
    shows(figures, power_w=90_000)
    with pytest.raises(InvalidValue, match="power beyond"):
        devicing.add(folder, spec(figures))
    with pytest.raises(InvalidValue, match="an asset is one of"):
        devicing.add(folder, spec(figures, "sauna"))
    assert device_files.specs_of(folder) == []


def test_a_devices_file_keeps_its_comments_and_is_never_left_half(folder: Path) -> None:
    path = folder / "devices.toml"
    path.write_text(
        DEVICES
        + '\n# the battery in the cellar\n[[device]] # old\nasset = "battery"\ndriver = "x"\nurl = "a"\n'
        + '\n# the meter\n[[device]]\nasset = "home"\ndriver = "p1"\nurl = "b"\n[device.settings]\nversion = "5"\n'
    )
    device_files.replace_spec(folder, DeviceSpec(asset=AssetId("battery"), driver="y", url='c"\\'))
    text = path.read_text()
    assert "# the battery in the cellar" in text
    assert "# the meter" in text
    assert [one.driver for one in device_files.specs_of(folder)] == ["y", "p1"]
    device_files.remove_spec(folder, AssetId("home"))
    assert [one.url for one in device_files.specs_of(folder)] == ['c"\\']
    path.write_text('device = [{ asset = "battery", driver = "x", url = "a" }]\n')
    with pytest.raises(Refused, match="only its author"):
        device_files.remove_spec(folder, AssetId("battery"))
    assert "driver" in path.read_text()


class Running:
    """A gateway's program, a second at a time."""

    def __init__(self, folder: Path, outbox: OutboxFile) -> None:
        self.now_s = NOON_S
        self.folder, self.assets = folder, device_files.assets_of(folder)
        self.doors = Doors(clock=lambda: instant(self.now_s))
        self.oversight = device_watch.Oversight(folder, self.doors)
        identity = Identity(community="lane", number=GatewayId("gw-1"), secret=b"s")
        key = SigningKey.from_seed(b"seed", "gw-1")
        devices = {
            one.asset: (self.assets[one.asset], asyncio.run(self.oversight.open(self.assets[one.asset], one)))
            for one in device_files.specs_of(folder)
        }
        self.gateway = Gateway(identity, list(self.assets.values()), Keeper(devices), key, outbox)

    def live(self, times: int, step_s: int = 10) -> None:
        async def whole() -> None:
            for _ in range(times):
                self.now_s += step_s
                await self.oversight.tick(self.gateway, self.assets)
                await self.gateway.keeper.read()

        asyncio.run(whole())
        self.oversight.show()
        self.oversight.inventory.keep()


def test_a_gateway_watches_its_devices_and_takes_up_what_is_ordered_meanwhile(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devicing, "OLD_FOR_S", 0.1)
    caplog.set_level(logging.INFO, logger="commonwatt.devices")
    figures, other = folder / "acme.json", folder / "other.json"
    shows(figures, power_w=1_000, import_wh=700, export_wh=7, level_wh=5_000, serial="A-1")
    devicing.add(folder, spec(figures))
    with OutboxFile(folder / "outbox.sqlite") as outbox:
        program = Running(folder, outbox)
        asyncio.run(program.gateway.meet(NOON_S))
        program.live(1)
        assert [one.health for one in devicing.listing(folder)] == ["healthy"]
        assert devicing.listing(folder)[0].nameplate.serial == "A-1"

        shows(figures, power_w=1_000, import_wh=0, serial="A-1")
        program.live(10)
        assert [one.health for one in devicing.listing(folder)] == ["quarantined"]
        assert program.gateway.keeper.kept[AssetId("battery")].state is None
        done = CliRunner().invoke(app, ["devices", "release", str(folder), "battery", "--counters-from", "0,0"])
        assert done.exit_code == 0, done.output
        assert devicing.listing(folder)[0].ordered == ["reset"]
        program.live(2)
        assert [one.health for one in devicing.listing(folder)] == ["healthy"]

        figures.unlink()
        program.live(20)
        seen = json.loads((folder / "health.json").read_text())
        assert (seen["alarms"], seen["devices"][0]["health"]) == (1, "silent")
        assert stat.S_IMODE((folder / "health.json").stat().st_mode) == 0o600
        metrics = CliRunner().invoke(app, ["devices", "list", str(folder), "--metrics"])
        assert 'commonwatt_device_silent{device="1",driver="acme_whole"} 1' in metrics.output

        shows(other, power_w=0, import_wh=30, export_wh=0, level_wh=5_000, serial="B-2")
        _, exchange = devicing.replace(folder, spec(other), "the owner")
        assert (exchange.last, exchange.first) == ((0, 0), (30, 0))
        program.live(3)
        assert [(one.number, one.health) for one in devicing.listing(folder, ended=True)] == [
            (1, "replaced"),
            (2, "healthy"),
        ]
        assert program.gateway.keeper.kept[AssetId("battery")].state is not None
        devicing.remove(folder, "battery", "the owner")
        program.live(1)
        assert devicing.listing(folder) == []
        program.oversight.close()
    marks = [note.mark for note in devicing.history(folder, "battery")]
    assert marks.count(Mark.QUARANTINED) == marks.count(Mark.REPLACED) == marks.count(Mark.REMOVED) == 1
    told = CliRunner().invoke(app, ["devices", "history", str(folder), "battery"])
    assert "replaced by the owner: it ended at 0 and 0 Wh, the new one began at 30 and 0 Wh" in told.output
    lines = [json.loads(record.message) for record in caplog.records if record.name == "commonwatt.devices"]
    assert {"silent", "quarantined", "replaced"} <= {line["event"] for line in lines}
    everything = caplog.text + (folder / "health.json").read_text()
    for secret in ("battery", "A-1", str(figures), "the owner", "5000"):
        assert secret not in everything, "no personal data"


def test_only_what_is_in_quarantine_is_released(folder: Path) -> None:
    with pytest.raises(Refused, match="only what is in quarantine"):
        devicing.release(folder, "battery", "the owner")
    with InventoryFile(folder / devicing.INVENTORY) as shelf:
        assert shelf.orders() == []


def test_a_device_that_speaks_seldom_is_not_silent_so_soon(folder: Path) -> None:
    assert device_watch.rules_of(DeviceSpec(asset=AssetId("a"), driver="acme_whole", url="u")).silent_after_s == 120
    seldom = DeviceSpec(asset=AssetId("a"), driver="acme_whole", url="u", settings={"every_s": 300})
    assert device_watch.rules_of(seldom).silent_after_s == 900
    assert device_watch.rules_of(DeviceSpec(asset=AssetId("a"), driver="none", url="u")).silent_after_s == 120


def test_a_wrong_clock_is_an_alarm_in_the_health_file_and_in_the_figures() -> None:
    right = Record(number=1, asset=AssetId("a"), driver="ocpp", url="u", added_s=NOON_S, ahead_s=-2)
    wrong = replace(right, number=2, ahead_s=3_600, skewed_s=NOON_S)
    mute = replace(right, number=3, ahead_s=None)
    seen = device_health.overview([right, wrong, mute], NOON_S)
    assert (seen.alarms, seen.devices[1].clock_ahead_s, seen.devices[1].clock_wrong_since_s) == (1, 3_600, NOON_S)
    figures = device_health.metrics(seen)
    told = [line for line in figures.splitlines() if line.startswith("commonwatt_device_clock_ahead_seconds{")]
    assert [line.rpartition(" ")[2] for line in told] == ["-2", "3600"], "who tells no time has no figure"
    assert 'commonwatt_device_clock_wrong{device="2",driver="ocpp"} 1' in figures


def test_moments_are_told_as_people_tell_them() -> None:
    told = [ago(at_s, 200_000) for at_s in (None, 200_005, 199_941, 199_800, 190_000, 100_000, 0)]
    assert told == ["never", "0 s ago", "59 s ago", "3 min ago", "2 h ago", "1 day ago", "2 days ago"]
    assert device_health.overview([], 0).alarms == 0
    assert Health.NEW == "new"
