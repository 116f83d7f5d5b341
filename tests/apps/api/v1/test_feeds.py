from fastapi.testclient import TestClient
from icalendar import Calendar
from seats import sits

from commonwatt.identity.seat import Role

MINE = sits(Role.MEMBER, "member-01")


def test_a_calendar_is_read_without_a_session_and_holds_its_owners_stores_alone(open_client: TestClient) -> None:
    path = open_client.post("/api/v1/me/feed", headers=MINE).json()["path"]
    told = open_client.get(path, headers={"accept-language": "es"})
    assert told.status_code == 200 and told.headers["cache-control"] == "private, no-store"
    events = Calendar.from_ical(told.text).walk("VEVENT")
    summaries = [str(event["SUMMARY"]) for event in events]
    assert summaries and all(each.startswith(("battery-01:", "car-01:")) for each in summaries)
    assert any("Carga" in each for each in summaries)
    assert "car-01: 80\N{NO-BREAK SPACE}% de carga a esta hora" in summaries
    assert len({str(event["UID"]) for event in events}) == len(events)


def test_a_revoked_address_and_a_guessed_one_are_answered_alike(open_client: TestClient) -> None:
    path = open_client.post("/api/v1/me/feed", headers=MINE).json()["path"]
    assert open_client.get("/api/v1/me/feed", headers=MINE).json()["made_s"] > 0
    assert open_client.delete("/api/v1/me/feed", headers=MINE).status_code == 204
    assert open_client.delete("/api/v1/me/feed", headers=MINE).status_code == 404
    assert open_client.get("/api/v1/me/feed", headers=MINE).json()["made_s"] is None
    revoked, guessed = open_client.get(path), open_client.get("/api/v1/feeds/guessed.ics")
    assert revoked.status_code == guessed.status_code == 404
    assert {**revoked.json(), "instance": ""} == {**guessed.json(), "instance": ""}


def test_only_a_member_has_a_calendar(open_client: TestClient) -> None:
    assert open_client.post("/api/v1/me/feed", headers=sits(Role.OPERATOR, "operator")).status_code == 403
    assert open_client.post("/api/v1/me/feed", headers=sits(Role.PUBLIC)).status_code == 403
