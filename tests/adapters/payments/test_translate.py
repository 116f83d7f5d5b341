"""What a provider tells becomes a request, or is refused in words; nobody else can tell anything."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.payments.translate import (
    TOLERANCE_S,
    check_signature,
    minor_units,
    read_event,
    sign,
    signature_header,
)
from commonwatt.flows.rulebook.bodies import read_body, write_body
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.model import InvalidValue, Kind, Refused

pytestmark = pytest.mark.row("H2")
NOW = 1_800_000_000
SECRET, OLD = b"a secret of the provider", b"the secret of last year"


def event(what: str, **data: Any) -> bytes:
    return json.dumps({"id": "e1", "type": what, "data": data, "livemode": False}).encode()


MONEY = {"amount": 1_250, "currency": "GBP"}
MICRO = 12_500_000


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (
            event("payment.succeeded", account="anna", payment="p", **MONEY, card="ends in 4242"),
            wallets.PurchaseBody(account="anna", amount_micro=MICRO, reference="p"),
        ),
        (
            event("payment.succeeded", account="anna", payment="p", collection="c", **MONEY),
            wallets.PurchaseBody(account="anna", amount_micro=MICRO, reference="p", topup="c"),
        ),
        (
            event("payment.failed", account="anna", payment="p", collection="c", **MONEY),
            wallets.UncollectedBody(account="anna", topup="c"),
        ),
        (event("payment.failed", account="anna", payment="p", **MONEY), None),
        (
            event("payment.charged_back", payment="p", dispute="d", **MONEY),
            wallets.ChargeBackBody(reference="d", purchase="p", amount_micro=MICRO),
        ),
        (
            event("refund.succeeded", payment="p", refund="r", reference="ours", **MONEY),
            wallets.RefundBody(reference="ours", purchase="p", amount_micro=MICRO),
        ),
        (
            event("refund.succeeded", payment="p", refund="r", **MONEY),
            wallets.ChargeBackBody(reference="r", purchase="p", amount_micro=MICRO),
        ),
        (event("payout.paid", payout="7"), wallets.PayoutPaid(payout="7")),
        (event("payout.failed", payout="7"), wallets.PayoutFailed(payout="7")),
        (event("mandate.active", account="anna"), wallets.MandateBody(account="anna", active=True)),
        (event("mandate.cancelled", account="anna"), wallets.MandateBody(account="anna", active=False)),
        (event("balance.available", **MONEY), None),
    ],
)
def test_each_event_comes_to_its_request(content: bytes, body: Any) -> None:
    told = read_event(content, "GBP")
    assert (told.id, told.body) == ("e1", body)
    if body is not None:
        kind = Kind.PAYOUT if isinstance(body, wallets.PayoutPaid | wallets.PayoutFailed) else Kind.PURCHASE
        assert read_body(kind, write_body(body)) == body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 60_000,
        b'{"id":"e","type":"payout.paid","data":{}}',
        b'{"id":"","type":"payout.paid","data":{"payout":"7"}}',
        event("payment.succeeded", account="anna", payment="p", amount=1_250, currency="USD"),
        event("payment.succeeded", account="anna", payment="p", amount=1_250),
        event("payment.succeeded", account="anna", payment="p", currency="GBP"),
        event("payment.succeeded", account="anna", payment="p", amount=0, currency="GBP"),
        event("payment.succeeded", account="anna", payment="p", amount=-5, currency="GBP"),
        event("payment.succeeded", account="anna", payment="p", amount=12.5, currency="GBP"),
        event("payment.succeeded", account="anna", payment="p", amount=10**15, currency="GBP"),
        event("payment.succeeded", payment="p", **MONEY),
        event("payment.charged_back", payment="p", **MONEY),
        event("refund.succeeded", payment="p", **MONEY),
    ],
)
def test_what_is_no_event_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(InvalidValue):
        read_event(content, "GBP")


@given(st.binary(max_size=300))
def test_no_content_breaks_the_reader(content: bytes) -> None:
    try:
        read_event(content, "GBP")
    except InvalidValue:
        return


def test_a_delivery_is_signed_by_the_provider_with_any_secret_in_use() -> None:
    both = f"t={NOW},v1={'00' * 32},v1={sign(str(NOW), b'{}', OLD).hex()}"
    check_signature(signature_header(NOW, b"{}", SECRET), b"{}", [SECRET], NOW)
    check_signature(both, b"{}", [SECRET, OLD], NOW)
    check_signature(both.replace(",", ", "), b"{}", [OLD], NOW)
    with pytest.raises(Refused):
        check_signature(both, b"{}", [SECRET], NOW)


@pytest.mark.parametrize("off_s", [-TOLERANCE_S, TOLERANCE_S])
def test_a_delivery_is_believed_for_minutes_before_and_after(off_s: int) -> None:
    header = signature_header(NOW, b"{}", SECRET)
    check_signature(header, b"{}", [SECRET], NOW + off_s)
    with pytest.raises(Refused):
        check_signature(header, b"{}", [SECRET], NOW + off_s + (1 if off_s > 0 else -1))


def test_no_bit_of_a_delivery_can_be_changed() -> None:
    content = b'{"amount":1}'
    header = signature_header(NOW, content, SECRET)
    for n in range(8 * len(content)):
        other = bytearray(content)
        other[n // 8] ^= 1 << n % 8
        with pytest.raises(Refused):
            check_signature(header, bytes(other), [SECRET], NOW)
    with pytest.raises(Refused):
        check_signature(header.replace(str(NOW), str(NOW + 1)), content, [SECRET], NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=",
        "v1=00",
        f"t={NOW}",
        f"t={NOW},v1=zz",
        f"t=+{NOW},v1=00",
        "t=½,v1=00",
        f"t={NOW},t={NOW},v1=00",
        "t" * 9_999,
    ],
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(Refused):
        check_signature(header, b"{}", [SECRET], NOW)


@given(st.text(max_size=60))
def test_no_header_breaks_the_check(header: str) -> None:
    with pytest.raises(Refused):
        check_signature(header, b"{}", [SECRET], NOW)


def test_a_bank_moves_whole_hundredths() -> None:
    assert minor_units(12_500_000) == 1_250
    for amount in (0, -10_000, 5, 2**60):
        with pytest.raises(InvalidValue):
            minor_units(amount)


@pytest.mark.parametrize(
    "content",
    [
        event("payment.succeeded", account="no account/", payment="p", **MONEY),
        event("payment.succeeded", account="a" * 65, payment="p", **MONEY),
        event("payout.paid", payout="7 and 8"),
        event("mandate.active", account="-anna"),
    ],
)
def test_what_the_log_could_never_read_is_no_event(content: bytes) -> None:
    with pytest.raises(InvalidValue, match="e1"):
        read_event(content, "GBP")
