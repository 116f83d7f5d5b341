import pytest
from fastapi.testclient import TestClient
from seats import sits

from commonwatt.apps.api.app import ROUTERS
from commonwatt.apps.api.guard import routers_without_guard
from commonwatt.identity.seat import Role

ME = "member-01"


@pytest.mark.row("E10")
def test_a_member_sees_their_home_in_which_no_watt_is_lost(client: TestClient) -> None:
    told = client.get(f"/api/v1/homes/{ME}", headers=sits(Role.MEMBER, ME))
    assert told.status_code == 200
    flow = told.json()["flow"]
    assert flow["grid_w"] + flow["solar_w"] == flow["house_w"] + flow["battery_w"] + flow["car_w"]
    assert flow["house_w"] > 0 and flow["slot_s"] % 900 == 0


def test_another_home_is_not_there_for_a_member_and_nor_is_one_that_does_not_exist(client: TestClient) -> None:
    other, none = (
        client.get(f"/api/v1/homes/{name}", headers=sits(Role.MEMBER, ME)).json() for name in ("member-02", "nobody")
    )
    assert other["status"] == none["status"] == 404
    assert {**other, "instance": "", "thing": "", "found": ""} == {**none, "instance": "", "thing": "", "found": ""}


@pytest.mark.parametrize("role", [Role.PUBLIC, Role.OPERATOR, Role.DSO, Role.AUDITOR])
def test_a_home_is_nobody_elses(client: TestClient, role: Role) -> None:
    told = client.get(f"/api/v1/homes/{ME}", headers=sits(role, "" if role is Role.PUBLIC else role.value))
    assert told.status_code in (403, 404) and "flow" not in told.text


def test_every_route_says_what_it_lets_people_do() -> None:
    assert [path for router in ROUTERS for path in routers_without_guard(router)] == []


def test_the_description_tells_shapes_and_problems(client: TestClient) -> None:
    told = client.get("/api/v1/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert set(told["components"]["schemas"]["Problem"]["properties"]) >= {"rule", "thing", "found"}
    assert "Home" in told["components"]["schemas"]


def test_it_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_an_owner_states_where_their_home_stands_and_takes_it_back(open_client: TestClient) -> None:
    mine, path = sits(Role.MEMBER, ME), f"/api/v1/homes/{ME}/position"
    assert open_client.get(path, headers=mine).json() is None
    for wrong in ({}, {"latitude_udeg": 1}, {"latitude_udeg": 91_000_000, "longitude_udeg": 0}, {"latitude_udeg": "1"}):
        assert open_client.put(path, json=wrong, headers=mine).status_code == 422
    here = {"latitude_udeg": 48_208_200, "longitude_udeg": 16_373_800}
    assert open_client.put(path, json=here, headers=mine).status_code == 204
    assert open_client.get(path, headers=mine).json() == here
    seen = open_client.get("/api/v1/map", headers=sits(Role.OPERATOR, "operator")).json()
    assert [one["position"] for zone in seen for one in zone["shown"] if one["position"]] == [here]
    assert open_client.put(path, json=here, headers=sits(Role.MEMBER, "member-02")).status_code == 404
    assert open_client.delete(path, headers=mine).status_code == 204
    assert open_client.get(path, headers=mine).json() is None
