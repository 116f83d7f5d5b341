"""Deeds about people for who holds the community's machine: add, invite, give roles, begin a recovery, show the trail.

Whoever holds the machine could change its files anyway; through these deeds everything stands in the trail, and nobody
is put into an account that is somebody's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from commonwatt.apps.asking import send, state_of
from commonwatt.apps.entering import OPERATOR, open_hall
from commonwatt.apps.web.notice_words import letter_of
from commonwatt.apps.web.words import LANGUAGES, Place, Words
from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.entrance import heads, inviting, placing, recovering
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Credential, Person, Session, Way
from commonwatt.flows.entrance.sitting import end_all
from commonwatt.flows.entrance.telling import letter_sent, letters_waiting
from commonwatt.flows.notices.telling import wishes_of
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in import trail
from commonwatt.identity.signing_in.codes import new_printed_codes, printed_hash
from commonwatt.identity.signing_in.recovery import MACHINE, Recovery
from commonwatt.identity.signing_in.trail import Event, Happened
from commonwatt.model import AccountId, Kind, Outcome

ORIGIN = "https://localhost:8443"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Who was added, and the code with which they sign in first; it is kept nowhere."""

    person: Person
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A letter of the entrance, to be sent by whoever holds the machine."""

    id: str
    to: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFound:
    """The trail: its events with what they tell, and the hashes that the log knows, by the number of their event."""

    events: list[tuple[Event, Mapping[str, str] | None]]
    heads: dict[int, str]


def add(folder: Path, name: str, role: Role, account: str | None, zones: list[str], address: str) -> Added:
    """Add a person with a role.

    Raises:
        Refused: The name is none or somebody's, or the account is.
        InvalidValue: The role, account or address is none.
    """
    with _hall(folder) as hall, hall.people.together():
        place = placing.new_place(hall, role, AccountId(account) if account else None, zones)
        person = placing.add_person(hall, name, [place], MACHINE, address=address)
        code = new_printed_codes()[0]
        hall.people.credentials.put(
            Credential(
                id=person.id,
                person=person.id,
                way=Way.PRINTED_CODE,
                label="the first",
                made_s=hall.now_s(),
                secrets=(printed_hash(code),),
            )
        )
        return Added(person=person, code=code)


def invite(folder: Path, role: Role, account: str | None, zones: list[str], origin: str) -> str:
    """Return a link by which somebody joins, once and within a week.

    Raises:
        Refused: The account is somebody's, or the operator's key is not in the folder.
        InvalidValue: Nobody is invited to be that.
    """
    with _hall(folder, origin) as hall:
        key, of = open_key(folder, "operator"), AccountId(account) if account else None
        text, _ = inviting.invite(hall, MACHINE, None, role, of, zones, key)
    # Behind the mark, a browser sends it to no server and no log of one.
    return f"{origin}/join#{text}"


def people(folder: Path) -> list[Person]:
    """Return who is known."""
    with _hall(folder) as hall:
        return hall.people.persons.all()


def give(folder: Path, name: str, role: Role, account: str | None, zones: list[str]) -> Person:
    """Give somebody another role; raises as `add`."""
    with _hall(folder) as hall:
        place = placing.new_place(hall, role, AccountId(account) if account else None, zones)
        return placing.give(hall, name, place, MACHINE)


def end(folder: Path, name: str, place: int) -> Person:
    """End one of somebody's roles, by its number.

    Raises:
        Refused: There is nobody by this name, or they have no such role.
    """
    with _hall(folder) as hall:
        return placing.end(hall, name, place, MACHINE)


def reset(folder: Path, name: str) -> tuple[Recovery, str]:
    """Begin a recovery, and return it with the secret that the member is handed; it takes a week and a second person.

    Raises:
        Refused: There is nobody by this name, or one is under way.
    """
    with _hall(folder) as hall:
        return recovering.begin(hall, name, MACHINE)


def letters(folder: Path, origin: str, *, keep: bool = False) -> list[Written]:
    """Return the letters that wait, in the words of whom they are for, and note that they left the house.

    Args:
        folder: The community's.
        origin: Where people reach the app, for the links in them.
        keep: Whether they wait on: they were only looked at.
    """
    with _hall(folder) as hall, hall.people.together():
        found = list[Written]()
        place = Place(name=hall.site.name, zone=ZoneInfo("UTC"))
        for one in letters_waiting(hall):
            wished = wishes_of(hall.people, one.person).language
            words = Words(wished if wished in LANGUAGES else "en", place)
            subject, text = letter_of(words, one, origin)
            found.append(Written(id=one.id, to=one.address or "", subject=subject, text=text))
            if not keep:
                letter_sent(hall, one.id)
                hall.note(Happened.LETTER_HANDED_OUT, one.person, None, by=MACHINE, letter=one.id, about=one.what)
        return found


def sessions(folder: Path, name: str, *, end: bool = False) -> list[Session]:
    """Return where somebody is signed in, and with ``end`` end all of it, tokens too.

    Raises:
        Refused: There is nobody by this name.
    """
    with _hall(folder) as hall, hall.people.together():
        person = placing.known(hall, name)
        found = hall.people.sessions.of(person.id)
        if end:
            end_all(hall, person)
            hall.note(Happened.SESSION_REVOKED, person.id, None, by=MACHINE, sessions=str(len(found)))
            hall.tell(person, Happened.SESSION_REVOKED, "You were signed out everywhere by who runs the machine.")
        return [replace(one, hash=one.id) for one in found]


def look_at_trail(folder: Path) -> TrailFound:
    """Return the trail, whose chain holds and leads to every hash that the log knows.

    Raises:
        Corrupt: An event was changed, dropped or slipped in; says which.
    """
    with open_log(folder) as log:
        known = heads.heads(log.rows(log.whole_from))
    with _hall(folder) as hall:
        found = list(hall.people.trail())
        list(trail.check((event for event, _ in found), known))
    return TrailFound(events=found, heads=known)


def tie(folder: Path, host: str, port: int) -> int | None:
    """Put the trail's head into the log through the open door; return the number of its event, None where it is there.

    Raises:
        Refused: The operator's key is not in the folder, or no door is open.
        OSError: The line to the door broke.
    """
    with _hall(folder) as hall:
        head = heads.next_head(hall.people, state_of(folder))
    if head is None:
        return None
    assert send(folder, OPERATOR, Kind.ATTEST, head, host, port).outcome is Outcome.BOOKED
    return head.events


@contextmanager
def _hall(folder: Path, origin: str = ORIGIN) -> Iterator[Hall]:
    hall = open_hall(folder, origin)
    try:
        yield hall
    finally:
        hall.people.close()
