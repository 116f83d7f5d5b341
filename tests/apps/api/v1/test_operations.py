from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.apps.community import Community
from commonwatt.apps.views import diary
from commonwatt.apps.views.operations import AlarmKind, operations
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId

RUNS, DSO, MINE = sits(Role.OPERATOR, "operator"), sits(Role.DSO, "grid"), sits(Role.MEMBER, "member-01")
HOUR_S = 3_600


def test_who_runs_the_community_sees_members_commands_and_money_and_no_alarm_where_all_is_well(
    client: TestClient, lived: LivedStreet
) -> None:
    told = client.get("/api/v1/operations", headers=RUNS).json()
    assert [one["account"] for one in told["members"]] == [f"member-{n:02d}" for n in range(1, 11)]
    assert told["members"][0]["kinds"] == {"battery": 1, "connection": 1, "solar": 1, "vehicle": 1}
    assert told["alarms"] == []
    assert told["commands"]["taken"] > 0 and told["commands"]["slot_s"] == lived.end_s - 900
    (paid,) = told["money"]
    assert (paid["memo"], paid["out_micro"]) == ("purchase", 0) and paid["in_micro"] == told["held_micro"] > 0


def test_nobody_else_sees_how_it_runs(client: TestClient) -> None:
    for who in (DSO, MINE, sits(Role.UTILITY, "utility"), {}):
        assert client.get("/api/v1/operations", headers=who).status_code == 403
    assert client.get("/api/v1/tariff").json()["commission_micro_per_kwh"] == 10_000


def test_a_community_that_waits_for_its_meters_says_so(lived: LivedStreet) -> None:
    seat = Seat(person="otto", role=Role.OPERATOR, account=AccountId("operator"))
    community = Community(lived.folder, lambda: lived.end_s + 3 * HOUR_S, lambda: None)
    try:
        community.catch_up()
        (alarm,) = operations(community, seat).alarms
        assert (alarm.kind, alarm.since_s) == (AlarmKind.UNSETTLED, lived.end_s)
        line = "energy of community <= 20 kWh from 17:00 to 19:00 for contract"
        assert diary.understood(community, seat, line).may, "what the page offers as an example can be stated"
    finally:
        community.close()
