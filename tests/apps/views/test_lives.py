"""A device in quarantine as its gateway knows it: seen with its firmware, released by who may, and written down."""

from collections.abc import Iterator

import pytest
from lived import LivedStreet

from commonwatt.adapters.stores.inventory import InventoryFile
from commonwatt.apps import devicing
from commonwatt.apps.community import Community
from commonwatt.apps.views.lives import GATEWAYS, life, lives, release
from commonwatt.apps.views.seeing import Unseen
from commonwatt.flows.inventory import Mark, Note, Record
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, AssetId, InvalidValue, Nameplate, Refused

BATTERY, OTHER = AssetId("battery-05"), AssetId("battery-03")
OWNER = Seat(person="member-05", role=Role.MEMBER, account=AccountId("member-05"))
RUNS = Seat(person="otto", role=Role.OPERATOR, account=AccountId("operator"))
STRANGER = Seat(person="member-02", role=Role.MEMBER, account=AccountId("member-02"))


@pytest.fixture
def community(lived_copy: LivedStreet) -> Iterator[Community]:
    """A community with one gateway's folder beside it, whose battery showed nonsense."""
    found = Community(lived_copy.folder, lambda: lived_copy.end_s, lambda: None)
    found.catch_up()
    folder = lived_copy.folder / GATEWAYS / found.state.assets[BATTERY].gateway
    folder.mkdir(parents=True)
    since_s = lived_copy.end_s - 600
    record = Record(
        number=1,
        asset=BATTERY,
        driver="sunspec",
        url="tcp://192.0.2.7:502",
        added_s=since_s - 600,
        nameplate=Nameplate(make="Acme", model="B1", serial="7", firmware="1.4.2"),
        quarantined_s=since_s,
        nonsense=3,
        trouble="shows 9000 W of 5000",
    )
    notes = [
        Note(at_s=since_s - 600, number=1, asset=BATTERY, mark=Mark.ADDED, words="by driver sunspec"),
        Note(at_s=since_s, number=1, asset=BATTERY, mark=Mark.QUARANTINED, words="shows 9000 W of 5000"),
    ]
    with InventoryFile(folder / devicing.INVENTORY) as shelf:
        shelf.keep([record], notes)
    yield found
    found.close()


@pytest.mark.row("W11")
def test_its_owner_sees_all_of_it_and_who_runs_the_service_that_it_is_there_and_not_what_it_showed(
    community: Community,
) -> None:
    mine, theirs = life(community, OWNER, BATTERY), life(community, RUNS, BATTERY)
    assert mine is not None and theirs is not None
    assert (mine.firmware, mine.health, mine.quarantined_s) == ("1.4.2", "quarantined", community.now_s() - 600)
    assert mine.trouble == "shows 9000 W of 5000" and [one.what for one in mine.notes] == [Mark.QUARANTINED, Mark.ADDED]
    assert mine.may_release and theirs.may_release
    assert (theirs.trouble, [one.words for one in theirs.notes]) == ("", ["", ""])
    assert [one.asset for one in lives(community, RUNS)] == [BATTERY]
    assert life(community, RUNS, OTHER) is None, "its gateway keeps its folder elsewhere"
    with pytest.raises(Unseen):
        life(community, STRANGER, BATTERY)


@pytest.mark.row("W11")
def test_who_may_releases_it_once_and_the_gateway_is_told_who_said_so(community: Community) -> None:
    with pytest.raises(Unseen):
        release(community, STRANGER, BATTERY)
    with pytest.raises(Refused):
        release(community, Seat(person="uma", role=Role.UTILITY, account=AccountId("utility")), BATTERY)
    with pytest.raises(InvalidValue, match="where its gateway is"):
        release(community, RUNS, OTHER)
    release(community, RUNS, BATTERY)
    folder = community.folder / GATEWAYS / community.state.assets[BATTERY].gateway
    with InventoryFile(folder / devicing.INVENTORY) as shelf:
        ((_, order),) = shelf.orders()
    assert (order.deed.value, order.asset, order.by) == ("release", BATTERY, "operator otto")
    seen = life(community, OWNER, BATTERY)
    assert seen is not None and seen.ordered == ["release"]
