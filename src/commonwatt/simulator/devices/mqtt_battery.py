"""A simulated battery inverter as many bridges put them on MQTT: JSON state, a set-point with a duration, an answer."""

import json

from commonwatt.model import Band
from commonwatt.simulator.devices.mqtt_thing import Said, Thing
from commonwatt.simulator.plant import Plant


class MqttBattery(Thing):
    """Discharge is positive here, as with most inverters; numbers of the battery itself travel as text."""

    def __init__(self, plant: Plant, name: str) -> None:
        super().__init__(plant, name)
        self.will = Said(f"{name}/link", "offline", retain=True)
        self.birth = Said(f"{name}/link", "online", retain=True)
        self.hears = (f"{name}/set",)

    def telemetry(self) -> list[Said]:
        """Return its state."""
        plant = self.plant
        state = {
            "battery": {
                "power": str(-plant.power_w),
                "soc": "NaN" if self.lies else f"{100 * plant.level_wh / plant.asset.capacity_wh:.2f}",
            },
            "energy": {"charged_kwh": plant.import_wh / 1000, "discharged_kwh": plant.export_wh / 1000},
        }
        label = self.nameplate
        about = {"maker": label.make, "type": label.model, "sn": label.serial, "version": label.firmware}
        return [
            Said(f"{self.name}/state", json.dumps(state)),
            Said(f"{self.name}/about", json.dumps(about), retain=True),
        ]

    async def heard(self, topic: str, payload: bytes) -> None:
        """Take a set-point for some seconds, clamped to what it can, or run by itself again; answer."""
        asked = json.loads(payload)
        plant = self.plant
        if asked["mode"] == "auto":
            plant.release()
            await self.say(Said(f"{self.name}/answer", json.dumps({"mode": "auto"})))
            return
        power_w = max(-plant.asset.max_export_w, min(plant.asset.max_import_w, -int(asked["watts"])))
        plant.ask(Band(lo_w=power_w, hi_w=power_w), plant.now_s + int(asked["seconds"]))
        await self.say(Said(f"{self.name}/answer", json.dumps({"mode": "remote", "watts": -power_w})))
