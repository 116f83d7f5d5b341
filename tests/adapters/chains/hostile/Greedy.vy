# pragma version ==0.4.3
"""
@title Greedy: a token that asks the Vault for more while the Vault pays with it
@license Apache-2.0
"""

balanceOf: public(HashMap[address, uint256])
target: address
data: Bytes[8192]
tried: public(bool)
got_in: public(bool)


@external
def give(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def arm(target_: address, data_: Bytes[8192]):
    self.target = target_
    self.data = data_


@external
def transfer(to: address, amount: uint256) -> bool:
    self._again()
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self._again()
    self.balanceOf[to] += amount
    return True


@internal
def _again():
    if self.target == empty(address):
        return
    self.tried = True
    if raw_call(self.target, self.data, revert_on_failure=False):
        self.got_in = True
