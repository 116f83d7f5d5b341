"""Assets over HTTP: what they are, what their meters told, what they are to do, and what their owners say."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from commonwatt.adapters.stores.archive.tables import readings_parquet
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.markets import Moment
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, write
from commonwatt.apps.views import diary as views
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, Kind

router = APIRouter(tags=["assets"])
PARQUET = "application/vnd.apache.parquet"
_SAID = {
    "ready": {"summary": "A car that is ready in the morning", "value": {"text": "charge of car-05 >= 80% at 07:30"}}
}
_CONSENT = {
    "off": {"summary": "Pause all control", "value": {"what": "consent", "mode": "off"}},
    "decide": {"summary": "Accept what waits", "value": {"what": "decision", "asset": "car-05",
               "issued_s": 1_542_214_800, "accept": True}},
}  # fmt: skip


@router.get("/assets", response_model=list[views.AssetView], summary="Assets", **allows(Action.SEE_ASSETS))
async def assets(request: Request, community: There, seat: Seated) -> Response:
    """All that who asks may see, by name."""
    return kept(request).answer(request, community, seat, lambda: views.assets(community, seat))


@router.get("/assets/{name}", response_model=views.AssetView, summary="One asset", **allows(Action.SEE_ASSETS))
async def asset(request: Request, community: There, seat: Seated, name: str) -> Response:
    """As it is registered, and how its owner lets it be scheduled."""
    return kept(request).answer(request, community, seat, lambda: views.asset(community, seat, name))


@router.get("/assets/{name}/readings", response_model=list[views.ReadingView], summary="What its meter told",
            **allows(Action.SEE_READINGS))  # fmt: skip
async def readings(
    request: Request, community: There, seat: Seated, name: str, from_s: Moment = 0, to_s: Moment = 32_503_680_000
) -> Response:
    """Slots in order, ten thousand at most."""
    return answer(request, views.readings(community, seat, name, from_s, to_s))


@router.get("/assets/{name}/readings.parquet", response_class=Response, summary="What its meter told, as Parquet",
            responses={200: {"content": {PARQUET: {}}}}, **allows(Action.SEE_READINGS))  # fmt: skip
async def readings_packed(
    community: There, seat: Seated, name: str, from_s: Moment = 0, to_s: Moment = 32_503_680_000
) -> Response:
    """The same slots as columns: `start_s`, `import_wh`, `export_wh`, `level_wh`, `quality`."""
    found = views.readings(community, seat, name, from_s, to_s)
    content = await asyncio.to_thread(readings_parquet, views.reading_columns(found))
    headers = {"Content-Disposition": 'attachment; filename="readings.parquet"', "Cache-Control": "private, no-store"}
    return Response(content, media_type=PARQUET, headers=headers)


@router.get("/assets/{name}/diary", response_model=views.Diary, summary="Its diary", **allows(Action.SEE_SCHEDULES))
async def diary(request: Request, community: There, seat: Seated, name: str) -> Response:
    """What it is to do and why, and what waits for its owner's word."""
    return kept(request).answer(request, community, seat, lambda: views.diary(community, seat, name))


@router.get("/accounts/{account}/constraints", response_model=list[views.StatedView], summary="What stands",
            **allows(Action.SEE_CONSTRAINTS))  # fmt: skip
async def constraints(request: Request, community: There, seat: Seated, account: str) -> Response:
    """An account's statements that still matter, in its own words."""
    return kept(request).answer(request, community, seat, lambda: views.stated(community, seat, AccountId(account)))


@router.get("/constraints/understood", response_model=views.Understood, summary="Understand a line",
            **allows(Action.SEE_CONSTRAINTS))  # fmt: skip
async def understood(
    request: Request, community: There, seat: Seated, text: Annotated[str, Query(min_length=1, max_length=400)]
) -> Response:
    """What a line would state, or at which word it cannot be read; nothing is stated by asking."""
    return answer(request, views.understood(community, seat, text))


@router.post("/accounts/{account}/constraints", response_model=WriteDone, status_code=201, summary="State a line",
             **allows(Action.STATE_CONSTRAINT))  # fmt: skip
async def state(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_SAID)],
    key: IdempotencyKey = None,
) -> Response:
    """A `text` in the constraint language; after `no longer: ` it takes back what was stated in these words."""
    told = {"said_s": community.now_s(), **body}
    about = Action.STATE_CONSTRAINT
    return await write(request, community, seat, about, AccountId(account), Kind.CONSTRAINT, told, key, body)


@router.post("/accounts/{account}/consents", response_model=WriteDone, status_code=201,
             summary="Let assets be scheduled, or decide what waits", **allows(Action.DECIDE_SCHEDULE))  # fmt: skip
async def consent(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_CONSENT)],
    key: IdempotencyKey = None,
) -> Response:
    """`what` is `consent` (of one asset, or of all), or `decision` about the schedule that waits."""
    about = Action.DECIDE_SCHEDULE
    return await write(request, community, seat, about, AccountId(account), Kind.CONSENT, body, key)
