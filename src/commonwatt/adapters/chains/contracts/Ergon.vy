# pragma version ==0.4.3
"""
@title ERGON: one unit of the community's currency, in millionths
@license Apache-2.0
@notice Minted by sellers whom the Timelock admits, against money at their payment port. Burnt by whoever redeems it
    there: the port pays out what its holder burns. And minted into the Vault for what a final state of the ledger says
    the retailer owes for exported energy, by anybody: that money is the members' as soon as it is settled.
"""

import books
import governed
import token

initializes: governed
initializes: token
exports: (governed.__interface__, token.__interface__)

event SellerSet:
    seller: indexed(address)
    allowed: bool


event Sold:
    seller: indexed(address)
    amount: uint256


event Exported:
    size: indexed(uint64)
    amount: uint256


event Redeemed:
    holder: indexed(address)
    amount: uint256


checkpoints: public(immutable(address))
vault: public(immutable(address))
sellers: public(HashMap[address, bool])
# All that was minted for exported energy: never more than the ledger said at its most.
exported: public(uint256)
# All that was minted into the Vault for what was sold in the ledger.
sold: public(uint256)
GRID: constant(bytes32) = keccak256(
    x"67726964000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
)


@deploy
def __init__(timelock: address, checkpoints_: address, vault_: address):
    """
    @param checkpoints_ Who knows which states of the ledger are final.
    @param vault_ Who holds what the ledger owes; it may be deployed after this contract.
    """
    assert checkpoints_ != empty(address) and vault_ != empty(address), "ergon: nobody's address"
    governed.__init__(timelock)
    token.__init__("commonwatt ERGON", "ERGON", 6)
    checkpoints = checkpoints_
    vault = vault_


@external
def set_seller(seller: address, allowed: bool):
    """
    @notice Admit a seller, or no longer; by the Timelock.
    """
    governed.only_timelock()
    self.sellers[seller] = allowed
    log SellerSet(seller=seller, allowed=allowed)


@external
def mint(to: address, amount: uint256):
    """
    @notice Mint what was paid for; by a seller.
    """
    governed.while_open()
    assert self.sellers[msg.sender], "ergon: not a seller"
    token.mint(to, amount)


@external
def mint_sold(total: uint256):
    """
    @notice Mint into the Vault what was sold in the ledger, up to a running total: said twice, it mints once; by a seller.
    """
    governed.while_open()
    assert self.sellers[msg.sender], "ergon: not a seller"
    before: uint256 = self.sold
    assert total > before, "ergon: nothing new"
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
