"""Set up a way in, list them, take one away: by who signed in just now, and told to them wherever they are."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from commonwatt.flows.entrance.coming_in import Arrived, organisation_name
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import ENROLLING, LASTING, Credential, Person, Session, Way, Where
from commonwatt.flows.entrance.sitting import Sitting, end_all, need_fresh, sign_in
from commonwatt.flows.notices.channels import remove as remove_channel
from commonwatt.identity.signing_in import passkeys
from commonwatt.identity.signing_in.codes import new_printed_codes, new_totp_secret, printed_hash, totp_step, totp_uri
from commonwatt.identity.signing_in.passkeys import CHALLENGE_BYTES
from commonwatt.identity.signing_in.passwords import check_new
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.identity.signing_in.wallet import check_wallet, write_message
from commonwatt.model import InvalidValue, Refused

MOST_WAYS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A way in that was set up; ``secret`` is that of the full session in place of one that was only good for this."""

    credential: Credential
    secret: str | None = None


def begin_password(hall: Hall, sitting: Sitting) -> tuple[str, str, str]:
    """Return the secret for an authenticator app, the same as its URI, and the ceremony to keep.

    Raises:
        Refused: They signed in too long ago.
    """
    need_fresh(hall, sitting)
    secret = new_totp_secret()
    content = {"person": sitting.person.id, "secret": secret}
    uri = totp_uri(secret, sitting.person.name, hall.site.name)
    return secret, uri, hall.ceremonies.begin("set password", content, hall.now_s())


async def finish_password(
    hall: Hall, sitting: Sitting, sealed: str, password: str, code: str, where: Where
) -> Enrolled:
    """Set a password, in place of one that there was, with the authenticator whose code is shown.

    Raises:
        Refused: They signed in too long ago, the password is easily guessed, or the code is not of this authenticator.
    """
    need_fresh(hall, sitting)
    content = _opened(hall, "set password", sealed, sitting)
    check_new(password, sitting.person.name)
    step = totp_step(content["secret"], code, hall.now_s(), -1)
    if step is None:
        raise Refused("the code is what the authenticator shows now")
    hashed = await hall.apart(hall.passwords.hash, password)
    hall.ceremonies.used(sealed, hall.now_s())
    with hall.people.together():
        for old in hall.ways_of(sitting.person.id):
            if old.way is Way.PASSWORD:
                hall.people.credentials.drop(old.id)
        made = _new(
            hall, sitting, Way.PASSWORD, "password and codes", secrets=(hashed, content["secret"]), counter=step
        )
        return _keep(hall, sitting, made, where)


def begin_passkey(hall: Hall, sitting: Sitting) -> tuple[Mapping[str, Any], str]:
    """Return what the browser is to make, and the ceremony to keep.

    Raises:
        Refused: They signed in too long ago, or browsers keep no passkeys for a site without a name.
    """
    need_fresh(hall, sitting)
    if not hall.site.takes_passkeys:
        raise Refused("browsers keep passkeys for a site with a name, not for a bare address", site=hall.site.host)
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    known = [one.found_by for one in hall.ways_of(sitting.person.id) if one.way is Way.PASSKEY and one.found_by]
    options = passkeys.registration_options(hall.site, challenge, sitting.person.id, sitting.person.name, known)
    content = {"person": sitting.person.id, "challenge": challenge.hex()}
    return options, hall.ceremonies.begin("set passkey", content, hall.now_s())


def finish_passkey(
    hall: Hall, sitting: Sitting, sealed: str, answer: Mapping[str, Any], label: str, where: Where
) -> Enrolled:
    """Keep the passkey that a browser made.

    Raises:
        Refused: They signed in too long ago, or it is of another site or ceremony, or somebody has it already.
    """
    need_fresh(hall, sitting)
    content = _opened(hall, "set passkey", sealed, sitting)
    found = passkeys.check_registration(hall.site, bytes.fromhex(content["challenge"]), answer)
    hall.ceremonies.used(sealed, hall.now_s())
    made = _new(hall, sitting, Way.PASSKEY, label, found_by=found.id, secrets=(found.public,), counter=found.counter)
    return _keep(hall, sitting, made, where)


def begin_wallet(hall: Hall, sitting: Sitting, address: str) -> tuple[str, str]:
    """Return the message that a wallet is to sign, and the ceremony to keep.

    Raises:
        Refused: They signed in too long ago.
        InvalidValue: The address is none.
    """
    need_fresh(hall, sitting)
    nonce = secrets.token_hex(16)
    message = write_message(hall.site, address, nonce, hall.now_s())
    content = {"person": sitting.person.id, "nonce": nonce}
    return message, hall.ceremonies.begin("set wallet", content, hall.now_s())


def finish_wallet(
    hall: Hall, sitting: Sitting, sealed: str, message: str, signature: str, label: str, where: Where
) -> Enrolled:
    """Keep a wallet whose holder signed.

    Raises:
        Refused: They signed in too long ago, the message is another's, or somebody comes in with the wallet already.
        InvalidValue: The message or signature is of another form.
    """
    need_fresh(hall, sitting)
    content = _opened(hall, "set wallet", sealed, sitting)
    address = check_wallet(hall.site, content["nonce"], message, signature, hall.now_s())
    hall.ceremonies.used(sealed, hall.now_s())
    return _keep(hall, sitting, _new(hall, sitting, Way.WALLET, label, found_by=address), where)


