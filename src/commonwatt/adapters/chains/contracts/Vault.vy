# pragma version ==0.4.3
"""
@title Vault: holds what the community's ledger owes, and pays it out by what a final state of the ledger says
@license Apache-2.0
@notice In: a deposit is credited in the ledger once its block is final. WATT is burnt on the way in.
    Out: what members send out stands in the ledger on the account of an address, which only grows; the Vault pays the
    difference between that and what it has paid there before. Nothing can be replayed, an old proof pays nothing.
    A deposit that the ledger refused goes back to its sender, by proof of that.
    It is bound once: a final state has to name this very Vault, on this chain. A ledger names one for ever, so contracts
    that are founded anew pay nothing that was paid before. Unbound it takes in and pays nothing.
    If no checkpoint was anchored for `exit_after_s`, anybody announces the exit; unless one is anchored within as long
    again, everybody takes their own balance out of the last one, to the address that it names for them. Both times are
    longer than a guardian's pause with the rest that it must leave.
    The first to do so closes the Vault for good: what the ledger says later counts no more, and deposits that the last
    checkpoint does not know go back.
    Nobody has a right to take anything out in another way.
"""

from ethereum.ercs import IERC20

import books
import governed

initializes: governed
exports: governed.__interface__

interface Watt:
    def mint(to: address, amount: uint256): nonpayable
    def burn(amount: uint256): nonpayable


event Deposited:
    number: indexed(uint256)
    sender: indexed(address)
    token: address
    amount: uint256
    account: Bytes[64]


event Paid:
    to: indexed(address)
    size: indexed(uint64)
    ergon: uint256
    watt: uint256
    tsl: uint256


event Bound:
    size: uint64


event ExitAnnounced:
    size: uint64
    closes_s: uint256


event Closed:
    size: uint64


event Returned:
    number: indexed(uint256)
    sender: indexed(address)


LANE: constant(uint256) = 2**64 - 1
# What the ledger can count: its numbers stay within those of JSON.
MOST: constant(uint256) = 2**53 - 1
POOL: constant(Bytes[64]) = b"commission-pool"
EDUCATION: constant(Bytes[64]) = b"education-pot"
# The name of the exits' row that tells how many deposits the ledger was told.
PORT: constant(bytes32) = keccak256(
    x"636861696e2d706f7274000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
)

checkpoints: public(immutable(address))
ergon: public(immutable(address))
watt: public(immutable(address))
tsl: public(immutable(address))
exit_after_s: public(immutable(uint256))

# The chain on which the ledger names this Vault; 0 until that was shown.
bound_to: public(uint256)
# How many deposits there were: the number of the next.
deposits: public(uint256)
# By number: the hash of sender, token and amount; nothing once it was returned.
_deposit: HashMap[uint256, bytes32]
# By name's hash: what was paid of ERGON, WATT and TSL, 64 bits each.
_paid: HashMap[bytes32, uint256]
# The checkpoint that everybody exits from, once that was announced; its size counts in `closed_at`.
_closing: bytes32
announced_s: public(uint256)
closed_at: public(uint64)


@deploy
def __init__(timelock: address, checkpoints_: address, ergon_: address, watt_: address, tsl_: address, after_s: uint256):
    """
    @param after_s How long the operator may be silent until everybody exits, in seconds; one at least.
    """
    for part: address in [checkpoints_, ergon_, watt_, tsl_]:
        assert part != empty(address), "vault: not set"
    assert after_s > 0, "vault: not set"
    governed.__init__(timelock)
    checkpoints = checkpoints_
    ergon = ergon_
    watt = watt_
    tsl = tsl_
    exit_after_s = after_s


