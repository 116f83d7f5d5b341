"""Any device that is on MQTT already: topics, paths and scales of its values, and its command, as settings."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import msgspec

from commonwatt.adapters.devices.mqtt.naming import Naming, Note, Told, object_of, text_at
from commonwatt.adapters.devices.mqtt.orders import Answer, Order, Presence, Profile
from commonwatt.adapters.devices.mqtt.settings import Payload, Settings, Where, scale_of
from commonwatt.adapters.devices.mqtt.translate import FIELDS, Value, decimal_of, json_of, path_of, picked, plain, whole
from commonwatt.flexibility.fitting import hold_w
from commonwatt.model import METERS_ONLY, NO_NAMEPLATE, Asset, Band, Caps, InvalidValue

SOC = "soc_percent"
"""State of charge stands for the level that it means for the asset's capacity."""
Part = Literal["make", "model", "serial", "firmware"]
"""Of a nameplate."""
POWER_WORDS = ("$w", "$charge_w", "$discharge_w")


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the device answers with the power that it took, scaled as it was told."""

    topic: str
    path: str = ""


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the device is told a power.

    Args:
        topic: Where the command goes.
        payload: A table that becomes JSON, or a text. ``$w`` stands for the power, import positive, ``$charge_w`` and
            ``$discharge_w`` for its halves, ``$seconds`` for how long it holds.
        release: What makes the device do as it likes again.
        scale: What powers are multiplied with: -1 where discharge is positive, 0.001 where kW are told.
        watchdog_s: How long the device holds a command without hearing another, where it takes no ``$seconds``.
        setpoint: False where it takes an upper limit only.
        step_w: Its powers are multiples of this.
        reply: Where it answers, if it does.
    """

    topic: str
    payload: Payload
    release: Payload
    scale: float | int = 1
    watchdog_s: int = 0
    setpoint: bool = True
    step_w: int = 1
    reply: Reply | None = None


class GenericSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``values`` by field of a device's state, or ``soc_percent``; a list of places adds up, as phases do.

    ``nameplate`` says where make, model, serial and firmware stand.
    """

    values: dict[str, Where | list[Where]]
    nameplate: dict[Part, Where] = msgspec.field(default_factory=dict)
    command: CommandSettings | None = None
    presence_topic: str = ""
    presence_gone: str = "offline"


def profile(asset: Asset, device: str, settings: GenericSettings) -> Profile:
    """Return how a device is read and told that is described by its settings; ``{device}`` in topics is its URL's.

    Raises:
        InvalidValue: A value has no such name, or a command would hold for ever.
    """
    values = []
    for name, places in settings.values.items():
        for number, place in enumerate(places if isinstance(places, list) else [places]):
            values.append(value_of(asset, name, place, place.part or str(number), device))
    if not values:
        raise InvalidValue(f"a device of profile generic has values, {asset.id} has none")
    presence = None
    if settings.presence_topic:
        topic = settings.presence_topic.replace("{device}", device)
        presence = Presence(topic=topic, gone=settings.presence_gone.encode())
    command, named = settings.command, naming(settings.nameplate, device)
    if command is None:
        return Profile(values=tuple(values), caps=METERS_ONLY, presence=presence, naming=named)
    return Profile(
        values=tuple(values),
        caps=_caps(asset, settings.lease_s, command),
        orders=GenericOrders(command, device),
        presence=presence,
        naming=named,
    )


def naming(places: Mapping[Part, Where], device: str) -> Naming | None:
    """Return how a described device says who it is: it tells when it likes."""
    if not places:
        return None
    topics = {name: place.topic.replace("{device}", device) for name, place in places.items()}

    def hear(topic: str, payload: bytes) -> Told:
        parts = dict[str, str]()
        for name, place in places.items():
            if topics[name] == topic:
                path = path_of(place.path)
                parts[name] = text_at(object_of(payload), *path) if path else text_at(payload.decode(errors="replace"))
        return Told(replace(NO_NAMEPLATE, **parts))

    return Naming(topics=tuple(dict.fromkeys(topics.values())), hear=hear)


def value_of(asset: Asset, name: str, place: Where, part: str, device: str = "") -> Value:
    """Return a value as a setting describes it.

    Raises:
        InvalidValue: There is no such value, or the asset stores nothing that it could be a part of.
    """
    scale = scale_of(place.scale)
    field = name
    if name == SOC:
        if not asset.stores:
            raise InvalidValue(f"{SOC} is a part of a capacity, {asset.id} stores nothing")
        field, scale = "level_wh", scale * asset.capacity_wh / 100
    if field not in FIELDS:
        raise InvalidValue(f"a value is one of {', '.join((*FIELDS, SOC))}, was {name!r} for {asset.id}")
    topic = place.topic.replace("{device}", device)
    return Value(field=field, topic=topic, path=path_of(place.path), scale=scale, part=part)


class GenericOrders:
    """Implements `Orders` from a template."""

    def __init__(self, command: CommandSettings, device: str) -> None:
        self._command, self._scale = command, scale_of(command.scale)
        self._topic = command.topic.replace("{device}", device)
        self._reply = command.reply and msgspec.structs.replace(
            command.reply, topic=command.reply.topic.replace("{device}", device)
        )
        self.answers = (self._reply.topic,) if self._reply else ()

    def hold(self, band: Band, seconds: int) -> Order:
        """Return how it is told a power: the nearest to none in the band, or the upper edge where it is a limit."""
        power_w = hold_w(band) if self._command.setpoint else band.hi_w
        payload = filled(self._command.payload, power_w, seconds, self._scale)
        return Order(notes=(Note(self._topic, payload),), hear=self._hear(band) if self._reply else None)

    def release(self) -> Order:
        """Return how it is let go; nobody answers that."""
        return Order(notes=(Note(self._topic, filled(self._command.release, 0, 0, self._scale)),))

    def _hear(self, band: Band) -> Any:
        def hear(topic: str, payload: bytes) -> Answer | None:
            assert self._reply is not None
            path = path_of(self._reply.path)
            raw = picked(json_of(payload), path) if path else plain(payload)
            if raw is None:
                return Answer(refused=f"it answered {payload[:80].decode(errors='replace')}")
            took_w = whole(decimal_of(raw, topic) / self._scale)
            return Answer(taken=Band(lo_w=took_w if self._command.setpoint else min(band.lo_w, took_w), hi_w=took_w))

        return hear


def filled(template: Any, power_w: int, seconds: int, scale: Decimal) -> bytes:
    """Return a template with its numbers in place."""
    words = {
        "$discharge_w": _plain_number(max(0, -power_w) * abs(scale)),
        "$charge_w": _plain_number(max(0, power_w) * abs(scale)),
        "$seconds": seconds,
        "$w": _plain_number(power_w * scale),
    }
    if isinstance(template, str):
        return str(_text(template, words)).encode()
    return msgspec.json.encode(_filled(template, words))


def _filled(template: Any, words: Mapping[str, int | float]) -> Any:
    if isinstance(template, Mapping):
        return {key: _filled(inner, words) for key, inner in template.items()}
    if isinstance(template, list):
        return [_filled(inner, words) for inner in template]
    return _text(template, words) if isinstance(template, str) else template


def _text(text: str, words: Mapping[str, int | float]) -> str | int | float:
    if text in words:
        return words[text]
    for word, number in words.items():
        text = text.replace(word, str(number))
    return text


def _plain_number(number: Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)


def _caps(asset: Asset, lease_s: int, command: CommandSettings) -> Caps:
    said = str(command.payload)
    if not any(word in said for word in POWER_WORDS):
        raise InvalidValue(f"a command says one of {', '.join(POWER_WORDS)}, {asset.id}'s does not")
    if "$seconds" not in said and command.watchdog_s < 1:
        raise InvalidValue(
            f"a command runs out by itself: {asset.id}'s says neither $seconds nor how long its watchdog_s waits"
        )
    return Caps(
        max_import_w=asset.max_import_w,
        max_export_w=asset.max_export_w,
        min_import_w=asset.min_import_w,
        setpoint=command.setpoint,
        step_w=command.step_w,
        lease_s=min(lease_s, command.watchdog_s or lease_s),
    )
