"""What a plan may look at: whom it can plan for, and whom it leaves alone."""

from community import NOON, SLOT_SECONDS, Community, Flow

from commonwatt.flows.constraint_to_command import plan_ahead
from commonwatt.flows.outlook import Terms, homes, outlook
from commonwatt.model import SLOTS_PER_DAY, AccountId, AssetId, AssetKind, Interval, Outcome, instant


def terms(*known: str) -> Terms:
    """Return the terms of a day from noon on for which some members have a past."""
    past = {AccountId(member): (100,) * 2 * SLOTS_PER_DAY for member in known}
    return Terms(
        span=Interval(instant(NOON), instant(NOON + SLOTS_PER_DAY * SLOT_SECONDS)),
        zone="lane",
        load_wh=past,
        solar_wh=past,
        wear_micro_per_kwh={AssetKind.BATTERY: 20_000, AssetKind.VEHICLE: 20_000},
        reserve_wh=0,
    )


def test_a_plan_is_for_homes_with_all_their_meters_and_a_past() -> None:
    community = Community(3)
    for number, kinds in enumerate(
        [
            (),
            (AssetKind.CONNECTION,),
            (AssetKind.CONNECTION, AssetKind.SOLAR),
            (AssetKind.CONNECTION, AssetKind.BATTERY),
            (AssetKind.SOLAR, AssetKind.BATTERY, AssetKind.VEHICLE),
        ]
    ):
        name = f"new-{number}"
        community.register_key(name, "member", name)
        community.register_gateway(f"gw-{name}")
        for kind in kinds:
            capacity_wh = 5_000 if kind in (AssetKind.BATTERY, AssetKind.VEHICLE) else 0
            claimed = community.claim(name, f"{name}-{kind}", kind, capacity_wh=capacity_wh)
            assert claimed is Outcome.BOOKED
            if capacity_wh:
                community.agree(name, f"{name}-{kind}")
    known = terms("ben", "anna", *(f"new-{number}" for number in range(5)))
    found = homes(community.state, known)
    assert list(found) == ["anna", "ben"], "cleo has no past, and the rest lack a meter"
    assert found[AccountId("anna")][AssetKind.BATTERY].id == "anna-battery"
    assert homes(community.state, terms()) == {}


def test_who_is_left_out_is_neither_forecast_nor_scheduled_and_stops_no_plan() -> None:
    community = Community(2)
    community.live(anna=Flow(load_wh=300), ben=Flow(load_wh=300))
    known = outlook(community.state, terms("anna"), community.slot_s)
    assert list(known.load_wh) == ["anna-home"]
    assert list(known.solar_wh) == ["anna-solar"]
    plan, _ = plan_ahead(known)
    assert list(plan.power_w) == [AssetId("anna-battery")]


def test_a_second_battery_does_not_take_the_place_of_the_first() -> None:
    community = Community(1)
    community.claim("anna", "second", AssetKind.BATTERY, capacity_wh=5_000)
    assert homes(community.state, terms("anna"))[AccountId("anna")][AssetKind.BATTERY].id == "anna-battery"
