import json

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits
from starlette.websockets import WebSocketDisconnect

from commonwatt.apps.api import held
from commonwatt.identity.seat import Role

ME, OTHER = "member-01", "member-02"
GIVE = {"what": "give", "target": OTHER, "commodity": "ergon_micro", "amount": 5}


@pytest.mark.row("M1")
def test_whoever_follows_hears_of_a_change_when_the_log_tells_it(open_client: TestClient) -> None:
    with (
        open_client.websocket_connect("/api/v1/live/ws", headers=sits(Role.MEMBER, ME)) as mine,
        open_client.websocket_connect("/api/v1/live/ws", headers=sits(Role.MEMBER, "member-03")) as third,
        open_client.websocket_connect("/api/v1/live/ws") as public,
    ):
        given = open_client.post(f"/api/v1/accounts/{ME}/transfers", json=GIVE, headers=sits(Role.MEMBER, ME)).json()
        told = [json.loads(line.receive_text()) for line in (mine, third, public)]
    assert [one["own"] for one in told] == [True, False, False]
    assert all(one["size"] == given["position"] + 1 for one in told)
    assert told[0]["kinds"] == ["transfer"] and told[2]["kinds"] == [], "the public knows of markets alone"


def test_the_same_comes_as_server_sent_events(lived_copy: LivedStreet, open_client: TestClient) -> None:
    told = open_client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/live"]["get"]
    assert told["x-commonwatt-action"] == "see community"


def test_a_stream_whose_session_is_over_is_closed_before_it_tells_more(
    open_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "LOOK_EVERY_S", 0)
    with open_client.websocket_connect("/api/v1/live/ws", headers=sits(Role.MEMBER, OTHER)) as line:
        open_client.app.state.seating.over = True  # type: ignore[attr-defined]  it is FastAPI's
        open_client.post(f"/api/v1/accounts/{ME}/transfers", json=GIVE, headers=sits(Role.MEMBER, ME))
        with pytest.raises(WebSocketDisconnect) as closed:
            line.receive_text()
        assert closed.value.code == 1008
