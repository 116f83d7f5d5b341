import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.identity.seat import Role

ME = "member-05"
MINE = sits(Role.MEMBER, ME)
STORE = "battery-05"


def test_a_member_sees_their_assets_and_an_operator_all_but_their_readings(client: TestClient) -> None:
    own = client.get("/api/v1/assets", headers=MINE).json()
    assert {one["asset"]["owner"] for one in own} == {ME} and STORE in {one["asset"]["id"] for one in own}
    every = client.get("/api/v1/assets", headers=sits(Role.OPERATOR, "operator")).json()
    assert len(every) > len(own)
    told = client.get(f"/api/v1/assets/{STORE}/readings", headers=sits(Role.OPERATOR, "operator"))
    assert told.status_code == 404


@pytest.mark.row("X2")
def test_a_diary_tells_what_is_to_be_done_and_why(client: TestClient) -> None:
    told = client.get(f"/api/v1/assets/{STORE}/diary", headers=MINE).json()
    assert told["entries"] and all(one["reason"] and one["end_s"] > one["start_s"] for one in told["entries"])


def test_readings_come_in_order_and_of_the_slots_asked_for(client: TestClient, lived: LivedStreet) -> None:
    every = client.get(f"/api/v1/assets/{STORE}/readings", headers=MINE).json()
    some = client.get(
        f"/api/v1/assets/{STORE}/readings?from_s={lived.end_s - 1800}&to_s={lived.end_s}", headers=MINE
    ).json()
    assert some == every[-2:] and [one["slot_s"] for one in every] == sorted(one["slot_s"] for one in every)


@pytest.mark.row("X1")
def test_a_line_is_understood_while_it_is_typed(client: TestClient) -> None:
    ask = "/api/v1/constraints/understood"
    good = client.get(ask, params={"text": f"charge of {STORE} >= 80% at 07:30"}, headers=MINE).json()
    assert good["may"] and "07:30" in good["means"][0] and not good["why"]
    other = client.get(ask, params={"text": "charge of battery-01 >= 80% at 07:30"}, headers=MINE).json()
    broken = client.get(ask, params={"text": f"charge of {STORE} soon"}, headers=MINE).json()
    assert not other["may"] and other["why"] and not broken["may"] and broken["why"]


@pytest.mark.row("X3")
def test_who_switches_control_off_is_off_at_once(open_client: TestClient) -> None:
    off = open_client.post(f"/api/v1/accounts/{ME}/consents", json={"what": "consent", "mode": "off"}, headers=MINE)
    assert off.status_code == 201
    assert open_client.get(f"/api/v1/homes/{ME}", headers=MINE).json()["paused"]
    assert open_client.get(f"/api/v1/assets/{STORE}/diary", headers=MINE).json()["entries"] == []


def test_a_statement_stands_until_it_is_taken_back(open_client: TestClient) -> None:
    line = f"charge of {STORE} >= 50% at 07:30"
    said = open_client.post(f"/api/v1/accounts/{ME}/constraints", json={"text": line}, headers=MINE)
    assert said.status_code == 201
    ask = f"/api/v1/accounts/{ME}/constraints"
    assert line in [one["text"] for one in open_client.get(ask, headers=MINE).json()]
    back = open_client.post(ask, json={"text": f"no longer: {line}"}, headers=MINE)
    assert back.status_code == 201
    assert line not in [one["text"] for one in open_client.get(ask, headers=MINE).json()]
