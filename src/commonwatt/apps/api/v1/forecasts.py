"""Forecasts over HTTP: what is expected, how surely, how good that was, what follows, and what ails devices."""

from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Body, Query, Request, Response
from msgspec import Meta

from commonwatt.apps.answering import Reply, answer_alarm, answer_proposal
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows
from commonwatt.apps.views import alarms, proposals
from commonwatt.apps.views import foresight as views
from commonwatt.apps.views.cars_ahead import CarAhead, cars_ahead
from commonwatt.apps.views.seeing import check
from commonwatt.forecasting.foresee import AHEAD, SOON
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, InvalidValue

router = APIRouter(tags=["forecasts"])
T = TypeVar("T", bound=msgspec.Struct)

Days = Annotated[int, Query(ge=1, le=AHEAD, description="How many days from today on, and yesterday.")]


class Answering(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Yes or no to a proposal; with a yes to a habit perhaps other words for it."""

    accept: bool
    text: Annotated[str, Meta(max_length=400)] = ""


class Replying(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is answered to an alarm."""

    answer: Reply


_REPLIES = {
    "accept": {"summary": "The visit stands in the owner's calendar", "value": {"answer": "accept"}},
    "decline": {"summary": "No visit; the alarm stays", "value": {"answer": "decline"}},
    "mended": {"summary": "It was repaired: look at it anew", "value": {"answer": "mended"}},
    "as it is": {"summary": "It stays so: say no more until it is worse", "value": {"answer": "as it is"}},
    "take back": {"summary": "Nothing was said", "value": {"answer": "take back"}},
}
_ANSWERS = {
    "accept": {"summary": "As it is proposed", "value": {"accept": True}},
    "edit": {"summary": "In other words",
             "value": {"accept": True, "text": "charge of car-05 >= 70% at 07:15 every weekday"}},
    "decline": {"summary": "No, and do not ask again", "value": {"accept": False}},
}  # fmt: skip


@router.get("/forecasts/community", response_model=list[views.SeriesView], summary="Forecasts of sums and of the price",
            **allows(Action.SEE_ZONES))  # fmt: skip
async def community_ahead(request: Request, community: There, seat: Seated, days: Days = SOON) -> Response:
    """The community, its roofs, its zones and the price: yesterday, today and days ahead with what came.

    Issued at the start of the local day; who asks first on a day waits some seconds. No sum of fewer than three homes.
    """
    return answer(request, views.commons(community, seat, await community.book(), days))


@router.get("/forecasts/scenarios", response_model=views.Futures, summary="Futures of sums",
            **allows(Action.SEE_ZONES))  # fmt: skip
async def futures_ahead(
    request: Request,
    community: There,
    seat: Seated,
    count: Annotated[int, Query(ge=1, le=200, description="How many.")] = 20,
) -> Response:
    """Whole futures of the community and its zones, today and tomorrow: each is as likely as any other.

    What was high together on a past day, over slots and zones, is high together in one of them. None where too little
    is known yet. The same is told whoever asks, as often as they ask on that day.
    """
    return answer(request, views.scenarios(community, seat, await community.book(), count))


@router.get("/forecasts/price", response_model=list[views.SeriesView], summary="Forecasts of prices and carbon",
            **allows(Action.SEE_COMMUNITY))  # fmt: skip
async def price_ahead(request: Request, community: There, seat: Seated, days: Days = SOON) -> Response:
    """From the grid, to it and among neighbours, micro per kWh, and the grid's carbon, mg per kWh.

    Slots that are published already show what came.
    """
    return answer(request, views.price(community, seat, await community.book(), days), private=False)


@router.get("/forecasts/scores", response_model=list[views.Card], summary="Score cards", **allows(Action.SEE_COMMUNITY))
async def scores(request: Request, community: There, seat: Seated) -> Response:
    """How good each forecast was, beside its two baselines, as far as who asks may see; which is used, and why."""
    return answer(request, views.cards(community, seat, await community.book()))


@router.get("/forecasts/homes/{account}", response_model=list[views.SeriesView], summary="Forecasts of a home",
            **allows(Action.SEE_READINGS))  # fmt: skip
async def home_ahead(request: Request, community: There, seat: Seated, account: str, days: Days = SOON) -> Response:
    """A member's own use, roof and heat pumps, Wh a slot: yesterday, today and days ahead with what came."""
    return answer(request, views.home(community, seat, AccountId(account), await community.book(), days))


@router.get("/forecasts/cars/{account}", response_model=list[CarAhead], summary="Forecasts of a member's cars",
            **allows(Action.SEE_READINGS))  # fmt: skip
async def cars_next(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Of each car when it leaves and what it needs, or when it is back: quantiles as of now, and how good they were."""
    return answer(request, cars_ahead(community, seat, AccountId(account), await community.book()))


@router.get("/forecasts/outlooks", response_model=proposals.Outlooks, summary="What today's forecast means",
            **allows(Action.SEE_ZONES))  # fmt: skip
async def meaning(request: Request, community: There, seat: Seated) -> Response:
    """When zones may pass what was stated about them, and when they have sun left over; today and tomorrow."""
    return answer(request, proposals.outlooks(community, seat, await community.book()))


@router.get("/accounts/{account}/proposals", response_model=list[proposals.Proposal],
            summary="Habits that are proposed as statements", **allows(Action.SEE_CONSTRAINTS))  # fmt: skip
async def proposed(request: Request, community: There, seat: Seated, account: str) -> Response:
    """What recurs in how an account's cars are used and is neither stated nor declined; nothing of it holds yet."""
    return answer(request, proposals.proposals(community, seat, AccountId(account), await community.book()))


@router.post("/accounts/{account}/proposals/{id}", status_code=204, summary="Accept or decline a habit",
             **allows(Action.STATE_CONSTRAINT))  # fmt: skip
async def answer_habit(
    community: There,
    seat: Seated,
    account: str,
    id: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_ANSWERS)],
) -> Response:
    """With a yes its line is stated, as proposed or in the words that are given; a no is remembered."""
    check(community, seat, Action.STATE_CONSTRAINT, AccountId(account))
    told, book = _read(body, Answering), await community.book()
    await answer_proposal(community, seat, AccountId(account), book, id, accept=told.accept, text=told.text)
    return Response(status_code=204)


