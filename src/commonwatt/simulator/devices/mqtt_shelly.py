"""Simulated Shelly devices: an EM of the first generation, meters and a relay of the second."""

import json
from collections.abc import Mapping

from commonwatt.model import Band
from commonwatt.simulator.devices.mqtt_thing import Said, Thing
from commonwatt.simulator.plant import Plant


class ShellyEm(Thing):
    """A Gen1 EM, with as many channels as phases: one plain number a topic, power split evenly."""

    def __init__(self, plant: Plant, name: str, channels: int = 2) -> None:
        super().__init__(plant, name)
        base = f"shellies/{name}"
        self.will = Said(f"{base}/online", "false", retain=True)
        self.birth = Said(f"{base}/online", "true", retain=True)
        self.hears = (f"{base}/command", "shellies/command")
        self._base, self._channels = base, channels

    def telemetry(self) -> list[Said]:
        """Return what comes every 30 seconds."""
        plant, said = self.plant, []
        for channel in range(self._channels):
            at = f"{self._base}/emeter/{channel}"
            numbers = {
                "power": plant.power_w / self._channels,
                "total": plant.import_wh / self._channels,
                "total_returned": plant.export_wh / self._channels,
                "voltage": 230.1,
            }
            for name, number in numbers.items():
                said.append(Said(f"{at}/{name}", "nan" if self.lies else f"{number:.2f}"))
        info = {"unixtime": plant.now_s, "mac": self.nameplate.serial, "mqtt": {"connected": True}}
        return [*said, Said(f"{self._base}/info", json.dumps(info))]

    async def heard(self, topic: str, payload: bytes) -> None:
        """Tell everything when asked for an update, and who it is when asked to announce itself."""
        if payload == b"update":
            await self.tell()
        elif payload == b"announce":
            await self.say(*self.announcements())

    def announcements(self) -> list[Said]:
        """Return who it is, on the topic that all share and on its own; no broker keeps it."""
        label = self.nameplate
        told = {"id": self.name, "model": label.model, "mac": label.serial, "fw_ver": label.firmware}
        announced = json.dumps(told | {"ip": "192.0.2.7", "new_fw": False})
        return [Said("shellies/announce", announced), Said(f"{self._base}/announce", announced)]


class ShellyPm(Thing):
    """A Gen2+ device with one relay and a meter.

    Args:
        plant: The load: while nobody holds it, it draws what it likes, or nothing where the relay rests off.
        name: Its id.
        three_phases: A Pro 3EM with its switch add-on; else a Plus 1PM.
        rests_on: Whether the relay is on while nobody holds it. Then its load cannot be made to draw.
    """

    def __init__(self, plant: Plant, name: str, *, three_phases: bool = False, rests_on: bool = True) -> None:
        super().__init__(plant, name)
        self.will = Said(f"{name}/online", "false", retain=True)
        self.birth = Said(f"{name}/online", "true", retain=True)
        self.hears = (f"{name}/rpc", f"{name}/command")
        self._three_phases, self.rests_on = three_phases, rests_on

    @property
    def on(self) -> bool:
        """Tell whether its relay lets anything through."""
        return self.rests_on if self.plant.held is None else self.plant.held.hi_w > 0

    def telemetry(self) -> list[Said]:
        """Return its components' status."""
        plant = self.plant
        on = self.on
        sys = self._status("sys", {"mac": self.nameplate.serial, "unixtime": plant.now_s, "uptime": 60})
        switch: dict[str, object] = {"id": 0, "source": "MQTT", "output": on}
        if not self._three_phases:
            switch |= {
                "apower": plant.power_w,
                "voltage": 230.1,
                "aenergy": {"total": -3 if self.lies else plant.import_wh, "minute_ts": plant.now_s},
            }
            return [sys, self._status("switch:0", switch)]
        powers = [plant.power_w / 4, plant.power_w / 4, plant.power_w / 2]
        em: dict[str, object] = {f"{phase}_act_power": power for phase, power in zip("abc", powers, strict=True)}
        em |= {"id": 0, "total_act_power": "NaN" if self.lies else round(sum(powers), 3)}
        emdata = {"id": 0, "total_act": float(plant.import_wh), "total_act_ret": float(plant.export_wh)}
        return [sys, self._status("switch:0", switch), self._status("em:0", em), self._status("emdata:0", emdata)]

    async def heard(self, topic: str, payload: bytes) -> None:
        """Answer a remote call, or tell everything."""
        if topic == f"{self.name}/command":
            if payload == b"status_update":
                await self.tell()
            return
        frame = json.loads(payload)
        answer: dict[str, object] = {"id": frame["id"], "src": self.name, "dst": frame["src"]}
        params = frame.get("params", {})
        if frame.get("method") == "Shelly.GetDeviceInfo":
            label = self.nameplate
            answer["result"] = {
                "id": self.name,
                "mac": label.serial,
                "model": label.model,
                "gen": 2,
                "ver": label.firmware,
            }
        elif frame.get("method") == "Shelly.GetStatus":
            said = {one.topic.rpartition("/")[2]: json.loads(one.payload) for one in self.telemetry()}
            answer["result"] = said | {"mqtt": {"connected": True}}
        elif frame.get("method") != "Switch.Set":
            answer["error"] = {"code": 404, "message": f"No handler for {frame.get('method')}"}
        elif params.get("id") != 0:
            answer["error"] = {"code": -105, "message": f"Argument 'id', value {params.get('id')} not found!"}
        else:
            answer["result"] = {"was_on": self.on}
            self._switch(on=bool(params["on"]), flips_after_s=params.get("toggle_after"))
        await self.say(Said(f"{frame['src']}/rpc", json.dumps(answer)))

    def _switch(self, *, on: bool, flips_after_s: int | None) -> None:
        plant = self.plant
        power_w = plant.asset.max_import_w if on else 0
        if on != self.rests_on:
            until_s = None if flips_after_s is None else plant.now_s + int(flips_after_s)
            plant.ask(Band(lo_w=power_w, hi_w=power_w), until_s)
            return
        plant.release()
        if flips_after_s is not None:
            # It will flip away from where it rests, for good: what nobody should ask for shows at once.
            plant.ask(Band(lo_w=plant.asset.max_import_w - power_w, hi_w=plant.asset.max_import_w - power_w), None)

    def _status(self, component: str, status: Mapping[str, object]) -> Said:
        return Said(f"{self.name}/status/{component}", json.dumps(status))
