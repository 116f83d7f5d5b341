"""What auditors do over HTTP: compare accounts and periods, and take records along with the roots they stand under."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows
from commonwatt.apps.api.v1.markets import Moment
from commonwatt.apps.views import comparing as views
from commonwatt.identity.access import Action
from commonwatt.model import AccountId

router = APIRouter(tags=["audit"])
EVER_S = 32_503_680_000
_COLUMNS = {"entries": views.ENTRY_COLUMNS, "trades": views.TRADE_COLUMNS, "leaves": views.LEAF_COLUMNS}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/comparisons", response_model=views.Comparison, summary="Two accounts or periods side by side",
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def comparison(
    request: Request,
    community: There,
    seat: Seated,
    left: Annotated[str, Query(max_length=64)],
    right: Annotated[str, Query(max_length=64)],
    left_from_s: Moment = 0,
    left_to_s: Moment = EVER_S,
    right_from_s: Moment = 0,
    right_to_s: Moment = EVER_S,
) -> Response:
    """Memo by memo, what came less what went."""
    sides = (
        views.Span(account=AccountId(left), from_s=left_from_s, to_s=left_to_s),
        views.Span(account=AccountId(right), from_s=right_from_s, to_s=right_to_s),
    )
    return answer(request, views.compare(community, seat, *sides))


@router.get("/exports/{what}.{form}", summary="Take records along", response_class=StreamingResponse,
            **allows(Action.SEE_ENTRIES))  # fmt: skip
async def export(
    community: There,
    seat: Seated,
    what: Literal["entries", "trades", "leaves"],
    form: Literal["csv", "jsonl"],
    account: Annotated[str | None, Query(max_length=64)] = None,
    from_s: Moment = 0,
    to_s: Moment = EVER_S,
) -> Response:
    """The newest first. The first line tells size and roots of the log under which they stand; a CSV's begins with #.

    `account`, `from_s` and `to_s` narrow entries; trades and requests come whole.
    """
    whose = AccountId(account) if account else None
    views.may_take(community, seat, whose if what == "entries" else None)
    under = views.taken_under(community, what)
    told = {
        "entries": lambda: views.entries(community, under, whose, from_s, to_s),
        "trades": lambda: views.trades(community, seat, under),
        "leaves": lambda: views.leaves(community, seat, under),
    }[what]()
    lines = _csv(under, _COLUMNS[what], told) if form == "csv" else _jsonl(under, told)
    headers = {
        "Content-Disposition": f'attachment; filename="{what}.{form}"',
        "Cache-Control": "private, no-store",
    }
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl"
    return StreamingResponse(lines, media_type=kind, headers=headers)


async def _jsonl(under: views.TakenUnder, told: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(under) + b"\n"
    async for rows in told:
        yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        await asyncio.sleep(0)  # a long export leaves the loop to others between two stretches


async def _csv(
    under: views.TakenUnder, columns: Sequence[str], told: AsyncIterator[list[dict[str, Any]]]
) -> AsyncIterator[bytes]:
    yield b"# " + msgspec.json.encode(under) + b"\r\n" + ",".join(columns).encode() + b"\r\n"
    async for rows in told:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(row[name]) for name in columns] for row in rows)
        yield text.getvalue().encode()
        await asyncio.sleep(0)


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula: what members wrote is text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
