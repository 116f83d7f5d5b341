"""The Timelock and what it and the guardian may do, in plain Python."""

from typing import Any

from contract_words import NOBODY
from eth_abi.abi import encode
from model_world import Modelled, World, insist

from commonwatt.identity.keys import keccak256

FRESH_S = 14 * 86_400
PAUSE_S = 7 * 86_400
DONE = 1
BINDS_GUARDIAN = {keccak256(b"resume()")[:4], keccak256(b"name_guardian(address)")[:4]}
"""What calls begin with that the guardian cannot cancel."""


class Timelock(Modelled):
    """Calls by id, and when each is due."""

    def __init__(self, world: World, name: str, delay_s: int, proposer: bytes, guardian: bytes) -> None:
        super().__init__(world, name)
        self.delay_s, self.proposer, self.guardian = delay_s, proposer, guardian
        self.due: dict[bytes, int] = {}

    def schedule(self, sender: bytes, target: bytes, data: bytes, salt: bytes) -> bytes:
        insist(sender == self.proposer, "timelock: not the proposer")
        call = call_id(target, data, salt)
        insist(call not in self.due, "timelock: already scheduled")
        self.due[call] = self.world.now_s + self.delay_s
        self.log("Scheduled", call, target, data, salt, self.due[call])
        return call

    def execute(self, sender: bytes, target: bytes, data: bytes, salt: bytes) -> None:
        call = call_id(target, data, salt)
        due = self.due.get(call, 0)
        insist(due > DONE, "timelock: not scheduled")
        insist(due <= self.world.now_s, "timelock: not due")
        insist(self.world.now_s < due + FRESH_S, "timelock: stale")
        insist(target in self.world.names, "timelock: no contract there")
        self.due[call] = DONE
        self.world.carry_out(self.place, target, data)
        self.log("Executed", call)

    def cancel(self, sender: bytes, target: bytes, data: bytes, salt: bytes) -> None:
        insist(sender in {self.proposer, self.guardian}, "timelock: neither proposer nor guardian")
        may = sender == self.proposer or data[:4] not in BINDS_GUARDIAN
        insist(may, "timelock: not the guardian's to cancel")
        call = call_id(target, data, salt)
        insist(self.due.get(call, 0) > DONE, "timelock: not scheduled")
        del self.due[call]
        self.log("Cancelled", call, sender)

    def name_proposer(self, sender: bytes, proposer: bytes) -> None:
        insist(sender == self.place, "timelock: not the timelock")
        insist(proposer != NOBODY, "timelock: no proposer")
        self.proposer = proposer
        self.log("ProposerNamed", proposer)

    def name_guardian(self, sender: bytes, guardian: bytes) -> None:
        insist(sender == self.place, "timelock: not the timelock")
        insist(guardian != NOBODY, "timelock: no guardian")
        self.guardian = guardian
        self.log("GuardianNamed", guardian)


class Governed(Modelled):
    """Whatever the Timelock governs and the guardian can pause."""

    def __init__(self, world: World, name: str, *args: Any) -> None:
        super().__init__(world, name, *args)
        self.paused_until = 0

    def pause(self, sender: bytes) -> None:
        insist(sender == self._guardian(), "governed: not the guardian")
        insist(self.world.now_s >= self.paused_until + PAUSE_S, "governed: paused a while ago")
        self.paused_until = self.world.now_s + PAUSE_S
        self.log("Paused", sender, self.paused_until)

    def resume(self, sender: bytes) -> None:
        insist(self.paused, "governed: not paused")
        insist(sender in {self.world.places["Timelock"], self._guardian()}, "governed: not the guardian")
        self.paused_until = self.world.now_s
        self.log("Resumed", sender)

    @property
    def paused(self) -> bool:
        """Whether what enters is stopped now."""
        return self.world.now_s < self.paused_until

    def only_timelock(self, sender: bytes) -> None:
        """Refuse whoever is not the Timelock."""
        insist(sender == self.world.places["Timelock"], "governed: not the timelock")

    def while_open(self) -> None:
        """Refuse while paused."""
        insist(not self.paused, "governed: paused")

    def _guardian(self) -> bytes:
        guardian: bytes = self.world.contracts["Timelock"].guardian
        return guardian


def call_id(target: bytes, data: bytes, salt: bytes) -> bytes:
    """Return the id of a call."""
    return keccak256(encode(["address", "bytes", "bytes32"], [target, data, salt]))
