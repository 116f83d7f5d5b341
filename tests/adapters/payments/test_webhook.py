"""The webhook's door: who may knock, how loud, and what is answered."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec import Struct

from commonwatt.adapters.payments.translate import TOLERANCE_S, signature_header
from commonwatt.adapters.payments.webhook import MOST_BYTES, MOST_DOUBTS, SIGNATURE, Doubts, webhook_app
from commonwatt.model import InvalidValue, Outcome, Refused

pytestmark = pytest.mark.row("H2")
SECRET = b"a secret of the provider"
PAID = json.dumps({"id": "e1", "type": "payout.paid", "data": {"payout": "7"}}).encode()


class Door:
    """A webhook before a log that answers as it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000
        self.outcome: Outcome | Exception = Outcome.BOOKED
        self.submitted: list[Struct] = []
        self.doubts = Doubts()
        self.app = webhook_app(self.submit, [SECRET], "GBP", lambda: self.now_s, self.doubts)

    def submit(self, body: Struct) -> Outcome:
        self.submitted.append(body)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def knock(self, content: bytes = PAID, header: str | None = None) -> tuple[int, str]:
        header = signature_header(self.now_s, content, SECRET) if header is None else header
        answer = asyncio.run(self.post(content, header))
        return answer.status_code, answer.json()["outcome"]

    async def post(self, content: bytes | AsyncIterator[bytes], header: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://door") as client:
            return await client.post("/payments/events", content=content, headers={SIGNATURE: header})


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_signed_event_is_submitted_and_answered_with_its_outcome(door: Door) -> None:
    assert door.knock() == (200, "BOOKED")
    assert len(door.submitted) == 1


def test_what_is_not_signed_reaches_nothing(door: Door) -> None:
    header = signature_header(door.now_s, PAID, b"somebody else's secret")
    for wrong in ("", header, "t=1,v1=00"):
        assert door.knock(header=wrong)[0] == 401
    assert door.knock(PAID + b" ", signature_header(door.now_s, PAID, SECRET))[0] == 401
    assert not door.submitted


def test_a_replayed_delivery_is_answered_from_memory_and_then_not_at_all(door: Door) -> None:
    header = signature_header(door.now_s, PAID, SECRET)
    assert door.knock(header=header) == (200, "BOOKED")
    door.outcome = Outcome.ALREADY_THERE
    door.now_s += TOLERANCE_S
    for same in (f"{header},x=1", f" {header}", f"{header},v1=00"):
        assert door.knock(header=same) == (200, "BOOKED"), "written otherwise it is no other delivery"
    assert door.knock(header=header) == (200, "BOOKED")
    door.now_s += 1
    assert door.knock(header=header)[0] == 401
    assert len(door.submitted) == 1
    assert door.knock() == (200, "ALREADY_THERE"), "the provider itself says it again: the log knows"


def test_what_is_about_something_unknown_is_to_be_said_again(door: Door) -> None:
    header = signature_header(door.now_s, PAID, SECRET)
    door.outcome = Outcome.UNKNOWN_THING
    assert door.knock(header=header)[0] == 409
    door.outcome = Outcome.BOOKED
    assert door.knock(header=header) == (200, "BOOKED")


def test_what_contradicts_the_log_is_kept_for_a_person_to_look_at(door: Door) -> None:
    door.outcome = Outcome.NOT_ALLOWED
    assert door.knock() == (200, "NOT_ALLOWED")
    assert door.doubts.events == [("e1", Outcome.NOT_ALLOWED)]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.admitted])
def test_what_never_came_to_the_log_is_to_be_said_again(door: Door, outcome: Outcome) -> None:
    header = signature_header(door.now_s, PAID, SECRET)
    door.outcome = outcome
    assert door.knock(header=header) == (503, outcome.value)
    assert door.doubts.events == [("e1", outcome)], "a person is told, for it may never come"
    door.outcome = Outcome.BOOKED
    assert door.knock(header=header) == (200, "BOOKED")
    assert door.doubts.events == [], "and told no longer"


def test_money_that_has_no_room_yet_is_to_be_said_again_and_a_person_is_told_once(door: Door) -> None:
    door.outcome = Outcome.OVER_LIMIT
    assert [door.knock()[0] for _ in range(3)] == [409, 409, 409]
    assert door.doubts.events == [("e1", Outcome.OVER_LIMIT)]


def test_money_for_a_name_that_no_account_can_have_is_shown_to_a_person(door: Door) -> None:
    data = {"account": "no such/name", "payment": "p", "amount": 100, "currency": "GBP"}
    paid = json.dumps({"id": "e9", "type": "payment.succeeded", "data": data}).encode()
    assert door.knock(paid)[0] == 400
    assert door.doubts.events == [("e9", Outcome.MALFORMED)]
    assert not door.submitted


def test_doubts_are_kept_by_whoever_keeps_them_and_the_oldest_go_first() -> None:
    kept: list[tuple[str, str]] = []
    doubts = Doubts(keep=lambda event, word: kept.append((event, word)))
    for n in range(MOST_DOUBTS + 1):
        doubts.add(f"e{n}", Outcome.NOT_ALLOWED)
    assert (len(doubts.events), doubts.events[0][0]) == (MOST_DOUBTS, "e1")
    doubts.add("e5", Outcome.NOT_ALLOWED)
    assert len(kept) == MOST_DOUBTS + 1, "what is known is not told again"
    doubts.settle("e5")
    doubts.settle("e5")
    assert kept[-1] == ("e5", "settled")
    assert len(kept) == MOST_DOUBTS + 2


def test_a_log_that_cannot_be_written_is_tried_again(door: Door) -> None:
    door.outcome = Refused("the log could not be written")
    assert door.knock()[0] == 503
    door.outcome = Outcome.BOOKED
    assert door.knock() == (200, "BOOKED")


def test_an_event_that_cannot_be_read_or_does_not_concern_us_reaches_nothing(door: Door) -> None:
    assert door.knock(b"{}")[0] == 400
    assert door.knock(b'{"id":"e","type":"weather","data":{}}')[0] == 200
    assert not door.submitted


def test_a_body_that_is_too_large_is_not_read_to_its_end(door: Door) -> None:
    assert door.knock(b"x" * (MOST_BYTES + 1))[0] == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    answer = asyncio.run(door.post(endless(), "t=1,v1=00"))
    assert answer.status_code == 413
    assert not door.submitted


def test_a_webhook_without_a_good_secret_is_not_opened() -> None:
    for secrets in ([], [b"short"], [SECRET, b""]):
        with pytest.raises(InvalidValue):
            webhook_app(lambda _: Outcome.BOOKED, secrets, "GBP", lambda: 0, Doubts())
