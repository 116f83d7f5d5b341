"""The street's gateways as one port: all homes live through a slot side by side, then the feeder's meter reads."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from commonwatt.adapters.devices.gateway.translate import Hello, Live, Lived, told
from commonwatt.flows.ports import Heard
from commonwatt.model import AssetId, Command, GatewayId


class Program(Protocol):
    """A gateway program, in a process of its own or, in tests, in ours."""

    def greet(self) -> Hello:
        """Return what it says of itself."""

    def ask(self, live: Live) -> None:
        """Send one slot."""

    def answer(self, live: Live) -> Lived:
        """Return what came of it."""


class GatewayFleet:
    """Implements the `Gateways` port over gateway programs.

    Args:
        homes: The members' gateways.
        feeder: The grid's own meter, which sees what all homes' wires carried.
        owner: Behind which gateway each asset is.
    """

    def __init__(self, homes: Sequence[Program], feeder: Program, owner: Mapping[AssetId, GatewayId]) -> None:
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
                commands=[told(c) for asset, c in commands.items() if self._owner[asset] == number],
            )
            for number in self._homes
        }
        for number, ask in asks.items():
            self._homes[number].ask(ask)
        answers = {number: home.answer(asks[number]) for number, home in self._homes.items()}
        wires = Live(slot_s=slot_s, wires_wh=sum(lived.net_wh for lived in answers.values()))
        self._feeder.ask(wires)
        everyone = {**answers, self._feeder.greet().number: self._feeder.answer(wires)}
        return [Heard(gateway=number, requests=tuple(lived.requests)) for number, lived in everyone.items()]
