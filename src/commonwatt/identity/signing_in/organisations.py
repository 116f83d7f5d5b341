"""Sign in by an organisation's own directory (OpenID Connect): what it is asked, and what of its word is believed.

Authorization code with PKCE, state and nonce. Nothing is taken from the access token or the userinfo endpoint: who
somebody is stands in the ID token, signed for us.

Source: OpenID Connect Core 1.0 sections 3.1.2 and 3.1.3.7; RFC 7636; RFC 9207; RFC 9700.
"""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64encode

from commonwatt.model import InvalidValue, Refused

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures with a key that only the organisation has; never ``none``, never one that we could make ourselves."""
_LEEWAY_S = 60
_LONGEST = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation whose people sign in by its own directory.

    Args:
        name: As it is called here.
        issuer: As its tokens name it, https.
        client_id: What it calls this site.
        client_secret: What it gave this site to be known by; empty for a public client.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where an organisation's directory answers, as it publishes it itself."""

    authorize: str
    token: str
    keys: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What is remembered of somebody who left for the directory, until they come back."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who somebody is to their organisation: its name for them, which never changes, and one to read."""

    issuer: str
    subject: str
    shown: str


def leave() -> Leaving:
    """Return fresh random values for one way there and back."""
    return Leaving(state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48))


def read_endpoints(organisation: Organisation, published: Mapping[str, Any]) -> Endpoints:
    """Read what an organisation publishes under ``/.well-known/openid-configuration``.

    Raises:
        InvalidValue: It names another issuer, a part is missing, or leads us where no organisation is.
    """
    if published.get("issuer") != organisation.issuer:
        raise InvalidValue(f"{organisation.issuer} publishes for itself, found {published.get('issuer')!r}")
    parts = [published.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    authorize, token, keys = (part if isinstance(part, str) else "" for part in parts)
    if not (authorize and token and keys):
        raise InvalidValue(f"{organisation.issuer} publishes where it authorizes, gives tokens, and its keys")
    for part in (token, keys):
        if not _elsewhere(part, organisation.issuer):
            raise InvalidValue(f"{organisation.issuer} answers over https under a name, found {part[:200]!r}")
    return Endpoints(authorize=authorize, token=token, keys=keys)


def _elsewhere(url: str, issuer: str) -> bool:
    """Tell whether we may be sent to an address: to the issuer itself, or over https to a name.

    Else whoever publishes could have us ask this machine, or its neighbours, what they tell nobody from outside.
    """
    try:
        asked, own = urlsplit(url), urlsplit(issuer)
        if (asked.scheme, asked.hostname, asked.port) == (own.scheme, own.hostname, own.port):
            return True
    except ValueError:
        return False
    host = (asked.hostname or "").rstrip(".")
    with suppress(ValueError):
        ip_address(host)
        return False
    named = "." in host and not host.endswith((".localhost", ".local", ".internal"))
    return asked.scheme == "https" and named and not host.rpartition(".")[2].isdigit()


def authorize_url(organisation: Organisation, endpoints: Endpoints, leaving: Leaving, back: str) -> str:
    """Return where a browser is sent.

    Args:
        organisation: Whose directory.
        endpoints: Of it.
        leaving: What is remembered.
        back: Where it sends the browser afterwards.
    """
    challenge = urlsafe_b64encode(sha256(leaving.verifier.encode()).digest()).decode()
    asked = {
        "response_type": "code",
        "client_id": organisation.client_id,
        "redirect_uri": back,
        "scope": "openid profile",
        "state": leaving.state,
        "nonce": leaving.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoints.authorize}{'&' if '?' in endpoints.authorize else '?'}{urlencode(asked)}"


def check_returned(organisation: Organisation, leaving: Leaving, returned: Mapping[str, str]) -> str:
    """Return the code that a browser brought back.

    Raises:
        Refused: It comes from another way there than ours, from another issuer, or the directory said no.
    """
    if not secrets.compare_digest(returned.get("state", "").encode(), leaving.state.encode()):
        raise Refused("who comes back left from here")
    if returned.get("iss", organisation.issuer) != organisation.issuer:
        raise Refused("who comes back comes from where they went", found=returned["iss"][:200])
    if "error" in returned or not returned.get("code"):
        raise Refused("the organisation lets its people in", says=returned.get("error", "nothing")[:100])
    return returned["code"]


def check_id_token(organisation: Organisation, keys: Mapping[str, Any], token: str, nonce: str, now_s: int) -> Told:
    """Return who an organisation says that somebody is.

    Args:
        organisation: Which.
        keys: Its published keys, a JWK set.
        token: The ID token.
        nonce: That was sent along.
        now_s: Seconds since 1970.

    Raises:
        Refused: It is not signed by one of the keys in an algorithm of `ALGORITHMS`, for another audience, of another
            issuer, for another nonce, too old, or names nobody.
    """
    if len(token) > _LONGEST:
        raise Refused(f"an ID token has {_LONGEST} characters at most", found=len(token))
    try:
        found = jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=ALGORITHMS)  # type: ignore[arg-type]  # a JWK set, checked there
        jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": organisation.issuer},
            aud={"essential": True, "value": organisation.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(found.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Refused("an organisation's word is signed by it, for us, now", why=error) from error
    claims = found.claims
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != organisation.client_id:
        raise Refused("a word for several says that it was given to us", found=claims.get("azp"))
    shown = claims.get("name")
    return Told(
        issuer=organisation.issuer,
        subject=str(claims["sub"]),
        shown=shown[:100] if isinstance(shown, str) else str(claims["sub"])[:100],
    )
