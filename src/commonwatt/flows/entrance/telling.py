"""What people are told of their own access: shown in every session until seen, and sent by letter."""

from dataclasses import replace

from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Notice, Person

KEPT_S = 90 * 86_400
"""How long what was seen or sent is kept."""


def notices_of(hall: Hall, person: Person) -> list[Notice]:
    """Return what a person has not said they saw, the newest first."""
    found = [one for one in hall.people.notices.of(person.id) if one.address is None and not one.done]
    return sorted(found, key=lambda one: -one.at_s)


def seen(hall: Hall, person: Person, id: str) -> bool:
    """Note that a person saw a notice; tell whether there was such."""
    notice = hall.people.notices.get(id)
    if notice is None or notice.person != person.id or notice.address is not None:
        return False
    hall.people.notices.put(replace(notice, done=True))
    return True


def letters_waiting(hall: Hall) -> list[Notice]:
    """Return letters that have not left the house, the oldest first; whoever sends them says so to `letter_sent`."""
    return [one for one in hall.people.notices.all() if one.address is not None and not one.done]


def letter_sent(hall: Hall, id: str) -> None:
    """Note that a letter left the house: a mail server took it. A recovery waits for this."""
    notice = hall.people.notices.get(id)
    if notice is not None:
        hall.people.notices.put(replace(notice, done=True))


def tidy(hall: Hall) -> None:
    """Let go of what was seen or sent long ago."""
    oldest_s = hall.now_s() - KEPT_S
    with hall.people.together():
        for one in hall.people.notices.all():
            if one.done and one.at_s < oldest_s:
                hall.people.notices.drop(one.id)
