"""Who asks over HTTP: by a session's cookie or a token, on pages, WebSockets and the API alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Response
from starlette.requests import HTTPConnection

from commonwatt.apps.api.armour import BROWSER, SESSION, Armour
from commonwatt.apps.api.guard import Seating
from commonwatt.apps.api.held import FREE, Held
from commonwatt.apps.api.problems import Problem
from commonwatt.flows.entrance import recovering
from commonwatt.flows.entrance import sitting as sittings
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.ports import Directories
from commonwatt.flows.entrance.records import Where
from commonwatt.flows.entrance.sitting import Sitting
from commonwatt.identity.keys import RequestSigner
from commonwatt.identity.seat import PUBLIC, Seat
from commonwatt.identity.signing_in.ceremony import GOOD_FOR_S
from commonwatt.identity.signing_in.organisations import Organisation
from commonwatt.identity.signing_in.recovery import Recovery
from commonwatt.identity.signing_in.secret import AT_HOME, TOKEN_PREFIX, secret_hash

CEREMONY = "__Host-commonwatt-begun"
_BEARER = "bearer "
_KNOWN_S = 366 * 86_400
_MOST_SECRET = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Implements `commonwatt.apps.api.guard.Seating`, and holds what the routes of the entrance need.

    Args:
        hall: The entrance.
        signer: The operator's key, with which invitations are signed; None where nobody can be invited from here.
        directories: Speaks with organisations.
        organisations: Those whose people may come, by name.
    """

    hall: Hall
    signer: RequestSigner | None = None
    directories: Directories | None = None
    organisations: Mapping[str, Organisation] = field(default_factory=dict)

    async def seat(self, connection: HTTPConnection) -> Seat:
        """Return who asks over a connection; the public where there is neither session nor token.

        Raises:
            Problem: A token that was shown is no longer good. A session that ended makes somebody the public again.
        """
        found = self.sitting(connection)
        return found.seat if found else PUBLIC

    def seat_now(self, connection: HTTPConnection) -> Seat:
        """Return who sits before a page: by their session alone, since a page is nothing for a program."""
        found = self._by_session(connection)
        return found.seat if found else PUBLIC

    def held(self, connection: HTTPConnection) -> Held:
        """Return by what somebody sits there, session or token. Raises as `seat`."""
        found = self.sitting(connection)
        return _Sat(self.hall, found) if found else FREE

    def held_now(self, connection: HTTPConnection) -> Held:
        """Return by which session somebody sits before a page."""
        found = self._by_session(connection)
        return _Sat(self.hall, found) if found else FREE

    def recoveries_now(self, connection: HTTPConnection) -> list[Recovery]:
        """Return the recoveries under way of whoever sits before a page: of what could be another's taking over."""
        found = self._by_session(connection)
        return recovering.under_way_of(self.hall, found.person) if found else []

    def sitting(self, connection: HTTPConnection) -> Sitting | None:
        """Return who asks, with person and session; None for the public. Raises as `seat`."""
        shown = connection.headers.get("authorization", "")
        if shown.lower().startswith(_BEARER + TOKEN_PREFIX):
            found = sittings.sit_by_token(self.hall, shown[len(_BEARER) :].strip())
            if found is None:
                raise Problem(HTTPStatus.UNAUTHORIZED, "a token is good until it ends or is revoked")
            return found
        return self._by_session(connection)

    def _by_session(self, connection: HTTPConnection) -> Sitting | None:
        secret = connection.cookies.get(SESSION)
        return sittings.sit(self.hall, secret, where(connection)) if secret else None

    def caller(self, connection: HTTPConnection) -> str | None:
        """Return whose asks are counted together: a token's own, else all of a person's; None where nobody is known.

        It looks up no more than that, and writes nothing: whether they may ask is said later.
        """
        people, shown = self.hall.people, connection.headers.get("authorization", "")
        if shown.lower().startswith(_BEARER + TOKEN_PREFIX):
            token = people.tokens.get(secret_hash(shown[len(_BEARER) :].strip()))
            return f"token {token.id}" if token else None
        secret = connection.cookies.get(SESSION)
        session = people.sessions.get(secret_hash(secret)) if secret else None
        return f"person {session.person}" if session else None

    async def answers(self) -> None:
        """See that what is known of people can be read.

        Raises:
            Exception: What stands against it.
        """
        self.hall.people.head()
        self.hall.people.persons.find("")

    def install(self, app: FastAPI) -> None:
        """Let an application know who asks, and put its armour around it: the one is never without the other."""
        app.state.seating = self
        site = self.hall.site
        # Browsers would take it for every port of this machine, where others serve plain HTTP.
        lasting = site.origin.startswith("https:") and site.relying_party != "localhost"
        app.add_middleware(Armour, origins=(site.origin,), https=lasting)


