import dataclasses

import pytest
from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.keys import CURVE_ORDER, NoteKey, SigningKey, VerifyingKey, sign_request
from commonwatt.model import AccountId, CommunityId, Corrupt, InvalidValue, Kind, Refused, Request

ONE = SigningKey((1).to_bytes(32))
ANNE = SigningKey.from_seed(b"seed", "anne")
BERT = SigningKey.from_seed(b"seed", "bert")
MESSAGE = b"hello"
SIGNATURE = ANNE.sign(MESSAGE)

# Example of the web3.js and eth-account documentation: sign "Some data" with this key.
WALLET = SigningKey(bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"))
WALLET_SIGNATURE = (
    "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
    "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a029"
)


def test_the_secret_one_has_the_address_that_every_wallet_shows() -> None:
    assert ONE.id == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    assert ONE.public.hex() == "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def test_a_message_is_signed_as_a_wallet_signs_it() -> None:
    assert WALLET.id == "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"
    assert WALLET.sign(b"Some data") == WALLET_SIGNATURE
    assert VerifyingKey(WALLET.public).verify(b"Some data", WALLET_SIGNATURE)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_signature_covers_its_message_alone(message: bytes, other: bytes) -> None:
    signature = ANNE.sign(message)
    assert VerifyingKey(ANNE.public).verify(message, signature)
    assert VerifyingKey(ANNE.public).verify(other, signature) == (message == other)
    assert not VerifyingKey(BERT.public).verify(message, signature)


@given(st.binary(max_size=40))
def test_signatures_are_low_s(message: bytes) -> None:
    assert int(ANNE.sign(message)[64:], 16) <= CURVE_ORDER // 2


@given(st.binary(max_size=40))
def test_the_high_s_twin_of_a_signature_is_refused(message: bytes) -> None:
    signature = ANNE.sign(message)
    twin = signature[:64] + f"{CURVE_ORDER - int(signature[64:], 16):064x}"
    assert not VerifyingKey(ANNE.public).verify(message, twin)


def test_every_flip_of_one_bit_of_a_signature_is_refused() -> None:
    key = VerifyingKey(ANNE.public)
    for bit in range(512):
        assert not key.verify(MESSAGE, f"{int(SIGNATURE, 16) ^ (1 << bit):0128x}")


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        SIGNATURE.upper(),
        SIGNATURE[:-1],
        SIGNATURE + "00",
        SIGNATURE + "\n",
        "0x" + SIGNATURE[2:],
        " " + SIGNATURE[1:],
        SIGNATURE[:-1] + "٣",
        "0" * 128,
        "f" * 128,
        "\ud800" * 128,
    ],
)
def test_what_no_key_would_write_is_no_signature(garbage: str) -> None:
    assert not VerifyingKey(ANNE.public).verify(MESSAGE, garbage)


@given(st.text() | st.text("0123456789abcdef", min_size=128, max_size=128))
def test_garbage_is_false_and_never_an_error(garbage: str) -> None:
    assert not VerifyingKey(ANNE.public).verify(MESSAGE, garbage)


def test_a_chain_recovers_the_signer_from_a_signature() -> None:
    for number in range(50):
        message = b"%d" % number
        prefixed = b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message)
        compact = bytes.fromhex(ANNE.sign(message))
        twins = [compact + bytes([parity]) for parity in (0, 1)]
        recovered = {PublicKey.from_signature_and_message(twin, prefixed, keccak256).format() for twin in twins}
        assert ANNE.public in recovered


@pytest.mark.parametrize(
    "public", [b"", bytes(33), b"\x02" + b"\xff" * 32, ONE.public[:-1], PrivateKey(b"1" * 32).public_key.format(False)]
)
def test_only_a_compressed_point_is_a_public_key(public: bytes) -> None:
    with pytest.raises(InvalidValue, match="a public key is"):
        VerifyingKey(public)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, CURVE_ORDER.to_bytes(32), b"1", b"1" * 33])
def test_a_secret_out_of_range_is_refused_and_not_repeated(secret: bytes) -> None:
    with pytest.raises(InvalidValue) as refusal:
        SigningKey(secret)
    assert repr(secret) not in str(refusal.value)


def test_both_halves_of_a_key_have_one_name() -> None:
    assert VerifyingKey(ANNE.public).id == ANNE.id
    assert VerifyingKey(ANNE.public).public == ANNE.public


def test_a_seed_gives_each_name_one_key() -> None:
    assert SigningKey.from_seed(b"seed", "anne").id == ANNE.id
    assert len({ANNE.id, BERT.id, SigningKey.from_seed(b"tree", "anne").id, SigningKey.generate().id}) == 4
    assert NoteKey.from_seed(b"seed", "anne").public == NoteKey.from_seed(b"seed", "anne").public
    assert NoteKey.from_seed(b"seed", "anne").public != NoteKey.generate().public


def test_a_request_is_signed_over_its_canonical_bytes() -> None:
    request = Request(
        community=CommunityId("street"),
        kind=Kind.ORDER,
        author=ANNE.id,
        seq=1,
        on_behalf_of=AccountId("anne"),
        body={"energy_wh": 500},
    )
    signed = sign_request(request, ANNE)
    assert VerifyingKey(ANNE.public).verify(signed.signed_bytes(), signed.signature)
    assert dataclasses.replace(signed, signature="") == request
    changed = dataclasses.replace(signed, body={"energy_wh": 501})
    assert not VerifyingKey(ANNE.public).verify(changed.signed_bytes(), signed.signature)


def test_a_key_comes_back_from_its_pem_with_its_passphrase_only() -> None:
    pem = ANNE.to_pem(b"open")
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert SigningKey.from_pem(pem, b"open").sign(MESSAGE) == SIGNATURE
    for wrong in (b"shut", b""):
        with pytest.raises(Refused, match="passphrase"):
            SigningKey.from_pem(pem, wrong)
    with pytest.raises(Refused, match="damaged"):
        SigningKey.from_pem(b"no key", b"open")
    with pytest.raises(InvalidValue, match="was empty"):
        ANNE.to_pem(b"")


def test_a_note_key_comes_back_from_its_pem_and_signs() -> None:
    key = NoteKey.from_pem(NoteKey.from_seed(b"seed", "anne").to_pem(b"open"), b"open")
    Ed25519PublicKey.from_public_bytes(key.public).verify(key.private.sign(MESSAGE), MESSAGE)
    assert key.public == NoteKey.from_seed(b"seed", "anne").public


def test_a_pem_of_the_other_kind_is_told_apart() -> None:
    with pytest.raises(Corrupt, match="of secp256k1"):
        SigningKey.from_pem(NoteKey.generate().to_pem(b"open"), b"open")
    with pytest.raises(Corrupt, match="of Ed25519"):
        NoteKey.from_pem(ANNE.to_pem(b"open"), b"open")


def test_no_repr_tells_a_secret() -> None:
    assert repr(ONE) == f"SigningKey({ONE.id})"
    note_key = NoteKey.from_seed(b"seed", "anne")
    assert repr(note_key) == str(note_key) == f"NoteKey({note_key.public.hex()})"
    assert repr(VerifyingKey(ONE.public)) == f"VerifyingKey({ONE.id})"


def keccak256(data: bytes) -> bytes:
    return keccak.new(data=data, digest_bits=256).digest()
