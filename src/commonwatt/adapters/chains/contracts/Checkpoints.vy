# pragma version ==0.4.3
"""
@title Checkpoints: what the community's log held, for good, once two thirds of its witnesses have signed it
@license Apache-2.0
@notice Witnesses re-run the log, bond TSL and sign checkpoints. Anybody anchors one with their signatures; epoch and size
    only grow. Who signed earns from a pool that anybody funds. Who signed two histories loses the whole stake, also
    while it is on its way out: a tenth to whoever shows it first, the rest to the pool. Where the one who shows it is
    overtaken, the stake is lost all the same: the tenth is there so that somebody looks.
    The Timelock admits witnesses, for everybody to see before, and two thirds of those who are admitted sign, with two
    thirds of the bonded stake: stake alone would let whoever buys two thirds of it, or bonds first, say what the books
    hold, and no proof here can show a state to be false, only two histories.
@dev Signed is EIP-712 typed data whose domain names no chain, since a checkpoint is as true on every one; the origin
    names the log (`identity/eip712.py`). 64-byte signatures (EIP-2098). Consistency proofs: RFC 9162.
"""

from ethereum.ercs import IERC20

import books
import governed
import merkle
import signed

initializes: governed
exports: governed.__interface__

event Anchored:
    size: indexed(uint64)
    epoch: uint64
    log_root: bytes32
    state_root: bytes32
    weight: uint256
    bonded: uint256


event Admitted:
    witness: indexed(address)
    allowed: bool


event Bonded:
    witness: indexed(address)
    amount: uint256


event Unbonding:
    witness: indexed(address)
    amount: uint256
    free_s: uint256


event StakeWithdrawn:
    witness: indexed(address)
    amount: uint256


event Slashed:
    witness: indexed(address)
    reporter: indexed(address)
    amount: uint256


event Funded:
    by: indexed(address)
    amount: uint256


event Rewarded:
    size: indexed(uint64)
    amount: uint256


event Collected:
    witness: indexed(address)
    amount: uint256


# r, and s with the parity in its highest bit.
struct Signature:
    r: uint256
    vs: uint256


struct Witness:
    stake: uint256
    earned: uint256
    free_s: uint256
    admitted: bool


MOST_WITNESSES: constant(uint256) = 64
CHECKPOINT: constant(bytes32) = keccak256(
    "Checkpoint(string origin,uint64 epoch,uint64 size,bytes32 logRoot,bytes32 stateRoot)"
)
DOMAIN_TYPE: constant(bytes32) = keccak256("EIP712Domain(string name,string version)")
DOMAIN_NAME: constant(bytes32) = keccak256("commonwatt")
DOMAIN_VERSION: constant(bytes32) = keccak256("1")
LANE: constant(uint256) = 2**64 - 1
REPORTERS_PART: constant(uint256) = 10

origin: public(immutable(String[64]))
ORIGIN_HASH: immutable(bytes32)
DOMAIN: immutable(bytes32)
tsl: public(immutable(address))
# From unbonding to when the stake can be withdrawn.
unbonding_s: public(immutable(uint256))
# What the pool pays for one checkpoint that all have signed, as long as it has so much.
reward: public(immutable(uint256))
# TSL in micro that a witness has at stake at least.
least_bond: public(immutable(uint256))

# By size: the hash of what was anchored.
anchored: public(HashMap[uint64, bytes32])
# Epoch, size and time of the last, 64 bits each.
_last: uint256
# By witness, 64 bits each: stake, what it has earned, when its stake is free (0 where it is bonded); whether admitted.
_witnesses: HashMap[address, uint256]
# How many witnesses are admitted, bonded or not yet.
heads: public(uint256)
# Stake that counts: all of witnesses that are admitted. Then what can be earned.
bonded: public(uint256)
pool: public(uint256)


@deploy
def __init__(
    timelock: address, tsl_: address, origin_: String[64], unbonding_s_: uint256, reward_: uint256, least_bond_: uint256
):
    """
    @param origin_ The log's name; no other log's checkpoints count here.
    @param unbonding_s_ One second at least: long enough for two histories to be found.
    @param reward_ TSL in micro for the signers of one checkpoint.
    @param least_bond_ TSL in micro, one at least: what being one of the witnesses costs.
    """
    assert tsl_ != empty(address) and len(origin_) > 0 and unbonding_s_ > 0, "checkpoints: not set"
    assert 0 < least_bond_ and least_bond_ <= LANE, "checkpoints: not set"
    governed.__init__(timelock)
    tsl = tsl_
    origin = origin_
    ORIGIN_HASH = keccak256(origin_)
    DOMAIN = keccak256(abi_encode(DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION))
    unbonding_s = unbonding_s_
    reward = reward_
    least_bond = least_bond_


