"""A home at a glance over HTTP, and where it stands."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Request, Response

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.views import home as views
from commonwatt.apps.views import positions
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, InvalidValue, Position

router = APIRouter(prefix="/homes", tags=["homes"])
_HERE = {"a house": {"summary": "A house", "value": {"latitude_udeg": 48_208_200, "longitude_udeg": 16_373_800}}}


@router.get("/{account}", response_model=views.Home, summary="A home at a glance", **allows(Action.SEE_READINGS))
async def home(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Mean power of the last slot, the local day's money, levels, and what comes next and why."""
    return kept(request).answer(request, community, seat, lambda: views.home(community, seat, AccountId(account)))


@router.get("/{account}/position", response_model=Position | None, summary="Where a home stands",
            **allows(Action.MANAGE_DEVICES))  # fmt: skip
async def position(request: Request, community: There, seat: Seated, account: str) -> Response:
    """As its owner stated it, millionths of a degree; null where nobody did."""
    return answer(request, positions.position(community, seat, AccountId(account)))


@router.put("/{account}/position", status_code=204, summary="State where a home stands",
            **allows(Action.MANAGE_DEVICES))  # fmt: skip
async def state_position(
    community: There, seat: Seated, account: str, body: Annotated[dict[str, Any], Body(openapi_examples=_HERE)]
) -> Response:
    """Who runs the community sees it exactly, others who may see the home to a kilometre or so; it is in no log."""
    check(community, seat, Action.MANAGE_DEVICES, AccountId(account))
    try:
        where = msgspec.convert(body, Position)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"a position has latitude_udeg and longitude_udeg: {error}") from error
    positions.state_position(community, seat, AccountId(account), where)
    return Response(status_code=204)


@router.delete("/{account}/position", status_code=204, summary="Forget where a home stands",
               **allows(Action.MANAGE_DEVICES))  # fmt: skip
async def forget_position(community: There, seat: Seated, account: str) -> Response:
    """It goes at once, with the key under which it lay."""
    positions.state_position(community, seat, AccountId(account), None)
    return Response(status_code=204)
