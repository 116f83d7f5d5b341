"""A DEMAND from the app: in the trail with who called it, and taken back by nobody else."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from lived import LivedStreet

from commonwatt.apps import calling, demanding
from commonwatt.apps.community import Community
from commonwatt.flows.entrance import placing
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.sitting import Sitting, note_deed
from commonwatt.flows.gateway.letters import Called
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, Refused
from doorway import doorway, sits


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return doorway(tmp_path)


@pytest.fixture
def community(lived_copy: LivedStreet, hall: Hall) -> Iterator[Community]:
    found = Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: None)
    found.catch_up()
    found.note = partial(note_deed, hall)
    yield found
    found.close()


def operator(hall: Hall, name: str) -> Sitting:
    """Return somebody who runs the service, signed in just now."""
    role = placing.new_place(hall, Role.OPERATOR, AccountId("operator"))
    return sits(hall, placing.add_person(hall, name, [role], "test"))


def noted(hall: Hall) -> list[tuple[Happened, str]]:
    """Return what was noted of DEMANDs, and by whose session."""
    kinds = (Happened.DEMAND_CALLED, Happened.DEMAND_RETRACTED)
    return [(event.what, told.get("by", "")) for event, told in hall.people.trail() if event.what in kinds and told]


@pytest.mark.row("H6")
def test_who_calls_a_demand_and_who_takes_it_back_stands_in_the_trail(community: Community, hall: Hall) -> None:
    olga, otto = (operator(hall, name) for name in ("olga", "otto"))
    called = calling.call(community, olga.seat, 900, 2_000)
    calling.retract(community, otto.seat, called.id)
    assert olga.session is not None and otto.session is not None
    assert noted(hall) == [
        (Happened.DEMAND_CALLED, f"session {olga.session.id}"),
        (Happened.DEMAND_RETRACTED, f"session {otto.session.id}"),
    ]
    (told,) = (told for event, told in hall.people.trail() if event.what is Happened.DEMAND_CALLED)
    assert told is not None and told["name"] == called.id and told["power_w"] == "2000"


def test_nobody_takes_back_what_another_called_and_what_is_refused_is_not_noted(
    community: Community, hall: Hall
) -> None:
    olga = operator(hall, "olga")
    utility = Seat(person="uma", role=Role.UTILITY, account=AccountId("utility"))
    theirs = calling.call(community, utility, 900)
    before = noted(hall)
    with pytest.raises(Refused, match="taken back by who called it"):
        calling.retract(community, olga.seat, theirs.id)
    with pytest.raises(Refused, match="taken back by its name"):
        calling.retract(community, olga.seat, "none")
    assert not calling.may_retract(community, olga.seat, theirs.id)
    assert [one.id for one in calling.standing(community, utility)] == [theirs.id] and noted(hall) == before
    calling.retract(community, utility, theirs.id)
    assert calling.standing(community, utility) == []


def test_what_was_called_at_the_machine_is_the_operators_to_take_back(community: Community, hall: Hall) -> None:
    now_s = community.now_s()
    demanding.demand(community.folder, Called(id="peak", start_s=now_s, end_s=now_s + 900), now_s)
    utility = Seat(person="uma", role=Role.UTILITY, account=AccountId("utility"))
    with pytest.raises(Refused, match="taken back by who called it"):
        calling.retract(community, utility, "peak")
    calling.retract(community, operator(hall, "olga").seat, "peak")
    assert calling.standing(community, utility) == []
