import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.apps.views.zones import LEAST_HOMES
from commonwatt.identity.seat import Role

DSO, AUDITS, MINE = sits(Role.DSO, "dso"), sits(Role.AUDITOR, "auditor"), sits(Role.MEMBER, "member-01")


def test_everybody_sees_how_far_the_community_has_come(client: TestClient, lived: LivedStreet) -> None:
    told = client.get("/api/v1/community").json()
    assert (told["size"], told["state_root"], told["as_of_s"]) == (lived.size, lived.state_root, lived.last_s)
    assert told["members"] == 10 and told["settled_to_s"] == lived.end_s


@pytest.mark.row("X14")
def test_who_runs_the_wires_sees_zones_against_limits_and_no_home(client: TestClient) -> None:
    (told,) = client.get("/api/v1/zones", headers=DSO).json()
    assert told["homes"] == 10 >= LEAST_HOMES and told["slots"]
    assert {one["most_w"] for one in told["slots"]} == {25_000}, "what the street's grid operator states"
    assert told["over"] == sum(one["power_w"] > 25_000 for one in told["slots"])
    assert "member" not in client.get("/api/v1/zones", headers=DSO).text
    assert client.get("/api/v1/zones", headers=MINE).status_code == 403
    assert client.get("/api/v1/zones/nowhere", headers=DSO).status_code == 404


def test_a_zone_is_the_sum_of_its_homes_meters(client: TestClient) -> None:
    (told,) = client.get("/api/v1/zones", headers=DSO).json()
    feeder = {one["slot_s"]: one for one in client.get("/api/v1/feeder").json()}
    for slot in told["slots"]:
        assert (
            abs(slot["power_w"] - feeder[slot["slot_s"]]["power_w"]) <= 4 * abs(feeder[slot["slot_s"]]["losses_wh"]) + 2
        )


def test_an_auditor_searches_the_log_and_reads_what_was_said_in_the_open(client: TestClient) -> None:
    found = client.get("/api/v1/leaves?limit=500&kind=order&account=member-02", headers=AUDITS).json()["items"]
    assert found and all((one["kind"], one["account"]) == ("order", "member-02") and one["body"] for one in found)
    personal = client.get("/api/v1/leaves?limit=500&kind=consent", headers=AUDITS).json()["items"]
    assert all(one["body"] is None for one in personal)


def test_a_member_finds_their_own_requests_alone(client: TestClient) -> None:
    for ask in ("", "&account=member-02"):
        found = client.get(f"/api/v1/leaves?limit=500{ask}", headers=MINE).json()["items"]
        assert found and {one["account"] for one in found} == {"member-01"}
    position = client.get("/api/v1/leaves?limit=1&kind=schedule", headers=AUDITS).json()["items"][0]["position"]
    assert client.get(f"/api/v1/leaves/{position}", headers=MINE).status_code == 404


def test_leaves_are_paged_without_gap(client: TestClient, lived: LivedStreet) -> None:
    seen, cursor = [], ""
    while True:
        told = client.get(f"/api/v1/leaves?limit=200&cursor={cursor}", headers=AUDITS).json()
        seen += [one["position"] for one in told["items"]]
        if told["next"] is None:
            break
        cursor = told["next"]
    assert seen == list(range(lived.size - 1, -1, -1))
