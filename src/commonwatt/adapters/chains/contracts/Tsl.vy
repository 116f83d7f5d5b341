# pragma version ==0.4.3
"""
@title TSL: a share of the right to store
@license Apache-2.0
@notice A thousand million for ever, in millionths, all minted at construction. Nobody has any role here.
"""

import token

initializes: token
exports: token.__interface__

TOTAL_MICRO: constant(uint256) = 10**15


@deploy
def __init__(treasury: address):
    """
    @param treasury Who hands them out: the house's genesis gives them to the community.
    """
    token.__init__("commonwatt TSL", "TSL", 6)
    token.mint(treasury, TOTAL_MICRO)
