"""Contracts over HTTP: offered, weighed before that, taken back; accepted, and what became of each window."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import Field

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, write
from commonwatt.apps.views import contracts as views
from commonwatt.apps.views import offering, responses
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, Kind

router = APIRouter(tags=["contracts"])
_OWNERS = ("guarantee", "accept", "leave", "dispute", "resolve")
_OFFER = {
    "peak": {
        "summary": "Give back at the evening peak of working days",
        "value": {"power_w": 10_000, "most_windows": 20, "accept_by_s": 1_542_844_800, "until_s": 1_545_436_800,
                  "basis": "on_top", "most_micro_per_kwh": 150_000, "baseline": "metered_setpoint",
                  "windows": [{"direction": "give_back", "price_micro_per_kwh": 150_000, "days": "working",
                               "from_minute": 1020, "to_minute": 1140}]},
    }
}  # fmt: skip
_CONTRACT = {
    "guarantee": {"summary": "Say what an asset can be counted on for",
                  "value": {"what": "guarantee", "asset": "battery-05", "until_s": 1_545_436_800, "charge_w": 0,
                            "give_back_w": 2_000, "direct": True}},
    "accept": {"summary": "Accept an offer",
               "value": {"what": "accept", "offer": "1200", "asset": "battery-05", "charge_w": 0,
                         "give_back_w": 2_000}},
}  # fmt: skip
_Told = Annotated[dict[str, Any], Body(openapi_examples=_OFFER)]


@router.post("/accounts/{account}/offers", response_model=WriteDone, status_code=201, summary="Offer a contract",
             **allows(Action.OFFER_CONTRACT))  # fmt: skip
async def offer(
    request: Request, community: There, seat: Seated, account: str, body: _Told, key: IdempotencyKey = None
) -> Response:
    """Terms as the guide to contracts has them; without `budget_micro`, what it may come to at most is set aside."""
    check(community, seat, Action.OFFER_CONTRACT, AccountId(account))  # first, so that no shape tells of what is there
    told = offering.completed(body)
    return await write(
        request, community, seat, Action.OFFER_CONTRACT, AccountId(account), Kind.CONTRACT, told, key, body
    )


@router.post("/accounts/{account}/offers/weighed", response_model=offering.Weighed, summary="Weigh an offer",
             **allows(Action.OFFER_CONTRACT))  # fmt: skip
async def weighed(request: Request, community: There, seat: Seated, account: str, body: _Told) -> Response:
    """What its terms come to at most, and whether and why not it may stand; nothing is offered by asking."""
    return answer(request, offering.weigh(community, seat, AccountId(account), body))


@router.post("/accounts/{account}/offers/{name}/close", response_model=WriteDone, status_code=201,
             summary="Take an offer back", **allows(Action.OFFER_CONTRACT))  # fmt: skip
async def close(
    request: Request, community: There, seat: Seated, account: str, name: str, key: IdempotencyKey = None
) -> Response:
    """Nobody accepts it any more; what was accepted goes on."""
    told = {"what": "close", "offer": name}
    return await write(request, community, seat, Action.OFFER_CONTRACT, AccountId(account), Kind.CONTRACT, told, key)


@dataclass(frozen=True, kw_only=True)
class ResponseWanted:
    """For how long, seconds, an hour unless told; and from when, seconds since 1970, else as soon as it can be."""

    lasts_s: Annotated[int, Field(strict=True, ge=SLOT_SECONDS, le=86_400)] = 3_600
    start_s: Annotated[int, Field(strict=True, ge=0, le=32_503_680_000)] | None = None


@router.get("/accounts/{account}/responses", response_model=list[responses.Response], summary="What one may call",
            **allows(Action.OFFER_CONTRACT))  # fmt: skip
async def standing_by(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Windows that stand by under offers whose own account calls them, by their start."""
    return answer(request, responses.responses(community, seat, AccountId(account)))


@router.post("/accounts/{account}/offers/{name}/call", response_model=WriteDone, status_code=201,
             summary="Call a response", **allows(Action.OFFER_CONTRACT))  # fmt: skip
async def call_response(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    name: str,
    body: ResponseWanted,
    key: IdempotencyKey = None,
) -> Response:
    """Call the next window that stands by; who delivers is paid by the offer, who does not owes its penalty."""
    owner = AccountId(account)
    told = responses.event(community, seat, owner, name, body.lasts_s, body.start_s)
    return await write(
        request, community, seat, Action.OFFER_CONTRACT, owner, Kind.FACT, told, key, {"offer": name, **asdict(body)}
    )


@router.get("/accounts/{account}/contracts", response_model=list[views.ContractView], summary="An account's contracts",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def contracts(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Of either side: each window with what was promised, measured and paid, and the entries that show it."""
    return kept(request).answer(request, community, seat, lambda: views.contracts(community, seat, AccountId(account)))


@router.post("/accounts/{account}/contracts", response_model=WriteDone, status_code=201,
             summary="Guarantee, accept, leave, dispute, resolve", **allows(Action.PLACE_ORDER))  # fmt: skip
async def act(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_CONTRACT)],
    key: IdempotencyKey = None,
) -> Response:
    """A body as the guide to contracts has it: `what` is `guarantee`, `accept`, `leave`, `dispute` or `resolve`."""
    check(community, seat, Action.PLACE_ORDER, AccountId(account))
    if body.get("what") not in _OWNERS:
        raise InvalidValue(f"here `what` is one of {', '.join(_OWNERS)}, was {str(body.get('what'))[:20]!r}")
    return await write(request, community, seat, Action.PLACE_ORDER, AccountId(account), Kind.CONTRACT, body, key)
