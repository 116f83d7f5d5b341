"""How a device is told over MQTT, and how its answer is told from other messages: what every profile builds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from commonwatt.adapters.devices.mqtt.naming import Naming, Note
from commonwatt.adapters.devices.mqtt.translate import Value
from commonwatt.model import Band, Caps


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device said to an order: in words why not, or the band that it took; None: the one that was asked."""

    refused: str = ""
    taken: Band | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something to tell a device.

    Args:
        notes: What is sent.
        hear: Called with topic and payload of what arrives on the profile's answer topics, and returns the answer,
            or None where it is not complete, or something else; None where this device never answers.
    """

    notes: tuple[Note, ...]
    hear: Callable[[str, bytes], Answer | None] | None = None


class Orders(Protocol):
    """How one device is told."""

    @property
    def answers(self) -> Sequence[str]:
        """Topics on which it answers."""

    def hold(self, band: Band, seconds: int) -> Order:
        """Return how it is told to hold a band, which it can, for so many seconds."""

    def release(self) -> Order:
        """Return how it is told to go to its safe default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """On which topic a device, or the broker for it (its Last Will), says that it is there or gone."""

    topic: str
    gone: bytes


Learn = Callable[[str, bytes], list[Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is particular to a kind of device.

    Args:
        values: Where its values stand.
        caps: What it can be told.
        orders: How; None for a meter.
        presence: Where it says that it is gone.
        hello: What is sent after each connection, so that it tells all that it has.
        silent_after_s: A few of its own intervals.
        learn: For devices whose topics must be found first: called with each message on ``learn_from``.
        learn_from: Topic filters.
        naming: How it says who it is; None where it does not.
    """

    values: tuple[Value, ...]
    caps: Caps
    orders: Orders | None = None
    presence: Presence | None = None
    hello: tuple[Note, ...] = ()
    silent_after_s: int = 120
    learn: Learn | None = None
    learn_from: tuple[str, ...] = field(default=())
    naming: Naming | None = None
