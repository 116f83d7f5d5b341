"""The arithmetic of the verifier that stands alone: Ed25519, Keccak, secp256k1 and paths to a root."""

from hashlib import sha256
from random import Random

import pytest
from community import key
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st
from verifiers import ALONE

from commonwatt.identity.keys import CURVE_ORDER, SigningKey
from commonwatt.identity.p256 import P256_ORDER
from commonwatt.ledger.merkle import MerkleTree
from signers import P256Signer


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_ed25519_holds_what_rfc_8032_signed(public: str, message: str, signature: str) -> None:
    key_bytes, signed = bytes.fromhex(public), bytes.fromhex(signature)
    assert ALONE.ed25519_holds(key_bytes, bytes.fromhex(message), signed)
    assert not ALONE.ed25519_holds(key_bytes, bytes.fromhex(message) + b"x", signed)
    assert not ALONE.ed25519_holds(key_bytes, bytes.fromhex(message), signed[:-1])
    s = int.from_bytes(signed[32:], "little") + ALONE.ED_ORDER
    assert not ALONE.ed25519_holds(key_bytes, bytes.fromhex(message), signed[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
    ],
)
def test_keccak_gives_its_own_test_values(data: bytes, digest: str) -> None:
    assert ALONE.keccak256(data).hex() == digest


def test_keccak_is_right_around_each_edge_of_its_blocks() -> None:
    for length in (1, 134, 135, 136, 137, 271, 272, 273, 500):
        data = Random(length).randbytes(length)
        assert ALONE.keccak256(data) == keccak.new(data=data, digest_bits=256).digest()


def test_a_wallet_s_signature_is_read_as_the_wallet_wrote_it() -> None:
    # web3.js, eth.accounts.sign('Some data', ...): https://web3js.readthedocs.io/en/v1.10.0/web3-eth-accounts.html
    secret = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
    point = ALONE.curve_point(ALONE.SECP256K1, SigningKey(secret).public)
    assert ALONE.address(point) == "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"
    digest = ALONE.eip191(b"Some data")
    assert digest.hex() == "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
    signature = bytes.fromhex(
        "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
        "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a029"
    )
    assert ALONE.ecdsa_holds(ALONE.SECP256K1, point, digest, signature)
    assert not ALONE.ecdsa_holds(ALONE.SECP256K1, point, ALONE.eip191(b"some data"), signature)


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=300), st.integers(0, 511))
def test_ecdsa_takes_what_libsecp256k1_signs_and_nothing_one_bit_beside(seed: bytes, message: bytes, bit: int) -> None:
    signer = SigningKey.from_seed(seed, "any")
    point, digest = ALONE.curve_point(ALONE.SECP256K1, signer.public), ALONE.eip191(message)
    signature = bytes.fromhex(signer.sign(message))
    assert ALONE.address(point) == signer.id
    assert ALONE.ecdsa_holds(ALONE.SECP256K1, point, digest, signature)
    flipped = (int.from_bytes(signature) ^ 1 << bit).to_bytes(64)
    assert not ALONE.ecdsa_holds(ALONE.SECP256K1, point, digest, flipped)
    high = CURVE_ORDER - int.from_bytes(signature[32:])
    assert not ALONE.ecdsa_holds(ALONE.SECP256K1, point, digest, signature[:32] + high.to_bytes(32))


@pytest.mark.parametrize("r", [0, CURVE_ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, CURVE_ORDER // 2 + 1, CURVE_ORDER])
def test_ecdsa_refuses_numbers_outside_the_curve_s_order(r: int, s: int) -> None:
    point = ALONE.curve_point(ALONE.SECP256K1, key("ben").public)
    assert not ALONE.ecdsa_holds(ALONE.SECP256K1, point, bytes(32), r.to_bytes(32) + s.to_bytes(32))


def test_p_256_is_read_as_rfc_6979_wrote_it() -> None:
    # RFC 6979 A.2.5: "sample" by SHA-256; what s it tells is the high one, of which requests bear the low twin.
    x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    y = 0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299
    r = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    s = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    point, digest = ALONE.curve_point(ALONE.P256, bytes.fromhex(f"{2 + y % 2:02x}{x}")), sha256(b"sample").digest()
    assert point == (int(x, 16), y, 1)
    assert ALONE.ecdsa_holds(ALONE.P256, point, digest, r.to_bytes(32) + (P256_ORDER - s).to_bytes(32))
    assert not ALONE.ecdsa_holds(ALONE.P256, point, digest, r.to_bytes(32) + s.to_bytes(32))
    assert not ALONE.ecdsa_holds(ALONE.SECP256K1, point, digest, r.to_bytes(32) + (P256_ORDER - s).to_bytes(32))


@given(st.integers(1, P256_ORDER - 1), st.binary(max_size=300), st.integers(0, 511))
def test_p_256_takes_what_openssl_signs_and_nothing_one_bit_beside(secret: int, message: bytes, bit: int) -> None:
    signer = P256Signer(secret)
    point, digest = ALONE.curve_point(ALONE.P256, signer.public), ALONE.eip191(message)
    signature = bytes.fromhex(signer.sign(message))
    assert ALONE.address(point) == signer.id
    assert ALONE.ecdsa_holds(ALONE.P256, point, digest, signature)
    assert not ALONE.ecdsa_holds(ALONE.P256, point, digest, (int.from_bytes(signature) ^ 1 << bit).to_bytes(64))


@pytest.mark.parametrize("public", ["02" + "00" * 31 + "05", "04" + "79" * 32, "02" + "ff" * 32])
def test_bytes_that_are_no_point_are_no_key(public: str) -> None:
    with pytest.raises(ValueError, match="point of its curve"):
        ALONE.curve_point(ALONE.SECP256K1, bytes.fromhex(public))
    with pytest.raises(ValueError, match="point of Ed25519"):
        ALONE.ed25519_point(bytes([2, *bytes(31)]))


@given(st.integers(1, 70))
def test_a_path_leads_to_the_root_from_its_own_place_alone(size: int) -> None:
    tree = MerkleTree(b"%d" % n for n in range(size))
    for index in range(size):
        path = [step.hex() for step in tree.inclusion_proof(index, size)]
        leaf = ALONE.leaf_hash(b"%d" % index)
        assert ALONE.climb(leaf, index, size, path) == tree.root()
        for wrong, steps in (
            (index ^ 1, path),
            (index, [*path, "00" * 32]),
            (index, path[1:] or ["00" * 32]),
            (-1, path),
            (size, path),
        ):
            try:
                found = ALONE.climb(leaf, wrong, size, steps)
            except (ValueError, IndexError):
                continue
            assert found != tree.root()
