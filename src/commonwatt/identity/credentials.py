"""Verifiable credentials about assets and professionals: issue, read and check them, trusting no header.

The profile is narrower than the standards, so that everybody who replays a log comes to the same verdict: exactly the
header fields, claims and subjects below, payload in RFC 8785 form, both dates told, and an algorithm that follows from
the key, never from the token. What is unknown is refused, where VC-JOSE-COSE would let it be ignored.

Source: W3C Verifiable Credentials Data Model 2.0; W3C VC-JOSE-COSE, section 3.1 (``vc+jwt``); RFC 7515; RFC 7519;
RFC 7518 section 3.4 (ES256); RFC 8812 section 3.2 (ES256K).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Annotated, Final, Literal
from urllib.parse import quote

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from msgspec import Meta, Raw, Struct

from commonwatt.identity.keys import SigningKey
from commonwatt.model import InvalidValue, KeyId, Refused, instant

MOST_CHARACTERS = 8_000
"""How long a credential may be; a page of findings fits."""
CONTEXT = ("https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2")
ES256: Final = "ES256"
ES256K: Final = "ES256K"
_CURVES: dict[str, ec.EllipticCurve] = {ES256: ec.SECP256R1(), ES256K: ec.SECP256K1()}
_SIGNATURE_BYTES = 64

Limit = Annotated[int, Meta(ge=0, le=10**9)]
Permille = Annotated[int, Meta(ge=1, le=1000)]
Decicelsius = Annotated[int, Meta(ge=-2730, le=20_000)]
Seconds = Annotated[int, Meta(ge=0, le=32_503_680_000)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
Urn = Annotated[str, Meta(pattern=r"^urn:commonwatt:[ -~]{1,300}\Z")]
Words = Annotated[str, Meta(max_length=400)]


class _Claim(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a credential says of its subject; ``id`` is the subject's URN, see `asset_urn` and `key_urn`."""

    id: Urn


class EngineeringSpecification(_Claim, frozen=True):
    """The limits that an engineer answers for; what is not told is not narrowed. Temperatures in tenths of a degree."""

    max_import_w: Limit | None = None
    max_export_w: Limit | None = None
    capacity_wh: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    charge_permille: Permille | None = None
    discharge_permille: Permille | None = None
    min_decicelsius: Decicelsius | None = None
    max_decicelsius: Decicelsius | None = None


class Inspection(_Claim, frozen=True):
    """What an inspector found on a day."""

    inspected_on: Day
    result: Literal["pass", "fail"]
    findings: Annotated[tuple[Words, ...], Meta(max_length=20)] = ()


class Registration(_Claim, frozen=True):
    """That an installer saw this thing behind this gateway, under this register."""

    gateway: Annotated[str, Meta(max_length=64)]
    register: Annotated[int, Meta(ge=0, lt=2**16)]
    asset_kind: Annotated[str, Meta(max_length=20)]
    installed_on: Day


class ProfessionalQualification(_Claim, frozen=True):
    """That the operator knows who holds a key, and what for; ``p256`` is a second key, for their ES256 credentials."""

    role: Literal["engineer", "inspector", "installer"]
    licence: Words
    p256: Annotated[str, Meta(pattern=r"^0[23][0-9a-f]{64}\Z")] | None = None


Claim = EngineeringSpecification | Inspection | Registration | ProfessionalQualification
_CLAIMS: dict[str, type[Claim]] = {
    kind.__name__: kind for kind in (EngineeringSpecification, Inspection, Registration, ProfessionalQualification)
}


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    alg: Literal["ES256", "ES256K"]
    cty: Literal["vc"]
    kid: Annotated[str, Meta(max_length=400)]
    typ: Literal["vc+jwt"]


