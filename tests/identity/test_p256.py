"""A P-256 signature is believed as its key wrote it, under its own curve, and in no other form."""

from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.directory import Directory
from commonwatt.identity.keys import SECP256K1, RequestSigner, SigningKey, VerifyingKey, keccak256, signed_digest
from commonwatt.identity.p256 import P256, P256_ORDER, P256VerifyingKey, verifying_key
from commonwatt.model import AccountId, GatewayId, InvalidValue, KeyId
from signers import P256Signer, secure_key

pytestmark = pytest.mark.row("H9")
SIGNER = secure_key("gw-1")
KEY = P256VerifyingKey(SIGNER.public)
ON_BOTH_CURVES = 3
"""A secret whose P-256 key reads as a key of secp256k1 too, for its x is on both curves."""


@given(st.integers(1, P256_ORDER - 1), st.binary(max_size=300), st.binary(max_size=300))
def test_what_a_key_signs_its_public_half_believes_and_nothing_else(secret: int, message: bytes, other: bytes) -> None:
    signer: RequestSigner = P256Signer(secret)
    key = verifying_key(signer.public, signer.alg)
    signature = signer.sign(message)
    assert (key.id, key.alg, key.public) == (signer.id, P256, signer.public)
    assert key.verify(message, signature)
    assert key.verify(other, signature) == (message == other)
    assert KEY.verify(message, signature) == (key.id == KEY.id)


@given(st.binary(max_size=300), st.integers(0, 511))
def test_a_signature_with_one_bit_changed_and_its_high_twin_are_nobodys(message: bytes, bit: int) -> None:
    signature = SIGNER.sign(message)
    assert not KEY.verify(message, f"{int(signature, 16) ^ 1 << bit:0128x}")
    assert int(signature[64:], 16) <= P256_ORDER // 2
    assert not KEY.verify(message, signature[:64] + f"{P256_ORDER - int(signature[64:], 16):064x}")
    assert not KEY.verify(message, signature.upper()) or signature == signature.upper()


@pytest.mark.parametrize("r", [0, 1, P256_ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, P256_ORDER // 2 + 1, P256_ORDER])
def test_numbers_outside_the_curves_order_are_no_signature(r: int, s: int) -> None:
    assert not KEY.verify(b"message", f"{r:064x}{s:064x}")


@pytest.mark.parametrize("garbage", ["", "00" * 63, "00" * 65, "zz" * 64, " " * 128, "0" * 127 + "\n"])
def test_what_is_no_signature_is_false_and_no_error(garbage: str) -> None:
    assert not KEY.verify(b"message", garbage)


def test_what_is_signed_is_the_wallets_digest_and_nothing_is_hashed_after_it() -> None:
    message = b"Some data"
    digest = keccak256(b"\x19Ethereum Signed Message:\n9Some data")
    assert digest == signed_digest(message)
    assert KEY.verify(message, SIGNER.sign_digest(digest))
    assert not KEY.verify(message, SIGNER.sign_digest(sha256(digest).digest()))
    assert not KEY.verify(message, SIGNER.sign_digest(sha256(message).digest()))


def test_a_key_is_named_by_its_coordinates_as_every_other_is() -> None:
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), SIGNER.public)
    whole = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert KEY.id == "0x" + keccak256(whole[1:])[-20:].hex()
    assert repr(KEY) == f"P256VerifyingKey({KEY.id})"


@pytest.mark.parametrize(
    "public",
    [
        SigningKey((1).to_bytes(32)).public,
        b"\x02" + b"\xff" * 32,
        b"\x05" + SIGNER.public[1:],
        SIGNER.public[:-1],
        SIGNER.public + b"\x00",
        b"",
        b"\x00",
    ],
)
def test_bytes_that_are_no_point_of_p_256_are_no_key_of_it(public: bytes) -> None:
    with pytest.raises(InvalidValue, match="P-256"):
        verifying_key(public, P256)


def test_a_point_that_is_not_compressed_is_no_key() -> None:
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), SIGNER.public)
    with pytest.raises(InvalidValue, match="compressed form"):
        P256VerifyingKey(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def test_a_curve_that_nobody_knows_makes_no_key() -> None:
    with pytest.raises(InvalidValue, match="was P-384"):
        verifying_key(SIGNER.public, "P-384")


@given(st.binary(max_size=100))
def test_one_curves_signature_is_nothing_under_the_other(message: bytes) -> None:
    signer = P256Signer(ON_BOTH_CURVES)
    as_p256, as_secp256k1 = verifying_key(signer.public, P256), verifying_key(signer.public, SECP256K1)
    assert as_p256.id != as_secp256k1.id
    assert as_p256.verify(message, signer.sign(message))
    assert not as_secp256k1.verify(message, signer.sign(message))
    same_secret = SigningKey(ON_BOTH_CURVES.to_bytes(32))
    assert not as_p256.verify(message, same_secret.sign(message))


def test_keys_of_both_curves_stand_in_one_directory_and_only_one_kind_is_quick() -> None:
    directory = Directory()
    wallet = VerifyingKey(SigningKey.from_seed(b"seed", "anna").public)
    member = directory.add(wallet, "member", AccountId("anna"))
    record = directory.add(KEY, "gateway", AccountId("gw-1"), GatewayId("gw-1"))
    assert (directory.quick(wallet.id), directory.quick(KEY.id), directory.quick(KeyId("0x"))) == (0, None, None)
    assert directory.points(np.array([0])).tobytes() == wallet.point
    assert record.leaf() == {
        "account": "gw-1",
        "alg": "P-256",
        "gateway": "gw-1",
        "key": SIGNER.public.hex(),
        "role": "gateway",
    }
    assert "alg" not in member.leaf()
