"""A gateway's key in a security module or a TPM signs as one in a file does, and cannot be taken out."""

import subprocess
import sys
from pathlib import Path

import pkcs11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from commonwatt.adapters.stores import pkcs11_signer
from commonwatt.adapters.stores.pkcs11_signer import Pkcs11Signer
from commonwatt.identity.keys import CURVE_ORDER, SECP256K1, RequestSigner
from commonwatt.identity.p256 import P256, P256_ORDER, verifying_key
from commonwatt.model import InvalidValue, Refused
from servers.softhsm import SoftToken
from servers.tpm import Tpm

pytestmark = pytest.mark.row("H9")


def signer(token: SoftToken, key: str, *, alg: str = SECP256K1, create: bool = True) -> Pkcs11Signer:
    return Pkcs11Signer(token.library, token=token.label, key=key, pin=token.pin, alg=alg, create=create)


@pytest.mark.parametrize(("alg", "order"), [(SECP256K1, CURVE_ORDER), (P256, P256_ORDER)])
def test_what_the_token_signs_is_a_request_s_signature_with_low_s(soft_token: SoftToken, alg: str, order: int) -> None:
    with signer(soft_token, f"hepek-1 {alg}", alg=alg) as key:
        asked: RequestSigner = key
        verifying = verifying_key(asked.public, asked.alg)
        assert (verifying.id, verifying.alg) == (asked.id, alg)

        @settings(max_examples=40)
        @given(st.binary(max_size=300))
        def every(message: bytes) -> None:
            signature = asked.sign(message)
            assert verifying.verify(message, signature)
            assert int(signature[64:], 16) <= order // 2
            assert not verifying.verify(message + b".", signature)

        every()


def test_the_key_cannot_be_taken_out_and_is_the_same_next_time(soft_token: SoftToken) -> None:
    with signer(soft_token, "hepek-2") as key:
        public = key.public
        private = next(key._session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: "hepek-2"}))
        with pytest.raises(pkcs11.PKCS11Error):
            private[Attribute.VALUE]
    with signer(soft_token, "hepek-2", create=False) as again:
        assert again.public == public


def test_an_empty_token_a_key_of_another_curve_and_one_that_can_be_read_are_refused_in_words(
    soft_token: SoftToken,
) -> None:
    with pytest.raises(Refused, match="no such key in the token"):
        signer(soft_token, "nobody", create=False)
    with pytest.raises(Refused, match="opens with its label and PIN"):
        Pkcs11Signer(soft_token.library, token="another", key="x", pin=soft_token.pin)
    with signer(soft_token, "hepek-3") as key:
        for label, curve, private in (
            ("other", "secp256r1", {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}),
            ("open", "secp256k1", {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}),
        ):
            told = {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
            made = key._session.create_domain_parameters(KeyType.EC, told, local=True)
            made.generate_keypair(store=True, label=label, private_template=private)
    with pytest.raises(Refused, match="is of secp256k1"):
        signer(soft_token, "other")
    with pytest.raises(Refused, match="is of P-256"):
        signer(soft_token, "hepek-3", alg=P256)
    with pytest.raises(InvalidValue, match="was 'P-384'"):
        signer(soft_token, "hepek-3", alg="P-384")
    with pytest.raises(Refused, match="never to be read out"):
        signer(soft_token, "open")


def test_a_token_that_makes_no_such_keys_is_told_in_words(
    soft_token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = pkcs11_signer._CURVES
    monkeypatch.setitem(curves, SECP256K1, (b"\x06\x03\x2a\x03\x04", *curves[SECP256K1][1:]))
    with pytest.raises(Refused, match="does not make such keys"):
        signer(soft_token, "hepek-4")


def test_a_missing_library_is_refused(soft_token: SoftToken, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from commonwatt.adapters.stores.pkcs11_signer import Pkcs11Signer\n"
        "Pkcs11Signer(Path(sys.argv[1]), token='t', key='k', pin=Path(sys.argv[2]))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "none.so"), str(soft_token.pin)]
    said = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert "opens with its label and PIN" in said.stderr


def test_a_key_in_a_tpm_signs_over_p_256_and_is_the_same_next_time(tpm: tuple[Tpm, SoftToken]) -> None:
    chip, token = tpm
    with signer(token, "hepek-tpm", alg=P256) as key:
        verifying = verifying_key(key.public, P256)
        for n in range(20):
            signature = key.sign(b"batch %d" % n)
            assert verifying.verify(b"batch %d" % n, signature)
            assert int(signature[64:], 16) <= P256_ORDER // 2
        public = key.public
    with signer(token, "hepek-tpm", alg=P256, create=False) as again:
        assert again.public == public
    chip.make_room()


def test_a_tpm_without_the_curve_says_so_in_words(tpm: tuple[Tpm, SoftToken]) -> None:
    chip, token = tpm
    with pytest.raises(Refused, match="does not make such keys; it may make P-256"):
        signer(token, "hepek-other")
    chip.make_room()


def test_a_token_signs_digests_of_a_chain_with_secp256k1_alone(soft_token: SoftToken) -> None:
    with signer(soft_token, "hepek-9 P-256", alg=P256) as key, pytest.raises(Refused, match="signed with secp256k1"):
        key.sign_digest(bytes(32))