class _Payload(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    context: tuple[str, ...] = msgspec.field(name="@context")
    type: tuple[str, str]
    issuer: Urn
    valid_from: str
    valid_until: str
    credential_subject: Raw
    iss: Urn
    sub: Urn
    nbf: Seconds
    exp: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialKey:
    """A public key that checks credentials: the algorithm is the key's, whatever a token says.

    Args:
        issuer: URN of whoever holds it.
        alg: `ES256` for P-256, `ES256K` for secp256k1.
        public: 33 bytes, the compressed form of SEC 1.

    Raises:
        InvalidValue: There is no such algorithm, or the bytes are no point of its curve.
    """

    issuer: str
    alg: str
    public: bytes

    def __post_init__(self) -> None:
        if self.alg not in _CURVES:
            raise InvalidValue(f"a credential is signed by ES256 or ES256K, was {self.alg}")
        if len(self.public) != 33:
            raise InvalidValue(f"a public key is 33 bytes in compressed form, was {len(self.public)}")
        self.point()

    @property
    def kid(self) -> str:
        """How a header names this key."""
        return f"{self.issuer}#{self.alg}"

    def point(self) -> ec.EllipticCurvePublicKey:
        """Return the key as the cryptographic library holds it."""
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[self.alg], self.public)
        except ValueError as error:
            raise InvalidValue(f"a key of {self.alg} is a point of its curve, was {self.public.hex()}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential as it was read.

    Args:
        issuer: URN of whoever says it.
        since_s: First second at which it holds; it is also how two credentials of one kind are put in order.
        until_s: First second at which it holds no more.
        claim: What is said.
        kid: Which key is said to have signed.
        name: SHA-256 of all that was signed, as hex. The signature is not in it: of one ECDSA signature anyone can
            make another, which must not pass for a new credential.

    Raises:
        InvalidValue: It ends before it begins.
    """

    issuer: str
    since_s: int
    until_s: int
    claim: Claim
    kid: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.until_s <= self.since_s:
            raise InvalidValue(f"a credential ends after it begins, was {self.since_s} to {self.until_s} s")


def check_credential(token: str, key: CredentialKey, at_s: int) -> Credential:
    """Return what a credential says, if its issuer's key signed it and it holds at an instant.

    Args:
        token: JWS in compact form.
        key: Of the issuer; found by who reads, not by what the token tells.
        at_s: Seconds since 1970.

    Raises:
        InvalidValue: The token is not of the profile.
        Refused: It is another's, not signed by this key, not valid yet or no more.
    """
    found = read_credential(token)
    if found.kid != key.kid or found.issuer != key.issuer:
        raise Refused("a credential is its issuer's", kid=found.kid, issuer=found.issuer, key=key.kid)
    point = key.point().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        jws.deserialize_compact(token, ECKey.import_key(point), algorithms=[key.alg])
    except (JoseError, ValueError) as error:
        raise Refused("a credential bears its issuer's signature", kid=key.kid, found=type(error).__name__) from error
    if not found.since_s <= at_s < found.until_s:
        raise Refused("a credential is valid", since_s=found.since_s, until_s=found.until_s, at_s=at_s)
    return found


def read_credential(token: str) -> Credential:
    """Return what a credential says, whoever signed it.

    Raises:
        InvalidValue: The token is not of the profile; says how.
    """
    parts = token.split(".")
    if len(token) > MOST_CHARACTERS or len(parts) != 3 or not token.isascii():
        raise InvalidValue(f"a credential is three parts in at most {MOST_CHARACTERS} characters, was {len(token)}")
    header_json, payload_json, signature = (_decoded(part) for part in parts)
    if len(signature) != _SIGNATURE_BYTES:
        raise InvalidValue(f"a credential's signature has {_SIGNATURE_BYTES} bytes, was {len(signature)}")
    try:
        header = msgspec.json.decode(header_json, type=_Header)
        payload = msgspec.json.decode(payload_json, type=_Payload)
        claim = _claim(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidValue(f"a credential cannot be read: {error}") from error
    if msgspec.json.encode(header, order="sorted") != header_json or _canonical(payload, claim) != payload_json:
        raise InvalidValue("a credential is in canonical form (RFC 8785)")
    if header.kid != f"{payload.issuer}#{header.alg}":
        raise InvalidValue(f"a credential's header names its issuer's key, was {header.kid}")
    return Credential(
        issuer=payload.issuer,
        since_s=payload.nbf,
        until_s=payload.exp,
        claim=claim,
        kid=header.kid,
        name=sha256(".".join(parts[:2]).encode()).hexdigest(),
    )


def issue_credential(credential: Credential, key: SigningKey | ec.EllipticCurvePrivateKey) -> str:
    """Return a credential as a compact JWS: ES256K by one of our keys, ES256 by a P-256 key of a professional's own.

    Raises:
        InvalidValue: It is not of the profile, or the key is of another curve.
    """
    alg: Literal["ES256", "ES256K"] = ES256K if isinstance(key, SigningKey) else ES256
    header = _Header(alg=alg, cty="vc", kid=f"{credential.issuer}#{alg}", typ="vc+jwt")
    payload = _Payload(
        context=CONTEXT,
        type=("VerifiableCredential", type(credential.claim).__name__),
        issuer=credential.issuer,
        valid_from=_moment(credential.since_s),
        valid_until=_moment(credential.until_s),
        credential_subject=Raw(msgspec.json.encode(credential.claim, order="sorted")),
        iss=credential.issuer,
        sub=credential.claim.id,
        nbf=credential.since_s,
        exp=credential.until_s,
    )
    segments = (msgspec.json.encode(header, order="sorted"), _canonical(payload, credential.claim))
    signed = ".".join(map(_encoded, segments))
    token = f"{signed}.{_encoded(_sign(signed.encode(), key))}"
    read_credential(token)
    return token


def asset_urn(community: str, asset: str) -> str:
    """Return how a credential names an asset."""
    return f"urn:commonwatt:{quote(community, safe='')}:asset:{quote(asset, safe='')}"


def key_urn(community: str, key: KeyId) -> str:
    """Return how a credential names whoever holds a registered key."""
    return f"urn:commonwatt:{quote(community, safe='')}:key:{key}"


def _sign(signed: bytes, key: SigningKey | ec.EllipticCurvePrivateKey) -> bytes:
    if isinstance(key, SigningKey):
        # SHA-256, where requests and vouchers are hashed by keccak-256: no digest of one kind passes for another.
        return bytes.fromhex(key.sign_digest(sha256(signed).digest()))
    if not isinstance(key.curve, ec.SECP256R1):
        raise InvalidValue(f"an ES256 credential is signed by a key of P-256, was {key.curve.name}")
    algorithm = jws.JWSRegistry.algorithms[ES256]
    return bytes(algorithm.sign(signed, ECKey(key, key)))


def _claim(payload: _Payload) -> Claim:
    base, kind = payload.type
    if payload.context != CONTEXT or base != "VerifiableCredential" or kind not in _CLAIMS:
        raise InvalidValue(f"a credential is of one of the kinds {', '.join(_CLAIMS)}, was {payload.type}")
    claim: Claim = msgspec.json.decode(payload.credential_subject, type=_CLAIMS[kind])
    if (payload.iss, payload.sub) != (payload.issuer, claim.id):
        raise InvalidValue(f"a token is its credential's, was from {payload.iss} about {payload.sub}")
    if (payload.valid_from, payload.valid_until) != (_moment(payload.nbf), _moment(payload.exp)):
        raise InvalidValue(f"a token holds as long as its credential, was {payload.nbf} to {payload.exp} s")
    for name in ("inspected_on", "installed_on"):
        date.fromisoformat(getattr(claim, name, "2000-01-01"))
    return claim


def _canonical(payload: _Payload, claim: Claim) -> bytes:
    subject = Raw(msgspec.json.encode(claim, order="sorted"))
    return msgspec.json.encode(msgspec.structs.replace(payload, credential_subject=subject), order="sorted")


def _moment(at_s: int) -> str:
    return f"{instant(at_s):%Y-%m-%dT%H:%M:%SZ}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    try:
        data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise InvalidValue("a credential's parts are base64url") from error
    # Python passes over foreign characters and stray bits; one text for one content, or it is refused.
    if _encoded(data) != part:
        raise InvalidValue("a credential's parts are base64url without padding, in its one form")
    return data
