"""The ways in, each from what a browser brings to the person whose it is; whatever is wrong, the answer is the same."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from commonwatt.flows.entrance.hall import Hall, NotLetIn
from commonwatt.flows.entrance.names import folded
from commonwatt.flows.entrance.ports import Directories
from commonwatt.flows.entrance.records import Credential, Person, Way, Where
from commonwatt.identity.signing_in import organisations, passkeys
from commonwatt.identity.signing_in.codes import printed_hash, totp_step
from commonwatt.identity.signing_in.organisations import Organisation, Told
from commonwatt.identity.signing_in.passkeys import CHALLENGE_BYTES, Passkey
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.identity.signing_in.wallet import check_wallet, write_message
from commonwatt.model import Corrupt, InvalidValue, Refused, Unreachable

_NOBODYS_CODES = "A" * 32
"""Looked at where a name has no codes, so that the answer takes as long."""


async def with_password(hall: Hall, name: str, password: str, code: str, where: Where) -> Person:
    """Return whose name, password and code these are.

    Raises:
        TooSoon: Too many tries failed.
        NotLetIn: Any of the three is wrong, or the code was used.
    """
    found = folded(name)
    hall.knock(where, found)
    person = hall.people.persons.find(found)
    known = _of_way(hall, person, Way.PASSWORD)
    hashed, codes = known.secrets if known else (None, _NOBODYS_CODES)
    good = await hall.apart(hall.passwords.holds, hashed, password)
    with hall.people.together():
        # Looked at again: two may have come with the same code while the passwords were hashed.
        known = hall.people.credentials.get(known.id) if known else None
        step = totp_step(codes, code, hall.now_s(), known.counter if known else -1)
        if person is not None and known is not None and good and step is not None:
            hall.people.credentials.put(replace(known, counter=step, used_s=hall.now_s()))
            hall.welcome(where, found)
            return person
        failed = hall.fail(Way.PASSWORD, where, person)
    raise failed


def begin_passkey(hall: Hall) -> tuple[Mapping[str, Any], str]:
    """Return what the browser is to ask its passkeys, and the ceremony to keep."""
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    sealed = hall.ceremonies.begin("passkey", {"challenge": challenge.hex()}, hall.now_s())
    return passkeys.sign_in_options(hall.site, challenge), sealed


def with_passkey(hall: Hall, sealed: str, answer: Mapping[str, Any], where: Where) -> Person:
    """Return whose passkey answered.

    Raises:
        TooSoon: Too many tries failed.
        NotLetIn: The answer does not hold, is of another site or ceremony, or the passkey is nobody's.
    """
    hall.knock(where)
    known, person = _owner(hall, Way.PASSKEY, passkeys.answered_id(answer))
    try:
        challenge = bytes.fromhex(hall.ceremonies.open("passkey", sealed, hall.now_s())["challenge"])
        if known is None or person is None:
            raise NotLetIn
        passkey = Passkey(id=known.found_by or "", public=known.secrets[0], counter=max(0, known.counter))
        counter = passkeys.check_sign_in(hall.site, challenge, answer, passkey, person.id)
    except Refused:
        raise hall.fail(Way.PASSKEY, where, person) from None
    hall.ceremonies.used(sealed, hall.now_s())
    return _let_in(hall, replace(known, counter=counter), person, where)


def begin_wallet(hall: Hall, address: str) -> tuple[str, str]:
    """Return the message that a wallet is to sign, and the ceremony to keep.

    Raises:
        InvalidValue: The address is none.
    """
    nonce = secrets.token_hex(16)
    return (
        write_message(hall.site, address, nonce, hall.now_s()),
        hall.ceremonies.begin("wallet", {"nonce": nonce}, hall.now_s()),
    )


def with_wallet(hall: Hall, sealed: str, message: str, signature: str, where: Where) -> Person:
    """Return whose wallet signed.

    Raises:
        TooSoon: Too many tries failed.
        NotLetIn: The message is of another site, ceremony or time, another wallet signed, or it is nobody's.
    """
    hall.knock(where)
    person = None
    try:
        nonce = hall.ceremonies.open("wallet", sealed, hall.now_s())["nonce"]
        address = check_wallet(hall.site, nonce, message, signature, hall.now_s())
        known, person = _owner(hall, Way.WALLET, address)
        if known is None or person is None:
            raise NotLetIn
    except (Refused, InvalidValue):
        raise hall.fail(Way.WALLET, where, person) from None
    hall.ceremonies.used(sealed, hall.now_s())
    return _let_in(hall, known, person, where)


def with_printed_code(hall: Hall, name: str, code: str, where: Where) -> Person:
    """Return whose name and printed code these are; the code is good no more, and the person is told.

    Raises:
        TooSoon: Too many tries failed.
        NotLetIn: There is no such.
    """
    found, hashed = folded(name), printed_hash(code)
    hall.knock(where, found)
    person = hall.people.persons.find(found)
    known = _of_way(hall, person, Way.PRINTED_CODE)
    if person is None or known is None or hashed not in known.secrets:
        raise hall.fail(Way.PRINTED_CODE, where, person)
    left = tuple(one for one in known.secrets if one != hashed)
    with hall.people.together():
        hall.people.credentials.put(replace(known, secrets=left, used_s=hall.now_s()))
        hall.welcome(where, found)
        hall.tell(person, Happened.RECOVERED, f"A printed code was used to come in; {len(left)} are left.")
    return person


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Who came back from an organisation: what it says, and what was remembered when they left.

    Args:
        told: Who they are to it.
        linking: The id of the person who left to set it up as a way in; empty where somebody signs in.
        after: Where on this site they wanted to go.
    """

    told: Told
    linking: str
    after: str


