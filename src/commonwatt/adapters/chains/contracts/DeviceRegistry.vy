# pragma version ==0.4.3
"""
@title DeviceRegistry: who made a device, which key it signs with, and whose it is
@license Apache-2.0
@notice A maker whom the Timelock admits enters a device by its number and key. The device signs the claim of its owner,
    so that nobody can claim what they do not have before them, and whoever hands the claim in changes nothing about it.
    The owner rotates its key, hands it on, and retires it for ever.
@dev Keys are secp256k1, as addresses. A gateway whose secure element has only P-256 enters its delegated key.
    A device's id holds its maker, so that no maker can take a number of another's.
"""

import governed
import signed

initializes: governed
exports: governed.__interface__

struct Device:
    maker: address
    key: address
    owner: address  # nobody until it is claimed
    turn: uint64  # of its key: how often it was rotated
    retired: bool


event MakerSet:
    maker: indexed(address)
    allowed: bool


event Manufactured:
    device: indexed(bytes32)
    maker: indexed(address)
    number: indexed(bytes32)
    key: address


event Claimed:
    device: indexed(bytes32)
    owner: indexed(address)


event Rotated:
    device: indexed(bytes32)
    key: indexed(address)


event Transferred:
    device: indexed(bytes32)
    former: indexed(address)
    owner: indexed(address)


event Retired:
    device: indexed(bytes32)


NAME_HASH: constant(bytes32) = keccak256("commonwatt DeviceRegistry")
CLAIM: constant(bytes32) = keccak256("Claim(bytes32 device,address owner,uint256 deadline)")
ROTATE: constant(bytes32) = keccak256("Rotate(bytes32 device,address key,uint64 turn)")

makers: public(HashMap[address, bool])
devices: public(HashMap[bytes32, Device])


@deploy
def __init__(timelock: address):
    governed.__init__(timelock)


@external
def set_maker(maker: address, allowed: bool):
    """
    @notice Admit a maker, or no longer; by the Timelock. What was entered before stays.
    """
    governed.only_timelock()
    self.makers[maker] = allowed
    log MakerSet(maker=maker, allowed=allowed)


@external
def manufacture(number: bytes32, key: address) -> bytes32:
    """
    @notice Enter a device; by its maker, once for each number, for ever.
    @param number keccak256 of the number as it is printed on the device.
    @param key Address of the key in its secure element.
    @return The device's id.
    """
    governed.while_open()
    assert self.makers[msg.sender], "device: not a maker"
    assert key != empty(address), "device: no key"
    device: bytes32 = self._id(msg.sender, number)
    assert self.devices[device].maker == empty(address), "device: known"
    self.devices[device] = Device(maker=msg.sender, key=key, owner=empty(address), turn=0, retired=False)
    log Manufactured(device=device, maker=msg.sender, number=number, key=key)
    return device


@external
def claim(device: bytes32, owner: address, deadline: uint256, signature: Bytes[64]):
    """
    @notice Enter the first owner, whom the device signed for; by anybody.
    @param deadline Last second at which it counts, since 1970: what a shop once had signed ends.
    """
    governed.while_open()
    found: Device = self._in_use(device)
    assert found.owner == empty(address), "device: claimed"
    assert owner != empty(address), "device: no owner"
    assert block.timestamp <= deadline, "device: claim expired"
    digest: bytes32 = signed.digest(NAME_HASH, keccak256(abi_encode(CLAIM, device, owner, deadline)))
    assert signed.signer(digest, signature) == found.key, "device: not its signature"
    self.devices[device].owner = owner
    log Claimed(device=device, owner=owner)


@external
def rotate(device: bytes32, key: address, by_old: Bytes[64], by_new: Bytes[64]):
    """
    @notice Give it another key; by its owner, with both keys' signatures: a thief of the old one lacks the owner, and
        nobody enters a key that they do not have. What has lost its key is retired, and entered anew by its maker.
    """
    found: Device = self._own(device)
    assert key != found.key, "device: the same key"
    digest: bytes32 = signed.digest(NAME_HASH, keccak256(abi_encode(ROTATE, device, key, found.turn)))
    assert signed.signer(digest, by_old) == found.key, "device: not its signature"
    assert signed.signer(digest, by_new) == key, "device: not the new key's signature"
    self.devices[device].key = key
    self.devices[device].turn = found.turn + 1
    log Rotated(device=device, key=key)


@external
def transfer(device: bytes32, owner: address):
    """
    @notice Hand it on; by its owner.
    """
    found: Device = self._own(device)
    assert owner != empty(address), "device: no owner"
    self.devices[device].owner = owner
    log Transferred(device=device, former=found.owner, owner=owner)


@external
def retire(device: bytes32):
    """
    @notice End its life, for ever; by its owner, or by its maker as long as nobody claimed it.
    """
    found: Device = self._in_use(device)
    responsible: address = found.owner
    if responsible == empty(address):
        responsible = found.maker
    assert msg.sender == responsible, "device: not its owner"
    self.devices[device].retired = True
    log Retired(device=device)


@external
@pure
def id(maker: address, number: bytes32) -> bytes32:
    """
    @notice The id of a maker's device with this number, whether or not it is entered.
    """
    return self._id(maker, number)


@internal
@pure
def _id(maker: address, number: bytes32) -> bytes32:
    return keccak256(abi_encode(maker, number))


@internal
@view
def _in_use(device: bytes32) -> Device:
    found: Device = self.devices[device]
    assert found.maker != empty(address), "device: unknown"
    assert not found.retired, "device: retired"
    return found


@internal
@view
def _own(device: bytes32) -> Device:
    found: Device = self._in_use(device)
    assert msg.sender == found.owner, "device: not its owner"
    return found
