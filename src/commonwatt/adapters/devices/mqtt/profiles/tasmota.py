"""Plugs and switches with the firmware Tasmota: telemetry as they send it, and a relay that falls back by itself."""

from decimal import Decimal

from commonwatt.adapters.devices.mqtt.naming import Naming, Note, Told, object_of, text_at, utc_at
from commonwatt.adapters.devices.mqtt.orders import Answer, Order, Presence, Profile
from commonwatt.adapters.devices.mqtt.profiles.relay import lets_draw, relay_caps, topic_named
from commonwatt.adapters.devices.mqtt.settings import Relay
from commonwatt.adapters.devices.mqtt.translate import ALIVE, Value, json_of
from commonwatt.model import Asset, Band, InvalidValue, Nameplate

FIRMWARE, NETWORK, TIME = b"2", b"5", b"7"
"""Parts of its status."""
TELE_PERIOD_S = 300
"""How often it tells what it measures, where its owner has not set it otherwise."""
LONGEST_S = 64_800


class TasmotaSettings(Relay, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``relay`` is its number, from 1; ``full_topic`` as in its own settings."""

    relay: int = 1
    full_topic: str = "%prefix%/%topic%/"


def profile(asset: Asset, device: str, settings: TasmotaSettings) -> Profile:
    """Return how a Tasmota device measures and is switched.

    Source: Tasmota documentation, MQTT, Commands (PulseTime, PowerOnState, Backlog) and Status.
    """
    if not 1 <= settings.relay <= 8:
        raise InvalidValue(f"a relay with a timer of its own is one of 1 to 8, was {settings.relay}")
    whole = settings.full_topic.replace("%topic%", topic_named(device, asset)).rstrip("/")
    tele, stat, cmnd = (whole.replace("%prefix%", prefix) for prefix in ("tele", "stat", "cmnd"))
    places = ((f"{tele}/SENSOR", ()), (f"{stat}/STATUS10", ("StatusSNS",)))
    values = [value for topic, above in places for value in _energy(topic, above)]
    for name in ("POWER", f"POWER{settings.relay}"):
        values.append(Value(field=ALIVE, topic=f"{tele}/STATE", path=(name,)))
    return Profile(
        values=tuple(values),
        caps=relay_caps(asset, min(settings.lease_s, LONGEST_S), switches=settings.switches),
        orders=TasmotaRelay(cmnd, stat, settings.relay, settings.falls_back_to) if settings.switches else None,
        presence=Presence(topic=f"{tele}/LWT", gone=b"Offline"),
        hello=(Note(f"{cmnd}/STATUS", b"10"),),
        silent_after_s=2 * TELE_PERIOD_S + 60,
        naming=naming(cmnd, stat),
    )


def naming(cmnd: str, stat: str) -> Naming:
    """Return how it says who it is: the module's name, its MAC address for a serial number, and the time in UTC.

    Source: Tasmota documentation, JSON Status Responses (StatusFWR, StatusNET, StatusTIM) and Commands (Module).
    """

    def hear(topic: str, payload: bytes) -> Told:
        said = object_of(payload)
        module = said.get("Module")
        names = [text_at(name) for name in module.values()] if isinstance(module, dict) else []
        model = names[0] if len(names) == 1 else ""  # all that it could be, where somebody asked for those
        nameplate = Nameplate(
            model=model,
            serial=text_at(said, "StatusNET", "Mac"),
            firmware=text_at(said, "StatusFWR", "Version"),
        )
        return Told(nameplate, utc_at(said, "StatusTIM", "UTC"))

    asked = [Note(f"{cmnd}/MODULE", b""), *(Note(f"{cmnd}/STATUS", part) for part in (FIRMWARE, TIME, NETWORK))]
    topics = [f"{stat}/RESULT", *(f"{stat}/STATUS{part.decode()}" for part in (FIRMWARE, TIME, NETWORK))]
    return Naming(topics=tuple(topics), hear=hear, ask=tuple(asked))


class TasmotaRelay:
    """Implements `Orders` with PulseTime, the relay's own timer.

    The timer turns the relay off, or with PowerOnState 5 on: that is what it falls back to, also after its power was
    gone. The other way needs no timer: it is where the relay goes anyhow.
    """

    def __init__(self, cmnd: str, stat: str, relay: int, falls_back_to: str) -> None:
        self._backlog, self._relay, self._falls_on = f"{cmnd}/Backlog0", relay, falls_back_to == "on"
        self.answers = (f"{stat}/RESULT",)

    def hold(self, band: Band, seconds: int) -> Order:
        """Return how it is switched for a while: timer first, then the relay, which starts it."""
        return self._order(5 if self._falls_on else 0, pulse_time(seconds), on=lets_draw(band))

    def release(self) -> Order:
        """Return how it becomes an ordinary plug again: without a timer, and after a power cut as it is now."""
        return self._order(1 if self._falls_on else 0, 0, on=self._falls_on)

    def _order(self, power_on_state: int, pulse: int, *, on: bool) -> Order:
        word, timer = "ON" if on else "OFF", f"PulseTime{self._relay}"
        text = f"PowerOnState {power_on_state}; {timer} {pulse}; Power{self._relay} {word}"
        waiting = {"PowerOnState", timer, "POWER"}

        def hear(topic: str, payload: bytes) -> Answer | None:
            said = json_of(payload)
            if not isinstance(said, dict):
                return None
            if said.get("Command") in ("Unknown", "Error"):
                return Answer(refused=f"it does not know {text!r}")
            if said.get("PowerOnState") == power_on_state:
                waiting.discard("PowerOnState")
            told = said.get(timer)
            if isinstance(told, dict) and told.get("Set") == pulse:
                waiting.discard(timer)
            if word in (said.get("POWER"), said.get(f"POWER{self._relay}")) and timer not in waiting:
                waiting.discard("POWER")
            return None if waiting else Answer()

        return Order(notes=(Note(self._backlog, text.encode()),), hear=hear)


def pulse_time(seconds: int) -> int:
    """Return a PulseTime: tenths of a second up to 11 s, from 112 on seconds and 100 more."""
    return seconds * 10 if seconds <= 11 else min(seconds, LONGEST_S) + 100


def _energy(topic: str, above: tuple[str, ...]) -> list[Value]:
    kilo = Decimal(1000)
    return [
        Value(field="power_w", topic=topic, path=(*above, "ENERGY", "Power")),
        Value(field="import_wh", topic=topic, path=(*above, "ENERGY", "Total"), scale=kilo),
        Value(field="export_wh", topic=topic, path=(*above, "ENERGY", "ExportActive"), scale=kilo),
    ]
