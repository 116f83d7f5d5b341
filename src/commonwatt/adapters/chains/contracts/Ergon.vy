# pragma version ==0.4.3
"""
@title ERGON: one unit of the community's currency, in millionths
@license Apache-2.0
@notice Minted by sellers whom the Timelock admits, against money at their payment port, each up to a ceiling per period:
    a key that is stolen, or counts wrongly, mints no more than that until the Timelock takes its right away. Burnt by
    whoever redeems it there: the port pays out what its holder burns. And minted into the Vault for what a final state
    of the ledger says the retailer owes for exported energy, by anybody: that money is the members' as soon as it is
    settled.
"""

import books
import governed
import token

initializes: governed
initializes: token
exports: (governed.__interface__, token.__interface__)

event SellerSet:
    seller: indexed(address)
    ceiling: uint256


event Sold:
    seller: indexed(address)
    amount: uint256


event Exported:
    size: indexed(uint64)
    amount: uint256


event Redeemed:
    holder: indexed(address)
    amount: uint256


# What somebody may mint in a period, and the last period in which they did, with how much that was.
struct Seller:
    ceiling: uint256
    period: uint256
    minted: uint256


checkpoints: public(immutable(address))
vault: public(immutable(address))
# Periods are counted from 1970: around the turn of one, a seller can mint twice its ceiling.
period_s: public(immutable(uint256))
sellers: public(HashMap[address, Seller])
# All that was minted for exported energy: never more than the ledger said at its most.
exported: public(uint256)
# All that was minted into the Vault for what was sold in the ledger.
sold: public(uint256)
GRID: constant(bytes32) = keccak256(
    x"67726964000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
)


@deploy
def __init__(timelock: address, checkpoints_: address, vault_: address, period_s_: uint256):
    """
    @param checkpoints_ Who knows which states of the ledger are final.
    @param vault_ Who holds what the ledger owes; it may be deployed after this contract.
    @param period_s_ In which a seller's ceiling holds, in seconds; one at least.
    """
    assert checkpoints_ != empty(address) and vault_ != empty(address), "ergon: nobody's address"
    assert period_s_ > 0, "ergon: no period"
    governed.__init__(timelock)
    token.__init__("commonwatt ERGON", "ERGON", 6)
    checkpoints = checkpoints_
    vault = vault_
    period_s = period_s_


@external
def set_seller(seller: address, ceiling: uint256):
    """
    @notice Admit a seller, or no longer; by the Timelock.
    @param ceiling What they may mint in a period, from now on; nothing for no longer.
    """
    governed.only_timelock()
    self.sellers[seller].ceiling = ceiling
    log SellerSet(seller=seller, ceiling=ceiling)


@external
def mint(to: address, amount: uint256):
    """
    @notice Mint what was paid for; by a seller.
    """
    self._sells(amount)
    token.mint(to, amount)


@external
def mint_sold(total: uint256):
    """
    @notice Mint into the Vault what was sold in the ledger, up to a running total: said twice, it mints once; by a seller.
    """
    before: uint256 = self.sold
    assert total > before, "ergon: nothing new"
    self._sells(total - before)
    self.sold = total
    token.mint(vault, total - before)
    log Sold(seller=msg.sender, amount=total - before)


@external
def mint_exported(point: books.Point, row: Bytes[96], place: books.Place):
    """
    @notice Mint into the Vault what the retailer owes for exported energy beyond what was minted for it before.
    @param row Of the ledger's account `grid`, which is below zero by what the retailer owes.
    """
    governed.while_open()
    assert staticcall books.Checkpoints(checkpoints).is_final(point), "ergon: not final"
    books.account(point.state_root, row, place)
    assert books.name(row) == GRID, "ergon: another account"
    owed: uint256 = books.owes(row, books.ERGON_LANE)
    before: uint256 = self.exported
    assert owed > before, "ergon: nothing new"
    self.exported = owed
    token.mint(vault, owed - before)
    log Exported(size=point.size, amount=owed - before)


@external
def burn(amount: uint256):
    """
    @notice Redeem what is the caller's.
    """
    token.burn(msg.sender, amount)
    log Redeemed(holder=msg.sender, amount=amount)


@external
@view
def left(seller: address) -> uint256:
    """
    @notice What a seller may still mint in this period.
    """
    return self._left(self.sellers[seller])


@internal
def _sells(amount: uint256):
    """
    @notice Refuse who is no seller, and what is beyond their ceiling; count what is not.
    """
    governed.while_open()
    found: Seller = self.sellers[msg.sender]
    assert found.ceiling > 0, "ergon: not a seller"
    assert amount <= self._left(found), "ergon: beyond the ceiling"
    period: uint256 = block.timestamp // period_s
    if found.period != period:
        found.minted = 0
    self.sellers[msg.sender] = Seller(ceiling=found.ceiling, period=period, minted=found.minted + amount)


@internal
@view
def _left(found: Seller) -> uint256:
    """
    @notice What may still be minted in this period; nothing where the ceiling was lowered below what was.
    """
    if found.period != block.timestamp // period_s:
        return found.ceiling
    return found.ceiling - min(found.minted, found.ceiling)
