"""A payment provider that moves no money: cards, direct debits, pay-outs and refunds behind a real HTTP server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Thread
from time import sleep
from typing import Annotated, Any

import httpx
import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from msgspec import Meta, Struct

from commonwatt.adapters.payments.translate import signature_header
from commonwatt.adapters.payments.webhook import SIGNATURE

GOOD_CARD = "4242424242424242"
BAD_CARD = "4000000000000002"
_Minor = Annotated[int, Meta(gt=0, le=10**8)]


class _Card(Struct, forbid_unknown_fields=True):
    account: str
    amount: _Minor
    currency: str
    card: str


class _Collection(Struct, forbid_unknown_fields=True):
    collection: str
    account: str
    amount: _Minor
    currency: str


class _Payout(Struct, forbid_unknown_fields=True):
    payout: str
    account: str
    amount: _Minor
    currency: str


class _Refund(Struct, forbid_unknown_fields=True):
    reference: str
    payment: str
    amount: _Minor
    currency: str


@dataclass(slots=True)
class Event:
    """One thing to be told, and how often it was told in vain."""

    content: bytes
    tried: int = 0


@dataclass(slots=True)
class SandboxBank:
    """The provider's books. Nothing is told by itself: `deliver` tells what has happened, in any order asked for.

    Args:
        key: The API key that is accepted.
        secret: Signs deliveries.
        clock: The time, seconds since 1970.
    """

    key: str
    secret: bytes
    clock: Callable[[], int]
    mandates: set[str] = field(default_factory=set)
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    debits: list[str] = field(default_factory=list)
    """Direct debits that the banks have not answered yet."""
    payouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed_accounts: set[str] = field(default_factory=set)
    """Members whose bank takes no money."""
    refuses: set[str] = field(default_factory=set)
    """Payments that cannot be given back just now."""
    refunded: dict[str, tuple[str, int]] = field(default_factory=dict)
    """What was given back: by its reference, of which payment and how much."""
    outbox: list[Event] = field(default_factory=list)
    answered: dict[str, tuple[bytes, int, bytes]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def app(self) -> FastAPI:
        """Return the provider's API."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        doors: dict[str, tuple[Any, Callable[[Any], tuple[int, str]]]] = {
            "/cards/payments": (_Card, self._card),
            "/collections": (_Collection, self._collect),
            "/payouts": (_Payout, self._pay_out),
            "/refunds": (_Refund, self._refund),
        }

        @app.post("/{path:path}")
        async def ask(path: str, request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.key}":
                return Response(status_code=401)
            if f"/{path}" not in doors:
                return Response(status_code=404)
            shape, do = doors[f"/{path}"]
            return self._once(request.headers.get("idempotency-key", ""), await request.body(), shape, do)

        return app

    def mandate(self, account: str, *, active: bool = True) -> None:
        """Let a member allow direct debits from their bank, or take that back."""
        (self.mandates.add if active else self.mandates.discard)(account)
        self._tell("mandate.active" if active else "mandate.cancelled", account=account)

    def banks_answer(self, *, paid: bool = True) -> None:
        """Let the banks answer all direct debits that are on their way."""
        for name in self.debits:
            self._tell("payment.succeeded" if paid else "payment.failed", **self.payments[name])
        self.debits.clear()

    def take_back(self, payment: str) -> None:
        """Let a member's bank take back a payment that had succeeded: a bounced debit, a disputed card."""
        paid = self.payments[payment]
        dispute = f"dispute-{next(self._numbers)}"
        self._tell(
            "payment.charged_back", payment=payment, dispute=dispute, amount=paid["amount"], currency=paid["currency"]
        )

    def pay_outs_arrive(self) -> None:
        """Let the banks answer all pay-outs that are on their way."""
        for name, payout in self.payouts.items():
            if not payout["told"]:
                payout["told"] = True
                closed = payout["account"] in self.closed_accounts
                self._tell("payout.failed" if closed else "payout.paid", payout=name)

    def tell_refund(self, reference: str, payment: str, amount: int, url: str) -> int:
        """Say that a payment was given back, whoever asked for that, and return the answer."""
        data = {"reference": reference, "payment": payment, "amount": amount, "currency": "GBP", "refund": "by hand"}
        event = {"id": f"event-{next(self._numbers)}", "type": "refund.succeeded", "data": data}
        content = msgspec.json.encode(event)
        return httpx.post(url, content=content, headers=self.signed(content)).status_code

    def forget_names(self) -> None:
        """Let go of the names under which it was asked: providers do so after a day."""
        self.answered.clear()

    def deliver(self, url: str, *, backwards: bool = False) -> list[int]:
        """Tell everything that is waiting, once each; keep what was not taken. Return the answers."""
        answers = []
        with httpx.Client(timeout=10) as client:
            for event in list(reversed(self.outbox) if backwards else self.outbox):
                try:
                    status = client.post(url, content=event.content, headers=self.signed(event.content)).status_code
                except httpx.HTTPError:
                    status = 0
                answers.append(status)
                event.tried += 1
                if 200 <= status < 300:
                    self.outbox.remove(event)
        return answers

    def signed(self, content: bytes) -> dict[str, str]:
        """Return the headers of a delivery made now."""
        return {SIGNATURE: signature_header(self.clock(), content, self.secret), "content-type": "application/json"}

    def _tell(self, what: str, **data: object) -> None:
        event = {"id": f"event-{next(self._numbers)}", "type": what, "data": data}
        self.outbox.append(Event(msgspec.json.encode(event)))

    def _once(self, name: str, content: bytes, shape: Any, do: Callable[[Any], tuple[int, str]]) -> Response:
        """Do what is asked under a name, once; a repeat gets the first answer, unless that was a refusal."""
        if not name:
            return Response(status_code=400)
        if name not in self.answered:
            try:
                status, said = do(msgspec.json.decode(content, type=shape))
            except msgspec.MsgspecError as error:
                status, said = 422, str(error)
            answer = msgspec.json.encode({"said": said})
            if status >= 400:
                return Response(answer, status, media_type="application/json")
            self.answered[name] = content, status, answer
        first, status, said_first = self.answered[name]
        if first != content:
            return Response(status_code=409)
        return Response(said_first, status, media_type="application/json")

    def _card(self, asked: _Card) -> tuple[int, str]:
        payment = f"card-{next(self._numbers)}"
        told = {"payment": payment, "account": asked.account, "amount": asked.amount, "currency": asked.currency}
        if asked.card != GOOD_CARD:
            self._tell("payment.failed", **told)
            return 402, "the card was refused"
        self.payments[payment] = told
        self._tell("payment.succeeded", **told)
        return 201, payment

    def _collect(self, asked: _Collection) -> tuple[int, str]:
        if asked.account not in self.mandates:
            return 422, "no mandate"
        if any(asked.collection == paid.get("collection") for paid in self.payments.values()):
            return 202, "collected before"
        payment = f"debit-{next(self._numbers)}"
        self.payments[payment] = {
            "payment": payment,
            "account": asked.account,
            "amount": asked.amount,
            "currency": asked.currency,
            "collection": asked.collection,
        }
        self.debits.append(payment)
        return 202, payment

    def _pay_out(self, asked: _Payout) -> tuple[int, str]:
        self.payouts.setdefault(asked.payout, {"account": asked.account, "amount": asked.amount, "told": False})
        return 202, asked.payout

    def _refund(self, asked: _Refund) -> tuple[int, str]:
        """Give money back, once for each reference even where the name under which it was asked is forgotten."""
        if asked.payment not in self.payments:
            return 404, "no such payment"
        given = self.refunded.get(asked.reference)
        if given is not None:
            return (201, "given back before") if given == (asked.payment, asked.amount) else (409, "another refund")
        before = sum(amount for payment, amount in self.refunded.values() if payment == asked.payment)
        if asked.payment in self.refuses or before + asked.amount > self.payments[asked.payment]["amount"]:
            return 422, "cannot be given back"
        self.refunded[asked.reference] = asked.payment, asked.amount
        refund = f"refund-{next(self._numbers)}"
        self._tell("refund.succeeded", refund=refund, **msgspec.structs.asdict(asked))
        return 201, refund


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve an application on loopback while the context lasts, and yield its address.

    Args:
        app: What is served.
        port: Where; any free one where 0.
    """
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise OSError(f"nothing can be served at port {port}")
        sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
