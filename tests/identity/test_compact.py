"""Signatures of 64 bytes that tell who signed: one form for each, held against the chain's own recovery elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.compact import compact, signer_of
from commonwatt.identity.eip712 import Domain, address_word, number_word, typed_digest
from commonwatt.identity.keys import CURVE_ORDER, SigningKey, recovered, signed_digest
from commonwatt.model import InvalidValue, KeyId

DIGESTS, SECRETS = st.binary(min_size=32, max_size=32), st.integers(1, CURVE_ORDER - 1)


def key(secret: int) -> SigningKey:
    return SigningKey(secret.to_bytes(32))


@given(DIGESTS, SECRETS)
def test_a_compact_signature_tells_its_signer(digest: bytes, secret: int) -> None:
    signer = key(secret)
    told = compact(signer.sign_digest(digest), digest, signer.id)
    assert signer_of(told, digest) == signer.id
    assert (told[:64], int(told[64:], 16) % 2**255) == (
        signer.sign_digest(digest)[:64],
        int(signer.sign_digest(digest)[64:], 16),
    )
    assert signer_of(told, digest[:-1] + bytes([digest[-1] ^ 1])) != signer.id


def test_the_standard_s_own_examples_are_read_alike() -> None:
    """EIP-2098, "Test Cases": a message of each parity by the key 0x1234...1234, as EIP-191 hashes it."""
    secret = bytes.fromhex("1234567890" * 6 + "1234")
    signer = SigningKey(secret)
    hello = (
        "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90"
        "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064"
    )
    small = (
        "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76"
        "939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793"
    )
    assert compact(signer.sign(b"Hello World"), signed_digest(b"Hello World"), signer.id) == hello
    assert compact(signer.sign(b"It's a small(er) world"), signed_digest(b"It's a small(er) world"), signer.id) == small


@given(DIGESTS, SECRETS)
def test_the_high_twin_is_nobody_s(digest: bytes, secret: int) -> None:
    plain = bytes.fromhex(key(secret).sign_digest(digest))
    twin = plain[:32] + (CURVE_ORDER - int.from_bytes(plain[32:])).to_bytes(32)
    assert {recovered(digest, twin, parity) for parity in (0, 1)} == {None}
    assert key(secret).id in {recovered(digest, plain, parity) for parity in (0, 1)}


@given(DIGESTS, st.binary(max_size=70) | st.binary(min_size=64, max_size=64))
def test_noise_is_read_or_nobody_s_and_breaks_nothing(digest: bytes, noise: bytes) -> None:
    found = signer_of(noise.hex(), digest)
    assert found is None or len(found) == 42


@pytest.mark.parametrize("signature", ["", "0" * 128, "f" * 128, "AB" * 64, "0" * 127, "0x" + "0" * 126])
def test_what_is_no_signature_is_nobody_s(signature: str) -> None:
    assert signer_of(signature, bytes(32)) is None
    with pytest.raises(InvalidValue):
        compact(signature, bytes(32), key(1).id)


def test_nobody_passes_for_another() -> None:
    digest = bytes(32)
    with pytest.raises(InvalidValue):
        compact(key(1).sign_digest(digest), digest, key(2).id)
    with pytest.raises(InvalidValue):
        compact(key(1).sign_digest(digest), digest, KeyId("0x" + "0" * 40))


def test_a_domain_names_chain_and_contract() -> None:
    here = Domain(name="x", chain_id=1, contract="0x" + "11" * 20)
    others = [
        Domain(name="y", chain_id=1, contract=here.contract),
        Domain(name="x", chain_id=2, contract=here.contract),
        Domain(name="x", chain_id=1, contract="0x" + "12" * 20),
        Domain(name="x", version="2", chain_id=1, contract=here.contract),
    ]
    assert len({one.separator() for one in (here, *others)}) == 5
    kind, words = b"T(uint256 a)", [number_word(1)]
    assert len({typed_digest(one.separator(), kind, words) for one in (here, *others)}) == 5


@pytest.mark.parametrize("address", ["", "0x", "11" * 20, "0x" + "11" * 19, "0x" + "1g" * 20, "0x" + " 1" * 20])
def test_what_is_no_address_or_number_has_no_word(address: str) -> None:
    with pytest.raises(InvalidValue):
        address_word(address)
    for number in (-1, 2**256):
        with pytest.raises(InvalidValue):
            number_word(number)
