"""Who has which role: people added, roles given and ended; nobody is put into an account that is somebody's.

Whoever runs a community could otherwise look into any home by asking a puppet to join its household. So an account in
which anybody ever sat is given to another only by who sits there now; that a role ended frees nothing. Who was asked
and never set up a way in sat nowhere: they lose the place to who comes instead, so that nobody waits there unseen.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.names import check_name, folded
from commonwatt.flows.entrance.records import LASTING, Person, Place, Where
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.recovery import MACHINE, under_way
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import GRID, AccountId, InvalidValue, Refused

SHARED = frozenset({GRID, AccountId("operator")})
"""Accounts of an office, not of a household: whoever runs the community fills it."""
MOST_PLACES = 16
MOST_ADDRESSES = 5


def add_person(hall: Hall, name: str, places: Sequence[Place], by: str, *, address: str = "") -> Person:
    """Add a person, who has no way in yet.

    Args:
        hall: The entrance.
        name: Under which they will sign in.
        places: Their roles.
        by: Who adds them, for the trail: a person's id, or a word for who holds the machine.
        address: Where letters go, if anywhere.

    Raises:
        Refused: The name is none or somebody's, or an account is somebody's.
    """
    found = check_name(name)
    if hall.people.persons.find(found) is not None:
        raise Refused("this name is somebody's already", name=found)
    for place in places:
        refuse_taken(hall, place.account)
    person = Person(
        id=secrets.token_hex(16),
        name=found,
        places=tuple(places),
        made_s=hall.now_s(),
        addresses=(_checked(address),) if address else (),
    )
    with hall.people.together():
        for place in places:
            _vacate(hall, place.account, person.id, by)
        hall.people.persons.put(person)
        roles = " ".join(place.role.value for place in places)
        hall.note(Happened.PERSON_ADDED, person.id, None, name=found, roles=roles, by=by)
    return person


def new_place(hall: Hall, role: Role, account: AccountId | None = None, zones: Sequence[str] = ()) -> Place:
    """Return a role to be given from now on.

    Raises:
        InvalidValue: It is the public's, or a member without an account.
        Refused: The community has no such account.
    """
    if account is not None and account not in SHARED and not hall.has_account(account):
        raise Refused("a role is of an account that the community has", account=account)
    if role is Role.PUBLIC or (role is Role.MEMBER and account is None):
        raise InvalidValue(f"a person is in a role, a member of an account, was {role} of {account}")
    return Place(role=role, account=account, zones=tuple(zones), since_s=hall.now_s())


def give(hall: Hall, name: str, place: Place, by: str, *, let_by: AccountId | None = None) -> Person:
    """Give somebody another role.

    Args:
        hall: The entrance.
        name: Theirs.
        place: The role.
        by: Who gives it, for the trail.
        let_by: The account of who gives it, into which they may let others.

    Raises:
        Refused: There is nobody by this name, they give it to themselves, the account is somebody's, or they have very
            many roles; or an auditor would be named from the app, or run the community as well.
    """
    person = known(hall, name)
    if person.id == by:
        raise Refused("a role is given by another", name=person.name, role=place.role.value)
    refuse_auditor_from_app(place.role, by)
    if {Role.AUDITOR, Role.OPERATOR} <= {place.role, *(person.places[number].role for number in person.standing())}:
        raise Refused("who looks on does not run the community as well", name=person.name, role=place.role.value)
    if len(person.places) >= MOST_PLACES:
        raise Refused(f"a person has {MOST_PLACES} roles at most", name=person.name)
    changed = replace(person, places=(*person.places, place))
    with hall.people.together():
        if place.account is None or place.account != let_by:
            refuse_taken(hall, place.account, but=person.id)
            _vacate(hall, place.account, person.id, by)
        return _changed(hall, changed, f"{place.role.value} given", by)


def end(hall: Hall, name: str, place: int, by: str) -> Person:
    """End one of somebody's roles; sessions and tokens in it end with it.

    Raises:
        Refused: There is nobody by this name, they have no such role, or their access is being recovered: who could not
            come in could not say no.
    """
    person = known(hall, name)
    if place not in person.standing():
        raise Refused("a role that somebody has can end", name=person.name, place=place)
    if recovers(hall, person):
        raise Refused("roles stay while their access is being recovered, so that they can say no", name=person.name)
    gone = replace(person.places[place], ended_s=hall.now_s())
    changed = replace(person, places=(*person.places[:place], gone, *person.places[place + 1 :]))
    return _changed(hall, changed, f"{gone.role.value} ended", by)


def set_addresses(hall: Hall, person: Person, addresses: Sequence[str], where: Where) -> Person:
    """Set where letters go; those to whom they went until now are told, too.

    Raises:
        InvalidValue: One is no address, or there are too many.
    """
    if len(addresses) > MOST_ADDRESSES:
        raise InvalidValue(f"letters go to {MOST_ADDRESSES} addresses at most")
    changed = replace(
        hall.people.persons.get(person.id) or person, addresses=tuple(dict.fromkeys(map(_checked, addresses)))
    )
    with hall.people.together():
        hall.people.persons.put(changed)
        everywhere = replace(changed, addresses=tuple(dict.fromkeys((*person.addresses, *changed.addresses))))
        hall.note(Happened.ROLE_CHANGED, person.id, where, change="addresses")
        hall.tell(everywhere, Happened.ROLE_CHANGED, "The addresses for letters were changed.")
    return changed


def set_guardians(hall: Hall, person: Person, names: Sequence[str], where: Where) -> Person:
    """Set who may agree to a recovery, instead of anybody else.

    Raises:
        Refused: One is nobody here, or the person themselves.
    """
    guardians = tuple(dict.fromkeys(known(hall, name).id for name in names))
    if person.id in guardians:
        raise Refused("a guardian is another person")
    changed = replace(hall.people.persons.get(person.id) or person, guardians=guardians)
    with hall.people.together():
        hall.people.persons.put(changed)
        hall.note(Happened.GUARDIANS_CHANGED, person.id, where, guardians=" ".join(guardians))
        hall.tell(changed, Happened.GUARDIANS_CHANGED, f"{len(guardians)} guardians are set.")
    return changed


def guardians_of(hall: Hall, person: Person) -> list[str]:
    """Return the names of those whom somebody chose to agree to a recovery, and who are here still."""
    found = (hall.people.persons.get(id) for id in person.guardians)
    return [guardian.name for guardian in found if guardian is not None]


def known(hall: Hall, name: str) -> Person:
    """Return a person by name.

    Raises:
        Refused: There is none.
    """
    person = hall.people.persons.find(folded(name))
    if person is None:
        raise Refused("there is a person by this name", name=folded(name))
    return person


def recovers(hall: Hall, person: Person) -> bool:
    """Tell whether a recovery of somebody's access is under way."""
    return any(under_way(one.recovery, hall.now_s()) for one in hall.people.recoveries.of(person.id))