@external
def admit(witness: address, allowed: bool):
    """
    @notice Make a key one of the witnesses, or no longer; by the Timelock. What it has bonded begins to leave then.
    """
    governed.only_timelock()
    found: Witness = self._read(witness)
    if not allowed and found.admitted:
        self._leave(witness, found)
    elif allowed and not found.admitted:
        assert found.free_s == 0, "admit: unbonding"
        assert self.heads < MOST_WITNESSES, "admit: too many"
        self.heads += 1
        found.admitted = True
        self._write(witness, found)
    log Admitted(witness=witness, allowed=allowed)


@external
def bond(amount: uint256):
    """
    @notice Stake TSL, or more of it; by who is admitted.
    """
    governed.while_open()
    found: Witness = self._read(msg.sender)
    assert found.admitted, "bond: not admitted"
    assert 0 < amount and amount <= LANE - found.stake, "bond: no such amount"
    found.stake += amount
    assert found.stake >= least_bond, "bond: less than the least"
    self._write(msg.sender, found)
    self.bonded += amount
    assert extcall IERC20(tsl).transferFrom(msg.sender, self, amount)
    log Bonded(witness=msg.sender, amount=amount)


@external
def unbond():
    """
    @notice Be no witness any more: the stake stops to count now, and is free after the delay.
    """
    found: Witness = self._read(msg.sender)
    assert found.admitted and found.stake > 0, "unbond: nothing bonded"
    self._leave(msg.sender, found)


@external
def withdraw_stake():
    """
    @notice Take out a stake that is free.
    """
    found: Witness = self._read(msg.sender)
    assert found.free_s > 0 and found.free_s <= block.timestamp, "withdraw: not free yet"
    amount: uint256 = found.stake
    found.stake = 0
    found.free_s = 0
    self._write(msg.sender, found)
    assert extcall IERC20(tsl).transfer(msg.sender, amount)
    log StakeWithdrawn(witness=msg.sender, amount=amount)


@external
def collect():
    """
    @notice Take out what was earned.
    """
    found: Witness = self._read(msg.sender)
    amount: uint256 = found.earned
    assert amount > 0, "collect: nothing earned"
    found.earned = 0
    self._write(msg.sender, found)
    assert extcall IERC20(tsl).transfer(msg.sender, amount)
    log Collected(witness=msg.sender, amount=amount)


@external
def fund(amount: uint256):
    """
    @notice Put TSL into the pool; by anybody.
    """
    self.pool += amount
    assert extcall IERC20(tsl).transferFrom(msg.sender, self, amount)
    log Funded(by=msg.sender, amount=amount)


@external
def anchor(point: books.Point, signatures: DynArray[Signature, MOST_WITNESSES]):
    """
    @notice Make a checkpoint final; by anybody who has the signatures of two thirds of the witnesses, by number and stake.
    @param signatures Sorted by signer, so that none counts twice.
    """
    governed.while_open()
    last: uint256 = self._last
    assert convert(point.epoch, uint256) > last >> 128, "anchor: not a later epoch"
    assert convert(point.size, uint256) > (last >> 64) & LANE, "anchor: not a larger log"
    digest: bytes32 = self._digest(point)
    signers: DynArray[address, MOST_WITNESSES] = []
    before: uint256 = 0
    weight: uint256 = 0
    for signature: Signature in signatures:
        signer: address = self._signer(digest, signature)
        assert convert(signer, uint256) > before, "anchor: signers not in order"
        before = convert(signer, uint256)
        packed: uint256 = self._witnesses[signer]
        assert packed & LANE > 0 and (packed >> 128) & LANE == 0, "anchor: not bonded"
        weight += packed & LANE
        signers.append(signer)
    bonded: uint256 = self.bonded
    assert weight > 0 and 3 * weight >= 2 * bonded, "anchor: less than two thirds"
    assert 3 * len(signers) >= 2 * self.heads, "anchor: less than two thirds of the witnesses"
    self._last = (convert(point.epoch, uint256) << 128) | (convert(point.size, uint256) << 64) | block.timestamp
    self.anchored[point.size] = self._hash(point)
    log Anchored(
        size=point.size,
        epoch=point.epoch,
        log_root=point.log_root,
        state_root=point.state_root,
        weight=weight,
        bonded=bonded,
    )
    self._reward(point.size, signers, bonded)


