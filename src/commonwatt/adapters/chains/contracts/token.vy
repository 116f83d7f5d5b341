# pragma version ==0.4.3
"""
@title Token: ERC-20 with EIP-2612 permits, said once for ERGON, WATT and TSL
@license Apache-2.0
@notice Who may mint and burn says the contract that is built on this one. No transfer is ever stopped.
    Base units are those of the community's ledger; nothing is scaled on the way.
@dev https://eips.ethereum.org/EIPS/eip-20, https://eips.ethereum.org/EIPS/eip-2612.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

import signed

implements: IERC20
implements: IERC20Detailed

PERMIT: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
# The ledger counts with 64 bits and a sign: what it could not credit must not come into being.
MOST: constant(uint256) = 2**63 - 1

name: public(immutable(String[32]))
symbol: public(immutable(String[8]))
decimals: public(immutable(uint8))
NAME_HASH: immutable(bytes32)

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])


@deploy
def __init__(name_: String[32], symbol_: String[8], decimals_: uint8):
    name = name_
    symbol = symbol_
    decimals = decimals_
    NAME_HASH = keccak256(name_)


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Move what is the caller's.
    """
    self.move(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Move what the owner allowed the caller; an allowance of 2^256 - 1 has no end.
    """
    allowed: uint256 = self.allowance[owner][msg.sender]
    if allowed != max_value(uint256):
        assert amount <= allowed, "token: more than is allowed"
        self.allowance[owner][msg.sender] = allowed - amount
    self.move(owner, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Allow a spender so much of what is the caller's, whatever it was before.
    """
    self._allow(msg.sender, spender, amount)
    return True


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Allow a spender so much, by the owner's signature; by anybody, once for each number.
    @param deadline Last second at which it counts, since 1970.
    """
    assert block.timestamp <= deadline, "permit: expired"
    nonce: uint256 = self.nonces[owner]
    digest: bytes32 = signed.digest(
        NAME_HASH, keccak256(abi_encode(PERMIT, owner, spender, amount, nonce, deadline))
    )
    signer: address = signed.signer_of(digest, v, convert(r, uint256), convert(s, uint256))
    assert signer == owner, "permit: not the owner's signature"
    self.nonces[owner] = nonce + 1
    self._allow(owner, spender, amount)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice The EIP-712 domain of permits: name, version 1, chain, contract.
    """
    return signed.domain_separator(NAME_HASH)


@internal
def move(owner: address, to: address, amount: uint256):
    """
    @notice Move a balance; the contract that is built on this one has to know that it may.
    """
    # What is sent to the token itself could never be moved again.
    assert to != empty(address) and to != self, "token: nobody's address"
    held: uint256 = self.balanceOf[owner]
    assert amount <= held, "token: more than is held"
    self.balanceOf[owner] = held - amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=owner, receiver=to, value=amount)


@internal
def mint(to: address, amount: uint256):
    """
    @notice Bring new units into being; the contract that is built on this one has to know that they may.
    """
    assert to != empty(address) and to != self, "token: nobody's address"
    supply: uint256 = self.totalSupply
    assert amount <= MOST - supply, "token: more than can be counted"
    self.totalSupply = supply + amount
    self.balanceOf[to] += amount
    log IERC20.Transfer(sender=empty(address), receiver=to, value=amount)


@internal
def burn(owner: address, amount: uint256):
    """
    @notice End units; the contract that is built on this one has to know that they may.
    """
    held: uint256 = self.balanceOf[owner]
    assert amount <= held, "token: more than is held"
    self.balanceOf[owner] = held - amount
    self.totalSupply -= amount
    log IERC20.Transfer(sender=owner, receiver=empty(address), value=amount)


@internal
def _allow(owner: address, spender: address, amount: uint256):
    assert spender != empty(address), "token: nobody's address"
    self.allowance[owner][spender] = amount
    log IERC20.Approval(owner=owner, spender=spender, value=amount)
