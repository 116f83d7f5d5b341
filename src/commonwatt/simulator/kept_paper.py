"""A whole street's gateways on paper whose memory survives the process: one file, replaced after every slot."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from commonwatt.adapters.devices.gateway.device import PaperFleet
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.flows.ports import Heard
from commonwatt.model import AssetId, Command, GatewayId
from commonwatt.simulator.box import Memory, Spec
from commonwatt.simulator.paper import PaperProgram


class KeptPaperFleet(PaperFleet):
    """Implements the `Gateways` port over boxes on paper that go on after a kill.

    A slot that was lived and not kept is lived again, from what was before it: nobody has heard of it yet.

    Args:
        specs: What each gateway is told, the feeder's meter first.
        owner: Behind which gateway each asset is.
        path: Where they remember; mode 0600.
    """

    def __init__(self, specs: Sequence[Spec], owner: Mapping[AssetId, GatewayId], path: Path) -> None:
        kept = msgspec.json.decode(load_secret(path), type=dict[GatewayId, Memory]) if path.exists() else {}
        self._path = path
        self._programs = {spec.number: PaperProgram(spec, kept.get(spec.number)) for spec in specs}
        feeder, *homes = self._programs.values()
        super().__init__(homes, feeder, owner)

    def live(self, slot_s: int, commands: Mapping[AssetId, Command]) -> list[Heard]:
        """Let a slot pass, and keep what all remember of it before anybody hears."""
        heard = super().live(slot_s, commands)
        memories = {number: program.memory for number, program in self._programs.items()}
        save_secret(self._path, msgspec.json.encode(memories))
        return heard