@dataclass(frozen=True, slots=True)
class _Sat:
    """Implements `Held` for who came in by the gate."""

    hall: Hall
    sitting: Sitting

    def still(self, *, used: bool = False) -> bool:
        return sittings.sits_still(self.hall, self.sitting, used=used)

    def need_fresh(self) -> None:
        sittings.need_fresh(self.hall, self.sitting, lasting_way=True)


def where(connection: HTTPConnection) -> Where:
    """Return from where somebody asks; what proxies add about others is not believed, anybody can write it."""
    address = connection.client.host if connection.client else "unknown"
    device = connection.headers.get("user-agent", "")
    return Where(
        address=address,
        device="".join(letter for letter in device[:200] if letter.isprintable()),
        browser=connection.cookies.get(BROWSER, "")[:_MOST_SECRET],
    )


# Dependencies are coroutines: others would run beside the loop, in whose thread the store is open.


async def gate_of(connection: HTTPConnection) -> Gate:
    """Return the gate of the application.

    Raises:
        Problem: It has none: nobody signs in here.
    """
    seating: Seating = connection.app.state.seating
    if not isinstance(seating, Gate):
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "nobody signs in here")
    return seating


async def seated_person(connection: HTTPConnection) -> Sitting:
    """Return who asks, who is somebody.

    Raises:
        Problem: It is the public.
    """
    found = (await gate_of(connection)).sitting(connection)
    if found is None:
        raise Problem(HTTPStatus.UNAUTHORIZED, "this is for who is signed in")
    return found


async def _where(connection: HTTPConnection) -> Where:
    return where(connection)


AtGate = Annotated[Gate, Depends(gate_of)]
SomebodyThere = Annotated[Sitting, Depends(seated_person)]
FromWhere = Annotated[Where, Depends(_where)]


def keep_session(response: Response, secret: str) -> Response:
    """Let a browser keep a session's secret, out of reach of scripts, other hosts and other sites' writes."""
    response.set_cookie(SESSION, secret, max_age=AT_HOME.whole_s, secure=True, httponly=True, samesite="lax", path="/")
    response.delete_cookie(CEREMONY, secure=True, httponly=True, samesite="lax", path="/")
    return response


def keep_browser(response: Response, secret: str) -> Response:
    """Let a browser keep by what it is known, longer than any session."""
    response.set_cookie(BROWSER, secret, max_age=_KNOWN_S, secure=True, httponly=True, samesite="strict", path="/")
    return response


def drop_session(response: Response) -> Response:
    """Let a browser forget a session."""
    response.delete_cookie(SESSION, secure=True, httponly=True, samesite="lax", path="/")
    return response


def keep_ceremony(response: Response, sealed: str) -> Response:
    """Let a browser keep what it was asked, until it answers."""
    response.set_cookie(CEREMONY, sealed, max_age=GOOD_FOR_S, secure=True, httponly=True, samesite="lax", path="/")
    return response


def ceremony_of(connection: HTTPConnection) -> str:
    """Return what a browser was asked; empty where it was asked nothing."""
    return connection.cookies.get(CEREMONY, "")
