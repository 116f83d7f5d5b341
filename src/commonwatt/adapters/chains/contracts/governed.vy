# pragma version ==0.4.3
"""
@title Governed: what the Timelock and the guardian may do, said once for all contracts
@license Apache-2.0
@notice The Timelock alone holds roles. The guardian, whom it names, can stop at once what enters (mint, deposit, open,
    join, anchor), never what leaves (withdraw, claim, exit, burn, transfer, slash, unbond): a pause seizes nothing.
    A pause ends by itself after `PAUSE_S`, and the next one begins as long after its end at the earliest: what enters
    is never stopped for good, and half of all time at most.
    No proxy, no upgrade, no withdrawal by an owner.
"""

interface Timelock:
    def guardian() -> address: view


event Paused:
    by: indexed(address)
    until_s: uint256


event Resumed:
    by: indexed(address)


# A Vault's silence until everybody exits is twice as long at least (`deployment.py`): a pause alone opens no exit.
PAUSE_S: public(constant(uint256)) = 7 * 86_400

timelock: public(immutable(address))
# When the last pause ends or ended, since 1970; 0 before the first.
paused_until: public(uint256)


@deploy
def __init__(timelock_: address):
    assert timelock_ != empty(address), "governed: no timelock"
    timelock = timelock_


@external
def pause():
    """
    @notice Stop what enters for `PAUSE_S`; by the guardian, once nothing was paused for as long.
    """
    assert msg.sender == staticcall Timelock(timelock).guardian(), "governed: not the guardian"
    assert block.timestamp >= self.paused_until + PAUSE_S, "governed: paused a while ago"
    self.paused_until = block.timestamp + PAUSE_S
    log Paused(by=msg.sender, until_s=self.paused_until)


@external
def resume():
    """
    @notice Let in again before it ends; by the guardian, or by the Timelock where the guardian will not or cannot.
    """
    assert block.timestamp < self.paused_until, "governed: not paused"
    if msg.sender != timelock:
        assert msg.sender == staticcall Timelock(timelock).guardian(), "governed: not the guardian"
    self.paused_until = block.timestamp
    log Resumed(by=msg.sender)


@external
@view
def paused() -> bool:
    """
    @notice Whether what enters is stopped now.
    """
    return block.timestamp < self.paused_until


@internal
@view
def only_timelock():
    """
    @notice Refuse whoever is not the Timelock: for what gives or takes a role.
    """
    assert msg.sender == timelock, "governed: not the timelock"


@internal
@view
def while_open():
    """
    @notice Refuse while paused: for what enters.
    """
    assert block.timestamp >= self.paused_until, "governed: paused"
