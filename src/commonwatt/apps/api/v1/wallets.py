"""Wallets over HTTP: what is held, what came and went, and sending."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from commonwatt.apps.api.answers import MOST_A_PAGE, Cursor, Page, answer, page, read_cursor
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, body_of, hand_in, write
from commonwatt.apps.views import wallet as views
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, Commodity, Kind

router = APIRouter(tags=["wallet"])
_GIVE = {
    "give": {
        "summary": "Give 2.50 ERGON",
        "value": {"what": "give", "target": "member-02", "commodity": "ergon_micro", "amount": 2_500_000},
    }
}
_WIRE = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
}


@router.get("/accounts/{account}/wallet", response_model=views.Wallet, summary="What an account holds",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def wallet(request: Request, community: There, seat: Seated, account: str) -> Response:
    """ERGON, WATT and TSL in base units, and what of it is not free."""
    return kept(request).answer(request, community, seat, lambda: views.wallet(community, seat, AccountId(account)))


@router.get("/accounts/{account}/entries", response_model=Page[views.EntryView], summary="What came and went",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def entries(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 50,
    commodity: Commodity | None = None,
) -> Response:
    """Entries of the books, the newest first."""
    found = views.entries(community, seat, AccountId(account), read_cursor(cursor), limit, commodity)
    return answer(request, page(community.told_s, found, limit, found[-1].number if found else None))


@router.post("/accounts/{account}/transfers", response_model=WriteDone, status_code=201,
             summary="Give, reserve, post or void", **allows(Action.SEND_TOKENS))  # fmt: skip
async def transfer(
    request: Request,
    community: There,
    seat: Seated,
    account: str,
    body: Annotated[dict[str, Any], Body(openapi_examples=_GIVE)],
    key: IdempotencyKey = None,
) -> Response:
    """A transfer body: `what` is `give`, `reserve`, `post` or `void`, or a direct sale's `list`, `take`, `unlist`."""
    return await write(request, community, seat, Action.SEND_TOKENS, AccountId(account), Kind.TRANSFER, body, key)


@router.post("/requests", response_model=WriteDone, status_code=201, summary="Hand in a signed request",
             **allows(Action.HAND_IN, requestBody=_WIRE))  # fmt: skip
async def signed(request: Request, community: There) -> Response:
    """One request as it travels: canonical JSON with its signature, and after a line break the records of a batch.

    Whoever brings it, the log judges who signed it. The same bytes again get the first outcome.
    """
    return await hand_in(request, community, await body_of(request))
