"""Credentials hold against bytes that another library wrote, and fall to every trick that tokens are known for."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from random import Random
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.credentials import (
    CONTEXT,
    ES256,
    ES256K,
    MOST_CHARACTERS,
    Claim,
    Credential,
    CredentialKey,
    EngineeringSpecification,
    Inspection,
    ProfessionalQualification,
    Registration,
    asset_urn,
    check_credential,
    issue_credential,
    key_urn,
    read_credential,
)
from commonwatt.identity.keys import CURVE_ORDER, SigningKey
from commonwatt.model import InvalidValue, Refused

OURS = SigningKey.from_seed(b"credentials", "engineer")
ISSUER = key_urn("tiny", OURS.id)
ASSET = asset_urn("tiny", "anna-battery")
SINCE_S, UNTIL_S = 1_780_272_000, 1_811_808_000
WITHIN_S = SINCE_S + 5
HEADER = {"alg": "ES256K", "cty": "vc", "kid": f"{ISSUER}#ES256K", "typ": "vc+jwt"}
PAYLOAD: dict[str, Any] = {
    "@context": list(CONTEXT),
    "credentialSubject": {"id": ASSET, "max_import_w": 5000},
    "exp": UNTIL_S,
    "iss": ISSUER,
    "issuer": ISSUER,
    "nbf": SINCE_S,
    "sub": ASSET,
    "type": ["VerifiableCredential", "EngineeringSpecification"],
    "validFrom": "2026-06-01T00:00:00Z",
    "validUntil": "2027-06-01T00:00:00Z",
}
CLAIMS: list[Claim] = [
    EngineeringSpecification(id=ASSET, max_import_w=0, max_export_w=1, capacity_wh=2, min_decicelsius=-200),
    EngineeringSpecification(id=ASSET),
    Inspection(id=ASSET, inspected_on="2026-05-30", result="fail", findings=("loose earth", "ärger")),
    Registration(id=ASSET, gateway="gw-anna", register=2, asset_kind="battery", installed_on="2026-05-01"),
    ProfessionalQualification(id=key_urn("tiny", OURS.id), role="engineer", licence="E 17", p256="02" + "1" * 64),
]


@cache
def foreign() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(12345, ec.SECP256R1())


def compressed(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def our_key() -> CredentialKey:
    return CredentialKey(issuer=ISSUER, alg=ES256K, public=OURS.public)


def their_key() -> CredentialKey:
    return CredentialKey(issuer=ISSUER, alg=ES256, public=compressed(foreign()))


def twin() -> ec.EllipticCurvePrivateKey:
    """Return our secp256k1 key as the other library holds it."""
    return ec.derive_private_key(OURS._key.to_int(), ec.SECP256K1())


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def token(header: object = HEADER, payload: object = PAYLOAD, key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """Return a JWS built by hand, with `cryptography` alone."""
    parts = [item if isinstance(item, bytes) else canonical(item) for item in (header, payload)]
    signed = ".".join(map(b64, parts))
    r, s = decode_dss_signature((key or twin()).sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def changed(base: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {name: value for name, value in (base | fields).items() if value is not ...}


def claimed(**fields: object) -> dict[str, Any]:
    return changed(PAYLOAD, credentialSubject=changed(PAYLOAD["credentialSubject"], **fields))


def test_a_token_that_another_library_wrote_is_read_as_it_is() -> None:
    found = check_credential(token(), our_key(), WITHIN_S)
    assert found.claim == EngineeringSpecification(id=ASSET, max_import_w=5000)
    assert (found.issuer, found.since_s, found.until_s) == (ISSUER, SINCE_S, UNTIL_S)
    header = HEADER | {"alg": "ES256", "kid": f"{ISSUER}#ES256"}
    assert check_credential(token(header, key=foreign()), their_key(), WITHIN_S).claim == found.claim


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: type(claim).__name__)
@pytest.mark.parametrize("alg", [ES256K, ES256])
def test_what_is_issued_is_what_is_read_and_another_library_verifies_it(claim: Claim, alg: str) -> None:
    issuer, key, verifying = (OURS, our_key(), twin()) if alg == ES256K else (foreign(), their_key(), foreign())
    issued = issue_credential(Credential(issuer=ISSUER, since_s=SINCE_S, until_s=UNTIL_S, claim=claim), issuer)
    assert check_credential(issued, key, WITHIN_S).claim == claim
    signed, _, signature = issued.rpartition(".")
    raw = unb64(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    verifying.public_key().verify(der, signed.encode(), ec.ECDSA(SHA256()))
    header, payload = (json.loads(unb64(part)) for part in signed.split("."))
    assert header == {"alg": alg, "cty": "vc", "kid": f"{ISSUER}#{alg}", "typ": "vc+jwt"}
    assert payload["type"] == ["VerifiableCredential", type(claim).__name__]
    assert payload["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert "vc" not in payload
    with pytest.raises(InvalidSignature):
        verifying.public_key().verify(der, signed.encode() + b"x", ec.ECDSA(SHA256()))


@pytest.mark.parametrize(
    "header",
    [
        changed(HEADER, alg="none"),
        changed(HEADER, alg="HS256"),
        changed(HEADER, alg="ES256"),
        changed(HEADER, alg="es256k"),
        changed(HEADER, alg=...),
        changed(HEADER, kid=...),
        changed(HEADER, typ="JWT"),
        changed(HEADER, typ=...),
        changed(HEADER, cty=...),
        changed(HEADER, crit=["exp"]),
        changed(HEADER, crit=["b64"], b64=False),
        changed(HEADER, jwk={"kty": "EC"}),
        changed(HEADER, x5c=["MII"]),
        changed(HEADER, kid="urn:commonwatt:tiny:key:0x00#ES256K"),
        json.dumps(HEADER).encode(),
        b'{"alg":"none",' + canonical(HEADER)[1:],
        b"[]",
    ],
)
def test_a_header_that_is_not_the_profiles_is_refused(header: object) -> None:
    assert check_credential(token(HEADER), our_key(), WITHIN_S)
    with pytest.raises((InvalidValue, Refused)):
        check_credential(token(header), our_key(), WITHIN_S)


def test_an_unsigned_token_is_refused() -> None:
    head, body, _ = token(changed(HEADER, alg="none")).split(".")
    for forged in (f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{b64(bytes(64))}"):
        with pytest.raises((InvalidValue, Refused)):
            check_credential(forged, our_key(), WITHIN_S)
    head, body, _ = token().split(".")
    with pytest.raises(Refused, match="signature"):
        check_credential(f"{head}.{body}.{b64(bytes(64))}", our_key(), WITHIN_S)


@pytest.mark.parametrize("name", sorted(PAYLOAD))
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue):
        check_credential(token(payload=changed(PAYLOAD, **{name: ...})), our_key(), WITHIN_S)


@pytest.mark.parametrize(
    "payload",
    [
        changed(PAYLOAD, sub=asset_urn("tiny", "other")),
        changed(PAYLOAD, iss=key_urn("tiny", "0x" + "1" * 40)),
        changed(PAYLOAD, issuer=key_urn("tiny", "0x" + "1" * 40)),
        changed(PAYLOAD, nbf=SINCE_S + 1),
        changed(PAYLOAD, exp=UNTIL_S + 1),
        changed(PAYLOAD, validUntil="2028-06-01T00:00:00Z"),
        changed(PAYLOAD, nbf=-1),
        changed(PAYLOAD, exp=2**53),
        changed(PAYLOAD, nbf=float(SINCE_S)),
        changed(PAYLOAD, nbf=UNTIL_S, validFrom="2027-06-01T00:00:00Z"),
        changed(PAYLOAD, vc={}),
        changed(PAYLOAD, **{"@context": ["https://www.w3.org/2018/credentials/v1"]}),
        changed(PAYLOAD, type=["VerifiableCredential"]),
        changed(PAYLOAD, type=["VerifiableCredential", "Inspection"]),
        changed(PAYLOAD, type=["VerifiableCredential", "Royalty"]),
        changed(PAYLOAD, type=["EngineeringSpecification", "VerifiableCredential"]),
        claimed(id=asset_urn("tiny", "other")),
        claimed(max_import_w=-1),
        claimed(max_import_w=2**60),
        claimed(max_import_w="5000"),
        claimed(max_import_w=None),
        claimed(max_import_w=5e3),
        claimed(capacity_wh=0),
        claimed(charge_permille=1001),
        claimed(colour="red"),
        json.dumps(PAYLOAD).encode(),
        canonical(PAYLOAD).replace(b'"exp"', b'"exp":1,"exp"'),
        b"\xff",
        b"[" * 4000,
    ],
)
def test_a_payload_that_contradicts_itself_or_says_more_is_refused(payload: object) -> None:
    with pytest.raises(InvalidValue):
        check_credential(token(payload=payload), our_key(), WITHIN_S)


def test_a_day_is_a_day() -> None:
    for day in ("2026-02-30", "2026-13-01", "26-01-01"):
        told = {"id": ASSET, "inspected_on": day, "result": "pass"}
        payload = changed(PAYLOAD, type=["VerifiableCredential", "Inspection"], credentialSubject=told)
        with pytest.raises(InvalidValue):
            read_credential(token(payload=payload))


def test_a_credential_holds_from_its_first_second_up_to_its_last() -> None:
    for at_s in (SINCE_S, UNTIL_S - 1):
        assert check_credential(token(), our_key(), at_s)
    for at_s in (0, SINCE_S - 1, UNTIL_S, UNTIL_S + 10**9):
        with pytest.raises(Refused, match="valid"):
            check_credential(token(), our_key(), at_s)


def test_a_key_of_one_curve_checks_no_token_of_the_other() -> None:
    es256 = token(HEADER | {"alg": "ES256", "kid": f"{ISSUER}#ES256"}, key=foreign())
    with pytest.raises(Refused, match="its issuer's"):
        check_credential(es256, our_key(), WITHIN_S)
    with pytest.raises(Refused, match="its issuer's"):
        check_credential(token(), their_key(), WITHIN_S)
    with pytest.raises(Refused, match="signature"):
        check_credential(token(key=foreign()), our_key(), WITHIN_S)
    for alg, public in ((ES256, OURS.public), (ES256K, compressed(foreign()))):
        # Most points of one curve are none of the other; where one is, the signature still does not fit.
        with pytest.raises((InvalidValue, Refused)):
            check_credential(token(), CredentialKey(issuer=ISSUER, alg=alg, public=public), WITHIN_S)


def test_anothers_key_checks_nothing() -> None:
    other = SigningKey.from_seed(b"credentials", "other")
    with pytest.raises(Refused, match="signature"):
        check_credential(token(), CredentialKey(issuer=ISSUER, alg=ES256K, public=other.public), WITHIN_S)
    stranger = CredentialKey(issuer=key_urn("tiny", other.id), alg=ES256K, public=other.public)
    with pytest.raises(Refused, match="its issuer's"):
        check_credential(token(), stranger, WITHIN_S)


@pytest.mark.parametrize(
    ("alg", "public"), [("RS256", OURS.public), (ES256K, b"\x02" + b"\xff" * 32), (ES256, b"\x02")]
)
def test_what_is_no_key_is_no_key(alg: str, public: bytes) -> None:
    with pytest.raises(InvalidValue):
        CredentialKey(issuer=ISSUER, alg=alg, public=public)


def test_the_twin_of_a_signature_makes_no_new_credential() -> None:
    fair = token()
    signed, _, signature = fair.rpartition(".")
    raw = unb64(signature)
    other = f"{signed}.{b64(raw[:32] + (CURVE_ORDER - int.from_bytes(raw[32:])).to_bytes(32))}"
    names = {check_credential(each, our_key(), WITHIN_S).name for each in (fair, other)}
    assert len(names) == 1
    assert read_credential(token(payload=claimed(max_import_w=1))).name not in names


def test_every_changed_character_is_noticed() -> None:
    fair, random = token(), Random(5)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="
    for at in range(len(fair)):
        bent = fair[:at] + random.choice(alphabet.replace(fair[at], "")) + fair[at + 1 :]
        with pytest.raises((InvalidValue, Refused)):
            check_credential(bent, our_key(), WITHIN_S)


@given(st.text(max_size=60) | st.lists(st.binary(max_size=40).map(b64), min_size=3, max_size=3).map(".".join))
def test_garbage_is_no_credential(garbage: str) -> None:
    with pytest.raises(InvalidValue):
        read_credential(garbage)


@pytest.mark.parametrize("change", [lambda t: t + "=", lambda t: t + "\n", lambda t: " " + t, lambda t: "a" * 9000 + t])
def test_a_token_has_one_form_and_a_bound(change: Any) -> None:
    with pytest.raises(InvalidValue):
        read_credential(change(token()))


def test_what_is_too_long_is_not_issued() -> None:
    claim = Inspection(id=ASSET, inspected_on="2026-05-30", result="pass", findings=("x" * 400,) * 20)
    with pytest.raises(InvalidValue, match=str(MOST_CHARACTERS)):
        issue_credential(Credential(issuer=ISSUER, since_s=1, until_s=2, claim=claim), OURS)
    with pytest.raises(InvalidValue, match="P-256"):
        issue_credential(Credential(issuer=ISSUER, since_s=1, until_s=2, claim=CLAIMS[1]), twin())


def test_names_cannot_be_bent_into_others() -> None:
    assert asset_urn("a:asset", "b") != asset_urn("a", "asset:b")
    assert key_urn("tiny", OURS.id) == f"urn:commonwatt:tiny:key:{OURS.id}"
