"""The whole app behind its entrance: who sees what of a home, and what whoever runs it sees of the app."""

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pyotp
import pytest
from lived import LivedStreet, lived_again, open_door

from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.community import Community
from commonwatt.apps.observing.events import Form
from commonwatt.apps.observing.watch import Wanted, open_watch
from commonwatt.apps.opening import Way, app_of
from commonwatt.apps.persons import add, reset
from commonwatt.apps.publishing import address
from commonwatt.identity.seat import Role

ORIGIN = "https://sun.example"
PASSWORD = "correct horse battery"
NOWHERE = (
    ("GET", "/api/v1/nothing"),
    ("GET", "/api/nothing/at/all"),
    ("PROPFIND", "/api/v1/nothing"),
    ("PATCH", "/api/v1/market"),
    ("HEAD", "/api/v1/market"),
    ("GET", "/api/v1/market"),
    ("HEAD", "/api/v1/live"),
    ("HEAD", "/readyz"),
    ("HEAD", "/market"),
    ("GET", "/nosuch"),
    ("GET", "/proof/nosuch/deeper/than/pages"),
)


@dataclass
class Visit:
    """What was answered, what the limits said, what the app's programs told meanwhile."""

    seen: list[int] = field(default_factory=list)
    bars: list[list[bool]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    metrics: str = ""
    events: str = ""
    secrets: list[str] = field(default_factory=list)
    nowhere: dict[str, httpx.Response] = field(default_factory=dict)
    stated: list[tuple[int, str]] = field(default_factory=list)
    trail: list[tuple[str, str, str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def visit(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Visit once: an application is put together once in a process."""
    street = lived_again(lived, tmp_path_factory)
    first = add(street.folder, "anna", Role.MEMBER, "member-01", [], "")
    found, events = Visit(secrets=[first.code, PASSWORD]), io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("commonwatt")
    before = root.handlers[:], root.level, ours.level
    try:
        with ExitStack() as doors, redirect_stderr(events):
            asyncio.run(look_around(street, first.code, found, doors))
    finally:
        root.handlers[:], root.level, ours.level = before
        logging.captureWarnings(False)
    found.events = events.getvalue()
    yield found


async def look_around(street: LivedStreet, code: str, found: Visit, doors: ExitStack) -> None:
    watch = open_watch(Wanted(events=Form.JSON, metrics=0), doors)
    ports = list[int]()
    community = Community(street.folder, lambda: street.end_s, lambda: ("127.0.0.1", ports[0]) if ports else None)
    app = app_of(community, Way(), ORIGIN, watch)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as browser,
        httpx.AsyncClient() as prometheus,
    ):
        found.ready.append((await browser.get("/readyz")).text)
        found.nowhere = {
            f"{method} {path}": await browser.request(method, path, headers={"Origin": ORIGIN})
            for method, path in NOWHERE
        }
        await come_in(browser, street.folder, code, found)
        assert watch.door is not None
        found.metrics = (await prometheus.get(f"{address(watch.door)}/metrics")).text
        async with open_door(street) as port:
            ports.append(port)
            await asyncio.sleep(1)  # it is tried once a second
            found.ready.append((await browser.get("/readyz")).text)
            await state_both(browser, found)
        gate = app.state.seating
        found.trail = [
            (event.what, told["account"], told["kind"], told["by"])
            for event, told in gate.hall.people.trail()
            if event.what == "request_signed" and told
        ]
        found.secrets.append(browser.cookies[SESSION])


async def state_both(browser: httpx.AsyncClient, found: Visit) -> None:
    """State a line by the session, and another by a program's token; both are signed with the home's one key."""
    own = {"Origin": ORIGIN}
    (session,) = (await browser.get("/api/v1/me/sessions")).json()
    wanted = {"label": "heating", "scopes": ["control"], "lasts_s": 3_600}
    made = (await browser.post("/api/v1/me/tokens", json=wanted, headers=own)).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    found.secrets.append(made["secret"])
    path = "/api/v1/accounts/member-01/constraints"
    async with httpx.AsyncClient(transport=browser._transport, base_url=ORIGIN) as program:
        for asker, headers, by in (
            (browser, own, f"session {session['id']}"),
            (program, token, f"token {made['token']['id']}"),
        ):
            line = {"text": "charge of car-01 >= 65% at 07:30 every weekday until 21 December"}
            found.stated.append(((await asker.post(path, json=line, headers=headers)).status_code, by))


async def come_in(browser: httpx.AsyncClient, folder: Path, code: str, found: Visit) -> None:
    first_look = await browser.get("/api/v1/homes/member-01")
    found.seen.append(first_look.status_code)
    told = {"name": "anna", "code": code}
    found.seen.append((await browser.post("/api/v1/sign-in/printed-code", json=told)).status_code)
    found.seen.append((await browser.get("/api/v1/homes/member-01")).status_code)
    found.sent += [await sent_to(browser, path) for path in ("/wallet", "/keys", "/market", "/", "/me")]
    own = {"Origin": ORIGIN}
    begun = (await browser.post("/api/v1/me/ways/password/begin", headers=own)).json()
    body = {"password": PASSWORD, "code": pyotp.TOTP(begun["secret"]).at(int(time.time()))}
    found.secrets.append(begun["secret"])
    found.seen.append((await browser.post("/api/v1/me/ways/password", json=body, headers=own)).status_code)
    assert browser.cookies.get(SESSION)
    offered = (await browser.get("/api/v1/me/notifications/offered")).json()
    assert len(offered["push_key"]) == 87, "whoever is in can be told"
    assert (await browser.get("/notifications")).is_success
    found.seen += [(await browser.get(f"/api/v1/homes/member-0{number}")).status_code for number in (1, 2)]
    here = await browser.get("/api/v1/sign-in")
    found.limits = [answered.headers["ratelimit-policy"] for answered in (first_look, here)]
    begun, _ = reset(folder, "anna")
    found.bars.append(await warned(browser))
    found.seen.append((await browser.delete(f"/api/v1/me/recoveries/{begun.id}", headers=own)).status_code)
    found.bars.append(await warned(browser))
    wanted = {"label": "a script", "scopes": ["trade"], "lasts_s": 600}
    secret = (await browser.post("/api/v1/me/tokens", json=wanted, headers=own)).json()["secret"]
    found.secrets.append(secret)
    async with httpx.AsyncClient(transport=browser._transport, base_url=ORIGIN) as script:
        found.sent.append(await sent_to(script, "/wallet", {"Authorization": f"Bearer {secret}"}))
    elsewhere = await browser.delete("/api/v1/sign-in", headers={"Origin": "https://evil.test"})
    found.seen.append(elsewhere.status_code)
    assert (await browser.get("/sign-in", headers={"Accept": "text/html"})).is_success


async def warned(browser: httpx.AsyncClient) -> list[bool]:
    """Tell of some pages whether they say that somebody's access is being recovered, with the way to say no."""
    pages = [(await browser.get(path)).text for path in ("/wallet", "/market", "/me")]
    return ["Somebody asked to recover your access" in page and "/me/recoveries/" in page for page in pages]


def test_every_page_tells_of_a_recovery_that_is_under_way_until_its_member_said_no(visit: Visit) -> None:
    assert visit.bars == [[True] * 3, [False] * 3]


async def sent_to(browser: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None) -> str:
    """Return where a page sends who opens it; the status where it sends them nowhere."""
    answered = await browser.get(path, headers=headers)
    return answered.headers.get("location", str(answered.status_code))


def test_who_sets_up_a_way_in_is_sent_to_it_from_every_page_and_no_page_is_for_programs(visit: Visit) -> None:
    assert visit.sent == ["/me", "/me", "/me", "/me", "200", "/sign-in?next=/wallet"]


@pytest.mark.parametrize("asked", ["GET /api/v1/nothing", "GET /api/nothing/at/all", "PROPFIND /api/v1/nothing"])
def test_where_the_api_has_nothing_it_says_so_as_it_says_every_no(visit: Visit, asked: str) -> None:
    told = visit.nowhere[asked]
    assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
    assert told.json()["thing"] == asked.partition(" ")[2]


def test_a_method_that_an_address_does_not_take_is_told_those_that_it_does(visit: Visit) -> None:
    told = visit.nowhere["PATCH /api/v1/market"]
    assert (told.status_code, told.headers["allow"], told.json()["status"]) == (405, "GET, HEAD", 405)


def test_head_is_answered_as_get_without_what_it_tells(visit: Visit) -> None:
    head, got = visit.nowhere["HEAD /api/v1/market"], visit.nowhere["GET /api/v1/market"]
    assert (head.status_code, head.content, got.status_code) == (200, b"", 200) and got.content
    names = ("content-type", "content-length", "etag")
    assert [head.headers[name] for name in names] == [got.headers[name] for name in names]
    assert visit.nowhere["HEAD /api/v1/live"].headers["content-type"].startswith("text/event-stream")
    assert visit.nowhere["HEAD /readyz"].headers["content-type"].startswith("text/plain")
    assert (visit.nowhere["HEAD /market"].status_code, visit.nowhere["HEAD /market"].content) == (200, b"")


@pytest.mark.parametrize("asked", ["GET /nosuch", "GET /proof/nosuch/deeper/than/pages"])
def test_where_there_is_no_page_ours_says_so_within_the_frame_of_all_pages(visit: Visit, asked: str) -> None:
    told = visit.nowhere[asked]
    assert told.status_code == 404
    assert "There is no page here" in told.text and 'href="/market"' in told.text


@pytest.mark.row("W8")
def test_nobody_sees_a_home_before_they_came_in_and_then_their_own(visit: Visit) -> None:
    assert visit.seen == [403, 200, 403, 200, 200, 404, 204, 403]


def test_who_is_not_known_is_counted_by_address_and_who_came_in_by_themselves(visit: Visit) -> None:
    assert visit.limits == ['"unknown";q=150;w=15', '"known";q=300;w=15']


def test_what_is_signed_with_a_homes_key_is_noted_with_the_session_or_token_that_asked(visit: Visit) -> None:
    assert [status for status, _ in visit.stated] == [201, 201]
    assert visit.trail == [("request_signed", "member-01", "constraint", by) for _, by in visit.stated]


def test_an_app_is_ready_once_its_door_is_open(visit: Visit) -> None:
    assert visit.ready == ["not ready: door\n", "ready\n"]


def test_its_metrics_tell_routes_of_api_and_pages_and_how_many_are_signed_in(visit: Visit) -> None:
    for told in (
        'method="GET",route="/api/v1/homes/{account}",status="404"',
        'method="POST",route="/api/v1/sign-in/printed-code",status="200"',
        'method="DELETE",route="unrouted",status="403"',
        'method="GET",route="/sign-in",status="200"',
        "commonwatt_people_signed_in 1.0",
    ):
        assert told in visit.metrics, told
    assert "member-0" not in visit.metrics and "anna" not in visit.metrics


def test_its_events_tell_every_ask_and_no_secret_of_who_came_in(visit: Visit) -> None:
    asks = [told for line in visit.events.splitlines() if (told := json.loads(line))["event"] == "answered"]
    assert len(asks) >= 10 and all(told["took_us"] >= 0 for told in asks)
    assert not [secret for secret in visit.secrets if secret in visit.events]
    assert "member-01" not in visit.events and "anna" not in visit.events
