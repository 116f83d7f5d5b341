from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.merkle import (
    EMPTY_ROOT,
    MerkleTree,
    leaf_hash,
    merkle_root,
    node_hash,
    salted,
    verify_consistency,
    verify_inclusion,
)
from commonwatt.model import InvalidValue

LEAVES = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
"""The eight leaves of the test vectors of google/certificate-transparency."""
DATAS = st.lists(st.binary(max_size=4), max_size=70)
EVERY_SIZE = 34


def test_a_tree_of_no_leaves_has_the_root_of_rfc_6962() -> None:
    assert MerkleTree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root([]) == EMPTY_ROOT


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_the_roots_of_certificate_transparency_come_out(size: int, root: str) -> None:
    assert MerkleTree(LEAVES).root(size).hex() == root
    assert merkle_root(LEAVES[:size]).hex() == root


@given(DATAS, st.data())
def test_roots_and_proofs_at_every_past_size_are_those_of_the_standard(datas: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree(datas)
    size = data.draw(st.integers(0, len(datas)))
    assert tree.root(size) == merkle_root(datas[:size]) == naive_root(datas[:size])
    if size:
        index = data.draw(st.integers(0, size - 1))
        old = data.draw(st.integers(1, size))
        assert tree.inclusion_proof(index, size) == naive_path(index, datas[:size])
        assert tree.consistency_proof(old, size) == naive_subproof(old, datas[:size], whole=True)


def test_every_leaf_of_every_size_proves_and_no_other_position_does() -> None:
    datas = [bytes([i]) for i in range(EVERY_SIZE)]
    tree = MerkleTree(datas)
    for size in range(1, EVERY_SIZE + 1):
        for index in range(size):
            proof, root = tree.inclusion_proof(index, size), tree.root(size)
            fitting = [i for i in range(-1, size + 1) if verify_inclusion(datas[index], i, size, proof, root)]
            assert fitting == [index]


def test_a_proof_of_the_right_length_for_another_size_is_too_long() -> None:
    tree = MerkleTree(LEAVES)
    proof = tree.inclusion_proof(7, 8)
    assert verify_inclusion(LEAVES[7], 7, 8, proof, tree.root())
    # Only left siblings: climbing alone would also reach the root from the one leaf of a smaller tree.
    for size in range(1, 5):
        assert not verify_inclusion(LEAVES[7], size - 1, size, proof, tree.root())


def test_every_growth_proves() -> None:
    tree = MerkleTree(bytes([i]) for i in range(EVERY_SIZE))
    for new in range(EVERY_SIZE + 1):
        for old in range(new + 1):
            proof = tree.consistency_proof(old, new)
            assert verify_consistency(old, new, tree.root(old), tree.root(new), proof)


@given(st.integers(1, 40), st.data())
def test_a_bent_inclusion_proof_fails(size: int, data: st.DataObject) -> None:
    datas = [bytes([i]) for i in range(size)]
    tree = MerkleTree(datas)
    index = data.draw(st.integers(0, size - 1))
    proof, root = tree.inclusion_proof(index, size), tree.root()
    assert verify_inclusion(datas[index], index, size, proof, root)
    assert not verify_inclusion(datas[index] + b"!", index, size, proof, root)
    for bent in bends(proof, data):
        assert not verify_inclusion(datas[index], index, size, bent, root)


@given(st.integers(2, 40), st.data())
def test_a_bent_consistency_proof_fails(new: int, data: st.DataObject) -> None:
    tree = MerkleTree(bytes([i]) for i in range(new))
    old = data.draw(st.integers(1, new - 1))
    proof, roots = tree.consistency_proof(old, new), (tree.root(old), tree.root(new))
    assert verify_consistency(old, new, *roots, proof)
    assert not verify_consistency(new, old, *roots, proof)
    assert not verify_consistency(old, new, *roots[::-1], proof)
    for bent in bends(proof, data):
        assert not verify_consistency(old, new, *roots, bent)


@given(st.integers(1, 30), st.integers(0, 29), st.integers(1, 10))
def test_a_log_that_changed_an_old_leaf_has_no_proof_from_its_old_root(old: int, changed: int, more: int) -> None:
    honest = [bytes([i]) for i in range(old + more)]
    forged = [*honest]
    forged[changed % old] = b"forged"
    tree = MerkleTree(forged)
    proof = tree.consistency_proof(old, old + more)
    assert not verify_consistency(old, old + more, merkle_root(honest[:old]), tree.root(), proof)


def test_an_empty_log_is_the_start_of_every_log_and_nothing_else_is() -> None:
    root = MerkleTree(LEAVES).root()
    assert verify_consistency(0, 8, EMPTY_ROOT, root, [])
    assert not verify_consistency(0, 8, root, root, [])
    assert not verify_consistency(0, 8, EMPTY_ROOT, root, [root])
    assert not verify_consistency(8, 8, root, EMPTY_ROOT, [])
    assert not verify_consistency(3, 8, EMPTY_ROOT, root, [])


def test_an_inner_node_never_passes_for_a_leaf() -> None:
    tree = MerkleTree(LEAVES)
    children = leaf_hash(LEAVES[0]) + leaf_hash(LEAVES[1])
    assert not verify_inclusion(children, 0, 4, tree.inclusion_proof(0, 8)[1:], tree.root())


@pytest.mark.parametrize("size", [-1, 9])
def test_a_size_that_the_tree_never_had_is_refused(size: int) -> None:
    tree = MerkleTree(LEAVES)
    with pytest.raises(InvalidValue, match=f"was {size}"):
        tree.root(size)
    with pytest.raises(InvalidValue, match=f"was {size}"):
        tree.inclusion_proof(0, size)
    with pytest.raises(InvalidValue, match=f"was {size}"):
        tree.consistency_proof(0, size)


def test_a_leaf_or_growth_that_was_not_is_refused() -> None:
    tree = MerkleTree(LEAVES)
    with pytest.raises(InvalidValue, match="was 5"):
        tree.inclusion_proof(5, 5)
    with pytest.raises(InvalidValue, match="from 6"):
        tree.consistency_proof(6, 5)


def test_appending_tells_the_index() -> None:
    tree = MerkleTree()
    assert [tree.append(leaf) for leaf in LEAVES] == list(range(8))
    assert len(tree) == 8


def test_leaf_data_hides_the_body_behind_a_salt_of_one_length() -> None:
    assert salted(b"s" * 32, b"body") == sha256(b"s" * 32 + b"body").digest()
    with pytest.raises(InvalidValue, match="32 bytes, was 31"):
        salted(b"s" * 31, b"sbody")


def bends(proof: Sequence[bytes], data: st.DataObject) -> list[list[bytes]]:
    """Return a proof with a hash too many, too few, a bit wrong, and cut in other places."""
    bent = [[*proof, bytes(32)], [bytes(32), *proof]]
    if proof:
        at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[at]) ^ (1 << bit)).to_bytes(32)
        bent += [[*proof[:-1]], [*proof[1:]], [*proof[:at], flipped, *proof[at + 1 :]], [*proof[:-1], proof[-1][:31]]]
    return bent


def naive_root(datas: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, word for word."""
    if not datas:
        return sha256(b"").digest()
    if len(datas) == 1:
        return leaf_hash(datas[0])
    k = naive_split(len(datas))
    return node_hash(naive_root(datas[:k]), naive_root(datas[k:]))


def naive_path(m: int, datas: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, word for word."""
    if len(datas) == 1:
        return []
    k = naive_split(len(datas))
    if m < k:
        return [*naive_path(m, datas[:k]), naive_root(datas[k:])]
    return [*naive_path(m - k, datas[k:]), naive_root(datas[:k])]


def naive_subproof(m: int, datas: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, word for word."""
    if m == len(datas):
        return [] if whole else [naive_root(datas)]
    k = naive_split(len(datas))
    if m <= k:
        return [*naive_subproof(m, datas[:k], whole=whole), naive_root(datas[k:])]
    return [*naive_subproof(m - k, datas[k:], whole=False), naive_root(datas[:k])]


def naive_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k
