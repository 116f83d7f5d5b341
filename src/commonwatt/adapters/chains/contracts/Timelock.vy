# pragma version ==0.4.3
"""
@title Timelock: what changes roles is seen by everybody before it happens
@license Apache-2.0
@notice The proposer schedules a call, anybody executes it once `delay_s` has passed and before it is stale, proposer or
    guardian cancels it until then. The guardian cannot cancel what ends a pause or names another guardian, or a stolen
    guardian's key would stop everything for good. So a stolen proposer's key can take the guardian's place: everybody
    sees it, and twice the delay goes by before it has any other role. Should both be lost, nothing changes any more, and
    what is held can still leave.
@dev Every role in the house's other contracts is given by a call from this one (`governed.vy`).
"""

event Scheduled:
    call: indexed(bytes32)
    target: indexed(address)
    data: Bytes[4096]
    salt: bytes32
    due_s: uint256


event Executed:
    call: indexed(bytes32)


event Cancelled:
    call: indexed(bytes32)
    by: indexed(address)


event ProposerNamed:
    proposer: indexed(address)


event GuardianNamed:
    guardian: indexed(address)


RESUME: constant(bytes4) = method_id("resume()", output_type=bytes4)
NAME_GUARDIAN: constant(bytes4) = method_id("name_guardian(address)", output_type=bytes4)
MOST_DELAY_S: constant(uint256) = 60 * 86_400
DONE: constant(uint256) = 1

# So long a call that is due can be executed; what nobody wanted by then comes as no surprise later.
FRESH_S: public(constant(uint256)) = 14 * 86_400

delay_s: public(immutable(uint256))
proposer: public(address)
guardian: public(address)
# By call, since 1970; 0 not scheduled, 1 executed.
due_s: public(HashMap[bytes32, uint256])


@deploy
def __init__(delay_s_: uint256, proposer_: address, guardian_: address):
    """
    @param delay_s_ Between schedule and execution, in seconds; one at least, 60 days at most.
    """
    assert 0 < delay_s_ and delay_s_ <= MOST_DELAY_S, "timelock: delay out of range"
    delay_s = delay_s_
    self._name_proposer(proposer_)
    self._name_guardian(guardian_)


@external
def schedule(target: address, data: Bytes[4096], salt: bytes32) -> bytes32:
    """
    @notice Announce a call; by the proposer.
    @param salt Tells two calls of the same apart: an executed one is never executed again.
    @return The call's id.
    """
    assert msg.sender == self.proposer, "timelock: not the proposer"
    call: bytes32 = self._id(target, data, salt)
    assert self.due_s[call] == 0, "timelock: already scheduled"
    due: uint256 = block.timestamp + delay_s
    self.due_s[call] = due
    log Scheduled(call=call, target=target, data=data, salt=salt, due_s=due)
    return call


@external
def execute(target: address, data: Bytes[4096], salt: bytes32):
    """
    @notice Do what was announced, once it is due; by anybody. What the target refuses stays scheduled.
    """
    call: bytes32 = self._id(target, data, salt)
    due: uint256 = self.due_s[call]
    assert due > DONE, "timelock: not scheduled"
    assert due <= block.timestamp, "timelock: not due"
    assert block.timestamp < due + FRESH_S, "timelock: stale"
    # An address without code would take any call and do nothing.
    assert target.is_contract, "timelock: no contract there"
    self.due_s[call] = DONE
    raw_call(target, data)
    log Executed(call=call)


@external
def cancel(target: address, data: Bytes[4096], salt: bytes32):
    """
    @notice Forget a call that is not executed yet; by the proposer, or by the guardian where it is none that ends a
        pause or names a guardian.
    """
    if msg.sender != self.proposer:
        assert msg.sender == self.guardian, "timelock: neither proposer nor guardian"
        assert not self._binds_guardian(data), "timelock: not the guardian's to cancel"
    call: bytes32 = self._id(target, data, salt)
    assert self.due_s[call] > DONE, "timelock: not scheduled"
    self.due_s[call] = 0
    log Cancelled(call=call, by=msg.sender)


@external
def name_proposer(proposer_: address):
    """
    @notice Hand the right to propose on; by a call of this contract's own, so after the delay.
    """
    assert msg.sender == self, "timelock: not the timelock"
    self._name_proposer(proposer_)


@external
def name_guardian(guardian_: address):
    """
    @notice Hand the guardian's right on, for all contracts at once; by a call of this contract's own.
    """
    assert msg.sender == self, "timelock: not the timelock"
    self._name_guardian(guardian_)


@external
@pure
def id(target: address, data: Bytes[4096], salt: bytes32) -> bytes32:
    """
    @notice The id of a call.
    """
    return self._id(target, data, salt)


@internal
@pure
def _binds_guardian(data: Bytes[4096]) -> bool:
    return len(data) >= 4 and convert(slice(data, 0, 4), bytes4) in [RESUME, NAME_GUARDIAN]


@internal
@pure
def _id(target: address, data: Bytes[4096], salt: bytes32) -> bytes32:
    return keccak256(abi_encode(target, data, salt))


@internal
def _name_proposer(proposer_: address):
    assert proposer_ != empty(address), "timelock: no proposer"
    self.proposer = proposer_
    log ProposerNamed(proposer=proposer_)


@internal
def _name_guardian(guardian_: address):
    assert guardian_ != empty(address), "timelock: no guardian"
    self.guardian = guardian_
    log GuardianNamed(guardian=guardian_)