@router.get("/alarms", response_model=list[alarms.AlarmView], summary="What ails devices",
            **allows(Action.SEE_MEMBERS))  # fmt: skip
async def all_alarms(request: Request, community: There, seat: Seated) -> Response:
    """All alarms of the community, the costliest first, each with evidence, rate of false alarms and what to do."""
    return answer(request, alarms.of_all(community, seat, await community.book()))


@router.get("/accounts/{account}/alarms", response_model=list[alarms.AlarmView], summary="What ails one's devices",
            **allows(Action.SEE_READINGS))  # fmt: skip
async def own_alarms(request: Request, community: There, seat: Seated, account: str) -> Response:
    """The alarms of an account's devices, the costliest first."""
    return answer(request, alarms.of_account(community, seat, AccountId(account), await community.book()))


@router.post("/accounts/{account}/alarms/{id}", status_code=204, summary="Answer an alarm",
             **allows(Action.MANAGE_DEVICES))  # fmt: skip
async def reply_to_alarm(
    community: There,
    seat: Seated,
    account: str,
    id: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_REPLIES)],
) -> Response:
    """Accept or decline its visit, say that it was mended or stays as it is, or take back what was answered.

    What was mended is looked at anew from now on; what stays as it is alarms again once it is clearly worse. Whoever
    looks after a device may say that it was mended, its owner everything else.
    """
    alarms.check_mending(community, seat, AccountId(account))
    told, book = _read(body, Replying), await community.book()
    answer_alarm(community, seat, AccountId(account), book, id, told.answer)
    return Response(status_code=204)


def _read(body: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"an answer is as its example shows: {error}") from error