def link_organisation(hall: Hall, sitting: Sitting, arrived: Arrived, where: Where) -> Enrolled:
    """Keep what an organisation calls somebody, who left from here to set it up.

    Raises:
        Refused: Another left from here, or somebody comes in as this one already.
    """
    need_fresh(hall, sitting)
    if arrived.linking != sitting.person.id:
        raise Refused("who comes back left from here")
    name = organisation_name(arrived.told)
    return _keep(hall, sitting, _new(hall, sitting, Way.ORGANISATION, arrived.told.shown, found_by=name), where)


def print_codes(hall: Hall, sitting: Sitting, where: Where) -> list[str]:
    """Return new codes to print; those from before are good no more, and none of these is kept here but its hash.

    Raises:
        Refused: They signed in too long ago.
    """
    need_fresh(hall, sitting)
    codes = new_printed_codes()
    with hall.people.together():
        for old in hall.ways_of(sitting.person.id):
            if old.way is Way.PRINTED_CODE:
                hall.people.credentials.drop(old.id)
        hashes = tuple(printed_hash(code) for code in codes)
        _keep(hall, sitting, _new(hall, sitting, Way.PRINTED_CODE, "printed codes", secrets=hashes), where)
    return codes


def remove(hall: Hall, sitting: Sitting, id: str, where: Where) -> bool:
    """Take away one of somebody's own ways in; tell whether there was such.

    Raises:
        Refused: They signed in too long ago, or it is the last by which they come in every day.
    """
    need_fresh(hall, sitting)
    ways = hall.ways_of(sitting.person.id)
    gone = next((one for one in ways if one.id == id), None)
    if gone is None:
        return False
    if gone.way in LASTING and sum(one.way in LASTING for one in ways) == 1:
        raise Refused("one way in stays", way=gone.way.value)
    with hall.people.together():
        hall.people.credentials.drop(gone.id)
        hall.note(Happened.CREDENTIAL_REMOVED, sitting.person.id, where, way=gone.way.value, label=gone.label)
        hall.tell(
            sitting.person, Happened.CREDENTIAL_REMOVED, f"A way in was taken away: {gone.way.value} {gone.label}."
        )
    return True


def _new(
    hall: Hall,
    sitting: Sitting,
    way: Way,
    label: str,
    *,
    found_by: str | None = None,
    secrets: tuple[str, ...] = (),
    counter: int = -1,
) -> Credential:
    if not 0 < len(label) <= 100:
        raise InvalidValue("a way in has a label of up to 100 characters")
    return Credential(
        id=new_id(),
        person=sitting.person.id,
        way=way,
        label=label,
        made_s=hall.now_s(),
        found_by=found_by,
        counter=counter,
        secrets=secrets,
    )


def new_id() -> str:
    """Return 128 random bits, hex."""
    return secrets.token_hex(16)


def _keep(hall: Hall, sitting: Sitting, made: Credential, where: Where) -> Enrolled:
    if len(hall.ways_of(sitting.person.id)) >= MOST_WAYS:
        raise Refused(f"a person has {MOST_WAYS} ways in at most")
    with hall.people.together():
        hall.people.credentials.put(made)
        hall.note(Happened.CREDENTIAL_ADDED, sitting.person.id, where, way=made.way.value, label=made.label)
        hall.tell(sitting.person, Happened.CREDENTIAL_ADDED, f"A way in was set up: {made.way.value} {made.label}.")
        return Enrolled(credential=made, secret=_promoted(hall, sitting, made, where))


def _promoted(hall: Hall, sitting: Sitting, made: Credential, where: Where) -> str | None:
    """Open a full session where somebody sat there only to set up a way in; after a recovery, end all there was."""
    session: Session | None = sitting.session
    if session is None or session.way not in ENROLLING or made.way not in LASTING:
        return None
    if session.way is Way.RECOVERY:
        _put_out(hall, sitting.person, made, where)
    hall.people.sessions.drop(session.hash)
    return sign_in(hall, sitting.person, made.way, where, place=session.place)


def _put_out(hall: Hall, person: Person, made: Credential, where: Where) -> None:
    """End all by which another may come in as somebody, or hear of them: a phone that is lost may be a thief's."""
    end_all(hall, person)
    gone = [one for one in hall.ways_of(person.id) if one.id != made.id]
    for one in gone:
        hall.people.credentials.drop(one.id)
    for channel in hall.people.channels.of(person.id):
        remove_channel(hall.people, channel)
    for number in person.standing():
        account = person.places[number].account
        if account is not None:
            hall.end_calendar(account)
    hall.note(Happened.CREDENTIAL_REMOVED, person.id, where, way="all from before the recovery", count=str(len(gone)))


def _opened(hall: Hall, kind: str, sealed: str, sitting: Sitting) -> dict[str, str]:
    content = hall.ceremonies.open(kind, sealed, hall.now_s())
    if content["person"] != sitting.person.id:
        raise Refused("what is answered was asked of this person")
    return content


def relabel(hall: Hall, sitting: Sitting, id: str, label: str) -> bool:
    """Call one of somebody's own ways in otherwise; tell whether there was such.

    Raises:
        InvalidValue: The label is empty or too long.
    """
    if not 0 < len(label) <= 100:
        raise InvalidValue("a way in has a label of up to 100 characters")
    found = next((one for one in hall.ways_of(sitting.person.id) if one.id == id), None)
    if found is not None:
        hall.people.credentials.put(replace(found, label=label))
    return found is not None
