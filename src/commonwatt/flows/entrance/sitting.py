"""Sessions and tokens: who sits there, for how long, in which of their roles; all can be listed and ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from commonwatt.flows.entrance.hall import Hall, NotLetIn
from commonwatt.flows.entrance.records import ENROLLING, LASTING, NOBODY, Person, Session, Token, Way, Where
from commonwatt.identity.access import OF_TOKENS, Scope
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.secret import FRESH_S, lasting, new_secret, new_token, secret_hash
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import InvalidValue, Refused

MOST_SESSIONS = 50
MOST_TOKENS = 50
MOST_BROWSERS = 8
LONGEST_TOKEN_S = 366 * 86_400
_ENROL_WITHIN_S = 3_600
_SEEN_EVERY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """Somebody before the screen, or a program of theirs: exactly one of session and token."""

    seat: Seat
    person: Person
    session: Session | None = None
    token: Token | None = None


def sign_in(
    hall: Hall,
    person: Person,
    way: Way,
    where: Where,
    old: str | None = None,
    place: int | None = None,
    browser: str = "",
) -> str:
    """Open a session and return its secret, which is kept nowhere here.

    Args:
        hall: The entrance.
        person: Who was let in.
        way: How.
        where: From where.
        old: The secret of the session that the browser had until now: it ends, so that nobody can have laid it there.
        place: In which of their roles; the first that they have, where it is left out.
        browser: The secret by which this browser is to be known from now on, in place of what it had until now.

    Raises:
        NotLetIn: They have no role.
    """
    standing = person.standing()
    chosen = place if place in standing else next(iter(standing), None)
    if chosen is None:
        raise NotLetIn
    secret, now_s = new_secret(), hall.now_s()
    session = Session(
        hash=secret_hash(secret),
        person=person.id,
        place=chosen,
        way=way,
        device=where.device[:200],
        address=where.address[:64],
        made_s=now_s,
        seen_s=now_s,
    )
    with hall.people.together():
        if old:
            hall.people.sessions.drop(secret_hash(old))
        known = hall.people.sessions.of(person.id)
        for one in sorted(known, key=lambda known: known.seen_s)[: max(0, len(known) - MOST_SESSIONS + 1)]:
            hall.people.sessions.drop(one.hash)
        hall.people.sessions.put(session)
        if browser and way in LASTING:
            _know(hall, person, where.browser, browser)
        hall.note(Happened.SIGNED_IN, person.id, where, way=way.value, session=session.id)
    return secret


def _know(hall: Hall, person: Person, old: str, new: str) -> None:
    """Know a browser from now on by another secret; of many the one that was not used longest is forgotten."""
    told = hall.people.persons.get(person.id) or person
    others = [one for one in told.browsers if not old or one != secret_hash(old)]
    hall.people.persons.put(replace(told, browsers=(*others, secret_hash(new))[-MOST_BROWSERS:]))


def sit(hall: Hall, secret: str, where: Where) -> Sitting | None:
    """Return who has a session's secret, or None where there is no such session any more."""
    session = hall.people.sessions.get(secret_hash(secret))
    found = _by_session(hall, session) if session else None
    if session is None or found is None:
        if session is not None:
            hall.people.sessions.drop(session.hash)
        return None
    return replace(found, session=_used(hall, session, where.address))


def sits_still(hall: Hall, sitting: Sitting, *, used: bool = False) -> bool:
    """Tell whether somebody sits there still as they did: neither out, nor idle too long, nor in a role that ended.

    Args:
        hall: The entrance.
        sitting: As they were found.
        used: Whether they did something just now, so that they are not idle.
    """
    if sitting.token is not None:
        token = hall.people.tokens.get(sitting.token.hash)
        found = _by_token(hall, token) if token else None
        return found is not None and found.seat == sitting.seat
    session = hall.people.sessions.get(need_session(sitting).hash)
    found = _by_session(hall, session) if session else None
    if session is None or found is None or found.seat != sitting.seat:
        return False
    if used:
        _used(hall, session, session.address)
    return True


