# pragma version ==0.4.3
"""
@title A token that attacks whoever moves it: it keeps a part for itself, and calls back in the middle of a transfer
@license Apache-2.0
"""

balanceOf: public(HashMap[address, uint256])
kept: public(uint256)
target: address
told: Bytes[2048]
tried: public(uint256)
let_in: public(uint256)


@deploy
def __init__(owner: address):
    self.balanceOf[owner] = 10**15


@external
def keep(part: uint256):
    self.kept = part


@external
def attack(target: address, told: Bytes[2048]):
    self.target = target
    self.told = told


@external
def transfer(to: address, amount: uint256) -> bool:
    self._move(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self._move(owner, to, amount)
    return True


@internal
def _move(owner: address, to: address, amount: uint256):
    if self.target != empty(address):
        self.tried += 1
        # Whether it was let in is all that matters; the transfer itself goes on as if nothing had been.
        if raw_call(self.target, self.told, revert_on_failure=False):
            self.let_in += 1
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount - self.kept
