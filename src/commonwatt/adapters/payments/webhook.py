"""The door at which a payment provider tells what happened: signed, small, and harmless to knock on twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec
from fastapi import FastAPI, Request, Response
from msgspec import Struct
from starlette.concurrency import run_in_threadpool

from commonwatt.adapters.payments.translate import TOLERANCE_S, check_signature, event_name, read_event
from commonwatt.model import CommonwattError, InvalidValue, Outcome, Refused

SIGNATURE = "payment-signature"
MOST_BYTES = 65_536
MOST_DOUBTS = 1_000
SETTLED = "settled"
_NOT_YET = (Outcome.UNKNOWN_THING, Outcome.OVER_LIMIT)
"""About something that has not arrived yet, or for which the books have no room yet: to be said again later."""
_FINE = (Outcome.BOOKED, Outcome.ALREADY_THERE)


@dataclass(slots=True)
class Doubts:
    """Events that did not fit what the log knows, or did not come to it: a person has to look, the newest last.

    Money may have come in or gone out with each of them, and nothing was booked for it. One that fits later goes.

    Args:
        keep: Told of each that comes, with its outcome, and of each that goes, with `SETTLED`; returns once that is
            kept.
    """

    keep: Callable[[str, str], None] = lambda event, word: None
    events: list[tuple[str, Outcome]] = field(default_factory=list)

    def add(self, event: str, outcome: Outcome) -> None:
        """Keep one, and let go of the oldest beyond `MOST_DOUBTS`."""
        if (event, outcome) not in self.events:
            self.keep(event, outcome.value)
            self.events = [*(known for known in self.events if known[0] != event), (event, outcome)][-MOST_DOUBTS:]

    def settle(self, event: str) -> None:
        """Let go of one that is in the log now, if it was here."""
        if any(event == known for known, _ in self.events):
            self.keep(event, SETTLED)
            self.events = [known for known in self.events if known[0] != event]


def webhook_app(
    submit: Callable[[Struct], Outcome],
    secrets: Sequence[bytes],
    currency: str,
    clock: Callable[[], int],
    doubts: Doubts,
) -> FastAPI:
    """Return the application that takes a provider's events at ``POST /payments/events``.

    It answers 200 once an event is in the log for good, with its outcome; 401 where the signature is not the
    provider's; 400 where the event can never be read; 409 where it is about something unknown, or has no room in the
    books yet, and 503 where it is not in the log at all: these two are for the provider to repeat.

    Args:
        submit: Signs a request, logs it and returns its outcome; one at a time is its own affair.
        secrets: Shared with the provider; more than one while they change.
        currency: The community's, ISO 4217.
        clock: The time, seconds since 1970.
        doubts: Where events go that contradict the log or did not come to it.

    Raises:
        InvalidValue: There is no secret, or one is shorter than 16 bytes.
    """
    if not secrets or min(map(len, secrets)) < 16:
        raise InvalidValue("a webhook has a secret of at least 16 bytes")
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    heard = _Heard()

    @app.post("/payments/events")
    async def events(request: Request) -> Response:
        content = await content_of(request, MOST_BYTES)
        if content is None:
            return _answer(413, "too large")
        header, now_s = request.headers.get(SIGNATURE, ""), clock()
        try:
            told_s = check_signature(header, content, list(secrets), now_s)
        except Refused:
            return _answer(401, "not signed by the provider")
        try:
            told = read_event(content, currency)
        except InvalidValue as error:
            doubts.add(event_name(content), Outcome.MALFORMED)
            return _answer(400, str(error))
        if told.body is None:
            return _answer(200, "no concern of the ledger")
        outcome = heard.before(told_s, content, now_s)
        if outcome is None:
            try:
                outcome = await run_in_threadpool(submit, told.body)
            except CommonwattError:
                return _answer(503, "the log cannot be written")
            if outcome in _FINE:
                doubts.settle(told.id)
            else:
                doubts.add(told.id, outcome)
            if _status(outcome) == 200:
                heard.now(told_s, content, now_s, outcome)
        return _answer(_status(outcome), outcome.value)

    return app


def _status(outcome: Outcome) -> int:
    if not outcome.admitted:
        return 503
    return 409 if outcome in _NOT_YET else 200


class _Heard:
    """Deliveries that were answered, for as long as their signature holds: who replays one adds nothing to the log.

    They are known by content and time: a header can be written in many ways that say the same.
    """

    def __init__(self) -> None:
        self._heard: dict[tuple[int, bytes], tuple[int, Outcome]] = {}

    def before(self, told_s: int, content: bytes, now_s: int) -> Outcome | None:
        heard_s, outcome = self._heard.get((told_s, sha256(content).digest()), (now_s, None))
        return outcome if now_s - heard_s <= 2 * TOLERANCE_S else None

    def now(self, told_s: int, content: bytes, now_s: int, outcome: Outcome) -> None:
        self._heard[told_s, sha256(content).digest()] = now_s, outcome
        for old, (heard_s, _) in list(self._heard.items()):
            if now_s - heard_s <= 2 * TOLERANCE_S:
                break
            del self._heard[old]


async def content_of(request: Request, most_bytes: int) -> bytes | None:
    """Return the body, or None as soon as it proves too large, whatever its length was said to be."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most_bytes:
            return None
    return bytes(content)


def _answer(status: int, outcome: str) -> Response:
    return Response(msgspec.json.encode({"outcome": outcome}), status, media_type="application/json")
