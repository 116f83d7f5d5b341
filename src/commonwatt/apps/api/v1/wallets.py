"""Wallets over HTTP: what is held, what came and went, and sending."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from commonwatt.apps.api.answers import MOST_A_PAGE, Cursor, Page, answer, page, read_cursor
from commonwatt.apps.api.guard import Seated, There, allows, kept
from commonwatt.apps.api.v1.writing import IdempotencyKey, WriteDone, write
from commonwatt.apps.report import bill as report
from commonwatt.apps.views import bills
from commonwatt.apps.views import wallet as views
from commonwatt.identity.access import Action
from commonwatt.model import AccountId, Commodity, Kind
from commonwatt.settlement.bill import Bill

router = APIRouter(tags=["wallet"])
Month = Annotated[str, Path(pattern=r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$", description="Like 2018-11.")]
_GIVE = {
    "give": {
        "summary": "Give 2.50 ERGON",
        "value": {"what": "give", "target": "member-02", "commodity": "ergon_micro", "amount": 2_500_000},
    }
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


@router.get("/accounts/{account}/dealings", response_model=views.Dealings, summary="With whom an account deals",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def dealings(request: Request, community: There, seat: Seated, account: str) -> Response:
    """What is set aside between them, whom it has dealt with, and how it is topped up."""
    return kept(request).answer(request, community, seat, lambda: views.dealings(community, seat, AccountId(account)))


@router.get("/accounts/{account}/bills", response_model=list[str], summary="Months of which there are bills",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def months(request: Request, community: There, seat: Seated, account: str) -> Response:
    """Months by the community's clock, the newest first; the newest may still go on."""
    return answer(request, bills.months(community, seat, AccountId(account)))


@router.get("/accounts/{account}/bills/{month}.pdf", response_class=Response, summary="A month's bill as PDF",
            responses={200: {"content": {"application/pdf": {}}}}, **allows(Action.SEE_ENTRIES))  # fmt: skip
async def bill_pdf(community: There, seat: Seated, account: str, month: Month) -> Response:
    """The bill for paper, in English and pounds."""
    found = await bills.bill(community, seat, AccountId(account), month)
    content = await asyncio.to_thread(report.pdf, found, community.state.charter.timezone)
    # Both names have been looked up by now, so that neither can end the header's text.
    named = f'attachment; filename="bill-{found.account}-{month}.pdf"'
    headers = {"Content-Disposition": named, "Cache-Control": "private, no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


@router.get("/accounts/{account}/bills/{month}", response_model=Bill, summary="A month's bill",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def bill(request: Request, community: There, seat: Seated, account: str, month: Month) -> Response:
    """What came and went over a month, `YYYY-MM`, line by line with its entries' numbers, as far as it is settled."""
    return answer(request, await bills.bill(community, seat, AccountId(account), month))


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
