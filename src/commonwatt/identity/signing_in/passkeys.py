"""Passkeys: what a browser is asked, and what of its answer is believed.

Source: Web Authentication Level 3, sections 7.1 and 7.2.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import webauthn
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from commonwatt.identity.signing_in.site import Site
from commonwatt.model import Refused

CHALLENGE_BYTES = 32
_LONGEST_ANSWER = 16_384
_ALGORITHMS = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as it is kept.

    Args:
        id: Its name in base64url, as browsers write it.
        public: Its public key, COSE, hex.
        counter: How often it signed, by its own count; 0 where it does not count.
    """

    id: str
    public: str
    counter: int


def registration_options(
    site: Site, challenge: bytes, handle: str, name: str, known: Sequence[str]
) -> Mapping[str, Any]:
    """Return what ``navigator.credentials.create`` is given, as JSON.

    Args:
        site: For which the passkey is to be.
        challenge: `CHALLENGE_BYTES` random bytes.
        handle: The person's lasting random name, which tells nothing about them.
        name: Under which the browser lists the passkey.
        known: Passkeys that the person has: the same device makes no second one.
    """
    options = webauthn.generate_registration_options(
        rp_id=site.relying_party,
        rp_name=site.name,
        user_id=handle.encode(),
        user_name=name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
        supported_pub_key_algs=_ALGORITHMS,
    )
    return _plain(options)


def sign_in_options(site: Site, challenge: bytes) -> Mapping[str, Any]:
    """Return what ``navigator.credentials.get`` is given, as JSON; it names nobody, the passkey knows whose it is."""
    options = webauthn.generate_authentication_options(
        rp_id=site.relying_party, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    return _plain(options)


def check_registration(site: Site, challenge: bytes, answer: Mapping[str, Any]) -> Passkey:
    """Return the passkey that a browser made.

    Raises:
        Refused: It is for another site, origin or challenge, nobody was verified, or it cannot be read.
    """
    try:
        made = webauthn.verify_registration_response(
            credential=_sized(answer),
            expected_challenge=challenge,
            expected_rp_id=site.relying_party,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Refused:
        raise
    except Exception as error:  # the library reads foreign CBOR: whatever it stumbles over, the answer is no
        raise Refused("a passkey is made for this site, by who was verified", why=error) from error
    name = webauthn.helpers.bytes_to_base64url(made.credential_id)
    return Passkey(id=name, public=made.credential_public_key.hex(), counter=made.sign_count)


def check_sign_in(site: Site, challenge: bytes, answer: Mapping[str, Any], passkey: Passkey, handle: str) -> int:
    """Return how often a passkey signed by now, where its answer holds.

    Args:
        site: To which somebody signs in.
        challenge: That was asked for.
        answer: The browser's.
        passkey: As it is kept.
        handle: The person's whose passkey it is.

    Raises:
        Refused: It is for another site, origin or challenge, another person's, a copy signed before, nobody was
            verified, or it cannot be read.
    """
    try:
        told = answer["response"].get("userHandle")
        if told and base64url_to_bytes(told) != handle.encode():
            raise Refused("a passkey signs in its owner")
        made = webauthn.verify_authentication_response(
            credential=_sized(answer),
            expected_challenge=challenge,
            expected_rp_id=site.relying_party,
            expected_origin=site.origin,
            credential_public_key=bytes.fromhex(passkey.public),
            credential_current_sign_count=passkey.counter,
            require_user_verification=True,
        )
    except Refused:
        raise
    except Exception as error:  # as above
        raise Refused("a passkey signs for this site, by who was verified", why=error) from error
    return made.new_sign_count


def answered_id(answer: Mapping[str, Any]) -> str:
    """Return which passkey an answer says it is of; empty where it says none."""
    found = answer.get("id")
    return found if isinstance(found, str) else ""


def _plain(options: Any) -> Mapping[str, Any]:
    told: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return told


def _sized(answer: Mapping[str, Any]) -> dict[str, Any]:
    if len(json.dumps(answer)) > _LONGEST_ANSWER:
        raise Refused(f"a passkey's answer has {_LONGEST_ANSWER} characters at most")
    return dict(answer)
