"""Recovery of who lost every way in: begun by one, agreed to by another, told everywhere, slow, and vetoed by a word.

The rules, and why, are in `commonwatt.identity.signing_in.recovery`.
"""

from dataclasses import replace

from commonwatt.flows.entrance.hall import Hall, NotLetIn
from commonwatt.flows.entrance.placing import known, recovers
from commonwatt.flows.entrance.records import KeptRecovery, Person, Way, Where
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.invitations import new_id
from commonwatt.identity.signing_in.recovery import DELAY_S, MACHINE, Recovery, Stand, agree, stand
from commonwatt.identity.signing_in.recovery import under_way as is_under_way
from commonwatt.identity.signing_in.secret import new_secret, secret_hash
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import Refused

SEATED_S = 30 * 86_400
"""How long a second person, whom the member did not choose, must have had their role: none is made for the occasion."""


def begin(hall: Hall, name: str, by: str) -> tuple[Recovery, str]:
    """Begin a recovery, and return it with its secret, to be handed to the member in person; it opens nothing yet.

    Args:
        hall: The entrance.
        name: Of the member.
        by: Who begins it: a person's id, or a word for who holds the machine.

    Raises:
        Refused: There is nobody by this name, they have no role to come back to, in which they could say no; they begin
            their own; or one is under way.
    """
    person = known(hall, name)
    if person.id == by:
        raise Refused("a recovery is begun by another")
    if not person.standing():
        raise Refused("a recovery is of who has a role, and may come in to say no", name=person.name)
    if recovers(hall, person):
        raise Refused("one recovery is under way at a time", name=person.name)
    secret, veto = new_secret(), new_secret()
    begun = Recovery(
        id=new_id(),
        person=person.id,
        begun_by=by,
        begun_s=hall.now_s(),
        secret_hash=secret_hash(secret),
        veto_hash=secret_hash(veto),
    )
    days = DELAY_S // 86_400
    text = f"A recovery of your access was begun. If you did not ask for it, say no within {days} days."
    with hall.people.together():
        hall.people.recoveries.put(KeptRecovery(recovery=begun))
        hall.note(Happened.RECOVERY_BEGUN, person.id, None, recovery=begun.id, by=by)
        hall.tell(person, Happened.RECOVERY_BEGUN, text, about=begun.id, link=veto)
    return begun, secret


def second(hall: Hall, id: str, by: Person) -> Recovery:
    """Let a second person agree to a recovery.

    Raises:
        Refused: There is none under way, or they are not who may agree.
    """
    recovery = under_way(hall, id)
    person = hall.people.persons.get(recovery.person)
    if person is None:
        raise Refused("a recovery is of somebody")
    agreed = agree(recovery, by.id, frozenset(person.guardians), independent=_independent(recovery, by))
    with hall.people.together():
        hall.people.recoveries.put(KeptRecovery(recovery=agreed))
        hall.note(Happened.RECOVERY_AGREED, person.id, None, recovery=id, by=by.id)
        hall.tell(person, Happened.RECOVERY_AGREED, f"{by.name} agreed to the recovery of your access.", about=id)
    return agreed


def veto(hall: Hall, person: Person, id: str) -> None:
    """End a recovery of one's own access, from any session.

    Raises:
        Refused: There is none under way.
    """
    recovery = under_way(hall, id)
    if recovery.person != person.id:
        raise Refused("a recovery that is under way can be ended")
    _end(hall, recovery, Stand.VETOED, Happened.RECOVERY_VETOED)


def veto_by_letter(hall: Hall, secret: str, where: Where) -> None:
    """End a recovery by what stands in a letter about it, without signing in.

    Raises:
        TooSoon: Too many tries failed.
        Refused: There is none under way to which this belongs.
    """
    hall.knock(where)
    hashed = secret_hash(secret)
    found = next((one for one in hall.people.recoveries.all() if one.recovery.veto_hash == hashed), None)
    if found is None:
        raise Refused("a recovery that is under way can be ended")
    _end(hall, under_way(hall, found.key), Stand.VETOED, Happened.RECOVERY_VETOED)
    hall.welcome(where)


def with_recovery(hall: Hall, secret: str, where: Where) -> Person:
    """Return whose recovery a secret finishes: the delay is over, a second person agreed, nobody said no.

    Raises:
        TooSoon: Too many tries failed.
        NotLetIn: There is none that is open.
    """
    hall.knock(where)
    found = hall.people.recoveries.find(secret_hash(secret))
    person = hall.people.persons.get(found.owner) if found else None
    if found is None or person is None or standing(hall, found.recovery) is not Stand.OPEN:
        raise hall.fail(Way.RECOVERY, where, person)
    with hall.people.together():
        _end(hall, found.recovery, Stand.FINISHED, Happened.RECOVERED)
        hall.welcome(where)
    return person


def standing(hall: Hall, recovery: Recovery) -> Stand:
    """Return how far a recovery is now."""
    letters = [one for one in hall.people.notices.of(recovery.person) if one.about == recovery.id and one.address]
    return stand(recovery, hall.now_s(), all_told=all(one.done for one in letters))


def of(hall: Hall, person: Person) -> list[Recovery]:
    """Return all recoveries of a person."""
    return [one.recovery for one in hall.people.recoveries.of(person.id)]


def under_way_of(hall: Hall, person: Person) -> list[Recovery]:
    """Return the recoveries of a person that are not over."""
    return [one for one in of(hall, person) if is_under_way(one, hall.now_s())]


def all_under_way(hall: Hall) -> list[Recovery]:
    """Return the recoveries that are not over."""
    every = [one.recovery for one in hall.people.recoveries.all()]
    return [one for one in every if is_under_way(one, hall.now_s())]


def under_way(hall: Hall, id: str) -> Recovery:
    """Return a recovery that is not over.

    Raises:
        Refused: There is none such.
    """
    found = hall.people.recoveries.get(id)
    if found is None or not is_under_way(found.recovery, hall.now_s()):
        raise Refused("a recovery that is under way can be ended")
    return found.recovery


def _independent(recovery: Recovery, by: Person) -> bool:
    """Tell whether somebody whom the member did not choose is another than who began, and long enough in office."""
    places = [by.places[number] for number in by.standing()]
    runs_it = any(place.role is Role.OPERATOR for place in places)
    if recovery.begun_by == MACHINE and runs_it:
        return False  # it may be themselves who began it there
    offices = (Role.AUDITOR, Role.OPERATOR)
    return any(place.role in offices and place.since_s <= recovery.begun_s - SEATED_S for place in places)


def _end(hall: Hall, recovery: Recovery, how: Stand, what: Happened) -> None:
    person = hall.people.persons.get(recovery.person)
    if person is None:
        raise NotLetIn
    with hall.people.together():
        hall.people.recoveries.put(KeptRecovery(recovery=replace(recovery, ended=how)))
        hall.note(what, person.id, None, recovery=recovery.id)
        hall.tell(person, what, f"The recovery of your access: {how.value}.", about=recovery.id)
