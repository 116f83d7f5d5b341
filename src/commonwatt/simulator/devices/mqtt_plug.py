"""A simulated plug with the firmware Tasmota, whose relay turns back by a timer of its own."""

import json

from commonwatt.model import Band, instant
from commonwatt.simulator.devices.mqtt_thing import Said, Thing
from commonwatt.simulator.plant import Plant

TURNS_ON_AFTER = 5
"""The PowerOnState with which the timer turns the relay on; with others it turns it off."""


class TasmotaPlug(Thing):
    """Speaks as Tasmota 9.1 and later do.

    Args:
        plant: The load: while nobody holds it, it draws what it likes, or nothing where the relay rests off.
        name: Its topic.
        rests_on: Whether the relay is on while nobody holds it. Then its load cannot be made to draw.
    """

    def __init__(self, plant: Plant, name: str, *, rests_on: bool = True) -> None:
        super().__init__(plant, name)
        self.rests_on = rests_on
        self.will = Said(f"tele/{name}/LWT", "Offline", retain=True)
        self.birth = Said(f"tele/{name}/LWT", "Online", retain=True)
        self.hears = (f"cmnd/{name}/+",)
        self.power_on_state, self.pulse = 3, 0

    @property
    def on(self) -> bool:
        """Tell whether its relay lets anything through."""
        return self.rests_on if self.plant.held is None else self.plant.held.hi_w > 0

    def announcements(self) -> list[Said]:
        """Return how it is found, as its broker keeps it."""
        label = self.nameplate
        mac = "".join(letter for letter in label.serial.upper() if letter.isalnum())
        found = {"dn": "Plug", "mac": mac, "md": label.model, "sw": label.firmware, "t": self.name, "rl": [1, 0]}
        found |= {"ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"]}
        return [Said(f"tasmota/discovery/{mac}/config", json.dumps(found), retain=True)]

    def telemetry(self) -> list[Said]:
        """Return STATE and SENSOR as they come each TelePeriod."""
        state: dict[str, object] = {"Time": "2026-01-01T12:00:00", "UptimeSec": 60, "POWER": "ON" if self.on else "OFF"}
        sensor = {"Time": "2026-01-01T12:00:00", "ENERGY": self._energy()}
        return [
            Said(f"tele/{self.name}/STATE", json.dumps(state)),
            Said(f"tele/{self.name}/SENSOR", json.dumps(sensor)),
        ]

    async def heard(self, topic: str, payload: bytes) -> None:
        """Run the commands of a message."""
        command, text = topic.rsplit("/", 1)[1].lower(), payload.decode()
        if command in ("backlog", "backlog0"):
            for part in text.split(";"):
                name, _, argument = part.strip().partition(" ")
                await self._run(name.lower(), argument.strip())
        else:
            await self._run(command, text)

    async def _run(self, command: str, argument: str) -> None:
        result, label = f"stat/{self.name}/RESULT", self.nameplate
        if command == "status" and argument in ("2", "5", "7"):
            utc = f"{instant(self.plant.now_s):%Y-%m-%dT%H:%M:%SZ}"
            parts: dict[str, dict[str, object]] = {
                "2": {"StatusFWR": {"Version": label.firmware, "Hardware": "ESP8266EX"}},
                "5": {"StatusNET": {"Hostname": self.name, "Mac": label.serial}},
                "7": {"StatusTIM": {"UTC": utc, "Local": "2026-01-01T13:00:00", "Timezone": "+01:00"}},
            }
            await self.say(Said(f"stat/{self.name}/STATUS{argument}", json.dumps(parts[argument])))
        elif command == "module":
            await self.say(Said(result, json.dumps({"Module": {"43": label.model}})))
        elif command == "status" and argument == "10":
            body = {"StatusSNS": {"Time": "2026-01-01T12:00:00", "ENERGY": self._energy()}}
            await self.say(Said(f"stat/{self.name}/STATUS10", json.dumps(body)))
        elif command == "poweronstate":
            self.power_on_state = int(argument)
            await self.say(Said(result, json.dumps({"PowerOnState": self.power_on_state})))
        elif command == "pulsetime1":
            self.pulse = int(argument)
            timer = {"PulseTime1": {"Set": self.pulse, "Remaining": self.pulse}}
            await self.say(Said(result, json.dumps(timer)))
        elif command in ("power", "power1"):
            self._switch(on=argument.upper() == "ON")
            word = "ON" if self.on else "OFF"
            await self.say(Said(result, json.dumps({"POWER": word})), Said(f"stat/{self.name}/POWER", word))
        else:
            await self.say(Said(result, json.dumps({"Command": "Unknown"})))

    def _switch(self, *, on: bool) -> None:
        plant = self.plant
        if on == self.rests_on:
            plant.release()
            return
        timed = self.rests_on == (self.power_on_state == TURNS_ON_AFTER) and self.pulse > 0
        seconds = self.pulse // 10 if self.pulse < 112 else self.pulse - 100
        power_w = plant.asset.max_import_w if on else 0
        plant.ask(Band(lo_w=power_w, hi_w=power_w), plant.now_s + seconds if timed else None)

    def _energy(self) -> dict[str, object]:
        plant = self.plant
        energy: dict[str, object] = {
            "TotalStartTime": "2025-01-01T00:00:00",
            "Total": -1.5 if self.lies else plant.import_wh / 1000,
            "Today": 0.0,
            "Power": plant.power_w,
            "Voltage": 230,
            "Factor": 1.0,
        }
        if plant.asset.max_export_w:
            energy["ExportActive"] = plant.export_wh / 1000
        return energy
