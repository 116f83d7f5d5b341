"""Nobody asks more than their part, by whatever name they come; and who waited may ask again."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.api.gate import Gate
from commonwatt.apps.api.limits import MOST_CALLERS, SIGN_IN_COST, Fair, Limits, RateLimit
from commonwatt.apps.api.problems import Problem
from commonwatt.flows.entrance import sitting
from commonwatt.flows.entrance.records import Way
from commonwatt.identity.access import Scope as TokenScope
from doorway import HERE, doorway, joined, with_password

LIMITS = Limits(known_per_s=2, unknown_per_s=1, burst_s=10)


class Ticks:
    """A steady clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def refused_after(limit: RateLimit, caller: str) -> int:
    """Return how many asks are answered at once, and see that the next one is not."""
    for taken in range(10_000):
        try:
            limit.take(caller)
        except Problem:
            return taken
    raise AssertionError("nothing was refused")


def test_a_burst_is_answered_then_as_much_as_time_brings_and_the_wait_that_is_told_is_enough() -> None:
    clock = Ticks()
    limit = RateLimit(2, 20, clock)
    assert refused_after(limit, "anna") == 20
    with pytest.raises(Problem) as told:
        limit.take("anna", 7)
    assert (told.value.status, told.value.found["retry_after_s"]) == (429, 4)
    clock.now_s += 4
    assert limit.take("anna", 7) == 1
    assert refused_after(limit, "bert") == 20, "another's bucket is full"
    clock.now_s += 1_000
    assert refused_after(limit, "anna") == 20, "a bucket holds a burst and no more, however long it stood"


def test_callers_without_end_take_no_memory_without_end() -> None:
    limit = RateLimit(1, 2, Ticks())
    limit.take("first", 2)
    for number in range(MOST_CALLERS):
        limit.take(f"one of many {number}")
    assert len(limit._buckets) == MOST_CALLERS
    assert limit.take("first", 2) == 0, "who was silent longest is forgotten"


def asked(fair: Fair, path: str = "/api/v1/market", **told: object) -> list[Message]:
    """Return what is answered to an ask, and see that it came inside or was refused."""
    out = list[Message]()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        out.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "client": ("192.0.2.1", 1), **told}
    asyncio.run(fair(scope, receive, send))
    return out


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(50):  # as a line of events that goes on
        await send({"type": "http.response.body", "body": b"data\n\n", "more_body": True})


def headers_of(message: Message) -> Mapping[str, str]:
    return {name.decode(): value.decode() for name, value in message["headers"]}


def by_header(scope: Scope) -> str | None:
    return dict(scope["headers"]).get(b"caller", b"").decode() or None


def fair(clock: Callable[[], float] = Ticks(), app: object = inside) -> Fair:  # noqa: B008  it stands still
    return Fair(app, LIMITS, clock, by_header)  # type: ignore[arg-type]


def test_every_answer_of_the_api_tells_the_limit_and_a_refusal_is_a_problem_that_says_when() -> None:
    clock = Ticks()
    door = fair(clock)
    first, *_ = asked(door)
    assert headers_of(first) == {"ratelimit-policy": '"unknown";q=10;w=10', "ratelimit": '"unknown";r=9;t=1'}
    for _ in range(9):
        assert asked(door)[0]["status"] == 200
    start, body = asked(door)
    told = headers_of(start)
    assert start["status"] == 429 and told["content-type"] == "application/problem+json"
    assert told["retry-after"] == "1" and told["ratelimit"] == '"unknown";r=0;t=10'
    assert json.loads(body["body"])["found"]["retry_after_s"] == 1
    clock.now_s += 1
    assert asked(door)[0]["status"] == 200


def test_a_line_of_events_counts_once_and_probes_and_files_do_not_count() -> None:
    door = fair()
    assert len(asked(door, "/api/v1/live")) == 51
    for path in ("/healthz", "/readyz", "/_nicegui/3/x.js", "/assets/0/app.css"):
        asked(door, path)
    assert headers_of(asked(door)[0])["ratelimit"].startswith('"unknown";r=8;')


def test_a_try_to_come_in_counts_as_many_and_a_look_at_who_sits_there_as_one() -> None:
    door = fair()
    asked(door, "/api/v1/sign-in")
    assert asked(door, "/api/v1/sign-in/password", method="POST")[0]["status"] == 429, "9 are left"
    late = fair()
    assert asked(late, "/api/v1/sign-in/password", method="POST")[0]["status"] == 200
    assert asked(late, "/api/v1/sign-in/password", method="POST")[0]["status"] == 429
    assert SIGN_IN_COST == 10


def test_addresses_of_one_line_of_ipv6_share_and_other_lines_and_known_callers_do_not() -> None:
    door = fair()
    for number in range(10):
        asked(door, client=(f"2001:db8::{number}", 1))
    assert asked(door, client=("2001:db8::ffff", 1))[0]["status"] == 429
    assert asked(door, client=("2001:db8:0:1::1", 1))[0]["status"] == 200
    assert asked(door, client=("2001:db8::1", 1), headers=[(b"caller", b"person 1")])[0]["status"] == 200


@pytest.mark.parametrize("can_tell", [True, False])
def test_a_socket_counts_once_and_one_too_many_is_not_opened(can_tell: bool) -> None:
    opened = list[Scope]()

    async def line(scope: Scope, receive: Receive, send: Send) -> None:
        opened.append(scope)

    door, extensions = fair(app=line), {"websocket.http.response": {}} if can_tell else {}
    out = list[Message]()
    for _ in range(11):
        out = asked(door, "/api/v1/live/ws", type="websocket", extensions=extensions)
    assert len(opened) == 10
    if can_tell:
        assert [message["type"] for message in out] == ["websocket.http.response.start", "websocket.http.response.body"]
        assert out[0]["status"] == 429 and headers_of(out[0])["retry-after"] == "1"
    else:
        assert (out[0]["type"], out[0]["code"]) == ("websocket.close", 1013)


def test_a_persons_sessions_share_a_bucket_each_token_has_its_own_and_what_nobody_knows_makes_nobody(
    tmp_path: Path,
) -> None:
    hall = doorway(tmp_path)
    gate, anna = Gate(hall=hall), joined(hall, "anna")
    with_password(hall, anna)
    secrets = [sitting.sign_in(hall, anna, Way.PASSWORD, HERE) for _ in range(2)]
    here = sitting.sit(hall, secrets[0], HERE)
    assert here is not None
    tokens = [
        sitting.make_token(hall, here, label, frozenset({TokenScope.READ}), 3_600, HERE)[0] for label in ("a", "b")
    ]

    def caller(**told: str) -> str | None:
        raw = [(name.encode(), value.encode()) for name, value in told.items()]
        return gate.caller(HTTPConnection({"type": "http", "headers": raw}))

    assert {caller(cookie=f"{SESSION}={secret}") for secret in secrets} == {f"person {anna.id}"}
    found = [caller(authorization=f"Bearer {token}") for token in tokens]
    assert None not in found and len(set(found)) == 2
    assert caller(authorization="Bearer cw_invented") is None
    assert caller(cookie=f"{SESSION}=invented") is None and caller() is None
    sitting.sign_out(hall, here, HERE)
    assert caller(cookie=f"{SESSION}={secrets[0]}") is None
    hall.people.close()
