"""A street of more homes than were recorded: every recorded household under every recorded roof."""

from collections.abc import Sequence
from dataclasses import replace

from commonwatt.flexibility import language
from commonwatt.model import Constraint, InvalidValue
from commonwatt.simulator.recorded import Recorded, Session
from commonwatt.simulator.street import Street


def larger(street: Street, recorded: Recorded, homes: int) -> tuple[Street, Recorded]:
    """Return a street and its record with so many homes; what the grid operator states grows with it.

    The first homes are the street's own. A later one has the household, car and prices of one of them and the roof of
    another, so that no two homes are alike until there are more than the square of those recorded.

    Args:
        street: As its file describes it, n homes.
        recorded: What was recorded of them.
        homes: How many there are to be, n or more.

    Raises:
        InvalidValue: The street has more homes already, or its grid operator states what does not grow by a number.
    """
    count = len(street.home)
    if homes < count:
        raise InvalidValue(f"a street is made larger, and has {count} homes, asked were {homes}")
    households = [number % count for number in range(homes)]
    roofs = [(number + number // count) % count for number in range(homes)]
    grown = replace(
        street,
        home=tuple(
            replace(street.home[household], solar_kw=street.home[roof].solar_kw)
            for household, roof in zip(households, roofs, strict=True)
        ),
        dso=tuple(_grown(street, line, homes) for line in street.dso),
    )
    return grown, replace(
        recorded,
        load_wh=tuple(recorded.load_wh[household] for household in households),
        solar_wh=tuple(recorded.solar_wh[roof] for roof in roofs),
        sessions=_shared(recorded.sessions, households),
        sessions_before=_shared(recorded.sessions_before, households),
    )


def _shared(sessions: Sequence[Session], households: Sequence[int]) -> tuple[Session, ...]:
    return tuple(
        replace(session, home=number)
        for number, household in enumerate(households, 1)
        for session in sessions
        if session.home == household + 1
    )


def _grown(street: Street, line: str, homes: int) -> str:
    stated = language.parse(line, street.span.start, street.clock)
    if not isinstance(stated, Constraint):
        raise InvalidValue(f"what repeats does not grow with a street: {line!r}")
    return language.text(replace(stated, value=stated.value * homes // len(street.home)), street.clock)