@external
def bind(point: books.Point, exit_row: Bytes[84], place: books.Place):
    """
    @notice Show that the ledger names this very Vault, on this chain; by anybody, once.
    @param exit_row Of the name `chain-vault:` and the chain's number.
    """
    assert self.bound_to == 0, "vault: bound before"
    assert staticcall books.Checkpoints(checkpoints).is_final(point), "vault: not final"
    books.exit_to(point.state_root, exit_row, place)
    assert books.name(exit_row) == books.numbered(b"chain-vault:", chain.id), "vault: another account"
    assert books.tells(exit_row) == self, "vault: the ledger names another"
    self.bound_to = chain.id
    log Bound(size=point.size)


@external
@nonreentrant
def deposit(token: address, amount: uint256, account: Bytes[64]):
    """
    @notice Bring tokens into the ledger, for an account there; what it cannot be credited with goes back to the sender.
    """
    self._take_in(token, amount)
    self._deposited(token, amount, account)


@external
@nonreentrant
def pay_storage(amount: uint256):
    """
    @notice Pay in TSL for what is stored while its WATT is outside: 80 % to the owners of storage, 10 % to the education
        pot, 10 % to the witnesses; what does not divide goes to the owners.
    """
    self._take_in(tsl, amount)
    tenth: uint256 = amount // 10
    self._deposited(tsl, amount - 2 * tenth, POOL)
    if tenth > 0:
        self._deposited(tsl, tenth, EDUCATION)
        assert extcall IERC20(tsl).approve(checkpoints, tenth)
        extcall books.Checkpoints(checkpoints).fund(tenth)


@external
@nonreentrant
def withdraw(to: address, point: books.Point, row: Bytes[96], place: books.Place):
    """
    @notice Pay an address what was sent out to it in the ledger and not paid yet; by anybody.
    @param row Of the account `chain:` and the address.
    """
    self._is_final(point)
    books.account(point.state_root, row, place)
    name: bytes32 = books.name_of(to)
    assert books.name(row) == name, "vault: another account"
    self._pay(name, to, point.size, row)


@external
def announce_exit(point: books.Point):
    """
    @notice Say that the operator was silent for `exit_after_s` after the last checkpoint; by anybody. A later checkpoint
        undoes it.
    """
    self._while_bound()
    told: bytes32 = keccak256(abi_encode(point))
    assert self.closed_at == 0, "vault: closed"
    assert staticcall books.Checkpoints(checkpoints).is_last(point), "vault: not the last checkpoint"
    # Said again, it would begin to wait again.
    assert self._closing != told, "vault: announced before"
    silent_s: uint256 = block.timestamp - staticcall books.Checkpoints(checkpoints).anchored_s()
    assert silent_s > exit_after_s, "vault: the operator is there"
    self._closing = told
    self.announced_s = block.timestamp
    log ExitAnnounced(size=point.size, closes_s=block.timestamp + exit_after_s)


@external
@nonreentrant
def exit(point: books.Point, row: Bytes[96], place: books.Place, exit_row: Bytes[84], exit_place: books.Place):
    """
    @notice Pay a member's own balance to the address that the last checkpoint names for it; by anybody.
    """
    self._close(point)
    books.account(point.state_root, row, place)
    books.exit_to(point.state_root, exit_row, exit_place)
    name: bytes32 = books.name(row)
    assert name == books.name(exit_row), "vault: another account"
    self._pay(name, books.tells(exit_row), point.size, row)


@external
@nonreentrant
def reclaim(
    number: uint256,
    sender: address,
    token: address,
    amount: uint256,
    point: books.Point,
    exit_row: Bytes[84],
    place: books.Place,
):
    """
    @notice Give a deposit back to its sender, by what stands here of it; by anybody.
    @param exit_row Of the name `chain-refused:` and its number, where the ledger refused it; or, where the operator
        stopped, of `chain-port`: the last checkpoint was not told of it.
    """
    if books.name(exit_row) == PORT:
        self._close(point)
        assert number >= convert(slice(exit_row, 64, 20), uint256), "vault: credited"
    else:
        self._is_final(point)
        assert books.name(exit_row) == books.numbered(b"chain-refused:", number), "vault: another account"
    books.exit_to(point.state_root, exit_row, place)
    assert self._deposit[number] == keccak256(abi_encode(sender, token, amount)), "vault: no such deposit"
    self._deposit[number] = empty(bytes32)
    self._send(token, sender, amount)
    log Returned(number=number, sender=sender)


