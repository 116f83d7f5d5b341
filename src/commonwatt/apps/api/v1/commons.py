"""What is nobody's alone over HTTP: the community's standing, zones, the feeder, and the log to search."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from commonwatt.apps.api.answers import MOST_A_PAGE, Cursor, Page, answer, page, read_cursor
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.markets import Moment
from commonwatt.apps.views import audit, curves, flexibility, following, mapping, operations, tariffs, what_if, zones
from commonwatt.flows.what_if import MOST_MORE, Change
from commonwatt.identity.access import Action
from commonwatt.model import MAX_SAFE_INTEGER, AccountId, AssetId, Kind, Outcome

router = APIRouter(tags=["community"])
_More = Annotated[int, Query(ge=0, le=MOST_MORE, description="How many more, of the size that is usual here.")]
_Watts = Annotated[int, Query(ge=0, le=10**9, description="The most that may be drawn, W.")]
_Percent = Annotated[int, Query(ge=0, le=1_000, description="Of what the grid takes or gives a kWh for now.")]
_Minute = Annotated[int, Query(ge=0, le=1_425, multiple_of=15, description="Minutes after local midnight.")]


@router.get("/community", response_model=audit.Standing, summary="The community in figures",
            **allows(Action.SEE_COMMUNITY))  # fmt: skip
async def standing(request: Request, community: There, seat: Seated) -> Response:
    """Size, roots, and how far it is settled."""
    return kept(request).answer(request, community, None, lambda: audit.standing(community, seat))


@router.get("/feeder", response_model=list[zones.FeederSlot], summary="What the feeder's meter saw",
            **allows(Action.SEE_COMMUNITY))  # fmt: skip
async def feeder(
    request: Request, community: There, seat: Seated, from_s: Moment = 0, to_s: Moment = 32_503_680_000
) -> Response:
    """The community's exchange with the grid, slot by slot."""
    return answer(request, zones.feeder(community, seat, from_s, to_s), private=False)


@router.get("/zones", response_model=list[zones.ZoneView], summary="Zones", **allows(Action.SEE_ZONES))
async def all_zones(
    request: Request, community: There, seat: Seated, from_s: Moment = 0, to_s: Moment = 32_503_680_000
) -> Response:
    """Loads of zones against what is stated about them; no sum of fewer than three homes."""
    return answer(request, zones.zones(community, seat, from_s, to_s))


@router.get("/zones/{name}", response_model=zones.ZoneView, summary="One zone", **allows(Action.SEE_ZONES))
async def zone(
    request: Request, community: There, seat: Seated, name: str, from_s: Moment = 0, to_s: Moment = 32_503_680_000
) -> Response:
    """One zone's load."""
    return answer(request, zones.zone(community, seat, name, from_s, to_s))


@router.get("/curves", response_model=list[curves.CurveSlot], summary="The community's four curves",
            **allows(Action.SEE_ZONES))  # fmt: skip
async def four_curves(
    request: Request, community: There, seat: Seated, from_s: Moment = 0, to_s: Moment = 32_503_680_000
) -> Response:
    """Demand alone, with unmanaged cars, with smart charging, with discharging; from what meters told."""
    return answer(request, curves.curves(community, seat, from_s, to_s))


@router.get("/flexibility", response_model=list[flexibility.OfferView], summary="Flexibility under contract",
            **allows(Action.SEE_ZONES))  # fmt: skip
async def under_contract(request: Request, community: There, seat: Seated) -> Response:
    """Offers with their windows: promised, measured and paid, in sums of no fewer than three homes."""
    return answer(request, flexibility.offers(community, seat))


@router.get("/operations", response_model=operations.Operations, summary="How the community runs",
            **allows(Action.SEE_MEMBERS))  # fmt: skip
async def how_it_runs(request: Request, community: There, seat: Seated) -> Response:
    """Members, alarms, answers to commands, and money in and out."""
    return answer(request, operations.operations(community, seat))


@router.get("/map", response_model=list[mapping.MapZone], summary="The community by zone", **allows(Action.SEE_ZONES))
async def by_zone(request: Request, community: There, seat: Seated) -> Response:
    """Zones with their load and the homes that who asks may see; where a home stands, nobody tells."""
    return answer(request, mapping.community_map(community, seat))


@router.get("/demands", response_model=list[following.Followed], summary="What became of DEMANDs",
            **allows(Action.SEE_ZONES))  # fmt: skip
async def demands(request: Request, community: There, seat: Seated) -> Response:
    """The last ones that began, the newest first: what homes drew against what they would have, in sums of three."""
    return answer(request, following.followed(community, seat))


@router.get("/what-if", response_model=what_if.WhatIf, summary="What would be", **allows(Action.SEE_MEMBERS))
async def would_be(
    request: Request,
    community: There,
    seat: Seated,
    batteries: _More = 0,
    cars: _More = 0,
    roofs: _More = 0,
    zone: Annotated[str, Query(max_length=64)] = "",
    limit_w: _Watts = 0,
    import_percent: _Percent = 100,
    export_percent: _Percent = 100,
    demand_from_minute: _Minute = 0,
    demand_to_minute: _Minute = 0,
    demand_w: _Watts = 0,
    day: Annotated[date | None, Query(description="A past day; else the day that comes.")] = None,
) -> Response:
    """The next day, or a past one, planned as it is and changed, by the planner itself; it takes some seconds."""
    change = Change(
        batteries=batteries,
        cars=cars,
        roofs=roofs,
        zone=zone,
        limit_w=limit_w,
        import_percent=import_percent,
        export_percent=export_percent,
        demand_from_minute=demand_from_minute,
        demand_to_minute=demand_to_minute,
        demand_w=demand_w,
        day=day.isoformat() if day else "",
    )
    return answer(request, await what_if.what_if(community, seat, change))


@router.get("/what-if/days", response_model=list[date], summary="Past days to try on", **allows(Action.SEE_MEMBERS))
async def days_to_try(request: Request, community: There, seat: Seated) -> Response:
    """Local days of which enough meters told all of 24 hours, with prices, the last first."""
    return answer(request, what_if.days(community, seat))


@router.get("/tariff", response_model=tariffs.Tariff, summary="Fees", **allows(Action.SEE_COMMUNITY))
async def fees(request: Request, community: There, seat: Seated) -> Response:
    """What the community takes for what."""
    return answer(request, tariffs.tariff(community, seat), private=False)


@router.get("/leaves", response_model=Page[audit.LeafView], summary="Search the log", **allows(Action.SEE_LOG))
async def leaves(
    request: Request,
    community: There,
    seat: Seated,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 50,
    kind: Annotated[list[Kind] | None, Query()] = None,
    account: str | None = None,
    asset: str | None = None,
    outcome: Outcome | None = None,
) -> Response:
    """The newest first. Everybody finds what was asked for their own account, an auditor what was asked for any."""
    found = audit.leaves(
        community,
        seat,
        before=read_cursor(cursor),
        limit=limit,
        kinds=kind or (),
        account=AccountId(account) if account else None,
        asset=AssetId(asset) if asset else None,
        outcome=outcome,
    )
    return answer(request, page(community.told_s, found, limit, found[-1].position if found else None))


@router.get("/leaves/{position}", response_model=audit.LeafView, summary="One leaf", **allows(Action.SEE_LOG))
async def leaf(
    request: Request, community: There, seat: Seated, position: Annotated[int, Path(ge=0, le=MAX_SAFE_INTEGER)]
) -> Response:
    """Where it stands, what was asked and what became of it; its content for who may read it."""
    return answer(request, audit.leaf(community, seat, position))