@external
def slash(
    first: books.Point,
    by_first: Signature,
    second: books.Point,
    by_second: Signature,
    old_root: bytes32,
    proof: DynArray[bytes32, 64],
):
    """
    @notice Show that one witness signed two histories; by anybody, who gets a tenth of its stake.
    @param first Of the smaller log, or of either where both are equally large.
    @param old_root Where sizes and epochs differ: what the larger log's first leaves lead to, as the proof shows.
    @param proof From there to the larger log's root; RFC 9162.
    """
    witness: address = self._signer(self._digest(first), by_first)
    assert witness == self._signer(self._digest(second), by_second), "slash: two signers"
    if first.size == second.size:
        differ: bool = first.log_root != second.log_root or first.state_root != second.state_root
        assert differ, "slash: one history"
    elif first.epoch != second.epoch:
        grew: bool = merkle.grew(
            convert(first.size, uint256), convert(second.size, uint256), old_root, second.log_root, proof
        )
        assert grew, "slash: no proof"
        assert old_root != first.log_root, "slash: one history"
    found: Witness = self._read(witness)
    amount: uint256 = found.stake
    assert amount > 0, "slash: nothing staked"
    if found.admitted:
        self.bonded -= amount
        self.heads -= 1
    self._write(witness, Witness(stake=0, earned=found.earned, free_s=0, admitted=False))
    reported: uint256 = amount // REPORTERS_PART
    self.pool += amount - reported
    assert extcall IERC20(tsl).transfer(msg.sender, reported)
    log Slashed(witness=witness, reporter=msg.sender, amount=amount)


@external
@view
def is_final(point: books.Point) -> bool:
    """
    @notice Whether this very checkpoint was anchored.
    """
    return self.anchored[point.size] == self._hash(point)


@external
@view
def is_last(point: books.Point) -> bool:
    """
    @notice Whether it was anchored, and none after it.
    """
    return (self._last >> 64) & LANE == convert(point.size, uint256) and self.anchored[point.size] == self._hash(point)


@external
@view
def last() -> (uint64, uint64):
    """
    @return Epoch and size of the last that was anchored; zeros where none was.
    """
    return convert(self._last >> 128, uint64), convert((self._last >> 64) & LANE, uint64)


@external
@view
def anchored_s() -> uint256:
    """
    @return When the last was anchored, in seconds since 1970; 0 where none was.
    """
    return self._last & LANE


@external
@view
def witness(who: address) -> Witness:
    """
    @return Stake and earnings in micro; when the stake is free, 0 where it is bonded; whether it is admitted.
    """
    return self._read(who)


@external
@view
def digest(point: books.Point) -> bytes32:
    """
    @return What witnesses sign.
    """
    return self._digest(point)


@internal
def _leave(who: address, told: Witness):
    """
    @notice Have a witness be none any more: its stake counts no longer, and is free after the delay.
    """
    found: Witness = told
    found.admitted = False
    self.heads -= 1
    if found.stake > 0:
        found.free_s = block.timestamp + unbonding_s
        self.bonded -= found.stake
        log Unbonding(witness=who, amount=found.stake, free_s=found.free_s)
    self._write(who, found)


@internal
def _reward(size: uint64, signers: DynArray[address, MOST_WITNESSES], bonded: uint256):
    """
    @notice Give each signer its part of the bonded stake. What the others would have had stays in the pool, so that
        nobody earns by leaving another's signature out.
    """
    paid: uint256 = min(reward, self.pool)
    if paid == 0:
        return
    shared: uint256 = 0
    for signer: address in signers:
        packed: uint256 = self._witnesses[signer]
        part: uint256 = paid * (packed & LANE) // bonded
        shared += part
        self._witnesses[signer] = packed + (part << 64)
    self.pool -= shared
    log Rewarded(size=size, amount=shared)


@internal
@view
def _signer(digest: bytes32, signature: Signature) -> address:
    v: uint8 = convert(27 + (signature.vs >> 255), uint8)
    return signed.signer_of(digest, v, signature.r, signature.vs & signed.S_BITS)


@internal
@view
def _digest(point: books.Point) -> bytes32:
    struct_hash: bytes32 = keccak256(
        abi_encode(CHECKPOINT, ORIGIN_HASH, point.epoch, point.size, point.log_root, point.state_root)
    )
    return keccak256(concat(x"1901", DOMAIN, struct_hash))


@internal
@pure
def _hash(point: books.Point) -> bytes32:
    return keccak256(abi_encode(point))


@internal
@view
def _read(who: address) -> Witness:
    packed: uint256 = self._witnesses[who]
    return Witness(
        stake=packed & LANE,
        earned=(packed >> 64) & LANE,
        free_s=(packed >> 128) & LANE,
        admitted=packed >> 192 == 1,
    )


@internal
def _write(who: address, told: Witness):
    admitted: uint256 = 1 if told.admitted else 0
    self._witnesses[who] = told.stake | (told.earned << 64) | (told.free_s << 128) | (admitted << 192)
