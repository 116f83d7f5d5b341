"""Every route says what it lets people do, and who asks is known before it runs; one that says nothing fails a test."""

import json
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from commonwatt.apps.api.answers import Kept
from commonwatt.apps.api.held import Held
from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import hold_to_scopes
from commonwatt.identity.access import Action, Relation, may
from commonwatt.identity.seat import Seat
from commonwatt.model import InvalidValue, Refused

ACTION = "x-commonwatt-action"
"""Under which a route tells its action in the API's description; the test of all routes by all roles reads it."""


class Seating(Protocol):
    """Knows who asks; the sign-in's part."""

    def held(self, connection: HTTPConnection) -> Held:
        """Return by what somebody sits there over a connection, once `seat` told who it is."""

    async def seat(self, connection: HTTPConnection) -> Seat:
        """Return who asks over a connection, by session or token; the public where there is neither.

        Raises:
            Problem: A session or token that was shown is no longer good, or a write came from another site.
        """


async def community_of(connection: HTTPConnection) -> Community:
    """Return the community that an application serves."""
    found: Community = connection.app.state.community
    return found


def kept(connection: HTTPConnection) -> Kept:
    """Return the answers that were made already."""
    found: Kept = connection.app.state.kept
    return found


async def seat_of(connection: HTTPConnection) -> Seat:
    """Return who asks."""
    seating: Seating = connection.app.state.seating
    return await seating.seat(connection)


There = Annotated[Community, Depends(community_of)]
Seated = Annotated[Seat, Depends(seat_of)]


def held(connection: HTTPConnection) -> Held:
    """Return by what somebody sits there."""
    seating: Seating = connection.app.state.seating
    return seating.held(connection)


def allows(action: Action, **described: object) -> dict[str, Any]:
    """Return what a route's decorator needs so that only roles that may do something of this kind get through.

    What the thing is, and whose, the view judges, see `views.seeing`: here stands only who has no business here at all.

    Args:
        action: What it lets people do.
        described: What else the API's description says of the route, as OpenAPI names it.
    """

    async def check(seat: Seated) -> None:
        hold(seat, action)

    return {
        "dependencies": [Depends(check), Depends(_whole_text)],
        "openapi_extra": {ACTION: action.value, **described},
    }


async def _whole_text(request: Request) -> None:
    """Refuse text with half of a surrogate pair in it: JSON can write such, and nothing behind here could keep it.

    Raises:
        InvalidValue: There is such.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or route.body_field is None:
        return  # what is handed in as bytes stays unread here
    try:
        json.dumps(await request.json(), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidValue("text is made of whole characters, was half of a surrogate pair") from error
    except (ValueError, RecursionError):
        return  # it is no JSON, which the route's own reading says


def hold(seat: Seat, action: Action) -> None:
    """Refuse who has no business with something of this kind at all.

    Raises:
        Refused: The role does nothing of this kind, or the seat's token or session is not for it.
    """
    if not any(may(seat.role, action, relation) for relation in Relation):
        raise Refused("a role does what is in its line of the table", role=seat.role.value, action=action.value)
    hold_to_scopes(seat, action)


def routers_without_guard(router: APIRouter) -> list[str]:
    """Return the routes that do not say what they let people do; a WebSocket asks for its seat itself."""
    return [
        route.path
        for route in router.routes
        if isinstance(route, APIRoute) and ACTION not in (route.openapi_extra or {})
    ]
