# pragma version ==0.4.3
"""
@title Governed: what the Timelock and the guardian may do, said once for all contracts
@license Apache-2.0
@notice The Timelock alone holds roles. The guardian, whom it names, can stop at once what enters (mint, deposit, open,
    join, anchor), never what leaves (withdraw, claim, exit, burn, transfer, slash, unbond): a pause seizes nothing.
    No proxy, no upgrade, no withdrawal by an owner.
"""

interface Timelock:
    def guardian() -> address: view


event Paused:
    by: indexed(address)


event Resumed:
    by: indexed(address)


timelock: public(immutable(address))
paused: public(bool)


@deploy
def __init__(timelock_: address):
    assert timelock_ != empty(address), "governed: no timelock"
    timelock = timelock_


@external
def pause():
    """
    @notice Stop what enters; by the guardian.
    """
    assert msg.sender == staticcall Timelock(timelock).guardian(), "governed: not the guardian"
    assert not self.paused, "governed: already paused"
    self.paused = True
    log Paused(by=msg.sender)


@external
def resume():
    """
    @notice Let in again; by the guardian, or by the Timelock where the guardian will not or cannot.
    """
    assert self.paused, "governed: not paused"
    if msg.sender != timelock:
        assert msg.sender == staticcall Timelock(timelock).guardian(), "governed: not the guardian"
    self.paused = False
    log Resumed(by=msg.sender)


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
    assert not self.paused, "governed: paused"
