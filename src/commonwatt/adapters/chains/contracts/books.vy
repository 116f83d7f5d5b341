# pragma version ==0.4.3
"""
@title Books: what a final state of the community's ledger says of one account
@license Apache-2.0
@notice A row is 64 bytes of name and four big-endian int64 (energy, ERGON, WATT, TSL), or a name and 20 bytes: where its
    owner exits to, which Vault the ledger names, how many deposits were told, which one was refused. It stands in the
    tree of its section, whose root is a leaf in the tree of sections.
@dev `ledger.accounts.rows`, `flows/rulebook/tokens/exits.py`; sections: `flows/rulebook/state.py`.
"""

import merkle

SECTIONS: constant(uint256) = 8
ACCOUNTS: constant(uint256) = 1
EXITS: constant(uint256) = 7
LANE: constant(uint256) = 2**64 - 1
NEGATIVE: constant(uint256) = 2**63
# "chain:0x" in letters, in front of an address's 40 digits.
CHAIN: constant(uint256) = 7163082312781541496
ERGON_LANE: constant(uint256) = 128
WATT_LANE: constant(uint256) = 64
TSL_LANE: constant(uint256) = 0


# A checkpoint: how far a log had come in a quarter-hour, and what it and its state were.
struct Point:
    epoch: uint64
    size: uint64
    log_root: bytes32
    state_root: bytes32


# Where a row stands in its section, and the section in the state.
struct Place:
    index: uint256
    size: uint256
    path: DynArray[bytes32, 63]
    sections: DynArray[bytes32, 3]


interface Checkpoints:
    def is_final(point: Point) -> bool: view
    def is_last(point: Point) -> bool: view
    def anchored_s() -> uint256: view
    def fund(amount: uint256): nonpayable


@internal
@pure
def account(state_root: bytes32, row: Bytes[96], place: Place):
    """
    @notice Refuse a row that is not an account's in this state.
    """
    assert len(row) == 96 and self._stands(state_root, row, place, ACCOUNTS), "books: not an account of this state"


@internal
@pure
def exit_to(state_root: bytes32, row: Bytes[84], place: Place):
    """
    @notice Refuse a row that does not stand among the exits of this state.
    """
    assert len(row) == 84 and self._stands(state_root, row, place, EXITS), "books: not an exit of this state"


@internal
@pure
def name(row: Bytes[96]) -> bytes32:
    """
    @notice What stands for the name of a row: the hash of its 64 bytes.
    """
    return keccak256(slice(row, 0, 64))


@internal
@pure
def name_of(who: address) -> bytes32:
    """
    @notice The same for the account of what was sent out to an address: `chain:0x` and 40 digits in lower case.
    """
    number: uint256 = convert(who, uint256)
    first: uint256 = (CHAIN << 192) | self._digits(number >> 64, 24)
    second: uint256 = self._digits(number & LANE, 16) << 128
    return keccak256(concat(convert(first, bytes32), convert(second, bytes32)))


@internal
@pure
def numbered(word: Bytes[14], number: uint256) -> bytes32:
    """
    @notice The same for a row that is named by a word and a number: `chain-vault:1`. No account is called so.
    """
    # What is too long for a name is cut, and then is the name of no row: the ledger's numbers have 16 digits at most.
    told: Bytes[156] = concat(word, convert(uint2str(number), Bytes[78]), empty(bytes32), empty(bytes32))
    return keccak256(slice(told, 0, 64))


@internal
@pure
def tells(row: Bytes[84]) -> address:
    """
    @notice The 20 bytes that stand behind the name.
    """
    return convert(convert(slice(row, 64, 20), bytes20), address)


@internal
@pure
def has(row: Bytes[96], lane: uint256) -> uint256:
    """
    @notice What an account has of a token; nothing where it owes.
    """
    balance: uint256 = (convert(slice(row, 64, 32), uint256) >> lane) & LANE
    return balance if balance < NEGATIVE else 0


@internal
@pure
def owes(row: Bytes[96], lane: uint256) -> uint256:
    """
    @notice What an account owes of a token; nothing where it has some.
    """
    balance: uint256 = (convert(slice(row, 64, 32), uint256) >> lane) & LANE
    return LANE + 1 - balance if balance >= NEGATIVE else 0


@internal
@pure
def _stands(state_root: bytes32, row: Bytes[96], place: Place, section: uint256) -> bool:
    """
    @notice Whether a row stands in a section, whose root is found by climbing and so needs not be told.
    """
    root: bytes32 = merkle.climb(merkle.leaf_hash(row), place.index, place.size, place.path)
    found: bytes32 = merkle.climb(merkle.leaf_hash(concat(root, b"")), section, SECTIONS, place.sections)
    # What leads nowhere is zero, and must not pass for a state that somebody signed as zero.
    return root != empty(bytes32) and found != empty(bytes32) and found == state_root


@internal
@pure
def _digits(number: uint256, count: uint256) -> uint256:
    """
    @notice The lowest hexadecimal digits of a number, as letters, one a byte.
    """
    found: uint256 = 0
    for place: uint256 in range(count, bound=24):
        digit: uint256 = (number >> (4 * (count - 1 - place))) & 15
        found = (found << 8) | (digit + (48 if digit < 10 else 87))
    return found