def refuse_auditor_from_app(role: Role, by: str) -> None:
    """Refuse to make an auditor, or invite one, for anybody but who holds the machine.

    An auditor agrees to what operators begin: an operator's session alone, which may be a thief's, makes none.

    Raises:
        Refused: Says so.
    """
    if role is Role.AUDITOR and by != MACHINE:
        raise Refused("an auditor is named by who holds the machine, see commonwatt person", role=role.value)


def refuse_taken(hall: Hall, account: AccountId | None, but: str | None = None) -> None:
    """Refuse an account in which somebody else sits, or ever sat.

    Raises:
        Refused: Says so.
    """
    if any(_came(hall, person) for person in _placed(hall, account, but)):
        raise Refused("into an account that is somebody's, only they let others", account=account)


def _vacate(hall: Hall, account: AccountId | None, but: str, by: str) -> None:
    """End the places of those who were asked into an account and never set up a way in."""
    for person in _placed(hall, account, but):
        for number in person.standing():
            if person.places[number].account == account and not _came(hall, person):
                end(hall, person.name, number, by)


def _placed(hall: Hall, account: AccountId | None, but: str | None) -> list[Person]:
    if account is None or account in SHARED:
        return []
    everybody = hall.people.persons.all()
    return [one for one in everybody if one.id != but and any(place.account == account for place in one.places)]


def _came(hall: Hall, person: Person) -> bool:
    """Tell whether a person ever set up a way in: the last one of these is never taken away."""
    return any(way.way in LASTING for way in hall.ways_of(person.id))


def _changed(hall: Hall, person: Person, change: str, by: str) -> Person:
    with hall.people.together():
        hall.people.persons.put(person)
        hall.note(Happened.ROLE_CHANGED, person.id, None, change=change, by=by)
        hall.tell(person, Happened.ROLE_CHANGED, f"Your roles were changed: {change}.")
    return person


def _checked(address: str) -> str:
    local, at, host = address.strip().rpartition("@")
    plain = address.isascii() and address.isprintable() and not set(address) & set(' <>",;:\\')
    if not (local and at and "." in host and plain and len(address) <= 254):
        raise InvalidValue(f"an address looks like anna@sun.example, was {address[:80]!r}")
    return address.strip()
