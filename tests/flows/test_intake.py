"""How requests are read: many at once as one by one, and no bytes whatever do any harm."""

from dataclasses import replace
from functools import cache

import pytest
from community import NOON, Community, key
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.flows.intake import Arrived, check_batch, read_head, read_many, read_request
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.keys import CURVE_ORDER
from commonwatt.metering.batch import ITEM_BYTES, Item, encode_items
from commonwatt.metering.personal import PersonalItem, encode_personal
from commonwatt.model import SLOT_SECONDS, ConsentMode, InvalidValue, Kind, Outcome

PERSONAL_BYTES = 80
"""What `with_personal` adds: a salt, and 16 bytes for each of three items."""
ITEMS = [Item(start_s=NOON + n * SLOT_SECONDS, register=0, import_wh=n, export_wh=0) for n in range(3)]


@cache
def standing() -> Community:
    """Return a community that no test changes."""
    return Community(2)


@cache
def good() -> tuple[bytes, ...]:
    """Return requests of which nothing is wrong, most of them batches of one item or more."""
    community = standing()
    purchase = bodies.PurchaseBody(account="anna", amount_micro=7, reference="bank")
    return (
        community.wire("payment", Kind.PURCHASE, purchase),
        community.wire("anna", Kind.CONSENT, bodies.ConsentBody(asset="anna-battery", mode=ConsentMode.ALWAYS)),
        *(community.batch("gw-anna", encode_items(ITEMS[:n])) for n in (1, 2, 3)),
        community.batch("gw-ben", encode_items(ITEMS[1:])),
        with_personal(b"s" * 32),
    )


def with_personal(salt: bytes) -> bytes:
    """Return a batch of which the owner alone sees a part."""
    items, personal = encode_items(ITEMS), encode_personal([PersonalItem(indoor_decicelsius=205)] * 3, salt)
    body = bodies.batch_head("gw-anna", items, personal)
    return standing().wire("gw-anna", Kind.READING_BATCH, body, items=items) + personal


def told(found: Arrived | InvalidValue) -> object:
    """Return all that can be said of what was read: in words where it is no request, and whether it is signed."""
    if isinstance(found, InvalidValue):
        return str(found)
    record = standing().state.keys.get(found.request.author)
    signed = found.signed
    if signed is None and record is not None:
        signed = record.verifying.verify(found.request.signed_bytes(), found.request.signature)
    return found.request, found.body, signed


def one_by_one(wire: bytes) -> object:
    (found,) = read_many([wire], standing().state.keys).wait()
    return told(found)


@cache
def bent() -> tuple[bytes, ...]:
    """Return requests each of which something is wrong with."""
    batch, purchase, private = good()[3], good()[0], good()[-1]
    head, _, records = batch.partition(b"\n")
    signature = batch[head.index(b'"signature":"') + 13 :][:128]
    high = signature[:64] + b"%064x" % (CURVE_ORDER - int(signature[64:], 16))
    return (
        batch.replace(signature, signature.upper()),
        batch.replace(signature, b"g" * 128),
        batch.replace(signature, high),
        batch.replace(signature, signature[::-1]),
        batch.replace(signature, signature[:-1]),
        batch.replace(signature, "é".encode() * 128),
        head,
        head + b"\n",
        head + b"\n" + records[:-1],
        head + b"\n" + records[:-ITEM_BYTES],
        batch + b"\0",
        batch + records,
        head + b"\n" + records[ITEM_BYTES:] + records[:ITEM_BYTES],
        head + b"\n" + bytes(len(records)),
        head + b"\n" + b"\xff" * len(records),
        head + b"\n\n" + records,
        purchase + b"\n",
        purchase + b"\n" + records,
        private[:-1],
        private[:-1] + b"\x01",
        private + bytes(16),
        purchase.replace(key("payment").id.encode(), key("stranger").id.encode()),
        purchase.replace(b'"amount_micro":7', b'"amount_micro":8'),
        b"",
        b"\n",
        b"[" * 100_000,
    )


wires = st.lists(st.sampled_from(range(len(good()) + len(bent()))), max_size=30)


def wire_of(number: int) -> bytes:
    return [*good(), *bent()][number]


@settings(max_examples=60)
@given(wires)
def test_many_are_read_as_they_are_one_by_one(numbers: list[int]) -> None:
    many = read_many([wire_of(n) for n in numbers], standing().state.keys).wait()
    assert [told(found) for found in many] == [one_by_one(wire_of(n)) for n in numbers]


def test_one_bad_request_harms_none_of_hundreds_beside_it() -> None:
    for wire in bent():
        found = read_many([*good() * 30, wire, *good() * 30], standing().state.keys).wait()
        neighbours = found[: 30 * len(good())] + found[30 * len(good()) + 1 :]
        assert all(isinstance(one, Arrived) and one.signed for one in neighbours)


def test_good_ones_are_read_and_signed_and_bent_ones_are_not() -> None:
    for wire in good():
        found = one_by_one(wire)
        assert isinstance(found, tuple)
        assert found[2] is True
        assert found[0].wire_bytes() == wire
    for wire in bent():
        found = one_by_one(wire)
        assert isinstance(found, str) or found[2] is not True


def test_what_was_read_can_be_read_again_from_its_leaf() -> None:
    for wire in good():
        request = read_request(wire)
        assert replace(read_head(request.head_bytes()), items=request.items, personal=request.personal) == request


def test_a_batch_holds_without_the_part_that_its_owner_erased() -> None:
    request = read_request(good()[-1])
    body = bodies.read_body(request.kind, request.body)
    assert isinstance(body, bodies.ReadingBatch)
    assert body.personal is not None
    for personal in (request.personal, b""):
        check_batch(replace(request, personal=personal), body)
    with pytest.raises(InvalidValue, match="personal part"):
        check_batch(replace(request, personal=bytes(80)), body)


@given(st.binary(max_size=400))
def test_no_bytes_whatever_are_read_as_a_request_or_raise(wire: bytes) -> None:
    for found in read_many([wire] * 5, standing().state.keys).wait():
        assert isinstance(found, InvalidValue)


@settings(max_examples=300)
@given(number=st.integers(0, 6), at=st.integers(0, 900), cut=st.integers(0, 60), put=st.binary(max_size=60))
def test_no_damaged_request_raises_or_passes_for_a_signed_one(number: int, at: int, cut: int, put: bytes) -> None:
    wire = good()[number]
    at %= len(wire)
    damaged = wire[:at] + put + wire[at + cut :]
    found = read_many([damaged, *good()], standing().state.keys).wait()
    assert all(isinstance(one, Arrived) and one.signed for one in found[1:])
    assert told(found[0]) == one_by_one(damaged)
    if isinstance(found[0], Arrived) and found[0].signed:
        # Only the part that may be erased may be missing.
        assert damaged in (wire, good()[-1][:-PERSONAL_BYTES])


def test_hostile_requests_among_honest_ones_leave_no_trace_and_stop_nothing() -> None:
    community = Community(1)
    honest = [
        community.wire(
            "payment",
            Kind.PURCHASE,
            bodies.PurchaseBody(account="anna", amount_micro=1, reference=str(n)),
            seq=2 + n,
        )
        for n in range(3)
    ]
    leaves = community.roots().leaves
    mixed = [*bent()[:9], honest[0], *bent()[9:17], honest[1], *bent()[17:], honest[2]]
    outcomes = community.sequencer.submit(mixed, community.now_s)
    assert [outcome for outcome in outcomes if outcome.admitted] == [Outcome.BOOKED] * 3
    assert community.roots().leaves == leaves + 3
    assert len(community.entries("purchase")) == 4
