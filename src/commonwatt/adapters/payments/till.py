"""The door at which vouchers of payment channels are shown, and which says whom a channel has to pay."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import FastAPI, Request, Response
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool

from commonwatt.adapters.payments.webhook import content_of
from commonwatt.flows.channels.ports import Answer, Payment
from commonwatt.flows.channels.till import Terms
from commonwatt.model import CommonwattError, InvalidValue
from commonwatt.tokens.channel import MOST_DELAY_S, MOST_TOTAL, Verdict, Voucher

VOUCHERS, TERMS = "/payments/vouchers", "/payments/channel-terms"
MOST_BYTES = 4_096
_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]


class Shown(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A payment as it travels, see `commonwatt.flows.channels.ports.Payment`."""

    account: _Name
    number: Annotated[int, Meta(ge=0, le=2**31)] = 0
    payer: _Address
    signer: _Address
    delay_s: Annotated[int, Meta(ge=0, le=MOST_DELAY_S)]
    channel: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    total: Annotated[int, Meta(gt=0, le=MOST_TOTAL)]
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]

    def payment(self) -> Payment:
        """Return what it says.

        Raises:
            InvalidValue: It makes no sense.
        """
        return Payment(
            account=self.account,
            number=self.number,
            payer=self.payer,
            signer=self.signer,
            delay_s=self.delay_s,
            voucher=Voucher(channel=self.channel, total=self.total, signature=self.signature),
        )


class Told(Struct, kw_only=True, frozen=True):
    """What a till answers, as it travels."""

    verdict: Verdict
    total: int


def written(payment: Payment) -> bytes:
    """Return a payment as it travels."""
    voucher = payment.voucher
    return msgspec.json.encode(
        Shown(
            account=payment.account,
            number=payment.number,
            payer=payment.payer,
            signer=payment.signer,
            delay_s=payment.delay_s,
            channel=voucher.channel,
            total=voucher.total,
            signature=voucher.signature,
        )
    )


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
