"""The map: all homes for who runs the community and for auditors, zones alone for who runs the wires."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lived import LivedStreet

from commonwatt.apps.community import Community
from commonwatt.apps.views.mapping import community_map
from commonwatt.apps.views.positions import position, read_position, state_position
from commonwatt.apps.views.seeing import Unseen
from commonwatt.apps.wiring import forget_past
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import GRID, AccountId, InvalidValue, Position, Refused

RUNS = Seat(person="otto", role=Role.OPERATOR, account=AccountId("operator"))
DSO = Seat(person="dora", role=Role.DSO, account=GRID)


def member(name: str) -> Seat:
    return Seat(person=name, role=Role.MEMBER, account=AccountId(name))


def at(latitude_udeg: int, longitude_udeg: int = 16_373_800) -> Position:
    return Position(latitude_udeg=latitude_udeg, longitude_udeg=longitude_udeg)


@pytest.mark.row("W10")
def test_who_runs_the_community_sees_where_a_home_is_others_only_roughly_and_zones_from_three_on(
    lived_copy: LivedStreet,
) -> None:
    community = Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: None)
    audits = Seat(person="ada", role=Role.AUDITOR, account=AccountId("auditor"))
    try:
        community.catch_up()
        for number in (1, 2):
            name = f"member-{number:02}"
            state_position(community, member(name), AccountId(name), at(48_208_200 + number))
        (zone,) = community_map(community, RUNS)
        places = {one.account: (one.position, one.coarse) for one in zone.shown if one.position}
        assert places == {f"member-{n:02}": (at(48_208_200 + n), False) for n in (1, 2)} and zone.position is None
        (rough,) = community_map(community, audits)
        assert {one.position for one in rough.shown if one.position} == {at(48_208_200).coarse()}
        assert all(one.coarse for one in rough.shown)
        state_position(community, member("member-03"), AccountId("member-03"), at(48_300_000))
        (wires,) = community_map(community, DSO)
        assert wires.shown == [] and wires.position == at((48_208_201 + 48_208_202 + 48_300_000) // 3).coarse()
        assert position(community, member("member-03"), AccountId("member-03")) == at(48_300_000)
        state_position(community, member("member-03"), AccountId("member-03"), None)
        assert community_map(community, DSO)[0].position is None
        for seat in (RUNS, DSO, member("member-04")):
            with pytest.raises(Refused if seat.role is not Role.MEMBER else Unseen):
                state_position(community, seat, AccountId("member-01"), at(0))
        forget_past(lived_copy.folder, AccountId("member-01"))
        assert set(community.positions.known()) == {"member-02"}, "whoever is erased is on no map"
    finally:
        community.close()


@given(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))
def test_a_position_is_read_as_it_is_written(latitude: int, longitude: int) -> None:
    where = at(latitude, longitude)
    assert read_position(str(where)) == where


@pytest.mark.parametrize(
    "wrong", ["", "48.2", "48.2 16.3", "a, b", "91, 0", "0, 181", "1e1, 0", "48,2, 16,3", "--1, 2"]
)
def test_what_is_no_position_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidValue):
        read_position(wrong)


@pytest.mark.row("W10")
def test_who_runs_the_community_sees_its_homes_and_who_runs_the_wires_sees_zones(lived: LivedStreet) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    try:
        community.catch_up()
        (zone,) = community_map(community, RUNS)
        assert (zone.zone, zone.homes, len(zone.shown)) == ("street", 10, 10) and zone.load_w is not None
        first = zone.shown[0]
        assert first.heard and first.kinds == {"battery": 1, "connection": 1, "solar": 1, "vehicle": 1}
        (wires,) = community_map(community, DSO)
        assert (wires.homes, wires.shown, wires.load_w) == (10, [], zone.load_w)
        north = Seat(person="dora", role=Role.DSO, account=GRID, zones=("north",))
        assert community_map(community, north) == []
        with pytest.raises(Refused):
            community_map(community, Seat(person="m", role=Role.MEMBER, account=AccountId("member-03")))
    finally:
        community.close()
