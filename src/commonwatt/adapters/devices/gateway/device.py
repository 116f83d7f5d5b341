"""A street's gateways as one port: on wires, where gateways speak to devices, and on paper, where a box is both."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from commonwatt.adapters.devices.gateway.client import GatewayProcess, PlantProcess
from commonwatt.adapters.devices.gateway.translate import Hello, Live, Lived, Slot, told
from commonwatt.flows.ports import Heard
from commonwatt.model import SLOT_SECONDS, AssetId, Command, GatewayId


class WiredFleet:
    """Implements the `Gateways` port over gateway programs that reach simulated devices over real wires.

    Args:
        homes: The members' gateways, each in a process of its own.
        feeder: The grid's own meter.
        plant: The street's devices.
        owner: Behind which gateway each asset is.
    """

    def __init__(
        self,
        homes: Sequence[GatewayProcess],
        feeder: GatewayProcess,
        plant: PlantProcess,
        owner: Mapping[AssetId, GatewayId],
    ) -> None:
        self._plant, self._owner = plant, owner
        self._gateways = {gateway.greet().number: gateway for gateway in (*homes, feeder)}
        self._publics = {
            hello.number: bytes.fromhex(hello.public) for hello in (feeder.greet(), *(home.greet() for home in homes))
        }

    def keys(self) -> Mapping[GatewayId, bytes]:
        """Return each gateway's public key."""
        return self._publics

    def live(self, slot_s: int, commands: Mapping[AssetId, Command]) -> list[Heard]:
        """Let a slot begin, tell every gateway at once, let it end, and have every meter read."""
        end_s = slot_s + SLOT_SECONDS
        self._plant.step(Slot(slot_s=slot_s, phase="begin", now_s=slot_s))
        self._all(
            {
                number: Slot(
                    slot_s=slot_s,
                    phase="tell",
                    now_s=slot_s,
                    commands=[told(c) for asset, c in commands.items() if self._owner.get(asset) == number],
                )
                for number in self._gateways
            }
        )
        self._plant.step(Slot(slot_s=slot_s, phase="end", now_s=end_s))
        read = Slot(slot_s=slot_s, phase="read", now_s=end_s)
        answers = self._all(dict.fromkeys(self._gateways, read))
        return [Heard(gateway=number, requests=tuple(lived.requests)) for number, lived in answers.items()]

    def _all(self, asks: Mapping[GatewayId, Slot]) -> dict[GatewayId, Lived]:
        for number, ask in asks.items():
            self._gateways[number].ask(ask)
        return {number: gateway.answer(asks[number]) for number, gateway in self._gateways.items()}


class PaperBox(Protocol):
    """A gateway and the home behind it, on paper."""

    def greet(self) -> Hello:
        """Return what it says of itself."""

    def ask(self, live: Live) -> None:
        """Send one slot."""

    def answer(self, live: Live) -> Lived:
        """Return what came of it."""


class PaperFleet:
    """Implements the `Gateways` port over boxes on paper.

    Args:
        homes: The members' gateways.
        feeder: The grid's own meter, which sees what all homes' wires carried.
        owner: Behind which gateway each asset is.
    """

    def __init__(self, homes: Sequence[PaperBox], feeder: PaperBox, owner: Mapping[AssetId, GatewayId]) -> None:
        self._feeder, self._owner = feeder, owner
        self._homes = {home.greet().number: home for home in homes}
        self._publics = {
            hello.number: bytes.fromhex(hello.public) for hello in (feeder.greet(), *(home.greet() for home in homes))
        }

    def keys(self) -> Mapping[GatewayId, bytes]:
        """Return each gateway's public key."""
        return self._publics

    def live(self, slot_s: int, commands: Mapping[AssetId, Command]) -> list[Heard]:
        """Let a slot pass at every home at once, then at the feeder."""
        asks = {
            number: Live(
                slot_s=slot_s,
                commands=[told(c) for asset, c in commands.items() if self._owner.get(asset) == number],
            )
            for number in self._homes
        }
        for number, ask in asks.items():
            self._homes[number].ask(ask)
        answers = {number: home.answer(asks[number]) for number, home in self._homes.items()}
        wires = Live(slot_s=slot_s, wires_wh=sum(lived.net_wh for lived in answers.values()))
        self._feeder.ask(wires)
        everyone = {self._feeder.greet().number: self._feeder.answer(wires)}
        everyone = {**answers, **everyone}
        return [Heard(gateway=number, requests=tuple(lived.requests)) for number, lived in everyone.items()]
