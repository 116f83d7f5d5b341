"""The door at which vouchers of payment channels are shown, and which says whom a channel has to pay."""

from collections.abc import Callable

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from commonwatt.adapters.payments.shown import TERMS, VOUCHERS, Shown, Told
from commonwatt.adapters.payments.webhook import content_of
from commonwatt.flows.channels.ports import Answer, Payment
from commonwatt.flows.channels.terms import Terms
from commonwatt.model import CommonwattError, InvalidValue

MOST_BYTES = 4_096


def till_app(take: Callable[[Payment], Answer], terms: Terms) -> FastAPI:
    """Return the application that takes vouchers at ``POST /payments/vouchers``.

    A voucher bears its own proof, so nobody signs in. It answers 200 with the verdict and the best total that is held,
    once what it accepts is kept and credited; 400 where it can never be read; 413 where it is too large; 503 where it
    was not decided, or is kept and not yet credited: to be shown again. ``GET /payments/channel-terms`` tells what a
    channel has to be.

    Args:
        take: Judges, keeps and credits, see `commonwatt.flows.channels.till.Till.take`.
        terms: What a channel has to be.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(TERMS)
    async def told() -> Response:
        return Response(msgspec.json.encode(terms), media_type="application/json")

    @app.post(VOUCHERS)
    async def show(request: Request) -> Response:
        content = await content_of(request, MOST_BYTES)
        if content is None:
            return _problem(413, "too large")
        try:
            payment = msgspec.json.decode(content, type=Shown).payment()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidValue) as error:
            return _problem(400, str(error))
        try:
            answer = await run_in_threadpool(take, payment)
        except (CommonwattError, OSError):
            return _problem(503, "not now")
        return Response(
            msgspec.json.encode(Told(verdict=answer.verdict, total=answer.total)), media_type="application/json"
        )

    return app


def _problem(status: int, words: str) -> Response:
    return Response(msgspec.json.encode({"problem": words}), status, media_type="application/json")
