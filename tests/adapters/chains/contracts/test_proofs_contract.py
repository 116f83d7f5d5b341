"""What the contracts believe of a Merkle tree is what the ledger's own twin believes, for good proofs and bad."""

import os
from functools import cache

import pyrevm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain_bank import paper
from commonwatt.adapters.chains.embedded.rules import Message
from commonwatt.adapters.chains.evm.words import call_data, returned
from commonwatt.flows.chain_ports import Contract
from commonwatt.identity.keys import keccak256
from commonwatt.ledger.merkle import MerkleTree, leaf_hash, verify_consistency, verify_inclusion
from commonwatt.model import AccountId, Commodity, chain_account
from hostile_words import hostile
from on_chain import Ground, key

pytestmark = pytest.mark.row("M5")
NOTHING, NOBODY = bytes(32), "0x" + 38 * "0" + "01"
NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
SIZES, EXAMPLES = range(1, 41), 1_000 if NIGHTLY else 25
LARGE = [63, 64, 65, 1_000, 1_024, 4_097]
WHOLE = MerkleTree(b"%d" % n for n in range(max(LARGE)))


@cache
def ground() -> tuple[Ground, Contract]:
    made = Ground()
    return made, made.put(hostile("Proofs"))


def ask(function: str, *args: object) -> object:
    """Ask the contract on the embedded chain, without the wire in between."""
    made, proofs = ground()
    data = call_data(proofs.abi, function, args)
    ran = made.embedded.run(Message(to=bytes.fromhex(proofs.address[2:]), data=data))
    return returned(proofs.abi, function, len(args), ran.output)


@cache
def machine() -> tuple[pyrevm.EVM, str]:
    made = pyrevm.EVM()
    made.set_balance(NOBODY, 10**24)
    return made, made.deploy(NOBODY, hostile("Proofs").bytecode)


def ask_fast(function: str, *args: object) -> object:
    """Ask the contract on another machine, a hundred times as fast: where thousands of proofs are asked about."""
    made, place = machine()
    abi = hostile("Proofs").abi
    output = made.message_call(NOBODY, place, call_data(abi, function, args), is_static=True)
    return returned(abi, function, len(args), bytes(output))


def climbs(data: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    return ask_fast("climb", data, index, size, path) == root


def test_every_leaf_of_every_small_tree_is_found_and_at_no_other_place() -> None:
    for size in SIZES:
        root = WHOLE.root(size)
        for index in range(size):
            path = WHOLE.inclusion_proof(index, size)
            assert climbs(b"%d" % index, index, size, path, root)
            for data, at, of, way in (
                (b"x", index, size, path),
                (b"%d" % index, index ^ 1, size, path),
                (b"%d" % index, index, size + 1, path),
                (b"%d" % index, index, size, path[:-1]),
                (b"%d" % index, index, size, [*path, NOTHING]),
            ):
                assert climbs(data, at, of, way, root) == verify_inclusion(data, at, of, way, root)


def test_every_small_tree_is_the_start_of_every_larger_one() -> None:
    for new in SIZES:
        for old in range(1, new):
            proof = WHOLE.consistency_proof(old, new)
            assert ask_fast("grew", old, new, WHOLE.root(old), WHOLE.root(new), proof) is True
            assert ask_fast("grew", old, new, NOTHING, WHOLE.root(new), proof) is False
            assert ask_fast("grew", old, new, WHOLE.root(old), WHOLE.root(new), proof[:-1]) is False


@pytest.mark.parametrize("size", LARGE)
def test_large_trees_are_believed_too(size: int) -> None:
    for index in {0, 1, size // 3, size // 2, size - 2, size - 1}:
        path = WHOLE.inclusion_proof(index, size)
        assert ask("climb", b"%d" % index, index, size, path) == WHOLE.root(size)
        if index:
            proof = WHOLE.consistency_proof(index, size)
            assert ask("grew", index, size, WHOLE.root(index), WHOLE.root(size), proof) is True


hashes = st.sampled_from([NOTHING, *(WHOLE.root(n) for n in range(1, 9)), *(leaf_hash(b"%d" % n) for n in range(8))])
small = st.integers(0, 12) | st.sampled_from([2**63 - 1, 2**63, 2**63 + 1, 2**256 - 1])


@settings(max_examples=EXAMPLES, deadline=None)
@given(small, small, st.lists(hashes, max_size=5), st.integers(0, 9))
def test_whatever_is_no_proof_leads_nowhere(index: int, size: int, path: list[bytes], leaf: int) -> None:
    found = ask("climb", b"%d" % leaf, index, size, path)
    for root in {WHOLE.root(n) for n in range(1, 13)} | ({found} if found != NOTHING else set()):
        assert isinstance(root, bytes)
        believed = size <= 2**63 and verify_inclusion(b"%d" % leaf, index, size, path, root)
        assert (found == root) == believed


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), hashes, hashes, st.lists(hashes, max_size=5))
def test_whatever_shows_no_growth_is_not_believed(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]
) -> None:
    expected = 0 < old < new and verify_consistency(old, new, old_root, new_root, proof)
    assert ask("grew", old, new, old_root, new_root, proof) is expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(min_size=20, max_size=20))
def test_an_address_has_the_name_of_its_account(who: bytes) -> None:
    name = chain_account("0x" + who.hex()).encode().ljust(64, b"\0")
    assert ask("name_of", "0x" + who.hex()) == keccak256(name)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.tuples(*[st.integers(-(2**53) + 1, 2**53 - 1)] * 3))
def test_a_row_is_read_as_the_ledger_wrote_it(amounts: tuple[int, int, int]) -> None:
    tokens = (Commodity.ERGON, Commodity.WATT, Commodity.TSL)
    state = paper({"anna": dict(zip(tokens, amounts, strict=True))}, keys={"anna": key("anna")})
    names = [one.name for one in tokens]
    rows = {row.tobytes()[:64].rstrip(b"\0").decode(): row.tobytes() for row in state.accounts.rows()}
    for lane, amount, name in zip((128, 64, 0), amounts, names, strict=True):
        if AccountId("anna") in rows:
            assert ask("lanes", rows["anna"], lane) == (max(0, amount), max(0, -amount)), name
