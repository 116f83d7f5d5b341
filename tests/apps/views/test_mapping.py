"""The map: all homes for who runs the community and for auditors, zones alone for who runs the wires."""

import pytest
from lived import LivedStreet

from commonwatt.apps.community import Community
from commonwatt.apps.views.mapping import community_map
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import GRID, AccountId, Refused

RUNS = Seat(person="otto", role=Role.OPERATOR, account=AccountId("operator"))
DSO = Seat(person="dora", role=Role.DSO, account=GRID)


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
