"""The entrance over HTTP: who comes in, what the browser keeps, and what nobody gets by asking."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from entrant import API, Browser, entrance
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from authenticator import Authenticator
from commonwatt.adapters.organisations.client import DirectoryClient
from commonwatt.apps.api.armour import BROWSER, SESSION
from commonwatt.apps.api.gate import Gate
from commonwatt.apps.api.guard import ACTION, routers_without_guard
from commonwatt.apps.api.held import Held
from commonwatt.apps.api.v1 import myself, people, signing_in
from commonwatt.flows.entrance import enrolling, placing, recovering, sitting
from commonwatt.flows.entrance.coming_in import organisation_name
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Credential, Way
from commonwatt.identity.access import Action, Relation, Scope, may
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.organisations import Organisation, Told
from commonwatt.identity.signing_in.secret import FRESH_S
from commonwatt.model import Refused
from directory import Provider, serving
from doorway import HERE, OPERATOR, PASSWORD, SITE, THERE, Clock, doorway, joined, sits, with_password

ROUTERS = (signing_in.router, myself.router, people.router)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hall(tmp_path: Path, clock: Clock) -> Hall:
    return doorway(tmp_path, clock)


@pytest.fixture
def app(hall: Hall) -> FastAPI:
    return entrance(Gate(hall=hall, signer=OPERATOR))


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(app)


def signed_in(hall: Hall, app: FastAPI, name: str, role: Role = Role.MEMBER, way: Way = Way.DEMO) -> Browser:
    """Return a browser in which somebody new is signed in."""
    person = hall.people.persons.find(name) or joined(hall, name, role)
    found = Browser(app)
    found.cookies.set(SESSION, sitting.sign_in(hall, person, way, HERE), domain="sun.example", path="/")
    return found


@pytest.mark.row("W8")
def test_a_member_comes_in_by_password_and_leaves(hall: Hall, clock: Clock, browser: Browser) -> None:
    codes = with_password(hall, joined(hall, "anna"))
    clock.passes(30)
    assert browser.get("/sign-in").json()["role"] == "public"
    told = {"name": "anna", "password": PASSWORD, "code": codes.at(clock.now_s)}
    answered = browser.post("/sign-in/password", told)
    assert answered.status_code == 200 and answered.json()["account"] == "anna"
    assert browser.get("/sign-in").json()["person"] == "anna"
    assert browser.ask("DELETE", "/sign-in").status_code == 204
    assert browser.get("/sign-in").json()["role"] == "public"


def test_the_session_is_out_of_reach_of_scripts_other_hosts_and_plain_http(hall: Hall, app: FastAPI) -> None:
    browser, device = Browser(app), Authenticator(SITE.origin, SITE.relying_party)
    keep(hall, "anna", device)
    kept = come_in(browser, device).headers.get_list("set-cookie")
    (session,) = [one for one in kept if one.startswith(f"{SESSION}=") and "Max-Age=0" not in one]
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"):
        assert part in session
    assert "domain" not in session.lower() and session.startswith("__Host-")


def test_signing_in_takes_no_session_that_was_laid_there(hall: Hall, app: FastAPI) -> None:
    browser, device = Browser(app), Authenticator(SITE.origin, SITE.relying_party)
    keep(hall, "anna", device)
    laid = sitting.sign_in(hall, joined(hall, "mallory"), Way.PASSKEY, THERE)
    browser.cookies.set(SESSION, laid, domain="sun.example", path="/")
    assert come_in(browser, device).status_code == 200
    assert browser.cookies.get(SESSION) != laid
    assert sitting.sit(hall, laid, THERE) is None


def test_who_came_in_here_before_is_not_kept_out_by_strangers_who_fail_in_their_name(
    hall: Hall, clock: Clock, app: FastAPI, browser: Browser
) -> None:
    codes = with_password(hall, joined(hall, "anna"))

    def come() -> int:
        clock.passes(30)
        told = {"name": "anna", "password": PASSWORD, "code": codes.at(clock.now_s)}
        return browser.post("/sign-in/password", told).status_code

    assert come() == 200 and browser.ask("DELETE", "/sign-in").status_code == 204
    stranger = Browser(app)
    answers = [
        stranger.post("/sign-in/password", {"name": "anna", "password": "wrong", "code": "000000"}) for _ in range(13)
    ]
    assert answers[-1].status_code == 429 and int(answers[-1].headers["retry-after"]) > 0
    assert come() == 200
    (kept,) = [one for one in browser.cookies.jar if one.name == BROWSER]
    assert kept.secure and kept.value not in str(hall.people.persons.find("anna"))


def test_unknown_names_are_answered_like_wrong_passwords(hall: Hall, clock: Clock, browser: Browser) -> None:
    with_password(hall, joined(hall, "anna"))
    clock.passes(60)
    answers = [
        browser.post("/sign-in/password", {"name": name, "password": "wrong", "code": "000000"})
        for name in ("anna", "nobody")
    ]
    assert [one.status_code for one in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers.keys() == answers[1].headers.keys()


def test_who_fails_often_is_told_how_long_to_wait(hall: Hall, browser: Browser) -> None:
    for _ in range(5):
        browser.post("/sign-in/printed-code", {"name": "anna", "code": "WRONG"})
    told = browser.post("/sign-in/printed-code", {"name": "anna", "code": "WRONG"})
    assert told.status_code == 429 and int(told.headers["retry-after"]) >= 1


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://sun.example.evil.test", "http://sun.example"])
def test_a_write_of_another_sites_page_is_refused(hall: Hall, app: FastAPI, origin: str) -> None:
    browser = signed_in(hall, app, "anna")
    browser.origin = origin
    for method, path, told in (
        ("POST", "/me/tokens", {"label": "x", "scopes": ["read"], "lasts_s": 60}),
        ("DELETE", "/sign-in", None),
        ("POST", "/sign-in/printed-code", {"name": "mallory", "code": "X"}),
    ):
        answered = browser.ask(method, path, told)
        assert answered.status_code == 403 and answered.json()["rule"] == "a write comes from this site's own pages"
    assert sitting.tokens_of(hall, sits(hall, placing.known(hall, "anna"))) == []


def test_a_write_with_a_cookie_says_where_it_comes_from(hall: Hall, app: FastAPI) -> None:
    browser = signed_in(hall, app, "anna")
    for site, status in (("cross-site", 403), ("same-site", 403), ("none", 403), ("", 403), ("same-origin", 204)):
        told = ask_without_origin(browser, "DELETE", "/sign-in", {"Sec-Fetch-Site": site} if site else {})
        assert told == status, site


def test_a_programs_token_needs_no_origin_and_no_cookie(hall: Hall, app: FastAPI) -> None:
    here = sits(hall, joined(hall, "anna"))
    secret, _ = sitting.make_token(hall, here, "script", frozenset({Scope.READ}), 600, HERE)
    told = Browser(app).ask("GET", "/sign-in", None, {"Authorization": f"Bearer {secret}"})
    assert told.json()["person"] == "anna" and told.json()["scopes"] == ["read"]
    for method, path in (("GET", "/me/tokens"), ("POST", "/me/ways/printed-codes"), ("GET", "/people/invitations")):
        refused = Browser(app).ask(method, path, None, {"Authorization": f"Bearer {secret}"})
        assert refused.status_code == 403, path
    wrong = Browser(app).ask("GET", "/sign-in", None, {"Authorization": "Bearer cw_wrong"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "/ok\r\nSet-Cookie: a=b",
        "/%0d%0aX: y\n",
        "https:evil.test",
        "",
        "/" + "a" * 2_000,
    ],
)
def test_nobody_is_led_to_another_site(hall: Hall, wanted: str, clock: Clock) -> None:
    with organisation(hall, clock) as (provider, app):
        keep_organisation(hall, provider, "dora")
        browser = Browser(app)
        asked = browser.ask("POST", f"/sign-in/organisation/grid?{query(next=wanted)}")
        back = browser.get(f"/sign-in/organisation/back?{query(**provider.sign_in(asked.json()['url'], 'dora'))}")
        assert back.status_code == 303 and back.headers["location"] == "/"
        assert "a=b" not in str(back.headers)


@pytest.mark.row("W8")
def test_an_organisations_people_come_in_and_go_where_they_wanted(hall: Hall, clock: Clock) -> None:
    with organisation(hall, clock) as (provider, app):
        keep_organisation(hall, provider, "dora")
        browser = Browser(app)
        assert browser.get("/sign-in/organisations").json() == ["grid"]
        asked = browser.ask("POST", f"/sign-in/organisation/grid?{query(next='/zones?of=PL')}")
        returned = provider.sign_in(asked.json()["url"], "dora")
        back = browser.get(f"/sign-in/organisation/back?{query(**returned)}")
        assert back.status_code == 303 and back.headers["location"] == "/zones?of=PL"
        assert browser.get("/sign-in").json()["person"] == "dora"
        again = Browser(app).get(f"/sign-in/organisation/back?{query(**returned)}")
        assert again.status_code == 401


def test_an_organisations_sign_in_takes_back_its_own_try_and_no_wrong_one(hall: Hall, clock: Clock) -> None:
    with organisation(hall, clock) as (provider, app):
        keep_organisation(hall, provider, "dora")
        browser = Browser(app)
        for _ in range(3):
            browser.post("/sign-in/printed-code", {"name": "anna", "code": "WRONG"})
        for subject in ("dora", "dora", "stranger"):
            asked = browser.ask("POST", "/sign-in/organisation/grid")
            returned = provider.sign_in(asked.json()["url"], subject)
            back = browser.get(f"/sign-in/organisation/back?{query(**returned)}")
            assert back.status_code == (303 if subject == "dora" else 401)
        # Three wrong codes, and one whom their organisation knows and nobody here.
        assert hall.people.tries("address 192.0.2.9").count == 4


@pytest.mark.parametrize(
    "lie",
    [
        {"claims": {"aud": "another-site"}},
        {"claims": {"aud": ["sun-street", "another-site"]}},
        {"claims": {"iss": "https://evil.test"}},
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"exp": 1_700_000_000}},
        {"claims": {"exp": None}},
        {"claims": {"sub": "nobody"}},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "another key"},
    ],
)
def test_a_word_that_is_not_the_organisations_for_us_now_lets_nobody_in(
    hall: Hall, clock: Clock, lie: dict[str, Any]
) -> None:
    with organisation(hall, clock) as (provider, app):
        keep_organisation(hall, provider, "dora")
        for name, value in lie.items():
            setattr(provider, name, value)
        browser = Browser(app)
        asked = browser.post("/sign-in/organisation/grid")
        returned = provider.sign_in(asked.json()["url"], "dora")
        assert browser.get(f"/sign-in/organisation/back?{query(**returned)}").status_code == 401
        assert browser.get("/sign-in").json()["role"] == "public"


def test_who_did_not_leave_from_here_does_not_come_back(hall: Hall, clock: Clock) -> None:
    with organisation(hall, clock) as (provider, app):
        keep_organisation(hall, provider, "dora")
        mallory, victim = Browser(app), Browser(app)
        returned = provider.sign_in(mallory.post("/sign-in/organisation/grid").json()["url"], "dora")
        for wrong in (returned, returned | {"state": "x"}):  # sign-in laid under by another site
            assert victim.get(f"/sign-in/organisation/back?{query(**wrong)}").status_code == 401
        wrong = returned | {"iss": "https://evil.test"}
        assert mallory.get(f"/sign-in/organisation/back?{query(**wrong)}").status_code == 401


def test_an_organisation_is_set_up_as_a_way_in_by_who_is_signed_in(hall: Hall, clock: Clock) -> None:
    with organisation(hall, clock) as (provider, app):
        browser = signed_in(hall, app, "dora", Role.DSO)
        asked = browser.ask("POST", "/sign-in/organisation/grid?link=true")
        returned = provider.sign_in(asked.json()["url"], "d-4711")
        assert browser.get(f"/sign-in/organisation/back?{query(**returned)}").status_code == 303
        fresh = Browser(app)
        asked = fresh.post("/sign-in/organisation/grid")
        fresh.get(f"/sign-in/organisation/back?{query(**provider.sign_in(asked.json()['url'], 'd-4711'))}")
        assert fresh.get("/sign-in").json()["person"] == "dora"


@pytest.mark.row("W8")
def test_who_was_invited_joins_with_a_passkey(hall: Hall, app: FastAPI) -> None:
    olga = signed_in(hall, app, "olga", Role.OPERATOR)
    made = olga.post("/people/invitations", {"role": "member", "account": "member-07"})
    assert made.status_code == 201
    anna, text = Browser(app), made.json()["text"]
    assert anna.post("/sign-in/invitation/look", {"secret": text}).json()["account"] == "member-07"
    told = anna.post("/sign-in/invitation", {"secret": text, "name": "Anna"})
    assert told.json()["scopes"] == ["enrol"]
    device = Authenticator(SITE.origin, SITE.relying_party)
    options = anna.post("/me/ways/passkey/begin").json()["options"]
    kept = anna.post("/me/ways/passkey", {"answer": device.register(options), "label": "phone"})
    assert kept.status_code == 200 and anna.get("/sign-in").json()["scopes"] is None
    assert come_in(Browser(app), device).json()["account"] == "member-07"
    assert Browser(app).post("/sign-in/invitation", {"secret": text, "name": "eve"}).status_code == 403


def test_nothing_of_anothers_is_reached_by_its_id(hall: Hall, app: FastAPI) -> None:
    anna, ben = signed_in(hall, app, "anna"), signed_in(hall, app, "ben")
    anna.post("/me/ways/printed-codes")
    made = anna.post("/me/tokens", {"label": "script", "scopes": ["read"], "lasts_s": 600}).json()
    begun, _ = recovering.begin(hall, "anna", "desk")
    notice = anna.get("/me/notices").json()[0]["id"]
    way, session = anna.get("/me/ways").json()[0]["id"], anna.get("/me/sessions").json()[0]["id"]
    for path in (
        f"/me/tokens/{made['token']['id']}",
        f"/me/ways/{way}",
        f"/me/sessions/{session}",
        f"/me/notices/{notice}",
        f"/me/recoveries/{begun.id}",
    ):
        other, none = ben.ask("DELETE", path), ben.ask("DELETE", path.rsplit("/", 1)[0] + "/0123456789abcdef")
        assert other.status_code == none.status_code in (403, 404)
        assert other.json()["rule"] == none.json()["rule"]
    assert len(anna.get("/me/tokens").json()) == len(anna.get("/me/sessions").json()) == 1


def test_secrets_are_shown_once(hall: Hall, app: FastAPI) -> None:
    anna = signed_in(hall, app, "anna")
    codes = anna.post("/me/ways/printed-codes").json()["codes"]
    secret = anna.post("/me/tokens", {"label": "script", "scopes": ["read"], "lasts_s": 600}).json()["secret"]
    shown = "".join(anna.get(f"/me/{what}").text for what in ("ways", "tokens", "sessions", "notices"))
    assert not any(word in shown for word in (*codes, secret, sitting.secret_hash(secret)))


@pytest.mark.row("W8")
def test_every_route_says_what_it_lets_people_do_and_lets_no_other_role_in(hall: Hall, app: FastAPI) -> None:
    assert [path for router in ROUTERS for path in routers_without_guard(router)] == []
    seated = {role: signed_in(hall, app, f"a-{role.value}", role) for role in Role if role is not Role.PUBLIC}
    seated[Role.PUBLIC] = Browser(app)
    tried = 0
    for router, role in product(ROUTERS, Role):
        for route in router.routes:
            action = Action(route.openapi_extra[ACTION])  # type: ignore[attr-defined]
            if any(may(role, action, relation) for relation in Relation):
                continue
            for method in route.methods:  # type: ignore[attr-defined]
                path = route.path.format(name="x", id="x", place=0)  # type: ignore[attr-defined]
                answered = seated[role].ask(method, path, {})
                assert answered.status_code in (401, 403), (role, method, path)
                tried += 1
    assert tried > 80


def test_the_trail_is_seen_by_operator_and_auditor(hall: Hall, app: FastAPI) -> None:
    alan = signed_in(hall, app, "alan", Role.AUDITOR)
    events = alan.get("/people/trail?limit=1").json()
    assert [one["number"] for one in events] == [1] and events[0]["tells"]["name"] == "alan"
    assert alan.get("/people/trail?after=1").json()[0]["what"] == "signed_in"


def test_a_recovery_is_agreed_to_and_vetoed_over_http(hall: Hall, app: FastAPI, clock: Clock) -> None:
    gina, olga = signed_in(hall, app, "gina"), signed_in(hall, app, "olga", Role.OPERATOR)
    anna = signed_in(hall, app, "anna")
    assert anna.ask("PUT", "/me/guardians", {"names": ["gina"]}).status_code == 204
    begun = olga.post("/people/anna/recovery").json()
    id = begun["recovery"]["id"]
    assert [one["person"] for one in gina.get("/people/recoveries").json()] == ["anna"]
    assert anna.get("/people/recoveries").json() == []
    assert olga.post(f"/people/recoveries/{id}/agree").status_code == 403
    assert gina.post(f"/people/recoveries/{id}/agree").status_code == 204
    clock.passes(7 * 86_400)
    assert signed_in(hall, app, "anna").ask("DELETE", f"/me/recoveries/{id}").status_code == 204
    told = Browser(app).post("/sign-in/recovery", {"secret": begun["secret"]})
    assert told.status_code == 401


def test_answers_wear_their_armour(app: FastAPI) -> None:
    told = Browser(app).get("/sign-in").headers
    assert "frame-ancestors 'none'" in told["content-security-policy"]
    assert "script-src-attr 'none'" in told["content-security-policy"]
    assert told["x-content-type-options"] == "nosniff" and told["referrer-policy"] == "same-origin"
    assert told["strict-transport-security"].startswith("max-age=")


def test_what_a_browser_says_of_itself_reaches_no_header_and_no_line(hall: Hall, app: FastAPI) -> None:
    device = Authenticator(SITE.origin, SITE.relying_party)
    keep(hall, "anna", device)
    browser = Browser(app, agent="evil\x7f<script>" + "x" * 500)
    told = come_in(browser, device)
    (here,) = [one for one in browser.get("/me/sessions").json() if one["here"]]
    assert here["device"].startswith("evil<script>") and len(here["device"]) <= 200
    assert "evil" not in str(told.headers)


def keep(hall: Hall, name: str, device: Authenticator) -> None:
    here = sits(hall, joined(hall, name))
    options, sealed = enrolling.begin_passkey(hall, here)
    enrolling.finish_passkey(hall, here, sealed, device.register(dict(options)), "phone", HERE)


def come_in(browser: Browser, device: Authenticator) -> Any:
    options = browser.post("/sign-in/passkey/begin").json()["options"]
    return browser.post("/sign-in/passkey", device.sign(options))


def ask_without_origin(browser: Browser, method: str, path: str, headers: dict[str, str]) -> int:
    async def ask() -> int:
        transport = httpx.ASGITransport(browser.app)
        async with httpx.AsyncClient(transport=transport, base_url=SITE.origin, cookies=browser.cookies) as client:
            return (await client.request(method, API + path, headers=headers)).status_code

    return asyncio.run(ask())


@contextmanager
def organisation(hall: Hall, clock: Clock) -> Iterator[tuple[Provider, FastAPI]]:
    provider = Provider(now_s=clock.now_s)
    with serving(provider) as issuer:
        known = Organisation(name="grid", issuer=issuer, client_id="sun-street", client_secret="s3cret&")
        told = {"directories": DirectoryClient(lambda: 0.0), "organisations": {"grid": known}}
        yield provider, entrance(Gate(hall=hall, signer=OPERATOR, **told))


def keep_organisation(hall: Hall, provider: Provider, subject: str) -> None:
    person = joined(hall, subject, Role.DSO)
    told = Told(issuer=provider.issuer, subject=subject, shown="")
    hall.people.credentials.put(
        Credential(
            id="0" * 32,
            person=person.id,
            way=Way.ORGANISATION,
            label="grid",
            made_s=0,
            found_by=organisation_name(told),
        )
    )


def query(**told: str) -> str:
    return urlencode(told)


def test_who_does_what_lasts_on_a_page_came_in_just_now_by_a_lasting_way(
    hall: Hall, app: FastAPI, clock: Clock
) -> None:
    anna = joined(hall, "anna")

    def held_by(way: Way) -> Held:
        cookie = f"{SESSION}={sitting.sign_in(hall, anna, way, HERE)}".encode()
        told: Held = app.state.seating.held_now(HTTPConnection({"type": "http", "headers": [(b"cookie", cookie)]}))
        return told

    passkey = held_by(Way.PASSKEY)
    passkey.need_fresh()
    clock.passes(FRESH_S)
    for held in (passkey, held_by(Way.PRINTED_CODE)):
        assert held.still()
        with pytest.raises(Refused):
            held.need_fresh()
