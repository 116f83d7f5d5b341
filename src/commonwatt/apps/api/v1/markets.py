"""The markets over HTTP: what stands, who traded, and orders."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from commonwatt.apps.api.answers import MOST_A_PAGE, Cursor, Page, answer, page, read_cursor
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, write
from commonwatt.apps.views import deals as dealt
from commonwatt.apps.views import depth as depths
from commonwatt.apps.views import market as views
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, Kind

router = APIRouter(tags=["market"])
Moment = Annotated[int, Query(ge=0, le=32_503_680_000, description="Seconds since 1970, UTC.")]
_ORDER = {
    "buy": {"summary": "Buy energy of a slot", "value": {"what": "slot", "side": "bid", "energy_wh": 500,
            "price_micro_per_kwh": 210_000, "slot_s": 1_542_214_800}},
    "sell stored": {"summary": "Sell stored energy", "value": {"what": "watt", "side": "ask", "energy_wh": 1000,
            "price_micro_per_kwh": 180_000}},
}  # fmt: skip


@router.get("/market", response_model=views.Market, summary="What stands on the markets", **allows(Action.SEE_TRADES))
async def market(request: Request, community: There, seat: Seated) -> Response:
    """The WATT book with backed and unbacked volume, the slots at hand, listings and auctions."""
    return kept(request).answer(request, community, None, lambda: views.markets(community, seat))


@router.get("/trades", response_model=Page[views.TradeView], summary="Trades, under pseudonyms",
            **allows(Action.SEE_TRADES))  # fmt: skip
async def trades(
    request: Request,
    community: There,
    seat: Seated,
    from_s: Moment = 0,
    to_s: Moment = 32_503_680_000,
    account: str | None = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 50,
) -> Response:
    """Energy of slots that neighbours traded, the newest slot first; a page holds whole slots."""
    before_s = read_cursor(cursor)
    end_s = to_s if before_s is None else min(to_s, before_s)
    found = views.trades(community, seat, from_s, end_s, AccountId(account) if account else None, limit)
    return answer(request, page(community.told_s, found, limit, found[-1].slot_s if found else None), private=False)


@router.get("/accounts/{account}/orders", response_model=views.OwnMarket, summary="Own orders and agent",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def own(request: Request, community: There, seat: Seated, account: str) -> Response:
    """What an account has standing in both markets, and its agent's prices."""
    return kept(request).answer(request, community, seat, lambda: views.own_orders(community, seat, AccountId(account)))


@router.post("/accounts/{account}/orders", response_model=WriteDone, status_code=201,
             summary="Place an order, or switch the agent on", **allows(Action.PLACE_ORDER))  # fmt: skip
async def order(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_ORDER)],
    key: IdempotencyKey = None,
) -> Response:
    """An order body as the guide to the markets has it: `what` is `slot`, `watt`, `sealed`, `reveal` or `agent`."""
    return await write(request, community, seat, Action.PLACE_ORDER, AccountId(account), Kind.ORDER, body, key)


@router.post("/accounts/{account}/orders/{name}/cancel", response_model=WriteDone, status_code=201,
             summary="Take an order back", **allows(Action.PLACE_ORDER))  # fmt: skip
async def cancel(
    request: Request, community: There, seat: Seated, account: str, name: str, key: IdempotencyKey = None
) -> Response:
    """Out of the WATT book, or of a slot whose gate is open."""
    told = {"what": "cancel", "order": name}
    return await write(request, community, seat, Action.PLACE_ORDER, AccountId(account), Kind.CANCEL, told, key)


@router.post("/accounts/{account}/agent/off", response_model=WriteDone, status_code=201,
             summary="Switch the agent off", **allows(Action.PLACE_ORDER))  # fmt: skip
async def agent_off(
    request: Request, community: There, seat: Seated, account: str, key: IdempotencyKey = None
) -> Response:
    """What it has standing goes."""
    told = {"what": "agent off"}
    return await write(request, community, seat, Action.PLACE_ORDER, AccountId(account), Kind.CANCEL, told, key)


@router.get("/market/depth", response_model=depths.Depth, summary="How deep the WATT book is",
            **allows(Action.SEE_TRADES))  # fmt: skip
async def depth(request: Request, community: There, seat: Seated) -> Response:
    """Each price with what could trade now and what only counts for the price."""
    return kept(request).answer(request, community, None, lambda: depths.depth(community, seat))


@router.get("/market/deals", response_model=dealt.Deals, summary="Direct sales, auctions, contracts on offer",
            **allows(Action.SEE_TRADES))  # fmt: skip
async def deals(request: Request, community: There, seat: Seated) -> Response:
    """What is to be had beside the markets; contracts with what one's own assets could earn."""
    return kept(request).answer(request, community, seat, lambda: dealt.deals(community, seat))


@router.get("/market/stored", response_model=list[dealt.StoredTrade], summary="Trades of stored energy",
            **allows(Action.SEE_TRADES))  # fmt: skip
async def stored(
    request: Request, community: There, seat: Seated, limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 50
) -> Response:
    """WATT that went from one to another for money, under pseudonyms, the newest first."""
    return answer(request, dealt.stored_trades(community, seat, limit), private=False)


@router.get("/market/prices", response_model=Page[views.SlotPrice], summary="Prices of slots",
            **allows(Action.SEE_TRADES))  # fmt: skip
async def prices(
    request: Request,
    community: There,
    seat: Seated,
    from_s: Moment = 0,
    to_s: Moment = 32_503_680_000,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 100,
) -> Response:
    """Neighbours' mean price between what the grid gives and takes, the newest slot first."""
    before_s = read_cursor(cursor)
    found = views.slot_prices(community, seat, from_s, to_s if before_s is None else min(to_s, before_s), limit)[::-1]
    return answer(request, page(community.told_s, found, limit, found[-1].slot_s if found else None), private=False)
