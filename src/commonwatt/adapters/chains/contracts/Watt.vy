# pragma version ==0.4.3
"""
@title WATT: a receipt against the community's stored energy, one base unit a watt-hour
@license Apache-2.0
@notice Minted and burnt by the Vault alone: out of the ledger and back into it. Nobody else has any role here, so that
    nobody can mint against energy which no final state of the ledger shows.
"""

import token

initializes: token
exports: token.__interface__

vault: public(immutable(address))


@deploy
def __init__(vault_: address):
    """
    @param vault_ May be deployed after this contract: its address follows from who deploys it, and when.
    """
    assert vault_ != empty(address), "watt: no vault"
    token.__init__("commonwatt WATT", "WATT", 3)
    vault = vault_


@external
def mint(to: address, amount: uint256):
    """
    @notice Hand out what leaves the ledger; by the Vault.
    """
    assert msg.sender == vault, "watt: not the vault"
    token.mint(to, amount)


@external
def burn(amount: uint256):
    """
    @notice Take in what returned to the ledger; by the Vault, of its own: what others hold it cannot touch.
    """
    assert msg.sender == vault, "watt: not the vault"
    token.burn(msg.sender, amount)