async def leave_for(
    hall: Hall, directories: Directories, organisation: Organisation, back: str, after: str, linking: str = ""
) -> tuple[str, str]:
    """Return where a browser is sent to sign in with its organisation, and the ceremony to keep.

    Args:
        hall: The entrance.
        directories: Speaks with organisations.
        organisation: Which.
        back: Where it sends the browser afterwards.
        after: Where on this site somebody wants to go then.
        linking: Who sets it up as a way in, a person's id.

    Raises:
        Unreachable: The organisation gives no answer.
        InvalidValue: It publishes what it must not.
    """
    endpoints = organisations.read_endpoints(organisation, await directories.published(organisation))
    leaving = organisations.leave()
    content = {
        "state": leaving.state,
        "nonce": leaving.nonce,
        "verifier": leaving.verifier,
        "organisation": organisation.name,
        "back": back,
        "after": after,
        "linking": linking,
    }
    url = organisations.authorize_url(organisation, endpoints, leaving, back)
    return url, hall.ceremonies.begin("organisation", content, hall.now_s())


async def arrive(
    hall: Hall,
    directories: Directories,
    known: Mapping[str, Organisation],
    sealed: str,
    returned: Mapping[str, str],
    where: Where,
) -> Arrived:
    """Return who came back from their organisation.

    Raises:
        TooSoon: Too many tries failed.
        NotLetIn: They left from elsewhere, or the organisation's word does not hold.
    """
    hall.knock(where)
    try:
        content = hall.ceremonies.open("organisation", sealed, hall.now_s())
        organisation = known[content["organisation"]]
        leaving = organisations.Leaving(**{name: content[name] for name in ("state", "nonce", "verifier")})
        code = organisations.check_returned(organisation, leaving, returned)
        hall.ceremonies.used(sealed, hall.now_s())  # before the exchange: two must not come with the same
        endpoints = organisations.read_endpoints(organisation, await directories.published(organisation))
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": content["back"],
            "code_verifier": leaving.verifier,
        }
        answer = await directories.token(organisation, endpoints.token, form)
        told = organisations.check_id_token(
            organisation,
            await directories.keys(endpoints.keys),
            str(answer.get("id_token", "")),
            leaving.nonce,
            hall.now_s(),
        )
    except (Refused, InvalidValue, Corrupt, Unreachable, KeyError):
        raise hall.fail(Way.ORGANISATION, where) from None
    if content["linking"]:  # who signs in is welcomed once, by whom they turn out to be
        hall.welcome(where)
    return Arrived(told=told, linking=content["linking"], after=content["after"])


def with_organisation(hall: Hall, arrived: Arrived, where: Where) -> Person:
    """Return who somebody is here whom their organisation sent.

    Raises:
        NotLetIn: Nobody here comes in as this one of theirs.
    """
    known, person = _owner(hall, Way.ORGANISATION, organisation_name(arrived.told))
    if known is None or person is None:
        raise hall.fail(Way.ORGANISATION, where)
    return _let_in(hall, known, person, where)


def organisation_name(told: Told) -> str:
    """Return what finds the way in of somebody whom an organisation names."""
    return json.dumps([told.issuer, told.subject])


def _let_in(hall: Hall, known: Credential, person: Person, where: Where) -> Person:
    with hall.people.together():
        hall.people.credentials.put(replace(known, used_s=hall.now_s()))
        hall.welcome(where)
    return person


def _owner(hall: Hall, way: Way, found_by: str) -> tuple[Credential | None, Person | None]:
    known = hall.people.credentials.find(f"{way.value} {found_by}")
    return known, hall.people.persons.get(known.person) if known else None


def _of_way(hall: Hall, person: Person | None, way: Way) -> Credential | None:
    ways = hall.ways_of(person.id) if person else []
    return next((known for known in ways if known.way is way), None)