def _by_session(hall: Hall, session: Session) -> Sitting | None:
    """Return who sits there by a session; None where it is over, or the role is."""
    person = hall.people.persons.get(session.person)
    seat = person.seat(session.place) if person else None
    if person is None or seat is None or hall.now_s() >= _ends_s(session, seat):
        return None
    if session.way in ENROLLING:
        seat = replace(seat, scopes=(Scope.ENROL,))
    return Sitting(seat=replace(seat, by=f"session {session.id}"), person=person, session=session)


def _used(hall: Hall, session: Session, address: str) -> Session:
    """Return a session that was used just now, which is kept to the minute."""
    now_s = hall.now_s()
    if now_s < session.seen_s + _SEEN_EVERY_S:
        return session
    seen = replace(session, seen_s=now_s, address=address[:64])
    hall.people.sessions.put(seen)
    return seen


def count_signed_in(hall: Hall) -> int:
    """Return how many people have a session that has not ended."""
    now_s, found = hall.now_s(), set[str]()
    for session in hall.people.sessions.all():
        person = hall.people.persons.get(session.person)
        seat = person.seat(session.place) if person else None
        if seat is not None and now_s < _ends_s(session, seat):
            found.add(session.person)
    return len(found)


def _ends_s(session: Session, seat: Seat) -> int:
    if session.way in ENROLLING:
        return session.made_s + _ENROL_WITHIN_S
    limits = lasting(seat.role)
    return min(session.made_s + limits.whole_s, session.seen_s + limits.idle_s)


def sit_by_token(hall: Hall, secret: str) -> Sitting | None:
    """Return whose program has a token's secret, or None where there is no such token any more."""
    token = hall.people.tokens.get(secret_hash(secret))
    found = _by_token(hall, token) if token else None
    if token is None or found is None:
        return None
    now_s = hall.now_s()
    if token.seen_s is None or now_s >= token.seen_s + _SEEN_EVERY_S:
        token = replace(token, seen_s=now_s)
        hall.people.tokens.put(token)
    return replace(found, token=token)


def _by_token(hall: Hall, token: Token) -> Sitting | None:
    """Return whose program a token is; None where it is over, or the role is."""
    person = hall.people.persons.get(token.person)
    seat = person.seat(token.place) if person else None
    if person is None or seat is None or hall.now_s() >= token.until_s:
        return None
    seat = replace(seat, scopes=tuple(sorted(token.scopes)), by=f"token {token.id}")
    return Sitting(seat=seat, person=person, token=token)


def need_session(sitting: Sitting) -> Session:
    """Return the session of who sits before the screen themselves.

    Raises:
        Refused: It is a program's token.
    """
    if sitting.session is None:
        raise Refused("this is for people before a screen, not for their programs")
    return sitting.session


def need_fresh(hall: Hall, sitting: Sitting, *, lasting_way: bool = False) -> Session:
    """Return the session of who signed in just now: before a way in is changed, a screen left open is not enough.

    Args:
        hall: The entrance.
        sitting: Who sits there.
        lasting_way: Whether they must have come in by a lasting way: more than that is not for who sets up one.

    Raises:
        Refused: They signed in too long ago, or it is a program.
    """
    session = need_session(sitting)
    if lasting_way and session.way in ENROLLING:
        raise Refused("first a lasting way in is set up")
    if session.way not in ENROLLING and hall.now_s() >= session.made_s + FRESH_S:
        raise Refused(f"who changes this signed in within {FRESH_S // 60} minutes: sign in once more")
    return session


def sign_out(hall: Hall, sitting: Sitting, where: Where) -> None:
    """End the session of who sits there."""
    session = need_session(sitting)
    with hall.people.together():
        hall.people.sessions.drop(session.hash)
        hall.note(Happened.SIGNED_OUT, sitting.person.id, where, session=session.id)


def take_place(hall: Hall, sitting: Sitting, place: int) -> str:
    """Let somebody go on in another of their roles; return the secret of the session that stands in place of the old.

    Raises:
        Refused: They have no such role now, are only about to set up a way in, or signed in too long ago for this role.
    """
    session = need_session(sitting)
    seat = sitting.person.seat(place)
    if seat is None or session.way in ENROLLING:
        raise Refused("people sit in a role that they have", place=place)
    if hall.now_s() >= session.made_s + lasting(seat.role).whole_s:
        raise Refused("for this role, sign in once more", role=seat.role.value)
    secret = new_secret()
    with hall.people.together():
        hall.people.sessions.drop(session.hash)
        hall.people.sessions.put(replace(session, hash=secret_hash(secret), place=place))
    return secret


