# pragma version ==0.4.3
"""
@title Meddler: a contract that receives certificates, and calls back in the middle of it what it was told to
@license Apache-2.0
@notice For tests alone. It may also be an issuer, who says whether its certificates still count.
"""

target: address
data: Bytes[2048]
refuses: bool
calls: public(uint256)
succeeded: public(uint256)
valid: public(bool)


@external
def arm(target: address, data: Bytes[2048], refuses: bool):
    """
    @notice Call this at the next receipts; or refuse them.
    """
    self.target = target
    self.data = data
    self.refuses = refuses


@external
def set_valid(valid: bool):
    """
    @notice Say from now on that certificates count, or do not.
    """
    self.valid = valid


@external
def act(target: address, data: Bytes[2048]):
    """
    @notice Call anything, as itself.
    """
    raw_call(target, data)


@external
def onERC1155Received(operator: address, owner: address, id: uint256, amount: uint256, data: Bytes[1024]) -> bytes4:
    """
    @notice Take it, having called back.
    """
    return self._taken(0xf23a6e61)


@external
def onERC1155BatchReceived(
    operator: address, owner: address, ids: DynArray[uint256, 32], amounts: DynArray[uint256, 32], data: Bytes[1024]
) -> bytes4:
    """
    @notice Take them, having called back.
    """
    return self._taken(0xbc197c81)


@internal
def _taken(answer: bytes4) -> bytes4:
    if self.refuses:
        return 0x00000000
    # Thrice at most: what it calls may call it again.
    if self.target != empty(address) and self.calls < 3:
        self.calls += 1
        if raw_call(self.target, self.data, revert_on_failure=False):
            self.succeeded += 1
    return answer
