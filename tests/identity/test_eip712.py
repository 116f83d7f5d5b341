"""A checkpoint's typed signature, held against the digest spelled out by hand and against another library's."""

import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.eip712 import checkpoint_digest, sign_checkpoint, verify_checkpoint
from commonwatt.identity.keys import CURVE_ORDER, SigningKey, VerifyingKey
from commonwatt.model import InvalidValue

ORIGIN, EPOCH, SIZE = "commonwatt.example/street", 1_888_889, 1_234
LOG_ROOT, STATE_ROOT = bytes(range(32)), bytes(range(32, 64))
KEY = SigningKey(b"\x11" * 32)
ROOTS = st.binary(min_size=32, max_size=32)
UINT64 = st.integers(0, 2**64 - 1)


def hashed(data: bytes) -> bytes:
    return keccak.new(data=data, digest_bits=256).digest()


def by_hand(origin: str, epoch: int, size: int, log_root: bytes, state_root: bytes) -> bytes:
    """The digest as the proposal's text builds it, word by word."""
    domain_type = hashed(b"EIP712Domain(string name,string version)")
    domain = hashed(domain_type + hashed(b"commonwatt") + hashed(b"1"))
    kind = hashed(b"Checkpoint(string origin,uint64 epoch,uint64 size,bytes32 logRoot,bytes32 stateRoot)")
    words = kind + hashed(origin.encode()) + bytes(24) + epoch.to_bytes(8, "big") + bytes(24) + size.to_bytes(8, "big")
    return hashed(b"\x19\x01" + domain + hashed(words + log_root + state_root))


@given(st.text(st.characters(exclude_categories=["Cs"])), UINT64, UINT64, ROOTS, ROOTS)
def test_the_digest_is_the_one_that_the_proposal_builds(
    origin: str, epoch: int, size: int, log_root: bytes, state_root: bytes
) -> None:
    assert checkpoint_digest(origin, epoch, size, log_root, state_root) == by_hand(
        origin, epoch, size, log_root, state_root
    )


def test_another_library_signs_the_same() -> None:
    """From eth-account 0.14.0, ``encode_typed_data`` and ``sign_message``, without the recovery byte."""
    digest = checkpoint_digest(ORIGIN, EPOCH, SIZE, LOG_ROOT, STATE_ROOT)
    assert digest.hex() == "6b43a377e4b4b8e98fa6d361983cf48bfc69b53035a04f0454c8ff611e341903"
    assert sign_checkpoint(KEY, origin=ORIGIN, epoch=EPOCH, size=SIZE, log_root=LOG_ROOT, state_root=STATE_ROOT) == (
        "064840ff868a3bc9f31a7d2f49429716e52f6bea6099f0b43596f3eae9fc8c1b"
        "61cdbc653a243a8de10838592139d2f1215bf1b696bf4f3eadec98352b965a3b"
    )


@given(UINT64, UINT64, ROOTS, ROOTS)
def test_a_signature_fits_its_checkpoint_and_no_other(epoch: int, size: int, log: bytes, state: bytes) -> None:
    told = {"origin": ORIGIN, "epoch": epoch, "size": size, "log_root": log, "state_root": state}
    signature, key = sign_checkpoint(KEY, **told), VerifyingKey(KEY.public)
    assert verify_checkpoint(key, signature, **told)
    assert int(signature[64:], 16) <= CURVE_ORDER // 2
    twin = signature[:64] + f"{CURVE_ORDER - int(signature[64:], 16):064x}"
    assert not verify_checkpoint(key, twin, **told)
    assert not verify_checkpoint(VerifyingKey(SigningKey(b"\x12" * 32).public), signature, **told)
    others = {
        "origin": ORIGIN + "s",
        "epoch": (epoch + 1) % 2**64,
        "size": (size + 1) % 2**64,
        "log_root": bytes([log[0] ^ 1]) + log[1:],
        "state_root": state[:-1] + bytes([state[-1] ^ 1]),
    }
    for name, value in others.items():
        assert not verify_checkpoint(key, signature, **(told | {name: value}))
    assert not key.verify(checkpoint_digest(**told), signature), "what signs requests is set apart"


@pytest.mark.parametrize(
    ("epoch", "size", "log", "state"),
    [(-1, 0, bytes(32), bytes(32)), (0, 2**64, bytes(32), bytes(32)), (0, 0, bytes(31), bytes(32)), (0, 0, b"", b"")],
)
def test_what_fits_no_word_is_refused(epoch: int, size: int, log: bytes, state: bytes) -> None:
    with pytest.raises(InvalidValue):
        checkpoint_digest(ORIGIN, epoch, size, log, state)
