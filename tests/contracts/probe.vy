# pragma version 0.4.3
# @license Apache-2.0
"""
@title A contract that only tests use: one function for each way in which a chain and its port can differ.
@dev `probe.json` is what Vyper 0.4.3 makes of it for Shanghai, whose bytecode runs under Cancun as well.
"""

event Noted:
    who: indexed(address)
    word: indexed(String[32])
    number: uint256
    parts: DynArray[uint256, 8]
    content: Bytes[64]

event Plain:
    number: uint256

struct Pair:
    left: uint128
    right: address

interface Probe:
    def spend(rounds: uint256): nonpayable

total: public(uint256)
owner: public(immutable(address))
sums: public(HashMap[address, uint256])

@deploy
def __init__(start: uint256):
    owner = msg.sender
    self.total = start

@external
def add(number: uint256):
    self.total += number
    self.sums[msg.sender] += number
    log Plain(number=number)

@external
def note(word: String[32], number: uint256, parts: DynArray[uint256, 8], content: Bytes[64]):
    log Noted(who=msg.sender, word=word, number=number, parts=parts, content=content)

@external
def refuse(word: String[64]):
    raise word

@external
def silent():
    assert self.total == max_value(uint256)

@external
@payable
def pay():
    log Plain(number=msg.value)

@view
@external
def pair(number: uint128, to: address) -> (uint256, Pair):
    return convert(number, uint256) + 1, Pair(left=number, right=to)

@view
@external
def swapped(pairs: DynArray[Pair, 4]) -> DynArray[Pair, 4]:
    turned: DynArray[Pair, 4] = []
    for i: uint256 in range(len(pairs), bound=4):
        turned.append(pairs[len(pairs) - 1 - i])
    return turned

@view
@external
def now() -> uint256:
    return block.timestamp

@external
def spend(rounds: uint256):
    for i: uint256 in range(rounds, bound=10_000):
        self.total += 1

@external
def spend_through(other: address, rounds: uint256):
    """@notice Through another contract, which gets 63 of 64 parts of the gas: less than its gas lets it fail."""
    extcall Probe(other).spend(rounds)
