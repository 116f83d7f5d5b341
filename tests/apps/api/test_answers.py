import json
from http import HTTPStatus
from inspect import getsource, signature
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, APIWebSocketRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.api.answers import Kept, answer, page, read_cursor, write_cursor
from commonwatt.apps.api.app import ROUTERS
from commonwatt.apps.api.limits import RateLimit
from commonwatt.apps.api.problems import PROBLEM, Problem, explain_problems, missing, of_outcome
from commonwatt.model import MAX_SAFE_INTEGER, Corrupt, InvalidValue, Outcome, Refused


def client_of(raised: Exception | None = None) -> TestClient:
    app = FastAPI()
    explain_problems(app)

    @app.get("/thing")
    async def thing(request: Request, number: int = 1) -> Response:
        if raised is not None:
            raise raised
        return answer(request, {"number": number})

    return TestClient(app, raise_server_exceptions=False)


def test_a_refusal_says_rule_thing_and_what_was_found() -> None:
    told = client_of(Refused("above fuse rating", asset="battery-1", found_w=18_000)).get("/thing")
    assert told.status_code == 403 and told.headers["content-type"] == PROBLEM
    body = told.json()
    assert (body["rule"], body["thing"]) == ("above fuse rating", "battery-1")
    assert body["found"] == {"asset": "battery-1", "found_w": 18_000}
    assert body["instance"] == "/thing" and body["status"] == 403


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (InvalidValue("a day looks like 2018-11-14"), 422),
        (Corrupt("leaf 7 is another"), 500),
        (OSError("the line broke"), 503),
        (missing("a reading is told", "meter-9"), 404),
        (of_outcome(Outcome.TOO_LATE, "order"), 409),
        (of_outcome(Outcome.NOT_ALLOWED, "order"), 403),
        (of_outcome(Outcome.OVER_LIMIT, "order"), 422),
    ],
)
def test_every_error_of_ours_is_a_problem_of_its_kind(raised: Exception, status: int) -> None:
    told = client_of(raised).get("/thing")
    assert (told.status_code, told.headers["content-type"]) == (status, PROBLEM)
    assert set(told.json()) == {"type", "title", "status", "detail", "instance", "rule", "thing", "found"}


def test_an_error_of_nobodys_making_tells_nothing_of_what_is_inside() -> None:
    told = client_of(RuntimeError("the passphrase is swordfish")).get("/thing")
    assert told.status_code == 500 and "swordfish" not in told.text


def test_what_came_in_another_shape_is_told_where() -> None:
    told = client_of().get("/thing?number=many")
    assert told.status_code == 422 and told.json()["thing"] == "query.number"


def test_who_has_an_answer_already_is_told_so() -> None:
    client = client_of()
    first = client.get("/thing")
    again = client.get("/thing", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/thing?number=2", headers={"If-None-Match": first.headers["etag"]}).status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"


@given(st.integers(0, MAX_SAFE_INTEGER))
def test_a_cursor_leads_back_to_its_place(place: int) -> None:
    assert read_cursor(write_cursor(place)) == place


@given(st.text(min_size=1, max_size=60))
def test_no_other_text_is_a_cursor(text: str) -> None:
    try:
        place = read_cursor(text)
    except InvalidValue:
        return
    assert place is not None and write_cursor(place) == text


@pytest.mark.parametrize(
    "cursor", ["b" + "f" * 16, "b9223372036854775808", "Yjk5OTk5OTk5OTk5OTk5OTk5OTk", "b01", "b-1", "b1\n"]
)
def test_no_cursor_leads_beyond_what_a_store_can_count(cursor: str) -> None:
    with pytest.raises(InvalidValue, match="what the page before gave"):
        read_cursor(cursor)


def test_the_last_page_leads_nowhere() -> None:
    assert page(0, [5, 4], 2, 4).next == write_cursor(4)
    assert page(0, [5], 2, 5).next is None and page(0, [], 2, None).next is None


def test_a_caller_who_asks_too_much_is_told_when_to_come_back_and_nobody_else_is_slowed() -> None:
    now = [0.0]
    limit = RateLimit(per_s=2, burst=3, now_s=lambda: now[0])
    for _ in range(3):
        limit.take("anna")
    with pytest.raises(Problem) as told:
        limit.take("anna")
    assert told.value.status is HTTPStatus.TOO_MANY_REQUESTS and told.value.found["retry_after_s"] == 1
    limit.take("ben")
    now[0] = 0.5
    limit.take("anna")
    assert json.loads(told.value.body("/x"))["status"] == 429


def test_a_query_that_nobody_asked_for_makes_nothing_anew() -> None:
    app, made, kept = FastAPI(), list[int](), Kept(lambda: 0.0)
    community: Any = SimpleNamespace(size=1)

    @app.get("/thing/{name}")
    async def thing(request: Request, name: str) -> Response:
        def make() -> str:
            made.append(1)
            return name

        return kept.answer(request, community, None, make)

    client = TestClient(app)
    assert [client.get(f"/thing/a?x={n}").json() for n in range(3)] == ["a"] * 3 and len(made) == 1
    assert client.get("/thing/b").json() == "b" and len(made) == 2
    community.size = 2
    assert client.get("/thing/a").json() == "a" and len(made) == 3


def test_no_route_with_parameters_in_its_query_is_answered_from_what_is_kept() -> None:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute | APIWebSocketRoute)
            if "kept(request)" in getsource(route.endpoint):
                known = {"request", "community", "seat", *route.param_convertors}
                assert signature(route.endpoint).parameters.keys() <= known, route.path
