# pragma version ==0.4.3
"""
@title Merkle: proofs of RFC 9162 with SHA-256, as the community's log makes them, said once for all contracts
@license Apache-2.0
@notice Whatever is no proof leads nowhere, and is never an error. Leaves and inner nodes are hashed apart, so that
    neither passes for the other.
@dev RFC 9162 sections 2.1.1, 2.1.3.2 and 2.1.4.2; `ledger/merkle.py` is its twin.
"""

# So many leaves a tree can have: then no path is longer.
MOST_LEAVES: constant(uint256) = 2**63
MOST_STEPS: constant(uint256) = 63


@internal
@pure
def leaf_hash(data: Bytes[96]) -> bytes32:
    """
    @notice The hash of one leaf.
    """
    return sha256(concat(x"00", data))


@internal
@pure
def node_hash(left: bytes32, right: bytes32) -> bytes32:
    """
    @notice The hash of an inner node over its two children.
    """
    return sha256(concat(x"01", left, right))


@internal
@pure
def climb(leaf: bytes32, index: uint256, size: uint256, path: DynArray[bytes32, MOST_STEPS]) -> bytes32:
    """
    @notice The root of a tree of this size that has a leaf of this hash at this index, by its path, lowest hash first;
        zero where the path is none of such a leaf.
    """
    if index >= size or size > MOST_LEAVES:
        return empty(bytes32)
    at: uint256 = index
    last: uint256 = size - 1
    climbed: bytes32 = leaf
    for sibling: bytes32 in path:
        if last == 0:
            return empty(bytes32)
        if at & 1 == 1 or at == last:
            climbed = self.node_hash(sibling, climbed)
            for _: uint256 in range(MOST_STEPS):
                if at & 1 == 1 or at == 0:
                    break
                at >>= 1
                last >>= 1
        else:
            climbed = self.node_hash(climbed, sibling)
        at >>= 1
        last >>= 1
    return climbed if last == 0 else empty(bytes32)


@internal
@pure
def grew(
    old_size: uint256, new_size: uint256, old_root: bytes32, new_root: bytes32, proof: DynArray[bytes32, MOST_STEPS + 1]
) -> bool:
    """
    @notice Whether the old tree is the start of the new one, which is larger; a tree of no leaves proves nothing here.
    """
    if old_size == 0 or old_size >= new_size or new_size > MOST_LEAVES:
        return False
    at: uint256 = old_size - 1
    last: uint256 = new_size - 1
    for _: uint256 in range(MOST_STEPS):
        if at & 1 == 0:
            break
        at >>= 1
        last >>= 1
    # An old tree that is one complete subtree is its own first hash; the proof leaves it out.
    old: bytes32 = old_root
    new: bytes32 = old_root
    begun: bool = at == 0
    for step: bytes32 in proof:
        if not begun:
            old = step
            new = step
            begun = True
            continue
        if last == 0:
            return False
        if at & 1 == 1 or at == last:
            old = self.node_hash(step, old)
            new = self.node_hash(step, new)
            for _: uint256 in range(MOST_STEPS):
                if at & 1 == 1 or at == 0:
                    break
                at >>= 1
                last >>= 1
        else:
            new = self.node_hash(new, step)
        at >>= 1
        last >>= 1
    return begun and last == 0 and old == old_root and new == new_root
