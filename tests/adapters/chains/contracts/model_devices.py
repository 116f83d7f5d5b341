"""The registry of devices in plain Python."""

from dataclasses import dataclass, replace

from contract_words import NOBODY
from eth_abi.abi import encode
from model_roles import Governed
from model_world import World, insist, signer

from commonwatt.identity.keys import keccak256


@dataclass(frozen=True, slots=True)
class Device:
    """A device as it stands."""

    maker: bytes
    key: bytes
    owner: bytes = NOBODY
    turn: int = 0
    retired: bool = False


class DeviceRegistry(Governed):
    """Devices by id."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.makers: set[bytes] = set()
        self.devices: dict[bytes, Device] = {}

    def set_maker(self, sender: bytes, maker: bytes, allowed: bool) -> None:
        self.only_timelock(sender)
        (self.makers.add if allowed else self.makers.discard)(maker)
        self.log("MakerSet", maker, allowed)

    def manufacture(self, sender: bytes, number: bytes, key: bytes) -> bytes:
        self.while_open()
        insist(sender in self.makers, "device: not a maker")
        insist(key != NOBODY, "device: no key")
        device = device_id(sender, number)
        insist(device not in self.devices, "device: known")
        self.devices[device] = Device(sender, key)
        self.log("Manufactured", device, sender, number, key)
        return device

    def claim(self, sender: bytes, device: bytes, owner: bytes, deadline: int, signature: bytes) -> None:
        self.while_open()
        found = self._in_use(device)
        insist(found.owner == NOBODY, "device: claimed")
        insist(owner != NOBODY, "device: no owner")
        insist(self.world.now_s <= deadline, "device: claim expired")
        by = signer(self.digest("Claim", device, owner, deadline), signature)
        insist(by == found.key, "device: not its signature")
        self.devices[device] = replace(found, owner=owner)
        self.log("Claimed", device, owner)

    def rotate(self, sender: bytes, device: bytes, key: bytes, by_old: bytes, by_new: bytes) -> None:
        found = self._own(sender, device)
        insist(key != found.key, "device: the same key")
        digest = self.digest("Rotate", device, key, found.turn)
        insist(signer(digest, by_old) == found.key, "device: not its signature")
        insist(signer(digest, by_new) == key, "device: not the new key's signature")
        self.devices[device] = replace(found, key=key, turn=found.turn + 1)
        self.log("Rotated", device, key)

    def transfer(self, sender: bytes, device: bytes, owner: bytes) -> None:
        found = self._own(sender, device)
        insist(owner != NOBODY, "device: no owner")
        self.devices[device] = replace(found, owner=owner)
        self.log("Transferred", device, found.owner, owner)

    def retire(self, sender: bytes, device: bytes) -> None:
        found = self._in_use(device)
        responsible = found.maker if found.owner == NOBODY else found.owner
        insist(sender == responsible, "device: not its owner")
        self.devices[device] = replace(found, retired=True)
        self.log("Retired", device)

    def _in_use(self, device: bytes) -> Device:
        insist(device in self.devices, "device: unknown")
        insist(not self.devices[device].retired, "device: retired")
        return self.devices[device]

    def _own(self, sender: bytes, device: bytes) -> Device:
        found = self._in_use(device)
        insist(sender == found.owner, "device: not its owner")
        return found


def device_id(maker: bytes, number: bytes) -> bytes:
    """Return the id of a maker's device."""
    return keccak256(encode(["address", "bytes32"], [maker, number]))
