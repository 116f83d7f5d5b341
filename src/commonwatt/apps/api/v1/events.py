"""Events of the grid over HTTP: a DEMAND broadcast to all gateways, what stands, and one taken back."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from commonwatt.apps import calling
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows
from commonwatt.flows.gateway.letters import Called
from commonwatt.identity.access import Action

router = APIRouter(prefix="/demands", tags=["events"])


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandShown:
    """A DEMAND that is broadcast: from when to when, and how much each connection is to send out, if told."""

    id: str
    start_s: int
    end_s: int
    power_w: int | None


@dataclass(frozen=True, kw_only=True)
class DemandWanted:
    """How long, from when (else now), and how much of each connection, W; without it, for each to say."""

    lasts_s: Annotated[int, Field(strict=True, ge=1, le=calling.LONGEST_S)]
    power_w: Annotated[int, Field(strict=True, ge=1, le=2**40)] | None = None
    start_s: Annotated[int, Field(strict=True, ge=0, le=32_503_680_000)] | None = None


@router.get("/standing", response_model=list[DemandShown], summary="What is demanded", **allows(Action.CALL_EVENT))
async def demands(request: Request, community: There, seat: Seated) -> Response:
    """All that is broadcast and not over, by its start."""
    return answer(request, [_shown(one) for one in calling.standing(community, seat)])


@router.post("", response_model=DemandShown, status_code=201, summary="Call a DEMAND", **allows(Action.CALL_EVENT))
async def call(request: Request, community: There, seat: Seated, told: DemandWanted) -> Response:
    """The community's door tells it to every gateway whose line is open."""
    called = calling.call(community, seat, told.lasts_s, told.power_w, told.start_s)
    return answer(request, _shown(called), status=201)


@router.delete("/{name}", status_code=204, summary="Take a DEMAND back", **allows(Action.CALL_EVENT))
async def retract(community: There, seat: Seated, name: str) -> Response:
    """By its name."""
    calling.retract(community, seat, name)
    return Response(status_code=204)


def _shown(one: Called) -> DemandShown:
    return DemandShown(id=one.id, start_s=one.start_s, end_s=one.end_s, power_w=one.power_w)
