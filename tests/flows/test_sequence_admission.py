"""What the one writer of the log admits, and what leaves no trace: lies, repeats, and bytes and bodies of any shape."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from community import NOON, PREPAID, Community, key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standing import BOUGHT, PURCHASE, RECORDS, refused, standing

from commonwatt.flows.intake import read_request
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.identity.keys import sign_request
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.market.order_batch import ORDER_DTYPE, orders_root
from commonwatt.market.slot_rows import NEAR, STRICT
from commonwatt.metering.batch import batch_root
from commonwatt.model import MAX_SAFE_INTEGER, CommonwattError, Kind, Outcome, Side
from signers import secure_key


def test_a_key_that_nobody_registered_is_unknown() -> None:
    refused(standing().wire("stranger", Kind.PURCHASE, PURCHASE, account="payment"), Outcome.UNKNOWN_KEY)


def test_a_changed_body_or_a_borrowed_name_is_a_bad_signature() -> None:
    wire = standing().wire("payment", Kind.PURCHASE, PURCHASE)
    refused(wire.replace(b'"amount_micro":7', b'"amount_micro":9'), Outcome.BAD_SIGNATURE)
    as_oracle = wire.replace(key("payment").id.encode(), key("oracle").id.encode())
    refused(as_oracle, Outcome.BAD_SIGNATURE)
    assert standing().send(wire[:-130] + b"0" * 128 + b'"}') is Outcome.BAD_SIGNATURE


@pytest.mark.parametrize("signature", ["", "0x" + "a" * 126, "A" * 128, "a" * 127, "a" * 130, "é" * 128, "٣" * 128])
def test_what_is_no_signature_is_no_request(signature: str) -> None:
    wire = standing().wire("payment", Kind.PURCHASE, PURCHASE)
    forged = wire[:-130] + signature.encode() + b'"}'
    before = standing().roots()
    assert standing().send(forged) in (Outcome.BAD_SIGNATURE, Outcome.MALFORMED)
    assert standing().roots() == before


def test_a_request_for_another_community_is_not_ours() -> None:
    refused(standing().wire("payment", Kind.PURCHASE, PURCHASE, community="other"), Outcome.WRONG_COMMUNITY)


@pytest.mark.parametrize("ahead", [1, 2, MAX_SAFE_INTEGER - 2])
def test_a_number_that_skips_one_is_out_of_sequence(ahead: int) -> None:
    refused(standing().wire("oracle", Kind.PURCHASE, PURCHASE, seq=2 + ahead), Outcome.WRONG_SEQUENCE)


def test_a_number_that_was_used_for_something_else_is_out_of_sequence() -> None:
    refused(standing().wire("payment", Kind.PURCHASE, PURCHASE, seq=1), Outcome.WRONG_SEQUENCE)


@pytest.mark.parametrize("seq", [0, -1, -MAX_SAFE_INTEGER])
def test_a_number_below_one_is_malformed_and_harms_nobody(seq: int) -> None:
    community = Community(1)
    refused(community.wire("gw-anna", Kind.PURCHASE, PURCHASE, seq=seq), Outcome.MALFORMED, community)
    assert community.pay("anna", 1, "and on it goes") is Outcome.BOOKED


def test_numbers_go_on_within_one_batch() -> None:
    community = Community(1)
    first = community.wire("payment", Kind.PURCHASE, PURCHASE)
    second = community.wire(
        "payment", Kind.PURCHASE, bodies.PurchaseBody(account="anna", amount_micro=1, reference="b"), seq=3
    )
    assert community.sequencer.submit([second, first, second], NOON) == [
        Outcome.WRONG_SEQUENCE,
        Outcome.BOOKED,
        Outcome.BOOKED,
    ]


def test_a_repeat_gets_its_first_answer_and_stands_in_the_log_once() -> None:
    community = Community(1)
    booked = community.wire("payment", Kind.PURCHASE, PURCHASE)
    assert community.sequencer.submit([booked, booked], NOON) == [Outcome.BOOKED, Outcome.BOOKED]
    backless = order_bodies.SlotOrder(side=Side.BID, energy_wh=5_000, price_micro_per_kwh=10**9, slot_s=NOON)
    order = community.wire("anna", Kind.ORDER, backless)
    assert community.send(order) is Outcome.NOT_BACKED
    community.pay("anna", 10**12, "now there is money")
    refused(order, Outcome.NOT_BACKED, community)
    refused(booked, Outcome.BOOKED, community)
    assert community.ergon("anna") == PREPAID + 7 + 10**12


def malformed() -> Iterator[tuple[str, bytes]]:
    wire = standing().wire("payment", Kind.PURCHASE, PURCHASE)
    yield "nothing", b""
    yield "another value", b"[]"
    yield "space between", wire.replace(b',"body"', b', "body"')
    yield "newline at the end", wire + b"\n"
    yield "a second value", wire + wire
    yield "cut off", wire[:-1]
    yield "names out of order", b'{"body":{},' + wire[1:].replace(b'"body":{"account":"anna","amount_micro":7,', b"")
    yield "a name twice", wire.replace(b'"seq":', b'"seq":2,"seq":')
    yield "a name twice within", wire.replace(b'"amount_micro":7', b'"amount_micro":7,"amount_micro":7')
    yield "an unknown name", wire.replace(b'"seq":', b'"sent":1,"seq":')
    yield "an escape that needs none", wire.replace(b'"bank"', b'"\\u0062ank"')
    yield "a float", wire.replace(b'"amount_micro":7', b'"amount_micro":7.0')
    yield "an exponent", wire.replace(b'"amount_micro":7', b'"amount_micro":7e0')
    yield "minus nothing", wire.replace(b'"amount_micro":7', b'"amount_micro":-0')
    yield "a leading zero", wire.replace(b'"amount_micro":7', b'"amount_micro":07')
    yield "not a number", wire.replace(b'"amount_micro":7', b'"amount_micro":NaN')
    yield "half a character", wire.replace(b'"bank"', b'"\\ud800"')
    yield "an unknown kind", wire.replace(b'"purchase"', b'"present"')
    yield "a number as text", wire.replace(b'"amount_micro":7', b'"amount_micro":"7"')
    yield "deep lists", wire.replace(b'"bank"', b"[" * 1_000 + b"]" * 1_000)
    yield "deep objects", wire.replace(b'"bank"', b'{"a":' * 1_000 + b"1" + b"}" * 1_000)
    yield "deeper than any stack", b"[" * 200_000


@pytest.mark.parametrize("wire", [pytest.param(wire, id=name) for name, wire in malformed()])
def test_bytes_that_are_no_canonical_request_are_malformed(wire: bytes) -> None:
    refused(wire, Outcome.MALFORMED)


@pytest.mark.parametrize(
    ("kind", "who", "body"),
    [
        (Kind.CONSTRAINT, "anna", {"text": "charge of anna-battery >= 80% at 07:30", "said_s": MAX_SAFE_INTEGER}),
        (Kind.CONSTRAINT, "anna", {"text": "x" * 401, "said_s": NOON}),
        (Kind.PURCHASE, "payment", BOUGHT | {"amount_micro": 0}),
        (Kind.PURCHASE, "payment", BOUGHT | {"amount_micro": -5}),
        (Kind.PURCHASE, "payment", BOUGHT | {"amount_micro": True}),
        (Kind.PURCHASE, "payment", BOUGHT | {"account": "anna\n"}),
        (Kind.PURCHASE, "payment", {name: value for name, value in BOUGHT.items() if name != "reference"}),
        (Kind.PURCHASE, "payment", BOUGHT | {"more": 1}),
        (Kind.ORDER, "anna", {"what": "watt", "side": "buy", "energy_wh": 1, "price_micro_per_kwh": 1}),
        (Kind.ORDER, "anna", {"what": "watt", "side": "bid", "energy_wh": 1, "price_micro_per_kwh": -1}),
        (Kind.ORDER, "anna", {"side": "bid", "energy_wh": 1, "price_micro_per_kwh": 1}),
        (Kind.ORDER, "anna", {"what": "watt", "side": "bid", "energy_wh": 1, "price_micro_per_kwh": 1, "slot_s": NOON}),
        (Kind.FACT, "oracle", {"what": "prices", "start_s": NOON, "prices": []}),
        (Kind.FACT, "oracle", {"what": "prices", "start_s": MAX_SAFE_INTEGER, "prices": [[1, 1]]}),
        (Kind.REGISTER, "operator", {"what": "key", "public": "00", "alg": "rsa", "role": "member", "account": "x"}),
        (Kind.REGISTER, "operator", {"what": "throne"}),
        (Kind.SCHEDULE, "planner", {"asset": "anna-battery", "issued_s": NOON, "instructions": []}),
        (Kind.CHECKPOINT, "operator", {"note": "\n\n"}),
        (Kind.CHECKPOINT, "operator", {"note": "tiny\n" + "9" * 3_000}),
    ],
)
def test_a_signed_body_of_another_shape_is_malformed_all_the_same(
    kind: Kind, who: str, body: dict[str, object]
) -> None:
    refused(standing().wire(who, kind, body), Outcome.MALFORMED)


def test_a_number_beyond_2_to_the_53_is_malformed() -> None:
    wire = standing().wire("payment", Kind.PURCHASE, PURCHASE)
    for huge in (b"9007199254740992", b"-9007199254740992", b"9" * 400):
        refused(wire.replace(b'"amount_micro":7', b'"amount_micro":' + huge), Outcome.MALFORMED)


@pytest.mark.parametrize("huge", [b"9007199254740992", b"-9007199254740992"])
def test_a_sequence_number_beyond_2_to_the_53_is_malformed_too(huge: bytes) -> None:
    wire = standing().wire("payment", Kind.PURCHASE, PURCHASE)
    refused(wire.replace(b'"seq":2', b'"seq":' + huge), Outcome.MALFORMED)


@pytest.mark.parametrize("byte", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_no_text_are_malformed_and_harm_nobody(byte: bytes) -> None:
    community = Community(1)
    wire = community.wire("payment", Kind.PURCHASE, PURCHASE)
    refused(wire.replace(b'"bank"', b'"' + byte + b'"'), Outcome.MALFORMED, community)
    assert community.send(wire) is Outcome.BOOKED


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise_or_leave_a_trace(wire: bytes) -> None:
    refused(wire, Outcome.MALFORMED)


@settings(max_examples=300)
@given(at=st.integers(0, 500), cut=st.integers(0, 40), put=st.binary(max_size=4))
def test_no_damaged_request_raises_or_leaves_a_trace(at: int, cut: int, put: bytes) -> None:
    wire = standing().wire("payment", Kind.PURCHASE, PURCHASE)
    at %= len(wire)
    damaged = wire[:at] + put + wire[at + cut :]
    if damaged != wire:
        before = standing().roots()
        assert not standing().send(damaged).admitted
        assert standing().roots() == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ORDER_RECORDS = [
    np.array(told, ORDER_DTYPE).tobytes()
    for told in (
        [(NOON + 900, 100, 200_000, 0, 0, 0, 0)],
        [(NOON + 900, 10**9, 10**9, 10**9, 2, SELLS | NEAR | STRICT, 0)],
        [(NOON + 900, 1, 0, 0, 2, 0, 0), (NOON + 900, 1, 0, 0, 0, SELLS, 0)],
        [(NOON + 901, -1, -1, -1, 3, 255, 1)],
        [(NOON + 900, 1, 0, 0, 0, 0, 0)] * 9,
    )
]
SIGNERS = ("operator", "anna", "gw-anna", "planner", "oracle", "dso", "payment")


def fields(kind: Kind) -> st.SearchStrategy[dict[str, object]]:
    """Return bodies that have the right names and anything at all, or nearly right values, behind them."""
    known: dict[Kind, dict[str, list[object]]] = {
        Kind.CONSTRAINT: {
            "text": [
                "charge of anna-battery >= 80% at 07:30 on 31 December 9999",
                "power of zone lane <= 1 kW from 23:00 to 24:00 on 31 December 9999 for dso",
                "charge of anna-battery >= 80% at 00:00 on 1 January 1",
                "charge of anna-battery >= 80% at 07:30 on 30 February",
                f"energy of anna-battery <= {'9' * 300} kWh from 13:00 to 14:00",
                "charge of anna-battery, anna-battery >= 0.00% at 24:00",
            ],
            "said_s": [0, NOON, 32_503_680_000],
        },
        Kind.FACT: {
            "what": ["prices", "frequency", "event"],
            "start_s": [0, NOON + 96 * 900, 32_503_680_000],
            "prices": [[[0, 0]], [[-(10**9), 10**9]] * 400],
            "imbalance": [[], [10**9] * 400],
            "end_s": [NOON, NOON + 97 * 900],
            "mhz": [0, 49_500],
            "name": ["peak"],
            "direction": ["charge", "give_back"],
        },
        Kind.CONTRACT: {
            "what": ["offer", "close", "guarantee", "accept", "leave", "dispute", "resolve"],
            "windows": [[{"direction": "charge", "price_micro_per_kwh": 1, "days": "all", "to_minute": 1440}]],
            "most_windows": [1, 366],
            "until_s": [0, NOON + 7 * 86_400, 32_503_680_000],
            "accept_by_s": [NOON, NOON + 86_400],
            "power_w": [1, 10**9],
            "budget_micro": [0, 10**12],
            "basis": ["on_top", "instead"],
            "most_micro_per_kwh": [1, 10**9],
            "offer": ["0", "12"],
            "contract": ["0"],
            "asset": ["anna-battery", "feeder"],
            "charge_w": [0, 1000, 10**9],
            "give_back_w": [0, 10**9],
            "direct": [True, False],
            "window_s": [NOON],
            "reason": ["r"],
            "net_micro": [-(10**12), 10**12],
        },
        Kind.SCHEDULE: {
            "asset": ["anna-battery", "feeder"],
            "issued_s": [0, NOON, 32_503_680_000],
            "instructions": [
                [],
                [
                    {"verb": "SUPPLY", "start_s": 5, "end_s": 4, "power_w": 0, "expected_wh": 0, "reason": ""},
                    {
                        "verb": "SUPPLY",
                        "start_s": 0,
                        "end_s": 32_503_680_000,
                        "power_w": 1,
                        "expected_wh": 9,
                        "reason": "é",
                    },
                ],
            ],
        },
        Kind.READING_BATCH: {
            "gateway": ["gw-anna", "gw-feeder"],
            "count": [0, 1, 2, 672, 673],
            "root": [batch_root(items).hex() for items in RECORDS] + ["0" * 64],
            "personal": [None, "0" * 64],
        },
        Kind.ORDER: {
            "what": ["watt", "slot", "sealed", "reveal", "agent"],
            "until_s": [None, 0, NOON + 900, 32_503_680_000],
            "by_agent": [True, False],
            "commitment": ["0" * 64],
            "sealed": ["0", "9" * 64],
            "salt": ["1" * 64],
            "order": [{"what": "watt", "side": "bid", "energy_wh": 1, "price_micro_per_kwh": 1}, {"what": "sealed"}],
            "buy_micro_per_kwh": [0, 10**9],
            "sell_micro_per_kwh": [1, 10**9],
            "side": ["bid", "ask"],
            "energy_wh": [1, 10**9],
            "price_micro_per_kwh": [None, 0, 10**9],
            "slot_s": [None, 0, NOON, NOON + 900, 32_503_680_000],
            "source": ["any", "renewable", "solar"],
            "near": [True, False],
            "partner": ["anna", "ben", "grid"],
            "premium_micro_per_kwh": [0, 10**9],
            "strict": [True, False],
            "now": [True, False],
        },
        Kind.ORDER_BATCH: {
            "count": [0, 1, 2, 672, 673],
            "root": [*(orders_root(items).hex() for items in ORDER_RECORDS), "0" * 64],
            "partner": [None, "anna", "ben", "grid"],
        },
        Kind.CANCEL: {
            "what": ["cancel", "amend", "agent off"],
            "order": ["0", "99", "12.3", "." * 9],
            "energy_wh": [0, 1, 10**9],
        },
        Kind.ACK: {
            "gateway": ["gw-anna"],
            "slot_s": [0, 32_503_680_000],
            "acks": [[{"command": "", "asset": "anna-battery", "lo_w": MAX_SAFE_INTEGER, "hi_w": -MAX_SAFE_INTEGER}]],
        },
        Kind.PURCHASE: {
            "what": ["bought", "refund", "charge back", "uncollected", "mandate", "automatic"],
            "account": ["anna", "grid"],
            "amount_micro": [1, 10**12],
            "reference": ["r", "é"],
        },
        Kind.SESSION: {
            "what": ["tariff", "authorise", "start", "progress", "stop", "metered"],
            "meter": ["anna-home", "feeder"],
            "from_s": [0, NOON, 32_503_680_000],
            "station": ["anna", "grid"],
            "most_wh": [1, 10**9],
            "most_micro": [1, 10**12],
            "until_s": [0, NOON + 900],
            "session": ["0", "12.3", "." * 9],
            "register_wh": [0, 10**15],
            "counts": [[], [{"at_s": 0, "energy_wh": 10**9}]],
            "began_wh": [0, 10**15],
            "ended_wh": [0, 10**15],
        },
        Kind.CONSENT: {
            "what": ["consent", "decision"],
            "asset": ["anna-battery", "feeder", "x"],
            "mode": ["always", "within", "ask", "off"],
            "least_percent": [0, 101],
            "hours": [[0, 60], [60, 60]],
            "decide_s": [0, -1],
            "issued_s": [NOON],
            "accept": [True, False],
        },
        Kind.INTERCHANGE: {
            "what": ["neighbour", "prepare", "refuse", "decide"],
            "community": ["tiny", "north"],
            "operator": [key("anna").public.hex(), "02" + "f" * 64],
            "note": ["north+00000000+AQ==", ""],
            "most_wh": [0, 10**12],
            "most_micro": [0, 10**15],
            "number": [1, MAX_SAFE_INTEGER],
            "proof": [{"note": "", "body": "", "closes": True, "outcome": "BOOKED", "position": 0, "path": []}],
        },
        Kind.AUCTION: {
            "what": ["open", "bid", "seal", "reveal", "reserve", "withdraw"],
            "form": ["english", "first_price", "second_price", "dutch"],
            "side": ["ask", "bid"],
            "good": ["watt", "slots", "capacity_up"],
            "amount": [1, 10**9],
            "start_s": [NOON, NOON + 900, 32_503_680_000],
            "end_s": [NOON + 900, 32_503_680_000],
            "reserve_price": [0, 10**9],
            "auction": ["0", "7", "99"],
            "price_micro_per_kwh": [0, 10**9],
            "hash": ["0" * 64],
            "salt": ["0" * 64],
        },
        Kind.CHECKPOINT: {"note": ["tiny\n0\n\nstate \nslot 0\n\n", "\n\n", "tiny\n-1\n" + "A" * 44]},
        Kind.REGISTER: {
            "what": ["asset", "gateway", "key", "community", "licence", "buy licence", "sharing"],
            "from_s": [0, NOON, 32_503_680_000],
            "until_s": [0, NOON + 900],
            "months": [0, 1, 12],
            "sharing": [{}, {"key": "dynamic"}, {"key": "static", "permille": {"anna": 1_000}}, {"key": "static"}],
            "public": [key("anna").public.hex(), secure_key("eve").public.hex(), "04" + "00" * 32],
            "alg": ["secp256k1", "P-256"],
            "role": ["member"],
            "account": ["eve", "mint"],
            "gateway": ["gw-new", "gw-anna"],
        },
    }
    return st.fixed_dictionaries(
        {}, optional={n: st.sampled_from(v) | JSON for n, v in known.get(kind, {}).items()}
    ) | (st.fixed_dictionaries({name: st.sampled_from(values) for name, values in known.get(kind, {}).items()}))


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_signed_request_whatever_breaks_the_log(data: st.DataObject) -> None:
    community = busy()
    kind = data.draw(st.sampled_from(Kind))
    body = data.draw(fields(kind))
    who = data.draw(st.sampled_from(SIGNERS))
    before = community.roots()
    try:
        records = {Kind.READING_BATCH: RECORDS, Kind.ORDER_BATCH: ORDER_RECORDS}.get(kind, [])
        items = data.draw(st.sampled_from([b"", *records]))
        wire = community.wire(who, kind, body, items=items)
    except CommonwattError:
        return  # no canonical form, so it cannot be signed
    outcome = community.send(wire)
    assert community.roots().leaves == before.leaves + outcome.admitted
    assert outcome.admitted or community.roots() == before


@cache
def busy() -> Community:
    """Return a community that may be changed by many requests of no use."""
    return Community(1)


def test_a_request_that_was_read_and_changed_is_signed_anew_over_what_it_says_now() -> None:
    read = read_request(standing().wire("payment", Kind.PURCHASE, PURCHASE))
    changed = sign_request(replace(read, body={**read.body, "amount_micro": 9}), key("payment"))
    community = Community(1)
    assert community.send(changed.wire_bytes()) is Outcome.BOOKED
    assert community.ergon("anna") == PREPAID + 9