def sessions_of(hall: Hall, sitting: Sitting) -> list[Session]:
    """Return where somebody is signed in, the last used first."""
    return sorted(hall.people.sessions.of(sitting.person.id), key=lambda one: -one.seen_s)


def revoke_sessions(hall: Hall, sitting: Sitting, ids: Iterable[str], where: Where) -> list[str]:
    """End sessions of somebody's own by their ids; return those that there were."""
    wanted = set(ids)
    found = [one for one in hall.people.sessions.of(sitting.person.id) if one.id in wanted]
    with hall.people.together():
        for one in found:
            hall.people.sessions.drop(one.hash)
            hall.note(Happened.SESSION_REVOKED, sitting.person.id, where, session=one.id)
    return [one.id for one in found]


def make_token(
    hall: Hall, sitting: Sitting, label: str, scopes: frozenset[Scope], lasts_s: int, where: Where
) -> tuple[str, Token]:
    """Return the secret of a new token for a program, which is kept nowhere here, and the token.

    Args:
        hall: The entrance.
        sitting: Whose it is to be, in the role in which they sit there.
        label: What they call it.
        scopes: What it is for.
        lasts_s: How long, up to a year.
        where: From where they ask.

    Raises:
        Refused: They signed in too long ago, or have too many.
        InvalidValue: Scopes, label or time are none that a token can have.
    """
    session = need_fresh(hall, sitting, lasting_way=True)
    if not scopes or not scopes <= OF_TOKENS or not 0 < len(label) <= 100 or not 0 < lasts_s <= LONGEST_TOKEN_S:
        raise InvalidValue(f"a token has a label, scopes of {', '.join(sorted(OF_TOKENS))}, and a year at most")
    if len(hall.people.tokens.of(sitting.person.id)) >= MOST_TOKENS:
        raise Refused(f"a person has {MOST_TOKENS} tokens at most")
    secret, now_s = new_token(), hall.now_s()
    token = Token(
        hash=secret_hash(secret),
        person=sitting.person.id,
        place=session.place,
        scopes=scopes,
        label=label,
        made_s=now_s,
        until_s=now_s + lasts_s,
    )
    with hall.people.together():
        hall.people.tokens.put(token)
        hall.note(Happened.TOKEN_MADE, sitting.person.id, where, token=token.id, scopes=" ".join(sorted(scopes)))
    return secret, token


def tokens_of(hall: Hall, sitting: Sitting) -> list[Token]:
    """Return the tokens of somebody's programs."""
    return hall.people.tokens.of(sitting.person.id)


def revoke_token(hall: Hall, sitting: Sitting, id: str, where: Where) -> bool:
    """End a token of somebody's own; tell whether there was such."""
    found = [one for one in hall.people.tokens.of(sitting.person.id) if one.id == id]
    with hall.people.together():
        for one in found:
            hall.people.tokens.drop(one.hash)
            hall.note(Happened.TOKEN_REVOKED, sitting.person.id, where, token=one.id)
    return bool(found)


def note_deed(hall: Hall, seat: Seat, what: Happened, details: Mapping[str, str]) -> None:
    """Note what somebody does from their seat, with the session or token by which they are here.

    Several people may act for one account with the one key that is kept for it: the log tells of the account, this of
    whom.
    """
    person = hall.people.persons.find(seat.person)
    hall.note(what, person.id if person else NOBODY, None, **details, by=seat.by)


def end_all(hall: Hall, person: Person, but: str | None = None) -> None:
    """End all sessions and tokens of a person, but one session by its secret's hash; know none of their browsers."""
    told = hall.people.persons.get(person.id)
    if told is not None and told.browsers:
        hall.people.persons.put(replace(told, browsers=()))
    for session in hall.people.sessions.of(person.id):
        if session.hash != but:
            hall.people.sessions.drop(session.hash)
    for token in hall.people.tokens.of(person.id):
        hall.people.tokens.drop(token.hash)
