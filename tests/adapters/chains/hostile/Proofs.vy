# pragma version ==0.4.3
"""
@title Proofs: shows a test what the modules of proofs find; attacks nobody
@license Apache-2.0
"""

import books
import merkle


@external
@pure
def climb(data: Bytes[96], index: uint256, size: uint256, path: DynArray[bytes32, 63]) -> bytes32:
    return merkle.climb(merkle.leaf_hash(data), index, size, path)


@external
@pure
def grew(
    old_size: uint256, new_size: uint256, old_root: bytes32, new_root: bytes32, proof: DynArray[bytes32, 64]
) -> bool:
    return merkle.grew(old_size, new_size, old_root, new_root, proof)


@external
@pure
def name_of(who: address) -> bytes32:
    return books.name_of(who)


@external
@pure
def lanes(row: Bytes[96], lane: uint256) -> (uint256, uint256):
    return books.has(row, lane), books.owes(row, lane)
