"""Every route by every role, about their own things and others': the table of access says who gets through."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from lived import LivedStreet
from visited import Visited, visited

from commonwatt.apps.api.app import PREFIX, ROUTERS
from commonwatt.apps.api.guard import ACTION, routers_without_guard
from commonwatt.flows.entrance import inviting, recovering, sitting, telling
from commonwatt.flows.entrance.records import Credential, Person, Way
from commonwatt.flows.notices import channels
from commonwatt.flows.notices.records import Way as ByWay
from commonwatt.identity.access import PUBLICLY, SCOPES, Action, Relation, Scope, may
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId
from doorway import HERE, OPERATOR

MEMBER, OTHER = "member-05", "member-02"
NO = {
    "a role does what is in its line of the table",
    "there is nothing by this name for who asks",
    "this is for who is signed in",
}
"""What somebody hears who does not get through; all else is said to who does, as that no door is open here."""

LOOKED_INSIDE = "what is claimed was sent out to an address before"
"""Said of an address only to who may see what was sent from the account."""


class About(Enum):
    """What a route is about, and so which things of whose are tried."""

    SHARED = "what is nobody's alone"
    LISTED = "what one may see of it, be it nothing"
    SELF = "who asks"
    ACCOUNT = "an account"
    ASSET = "an asset"
    ELSEWHERE = "what is tried in a test of its own: who knows a secret, whose an entry is"
    TOKEN, SESSION, WAY, NOTICE, RECOVERY, INVITATION = "token", "session", "way", "notice", "recovery", "invitation"
    CHANNEL = "channel"


ROUTES: dict[str, About] = {
    "GET /sign-in": About.SHARED,
    "DELETE /sign-in": About.SELF,
    "PUT /sign-in/place": About.SELF,
    "POST /sign-in/password": About.SHARED,
    "POST /sign-in/passkey/begin": About.SHARED,
    "POST /sign-in/passkey": About.SHARED,
    "POST /sign-in/wallet/begin": About.SHARED,
    "POST /sign-in/wallet": About.SHARED,
    "POST /sign-in/printed-code": About.SHARED,
    "POST /sign-in/recovery": About.SHARED,
    "POST /sign-in/recovery/veto": About.SHARED,
    "POST /sign-in/invitation/look": About.SHARED,
    "POST /sign-in/invitation": About.SHARED,
    "GET /sign-in/organisations": About.SHARED,
    "POST /sign-in/organisation/{name}": About.LISTED,
    "GET /sign-in/organisation/back": About.LISTED,
    "GET /me/ways": About.SELF,
    "DELETE /me/ways/{id}": About.WAY,
    "POST /me/ways/password/begin": About.SELF,
    "POST /me/ways/password": About.SELF,
    "POST /me/ways/passkey/begin": About.SELF,
    "POST /me/ways/passkey": About.SELF,
    "POST /me/ways/wallet/begin": About.SELF,
    "POST /me/ways/wallet": About.SELF,
    "POST /me/ways/printed-codes": About.SELF,
    "GET /me/sessions": About.SELF,
    "DELETE /me/sessions/{id}": About.SESSION,
    "GET /me/tokens": About.SELF,
    "POST /me/tokens": About.SELF,
    "DELETE /me/tokens/{id}": About.TOKEN,
    "GET /me/notices": About.SELF,
    "DELETE /me/notices/{id}": About.NOTICE,
    "GET /me/notifications": About.SELF,
    "GET /me/notifications/offered": About.SELF,
    "GET /me/notifications/wishes": About.SELF,
    "PUT /me/notifications/wishes": About.SELF,
    "GET /me/channels": About.SELF,
    "POST /me/channels/push": About.SELF,
    "POST /me/channels/mail": About.SELF,
    "POST /me/channels/home-assistant": About.SELF,
    "DELETE /me/channels/{id}": About.CHANNEL,
    "POST /me/channels/{id}/try": About.CHANNEL,
    "GET /me/webhooks": About.SELF,
    "POST /me/webhooks": About.SELF,
    "DELETE /me/webhooks/{id}": About.CHANNEL,
    "POST /me/webhooks/{id}/secret": About.CHANNEL,
    "GET /me/guardians": About.SELF,
    "PUT /me/guardians": About.SELF,
    "PUT /me/addresses": About.SELF,
    "GET /me/recoveries": About.SELF,
    "DELETE /me/recoveries/{id}": About.RECOVERY,
    "GET /people": About.LISTED,
    "POST /people/{name}/places": About.LISTED,
    "DELETE /people/{name}/places/{place}": About.LISTED,
    "GET /people/invitations": About.LISTED,
    "POST /people/invitations": About.LISTED,
    "DELETE /people/invitations/{id}": About.INVITATION,
    "POST /people/{name}/recovery": About.LISTED,
    "GET /people/recoveries": About.LISTED,
    "POST /people/recoveries/{id}/agree": About.LISTED,
    "GET /people/trail": About.SHARED,
    "GET /homes/{account}": About.ACCOUNT,
    "GET /homes/{account}/position": About.ACCOUNT,
    "PUT /homes/{account}/position": About.ACCOUNT,
    "DELETE /homes/{account}/position": About.ACCOUNT,
    "GET /forecasts/community": About.SHARED,
    "GET /forecasts/price": About.SHARED,
    "GET /forecasts/scenarios": About.SHARED,
    "GET /forecasts/scores": About.SHARED,
    "GET /forecasts/homes/{account}": About.ACCOUNT,
    "GET /forecasts/cars/{account}": About.ACCOUNT,
    "GET /forecasts/outlooks": About.SHARED,
    "GET /accounts/{account}/proposals": About.ACCOUNT,
    "POST /accounts/{account}/proposals/{id}": About.ACCOUNT,
    "GET /alarms": About.LISTED,
    "GET /accounts/{account}/alarms": About.ACCOUNT,
    "POST /accounts/{account}/alarms/{id}": About.ACCOUNT,
    "GET /assets": About.LISTED,
    "GET /assets/{name}": About.ASSET,
    "GET /assets/{name}/readings": About.ASSET,
    "GET /assets/{name}/readings.parquet": About.ASSET,
    "GET /assets/{name}/diary": About.ASSET,
    "GET /accounts/{account}/constraints": About.ACCOUNT,
    "POST /accounts/{account}/constraints": About.ACCOUNT,
    "GET /constraints/understood": About.LISTED,
    "POST /accounts/{account}/consents": About.ACCOUNT,
    "GET /market": About.SHARED,
    "GET /trades": About.SHARED,
    "GET /accounts/{account}/orders": About.ACCOUNT,
    "POST /accounts/{account}/orders": About.ACCOUNT,
    "POST /accounts/{account}/orders/{name}/cancel": About.ACCOUNT,
    "POST /accounts/{account}/agent/off": About.ACCOUNT,
    "GET /market/depth": About.SHARED,
    "GET /market/prices": About.SHARED,
    "GET /accounts/{account}/wallet": About.ACCOUNT,
    "GET /accounts/{account}/entries": About.ACCOUNT,
    "POST /accounts/{account}/transfers": About.ACCOUNT,
    "GET /chain": About.SHARED,
    "GET /chain/stake": About.SHARED,
    "GET /accounts/{account}/withdrawals": About.ACCOUNT,
    "POST /accounts/{account}/withdrawals": About.ACCOUNT,
    "GET /accounts/{account}/exit": About.ACCOUNT,
    "POST /accounts/{account}/exit": About.ACCOUNT,
    "GET /accounts/{account}/withdrawals/{address}/proof": About.ACCOUNT,
    "GET /accounts/{account}/withdrawals/{address}/held": About.ACCOUNT,
    "POST /accounts/{account}/withdrawals/{address}/claim": About.ACCOUNT,
    "GET /accounts/{account}/channels": About.ACCOUNT,
    "GET /accounts/{account}/channel-ways": About.ACCOUNT,
    "POST /accounts/{account}/channels": About.ACCOUNT,
    "POST /accounts/{account}/channels/{channel}/withdraw": About.ACCOUNT,
    "POST /accounts/{account}/channels/{channel}/finish": About.ACCOUNT,
    "POST /accounts/{account}/channels/{channel}/close": About.ACCOUNT,
    "POST /requests": About.SHARED,
    "POST /requests/batch": About.SHARED,
    "GET /requests/next": About.SHARED,
    "GET /community": About.SHARED,
    "GET /feeder": About.SHARED,
    "GET /zones": About.SHARED,
    "GET /zones/{name}": About.LISTED,
    "GET /leaves": About.SHARED,
    "GET /leaves/{position}": About.LISTED,
    "GET /me/feed": About.SELF,
    "POST /me/feed": About.SELF,
    "DELETE /me/feed": About.SELF,
    "GET /feeds/{secret}.ics": About.ELSEWHERE,
    "GET /market/deals": About.SHARED,
    "GET /market/stored": About.SHARED,
    "GET /accounts/{account}/dealings": About.ACCOUNT,
    "GET /accounts/{account}/bills": About.ACCOUNT,
    "GET /accounts/{account}/bills/{month}.pdf": About.ACCOUNT,
    "GET /accounts/{account}/bills/{month}": About.ACCOUNT,
    "GET /curves": About.SHARED,
    "GET /flexibility": About.SHARED,
    "GET /operations": About.LISTED,
    "GET /tariff": About.SHARED,
    "GET /proofs/checkpoint": About.SHARED,
    "GET /proofs/leaves/{position}": About.LISTED,
    "GET /proofs/readings/{name}/{slot_s}": About.ASSET,
    "GET /proofs/entries/{number}": About.ELSEWHERE,
    "GET /proofs/evidence/{account}/{slot_s}": About.ACCOUNT,
    "GET /proofs/chains/{name}/{slot_s}": About.ASSET,
    "GET /proofs/trust": About.SHARED,
    "GET /comparisons": About.LISTED,
    "GET /exports/{what}.{form}": About.LISTED,
    "GET /devices": About.LISTED,
    "GET /devices/{name}/life": About.ASSET,
    "POST /devices/{name}/release": About.ASSET,
    "GET /drivers": About.SHARED,
    "POST /accounts/{account}/devices": About.ACCOUNT,
    "POST /accounts/{account}/offers": About.ACCOUNT,
    "POST /accounts/{account}/offers/weighed": About.ACCOUNT,
    "POST /accounts/{account}/offers/{name}/close": About.ACCOUNT,
    "GET /accounts/{account}/responses": About.ACCOUNT,
    "POST /accounts/{account}/offers/{name}/call": About.ACCOUNT,
    "GET /accounts/{account}/contracts": About.ACCOUNT,
    "POST /accounts/{account}/contracts": About.ACCOUNT,
    "GET /map": About.SHARED,
    "GET /demands": About.SHARED,
    "GET /what-if": About.LISTED,
    "GET /what-if/days": About.LISTED,
    "GET /demands/standing": About.LISTED,
    "POST /demands": About.LISTED,
    "DELETE /demands/{name}": About.LISTED,
    "GET /live": About.SHARED,
}
"""What each route is about: a new one that is not here fails."""


@pytest.fixture(scope="module")
def app(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visited]:
    """The whole application with its door closed: whoever gets through changes nothing in the log."""
    folder = tmp_path_factory.mktemp("everybody") / "street"
    shutil.copytree(lived.folder, folder)
    with visited(replace(lived, folder=folder), door=False) as found:
        for role in Role:
            if role is not Role.PUBLIC:
                found.joins(role.value, role, MEMBER if role is Role.MEMBER else role.value)
        found.joins("somebody", Role.MEMBER, OTHER)
        yield found


def test_no_route_is_without_a_rule_or_without_what_it_is_about() -> None:
    assert [path for router in ROUTERS for path in routers_without_guard(router)] == []
    assert _routes().keys() == ROUTES.keys()
    sockets = [route.path for router in ROUTERS for route in router.routes if isinstance(route, APIWebSocketRoute)]
    assert sockets == ["/live/ws"], "a socket asks for its seat itself, and tells the public no more than /live"


@pytest.mark.row("W8")
@pytest.mark.parametrize("role", Role)
def test_everybody_gets_to_what_the_table_gives_them_and_to_nothing_else(app: Visited, role: Role) -> None:
    wrong, tried = list[str](), 0
    for called, action in _routes().items():
        for relation, path in _tries(app, called, role):
            secret = "" if role is Role.PUBLIC else app.sits(_person(app, role.value))
            method, url = path.split(" ")
            answered = app.ask(method, PREFIX + url, secret, json=None if method == "GET" else {})
            let = any(may(role, action, one) for one in relation)
            if _got_through(answered.status_code, answered.text, relation) is not let:
                wrong.append(f"{path} of {relation}: {answered.status_code} {answered.text[:200]}")
            tried += 1
    assert not wrong, "\n".join(wrong)
    assert tried >= len(ROUTES)


def test_a_program_does_what_its_token_is_for_and_nothing_else(app: Visited) -> None:
    whose = _person(app, Role.MEMBER.value)
    for scope in (Scope.READ, Scope.CONTROL, Scope.TRADE, Scope.LISTEN):
        here = sitting.sit(app.hall, app.sits(whose), HERE)
        assert here is not None
        secret, _ = sitting.make_token(app.hall, here, "script", frozenset({scope}), 600, HERE)
        for called, action in _routes().items():
            method, path = called.split(" ")
            url = PREFIX + path.format(account=MEMBER, name="battery-05", id="0" * 32, place=0, **ELSE)
            told = None if method == "GET" else {}
            answered = app.ask(method, url, headers={"Authorization": f"Bearer {secret}"}, json=told)
            if not any(may(Role.MEMBER, action, relation) for relation in Relation):
                continue
            narrowed = "a token does what it was made for" in answered.text
            assert narrowed is not _scoped(scope, action), (scope, called, answered.text)


ELSE = {"position": 0, "number": 0, "slot_s": 1_542_196_800, "month": "2018-11", "secret": "x" * 43}
ELSE |= {"what": "leaves", "form": "csv", "address": f"0x{0xA1:040x}", "channel": "0" * 64}
"""What stands in paths beside what they are about."""


def _scoped(scope: Scope, action: Action) -> bool:
    return action in PUBLICLY or action in SCOPES[scope]


def _routes() -> dict[str, Action]:
    return {
        f"{method} {route.path}": Action((route.openapi_extra or {})[ACTION])
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    }


def _tries(app: Visited, called: str, role: Role) -> Iterator[tuple[tuple[Relation, ...], str]]:
    """Yield every request that is tried, and how what it is about relates to who asks."""
    about, query = ROUTES[called], "?text=x" if called.endswith("understood") else ""
    names = {
        "name": "street" if "/zones/" in called else "nothing",
        "place": 9,
        "id": "0" * 32,
        "account": MEMBER,
        **ELSE,
    }
    own, other = (Relation.OWN,), (Relation.OTHER,)
    if about is About.ELSEWHERE:
        return
    if about in (About.SHARED, About.LISTED):
        yield (Relation.COMMUNITY,) if about is About.SHARED else tuple(Relation), called.format(**names) + query
    elif about is About.SELF:
        yield own, called.format(**names)
    elif about is About.ACCOUNT:
        account = {Role.MEMBER: MEMBER, Role.PUBLIC: "public"}.get(role, role.value)
        yield own, called.format(**{**names, "account": account})
        yield other, called.format(**{**names, "account": OTHER})
    elif about is About.ASSET:
        if role is Role.MEMBER:
            yield own, called.format(**{**names, "name": "battery-05"})
        yield other, called.format(**{**names, "name": "battery-02"})
    else:
        if role is not Role.PUBLIC:
            shared = about is About.INVITATION and role is not Role.MEMBER
            yield (Relation.COMMUNITY,) if shared else own, called.format(id=MAKE[about](app, _person(app, role.value)))
            other = (Relation.COMMUNITY,) if shared else other
        yield other, called.format(id=MAKE[about](app, _person(app, "somebody")))


def _got_through(status: int, text: str, relation: tuple[Relation, ...]) -> bool:
    if any(rule in text for rule in NO):
        return False
    return relation != (Relation.OTHER,) or status not in (403, 404) or LOOKED_INSIDE in text


def _person(app: Visited, name: str) -> Person:
    found = app.hall.people.persons.find(name)
    assert found is not None
    return found


def _token(app: Visited, whose: Person) -> str:
    here = sitting.sit(app.hall, app.sits(whose), HERE)
    assert here is not None
    return sitting.make_token(app.hall, here, "script", frozenset({Scope.READ}), 600, HERE)[1].id


def _session(app: Visited, whose: Person) -> str:
    here = sitting.sit(app.hall, app.sits(whose), HERE)
    assert here is not None and here.session is not None
    return here.session.id


def _way(app: Visited, whose: Person) -> str:
    """Two, of which one can be taken away."""
    for id in (whose.id, whose.id[::-1]):
        app.hall.people.credentials.put(
            Credential(id=id, person=whose.id, way=Way.PASSKEY, label="phone", made_s=0, found_by=id)
        )
    return whose.id


def _notice(app: Visited, whose: Person) -> str:
    app.hall.tell(whose, Happened.ROLE_CHANGED, "Something was changed.")
    return telling.notices_of(app.hall, whose)[-1].id


def _channel(app: Visited, whose: Person) -> str:
    here = sitting.sit(app.hall, app.sits(whose), HERE)
    assert here is not None
    known = app.hall.people.channels.of(whose.id)
    url = f"https://hooks.example/{len(known)}"
    made = known or [
        channels.add(app.hall.people, here, ByWay.WEBHOOK, url, "script", (), now_s=app.hall.now_s(), log_s=0)
    ]
    return made[0].id


def _recovery(app: Visited, whose: Person) -> str:
    under_way = [one.id for one in recovering.all_under_way(app.hall) if one.person == whose.id]
    return under_way[0] if under_way else recovering.begin(app.hall, whose.name, "desk")[0].id


def _invitation(app: Visited, whose: Person) -> str:
    seat = Seat(person=whose.name, role=Role.MEMBER, account=AccountId(MEMBER))
    return inviting.invite(app.hall, whose.id, seat, Role.MEMBER, AccountId(MEMBER), (), OPERATOR)[1].id


MAKE: dict[About, Callable[[Visited, Person], str]] = {
    About.TOKEN: _token,
    About.SESSION: _session,
    About.WAY: _way,
    About.NOTICE: _notice,
    About.CHANNEL: _channel,
    About.RECOVERY: _recovery,
    About.INVITATION: _invitation,
}