@external
@view
def paid(name: Bytes[64]) -> (uint256, uint256, uint256):
    """
    @return ERGON, WATT and TSL that were paid for an account of the ledger so far.
    """
    full: Bytes[128] = concat(name, empty(bytes32), empty(bytes32))
    packed: uint256 = self._paid[keccak256(slice(full, 0, 64))]
    return (packed >> books.ERGON_LANE) & LANE, (packed >> books.WATT_LANE) & LANE, packed & LANE


@internal
def _take_in(token: address, amount: uint256):
    governed.while_open()
    self._while_bound()
    assert self.closed_at == 0, "vault: closed"
    assert token in [ergon, watt, tsl], "vault: not a token of ours"
    assert 0 < amount and amount <= MOST, "vault: no such amount"
    assert extcall IERC20(token).transferFrom(msg.sender, self, amount)
    if token == watt:
        extcall Watt(watt).burn(amount)


@internal
def _deposited(token: address, amount: uint256, account: Bytes[64]):
    number: uint256 = self.deposits
    self.deposits = number + 1
    self._deposit[number] = keccak256(abi_encode(msg.sender, token, amount))
    log Deposited(number=number, sender=msg.sender, token=token, amount=amount, account=account)


@internal
@view
def _while_bound():
    """
    @notice Refuse while the ledger is not known to name this Vault here; also where the chain was split since.
    """
    assert self.bound_to == chain.id, "vault: not bound"


@internal
@view
def _is_final(point: books.Point):
    """
    @notice Refuse a checkpoint that was not anchored, or only after everybody exited.
    """
    self._while_bound()
    closed: uint64 = self.closed_at
    assert closed == 0 or point.size <= closed, "vault: closed before"
    assert staticcall books.Checkpoints(checkpoints).is_final(point), "vault: not final"


@internal
def _close(point: books.Point):
    """
    @notice Refuse any but the checkpoint that everybody exits from; close with the last one if its time has come.
    """
    self._while_bound()
    announced: bool = self._closing == keccak256(abi_encode(point))
    if self.closed_at > 0:
        assert announced, "vault: not the last checkpoint"
        return
    assert staticcall books.Checkpoints(checkpoints).is_last(point), "vault: not the last checkpoint"
    assert announced, "vault: not announced"
    assert block.timestamp >= self.announced_s + exit_after_s, "vault: announced too lately"
    self.closed_at = point.size
    log Closed(size=point.size)


@internal
def _pay(name: bytes32, to: address, size: uint64, row: Bytes[96]):
    """
    @notice Pay the difference between what a row says and what was paid before, as far as it is here.
    """
    before: uint256 = self._paid[name]
    e: uint256 = self._due(before, row, books.ERGON_LANE)
    w: uint256 = self._due(before, row, books.WATT_LANE)
    t: uint256 = self._due(before, row, books.TSL_LANE)
    e = min(e, staticcall IERC20(ergon).balanceOf(self))
    t = min(t, staticcall IERC20(tsl).balanceOf(self))
    assert e + w + t > 0, "vault: nothing is due"
    self._paid[name] = before + (e << books.ERGON_LANE) + (w << books.WATT_LANE) + t
    self._send(ergon, to, e)
    self._send(watt, to, w)
    self._send(tsl, to, t)
    log Paid(to=to, size=size, ergon=e, watt=w, tsl=t)


@internal
@pure
def _due(before: uint256, row: Bytes[96], lane: uint256) -> uint256:
    balance: uint256 = books.has(row, lane)
    paid: uint256 = (before >> lane) & LANE
    return balance - paid if balance > paid else 0


@internal
def _send(token: address, to: address, amount: uint256):
    if amount == 0:
        return
    if token == watt:
        extcall Watt(watt).mint(to, amount)
    else:
        assert extcall IERC20(token).transfer(to, amount)
