"""Signatures of 64 bytes that tell who signed: one form for each, held against the standard's own examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.eip712 import (
    Domain,
    address_word,
    compact_signature,
    compact_signer,
    number_word,
    typed_digest,
)
from commonwatt.identity.keys import CURVE_ORDER, SigningKey, recovered, signed_digest
from commonwatt.model import InvalidValue, KeyId

DIGESTS, SECRETS = st.binary(min_size=32, max_size=32), st.integers(1, CURVE_ORDER - 1)


def key(secret: int) -> SigningKey:
    return SigningKey(secret.to_bytes(32))


@given(DIGESTS, SECRETS)
def test_a_compact_signature_tells_its_signer(digest: bytes, secret: int) -> None:
    signer = key(secret)
    plain = signer.sign_digest(digest)
    r, vs = compact_signature(digest, plain, signer.id)
    assert compact_signer(digest, r, vs) == signer.id
    assert (r, vs % 2**255) == (int(plain[:64], 16), int(plain[64:], 16))
    assert compact_signer(digest, r, vs ^ 1 << 255) != signer.id
    assert compact_signer(digest[:-1] + bytes([digest[-1] ^ 1]), r, vs) != signer.id


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        (
            b"Hello World",
            "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90"
            "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064",
        ),
        (
            b"It's a small(er) world",
            "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76"
            "939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793",
        ),
    ],
)
def test_the_standard_s_own_examples_are_read_alike(message: bytes, signature: str) -> None:
    """EIP-2098, "Test Cases": one of each parity by the key 0x1234...1234, as EIP-191 hashes it."""
    signer = SigningKey(bytes.fromhex("1234567890" * 6 + "1234"))
    r, vs = compact_signature(signed_digest(message), signer.sign(message), signer.id)
    assert f"{r:064x}{vs:064x}" == signature


@given(DIGESTS, SECRETS)
def test_the_high_twin_is_nobody_s(digest: bytes, secret: int) -> None:
    plain = bytes.fromhex(key(secret).sign_digest(digest))
    twin = plain[:32] + (CURVE_ORDER - int.from_bytes(plain[32:])).to_bytes(32)
    assert {recovered(digest, twin, parity) for parity in (0, 1)} == {None}
    assert key(secret).id in {recovered(digest, plain, parity) for parity in (0, 1)}


@given(DIGESTS, st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_noise_is_read_or_nobody_s_and_breaks_nothing(digest: bytes, r: int, vs: int) -> None:
    found = compact_signer(digest, r, vs)
    assert found is None or len(found) == 42


@pytest.mark.parametrize("signature", ["", "0" * 128, "f" * 128, "AB" * 64, "0" * 127, "0x" + "0" * 126])
def test_what_is_no_signature_has_no_compact_form(signature: str) -> None:
    with pytest.raises(InvalidValue):
        compact_signature(bytes(32), signature, key(1).id)


def test_nobody_passes_for_another() -> None:
    plain = key(1).sign_digest(bytes(32))
    for other in (key(2).id, KeyId("0x" + "0" * 40)):
        with pytest.raises(InvalidValue):
            compact_signature(bytes(32), plain, other)
    assert compact_signer(bytes(32), 0, 0) is None


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
