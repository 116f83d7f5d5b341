import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits
from starlette.websockets import WebSocketDisconnect

from commonwatt.apps.api import held
from commonwatt.apps.api.v1 import live
from commonwatt.apps.community import Community, Hear
from commonwatt.apps.views.changes import Change
from commonwatt.flows.chronicle import Chapter
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.model import AccountId

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


@pytest.mark.parametrize(("since", "told"), [("{size}", 0), ("1", 1), ("", 0), ("nonsense", 1)])
def test_whoever_comes_back_is_told_at_once_whether_they_missed_anything(
    lived: LivedStreet, since: str, told: int
) -> None:
    async def first_words(community: Community) -> list[bytes]:
        id_ = since.format(size=community.size)
        words = live.told_on(live.Lines(), community, PUBLIC, "", since=id_, still=lambda: True)
        found = [await anext(words)]
        with suppress(TimeoutError):
            found.append(await asyncio.wait_for(anext(words), 0.05))
        return found[1:]

    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    heard = asyncio.run(first_words(community))
    community.close()
    assert len(heard) == told
    for words in heard:
        number, name, data = words.decode().strip().split("\n")
        assert (number, name) == (f"id: {community.size}", "event: change")
        assert "checkpoint" in json.loads(data.removeprefix("data: "))["kinds"]


def test_a_caller_follows_on_so_many_lines_at_most_and_another_as_well(
    open_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_LINES", 1)
    mine, third = sits(Role.MEMBER, ME), sits(Role.MEMBER, "member-03")
    with open_client.websocket_connect("/api/v1/live/ws", headers=mine):
        told = open_client.get("/api/v1/live", headers=mine)
        assert told.status_code == 429 and int(told.headers["retry-after"]) > 0
        with pytest.raises(WebSocketDisconnect), open_client.websocket_connect("/api/v1/live/ws", headers=mine):
            pass
        with open_client.websocket_connect("/api/v1/live/ws", headers=third):
            pass
    with open_client.websocket_connect("/api/v1/live/ws", headers=mine):
        pass


def test_what_a_step_changed_is_worked_out_once_for_all_lines_of_a_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[tuple[Chapter, Seat]] = []

    def change(community: object, chapter: Chapter, seat: Seat) -> Change:
        worked_out.append((chapter, seat))
        return Change(size=chapter.size, as_of_s=0, kinds=[], trades=0, own=False, readings=[])

    class Told:
        def __init__(self) -> None:
            self.hearing: list[Hear] = []

        def on_chapter(self, hear: Hear) -> Callable[[], None]:
            self.hearing.append(hear)
            return lambda: self.hearing.remove(hear)

    monkeypatch.setattr(live, "change", change)
    told: Any = Told()
    lines, member = live.Lines(), Seat(person="m", role=Role.MEMBER, account=AccountId(ME))
    with ExitStack() as open_lines:
        queues = [
            open_lines.enter_context(lines.queue(told, seat, seat.person)) for seat in (PUBLIC, PUBLIC, member, PUBLIC)
        ]
        first, second = Chapter(size=1, now_s=0), Chapter(size=2, now_s=0)
        for chapter in (first, second):
            for hear in list(told.hearing):
                hear(chapter)
        assert worked_out == [(first, PUBLIC), (first, member), (second, PUBLIC), (second, member)]
        assert [queue.qsize() for queue in queues] == [2] * 4
    assert not told.hearing and not lines._open


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
