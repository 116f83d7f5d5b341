import pytest
from fastapi.testclient import TestClient
from lived import SLOTS, STREET, LivedStreet
from seats import sits

from commonwatt.apps.scenes import scene
from commonwatt.apps.views.curves import unmanaged_wh
from commonwatt.flows.chronicle import Believed
from commonwatt.identity.seat import Role
from commonwatt.metering.batch import Quality
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, GatewayId, Reading, slot_from
from commonwatt.simulator.unmanaged import live_unmanaged

RUNS, DSO, MINE = sits(Role.OPERATOR, "operator"), sits(Role.DSO, "grid"), sits(Role.MEMBER, "member-01")
CAR = Asset(
    id=AssetId("car-01"),
    owner=AccountId("member-01"),
    gateway=GatewayId("gateway-01"),
    kind=AssetKind.VEHICLE,
    zone="street",
    max_import_w=8_000,
    max_export_w=8_000,
    capacity_wh=50_000,
    charge_permille=900,
)


def test_demand_alone_is_what_the_recorded_homes_used_and_the_last_curve_what_the_feeder_saw(
    client: TestClient, lived: LivedStreet
) -> None:
    told = client.get("/api/v1/curves", headers=RUNS).json()[-SLOTS:]
    drawn = scene(STREET)
    alone = live_unmanaged(drawn.street, drawn.recorded)
    first = (told[0]["slot_s"] - int(drawn.street.span.start.timestamp())) // SLOT_SECONDS
    for place, slot in enumerate(told):
        # Meters count whole watt-hours, three of them a home: what homes used is theirs to a few.
        assert abs(slot["demand_w"] / 4 - alone.demand_wh[first + place]) <= 30
    feeder = {one["slot_s"]: one["power_w"] for one in client.get("/api/v1/feeder").json()}
    assert all(abs(one["discharging_w"] - feeder[one["slot_s"]]) <= 4 for one in told)
    assert max(one["smart_w"] - one["discharging_w"] for one in told) > 5_000, "cars gave something back"
    assert max(one["unmanaged_w"] - one["demand_w"] for one in told) > 5_000, "cars would have charged as they came"
    assert told[-1]["slot_s"] + SLOT_SECONDS == lived.end_s


def test_who_sees_sums_of_homes_sees_the_curves_and_nobody_else(client: TestClient) -> None:
    assert client.get("/api/v1/curves", headers=DSO).status_code == 200
    assert client.get("/api/v1/curves", headers=MINE).status_code == 403
    assert client.get("/api/v1/curves").status_code == 403


def _told(*slots: tuple[int, int, int | None]) -> list[Believed]:
    """Return what a car's meter told, slot after slot: import, export, level."""
    found = []
    for place, (import_wh, export_wh, level_wh) in enumerate(slots):
        slot_s = place * SLOT_SECONDS
        reading = Reading(
            asset=CAR.id,
            interval=slot_from(slot_s),
            import_wh=import_wh,
            export_wh=export_wh,
            level_wh=level_wh,
        )
        found.append(Believed(reading=reading, slot_s=slot_s, quality=Quality.MEASURED, position=place))
    return found


@pytest.mark.row("W2")
def test_a_car_that_left_takes_its_stays_energy_from_when_it_came_at_full_power() -> None:
    story = _told((0, 0, None), (0, 0, 10_000), (0, 0, 10_000), (2_000, 0, 11_800), (900, 0, 12_610), (0, 0, None))
    found = unmanaged_wh(CAR, story, {})
    assert found == {900: 2_000, 1_800: 900, 2_700: 0, 3_600: 0}
    assert sum(found.values()) == 2_900


def test_a_car_that_gave_more_than_it_took_would_have_taken_nothing() -> None:
    assert sum(unmanaged_wh(CAR, _told((0, 2_000, 40_000), (500, 0, 40_450), (0, 0, None)), {}).values()) == 0


def test_a_car_that_stands_there_takes_what_it_lacked_of_what_its_owner_wants() -> None:
    story = _told((0, 0, 10_000), (0, 0, 10_000), (0, 1_000, 8_900))
    assert unmanaged_wh(CAR, story, {9_000: 12_700}) == {0: 2_000, 900: 1_000, 1_800: 0}
    assert unmanaged_wh(CAR, story, {}) == {0: 0, 900: 0, 1_800: 0}
