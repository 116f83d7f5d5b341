"""What is fuzzed: every decoder that meets a stranger's bytes, with a few real messages each to begin from.

A target takes any bytes and must return. Only the errors that its decoder documents are caught here: whatever else
comes out is a defect. Seeds are made by the project's own writers when they are asked for, never stored.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from community import NAME, NOON, gateway, key
from msgspec.structs import replace
from professionals import BATTERY, limits, words
from watched import ANNE, CARDS, LOG_VKEY, NOTE, Watched, trust
from writer import charters, founded, said, submitted

from commonwatt.adapters.devices.gateway.translate import Hello, Live, Lived, Told, band
from commonwatt.adapters.door.wire import answer, frame, read_outcomes, split_answers, split_frames, split_way
from commonwatt.adapters.stores.archive.manifest import DayFacts, Manifest, TableBlob
from commonwatt.flexibility import instructions, language
from commonwatt.flexibility.droop import arm, symmetric
from commonwatt.flexibility.instructions import table
from commonwatt.flexibility.language import calendar
from commonwatt.flows.belated import Belated, check_belated, make_belated
from commonwatt.flows.evidence import read_trust
from commonwatt.flows.intake import Arrived, check_batch, read_many, read_request
from commonwatt.flows.interchange_words import prove_word
from commonwatt.flows.prove import final_note, make_evidence
from commonwatt.flows.receipts import (
    Receipt,
    Withheld,
    check_receipt,
    check_withheld,
    give_receipt,
    make_withheld,
)
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.market.interchange.foreign import read_word
from commonwatt.flows.rulebook.market.interchange.interchange_bodies import Proof, Refuse, RegisterNeighbour
from commonwatt.flows.rulebook.market.interchange.neighbours import Neighbour, Trusted
from commonwatt.flows.verify import verify_file
from commonwatt.identity.credentials import ES256K, CredentialKey, check_credential, key_urn, read_credential
from commonwatt.identity.keys import NoteKey, VerifyingKey
from commonwatt.kernels.slot_orders import SELLS
from commonwatt.ledger import tile_format
from commonwatt.ledger.checkpoint import Checkpoint, parse_vkey, read_note, sign_note, split_note, verify_note, vkey
from commonwatt.ledger.cosign import (
    FraudProof,
    cosignature_line,
    cosigned_at_s,
    make_fraud_proof,
    parse_cosigner_vkey,
    verify_fraud_proof,
)
from commonwatt.ledger.leaf import pack_leaf, unpack_leaf
from commonwatt.market.call.staged import tree
from commonwatt.market.order_batch import ORDER_DTYPE, read_orders
from commonwatt.market.slot_rows import ROW
from commonwatt.market.slots import SlotMarket
from commonwatt.metering.batch import Item, decode_items, encode_items, read_items
from commonwatt.metering.personal import PersonalItem, decode_personal, encode_personal
from commonwatt.model import AccountId, CommunityId, Corrupt, Interval, InvalidValue, Kind, Outcome, Refused

ITEMS = [
    Item(start_s=NOON + 900 * n, register=n % 2, import_wh=n, export_wh=7, level_wh=[None, 9][n % 2]) for n in (0, 1)
]
OPERATOR = VerifyingKey(key("operator").public)


@dataclass(frozen=True)
class Target:
    """A decoder, and real messages for it."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]


@cache
def town() -> Watched:
    """Return one community for all who only look."""
    return lived()


def lived() -> Watched:
    """Return a community that has lived through an hour and signed for it."""
    community = Watched()
    for _ in range(3):
        community.slot(charge_wh=300)
    return community


@cache
def wires() -> list[bytes]:
    community = town()
    items, personal = encode_items(ITEMS), encode_personal([PersonalItem(indoor_decicelsius=205)] * 2, bytes(32))
    head = bodies.batch_head(gateway("anna"), items, personal)
    batch = community.wire(gateway("anna"), Kind.READING_BATCH, head, items=items) + personal
    return [row.body + (b"\n" + row.items if row.items else b"") for row in community.rows()] + [batch]


def request(data: bytes) -> None:
    try:
        found = read_request(data)
    except InvalidValue:
        return
    try:
        bodies.read_body(found.kind, found.body)
    except InvalidValue:
        return
    assert found.wire_bytes() == data, "one form of each"


def requests(data: bytes) -> None:
    some = data.split(b"\xff")
    read = read_many(some, town().state.keys).wait()
    for wire, arrived in zip(some, read, strict=True):
        try:
            alone = read_request(wire)
            body = bodies.read_body(alone.kind, alone.body)
            if isinstance(body, bodies.ReadingBatch):
                check_batch(alone, body)
        except InvalidValue:
            assert isinstance(arrived, InvalidValue), "many are read as one alone"
            continue
        assert isinstance(arrived, Arrived) and arrived.request == alone
        if arrived.signed is not None:
            good = town().state.keys[alone.author].verifying.verify(alone.signed_bytes(), alone.signature)
            assert arrived.signed == good, "both ways of checking a signature agree"


def batch(data: bytes) -> None:
    try:
        items = decode_items(data)
    except InvalidValue:
        items = ()
    try:
        assert len(read_items(data)) == len(items) > 0
    except InvalidValue:
        assert not items, "the two readers agree"
    assert not items or encode_items(items) == data, "one form of each"
    with suppress(InvalidValue):
        decode_personal(data, max(0, (len(data) - 32) // 16))


def orders(data: bytes) -> None:
    with suppress(InvalidValue):
        records = read_orders(data)
        assert records.tobytes() == data
        market = SlotMarket()
        rows = np.zeros(len(records), ROW)
        for name in ("wh", "limit", "premium", "source", "flags"):
            rows[name] = records[name]
        market.number(AccountId("anna"))
        market.place_many(0, rows[:8])
        market.close(0, tree(()), np.zeros(1, np.int32), 300_000, 100_000)
        assert SlotMarket.load(market.dump()).dump() == market.dump()


def order_batches() -> list[bytes]:
    asks = [(1_790_000_100 + 900 * n, 100 + n, 200_000, n % 3, n % 3, SELLS if n % 2 else 0, 0) for n in range(8)]
    return [np.array(asks, ORDER_DTYPE).tobytes(), np.array(asks[:1], ORDER_DTYPE).tobytes()]


def tiles(data: bytes) -> None:
    path = data.decode(errors="replace")
    for parse, write in (
        (tile_format.parse_tile_path, tile_format.tile_path),
        (tile_format.parse_entries_path, tile_format.entries_path),
    ):
        with suppress(InvalidValue):
            assert write(*parse(path)) == path, "one path for each"
    with suppress(Corrupt):
        assert tile_format.bundle(tile_format.split_bundle(data)) == data


def note(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    for parse in (
        split_note,
        read_note,
        Checkpoint.parse,
        parse_vkey,
        lambda told: verify_note(told, {NAME: NOTE.public}),
    ):
        with suppress(Corrupt):
            parse(text)
    try:
        found = verify_note(text, {NAME: NOTE.public})
    except Corrupt:
        return
    assert any(found == split_note(real)[0] for real in notes()), "nobody else can sign"


def notes() -> list[str]:
    return [told for row in town().rows() if (told := _note(row.body))]


def _note(body: bytes) -> str | None:
    told = msgspec.json.decode(body)
    return told["body"]["note"] if told["kind"] == "checkpoint" else None


@cache
def cosigned() -> list[str]:
    return [told + cosignature_line(split_note(told)[0], ANNE.name, ANNE.note.private, NOON) for told in notes()]


@cache
def frauds() -> list[bytes]:
    first = notes()[0]
    point = Checkpoint.parse(split_note(first)[0])
    other = Checkpoint(
        origin=NAME, size=point.size, log_root=bytes(32), state_root=point.state_root, slot_s=point.slot_s
    )
    return [make_fraud_proof(first, sign_note(other.note_text(), NAME, NOTE.private), LOG_VKEY)]


def cosignature(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    for parse in (parse_cosigner_vkey, lambda told: cosigned_at_s(told, [ANNE.word])):
        with suppress(Corrupt):
            parse(text)
    try:
        FraudProof.decode(data)
        verify_fraud_proof(data, LOG_VKEY)
    except (Corrupt, Refused):
        return
    assert data in frauds(), "nobody is framed"


@cache
def evidence() -> bytes:
    rows = town().rows()
    told, size = final_note(rows)
    then = replay(rows[:size], NAME, keep=True)
    return make_evidence(then.state, then.whole_tree(), rows, told, AccountId("anna"), NOON)


def verify(data: bytes) -> None:
    report = verify_file(data, trust(CARDS))
    assert not (report.ok and data != evidence()) and not (report.fraud and data not in frauds())
    verify_file(evidence(), data.decode(errors="replace"))
    with suppress(Corrupt):
        read_trust(data)


@cache
def promises() -> list[bytes]:
    heads = [row.body for row in town().rows()[-3:]]
    receipt = give_receipt(key("operator"), CommunityId(NAME), heads, NOON, 10)
    community = lived()
    held = [community.wire("anna", Kind.CONSENT, {"asset": "anna-battery", "mode": "off", "what": "consent"})]
    promise = give_receipt(key("operator"), CommunityId(NAME), held, community.now_s + 1, 10)
    note = sign_note(community.sequencer.checkpoint(community.slot_s).note_text(), NAME, NOTE.private)
    case = make_withheld(community.state, community.tree(), community.rows(), note, promise, held, 0)
    community.send(held[0])
    note = sign_note(community.sequencer.checkpoint(community.slot_s).note_text(), NAME, NOTE.private)
    late = make_belated(community.state, community.tree(), community.rows(), note, promise, held, 0)
    return [msgspec.json.encode(receipt), case, late]


def receipts(data: bytes) -> None:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, Refused, InvalidValue):
        receipt = msgspec.json.decode(data, type=Receipt)
        check_receipt(receipt, OPERATOR, b"head", 0, [])
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, Refused, Corrupt, InvalidValue):
        case = msgspec.json.decode(data, type=Withheld)
        check_withheld(case, OPERATOR, LOG_VKEY)
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, Refused, Corrupt, InvalidValue):
        check_belated(msgspec.json.decode(data, type=Belated), OPERATOR, LOG_VKEY)


@cache
def states() -> list[bytes]:
    community = town()
    return [snapshot.dump(community.state, community.now_s, community.sequencer.tree.root())]


def state(data: bytes) -> None:
    try:
        snapshot.log_root(data)
        found, last_s = snapshot.load(data)
    except Corrupt:
        return
    assert snapshot.load(snapshot.dump(found, last_s, bytes(32)))[0].root() == found.root()


def manifest(data: bytes) -> None:
    with suppress(Corrupt):
        assert Manifest.from_json(data).to_json() == data


@cache
def manifests() -> list[bytes]:
    hashed = "0f" * 32
    facts = DayFacts(
        community=CommunityId(NAME),
        day=datetime(2026, 6, 1, tzinfo=UTC).date(),
        first_position=0,
        last_position=9,
        log_root=hashed,
        state_root=hashed,
    )
    return [Manifest(facts=facts, tables={"leaf": TableBlob(blob=hashed, rows=1, size_bytes=2)}).to_json()]


@cache
def credentials() -> list[bytes]:
    return [words("engineer", limits(BATTERY, max_import_w=5)).encode()]


def credential(data: bytes) -> None:
    token = data.decode(errors="replace")
    issuer = CredentialKey(issuer=key_urn(NAME, key("engineer").id), alg=ES256K, public=key("engineer").public)
    try:
        read_credential(token)
        found = check_credential(token, issuer, NOON)
    except (InvalidValue, Refused):
        return
    assert found.name == read_credential(credentials()[0].decode()).name, "nobody else can sign"


def frames(data: bytes) -> None:
    buffer = bytearray(data)
    with suppress(InvalidValue):
        taken = split_frames(buffer)
        assert b"".join(map(frame, taken)) + buffer == data
        before = bytes(buffer)
        if way := split_way(buffer):
            assert len(way) == 55 and len(before) - len(buffer) == 59
        else:
            assert buffer == before
    buffer = bytearray(data)
    assert b"".join(answer(*one) for one in split_answers(buffer)) + buffer == data
    with suppress(InvalidValue):
        read_outcomes(data)


def lines(data: bytes) -> None:
    """Read what a gateway program and its caller say to each other."""
    for shape in (Hello, Live, Lived):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, InvalidValue):
            found = msgspec.json.decode(data, type=shape)
            for command in found.commands if isinstance(found, Live) else ():
                band(command)


def leaf(data: bytes) -> None:
    try:
        salt, body, items = unpack_leaf(data)
    except InvalidValue:
        return
    assert salt + len(body).to_bytes(4) + body + items == data


def constraint(data: bytes) -> None:
    zone = ZoneInfo("Europe/London")
    try:
        said = language.read(data.decode(errors="replace")[:400], datetime.fromtimestamp(NOON, UTC), zone)
    except Refused:
        return
    for found in said.statements:
        assert language.parse(language.text(found, zone), datetime.fromtimestamp(NOON, UTC), zone) == found


def diary(data: bytes) -> None:
    span = Interval(datetime.fromtimestamp(NOON, UTC), datetime.fromtimestamp(NOON + 7 * 86_400, UTC))
    with suppress(Refused):
        calendar.from_ics(data.decode(errors="replace"), span, ZoneInfo("Europe/London"))


def diaries() -> list[bytes]:
    entry = (
        "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/London:20260601T073000\nDTEND;TZID=Europe/London:20260601T083000\n"
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20260630T063000Z\nEXDATE;TZID=Europe/London:20260602T073000\n"
        "SUMMARY:Leave 07:30\\, car 80 %\nDESCRIPTION:temperature of home between 19 and 23 C\nEND:VEVENT\n"
    )
    return [f"BEGIN:VCALENDAR\nVERSION:2.0\n{entry}END:VCALENDAR\n".encode()]


def schedule(data: bytes) -> None:
    """Read a schedule in the open format, and as a table for people."""
    zone, now = ZoneInfo("Europe/London"), datetime.fromtimestamp(NOON, UTC)
    with suppress(Refused):
        found = instructions.read(data)
        assert instructions.read(instructions.write(found.schedule, found.droop)) == found
    try:
        told = table.parse(data.decode(errors="replace"), now, zone)
    except Refused:
        return
    for one in told:
        assert table.parse(table.text(one, zone), now, zone) == [one]


def schedules() -> list[bytes]:
    now = datetime.fromtimestamp(NOON, UTC)
    (told,) = table.parse(DIARY, now, ZoneInfo("Europe/London"))
    return [instructions.write(told, arm(symmetric(15, ((200, 3700),)), now)), DIARY.encode()]


DIARY = """a: 23 April, 10:05 START CHARGE 7.4 kW 29 October 2028, 01:30 (second) STOP because "it is \\t cold"
5 May, 12:20 SUPPLY 3 kW holding -50 W until 5 May, 13:00
6 May, 12:20 REDUCE RATE to -2 kW\ta
"""


def _lines() -> list[bytes]:
    told = Told(id="c", asset="a", lo_w=0, hi_w=1, expires=datetime(2026, 6, 1, tzinfo=UTC), reason="r")  # type: ignore[arg-type]
    said = (
        Hello(number="g", public="00"),
        Live(slot_s=NOON, commands=[told]),
        Lived(slot_s=1, requests=[b"x"], net_wh=1),
    )  # type: ignore[arg-type]
    return [msgspec.json.encode(one) for one in said]


def word(data: bytes) -> None:
    """Read another log's word, once with a body and once with a note that somebody made up."""
    trusted, good = border()
    text = data.decode(errors="surrogateescape")
    for told in (replace(good, body=text), replace(good, note=text)):
        assert read_word(told, trusted) is None or told == good, "only a leaf of that log is believed"


@cache
def border() -> tuple[Neighbour, Proof]:
    """Return what a community believes of the one in which a leaf is proven, and the proof."""
    community = Watched()
    refused = Refuse(community="north", number=1)
    community.ask("operator", Kind.INTERCHANGE, said_of_north())
    assert community.ask("operator", Kind.INTERCHANGE, refused) is Outcome.BOOKED
    point, row = community.sequencer.checkpoint(NOON), community.rows()[-1]
    signed = sign_note(point.note_text(), NAME, NOTE.private)
    believed = Trusted(operator=OPERATOR.public.hex(), note=LOG_VKEY, cosigners=(), most_wh=1, most_micro=1)
    good = prove_word(row, community.tree(), signed, point.size)
    known = Neighbour(community=NAME, trusted=believed)
    assert read_word(good, known) == refused
    return known, good


def said_of_north() -> RegisterNeighbour:
    north = NoteKey.from_seed(b"north", "note")
    return RegisterNeighbour(
        community="north",
        operator=key("ben").public.hex(),
        note=vkey("north", north.public),
        most_wh=10**12,
        most_micro=10**15,
    )


TARGETS: dict[str, Target] = {
    "submitted": Target(submitted, said),
    "founded": Target(founded, charters),
    "request": Target(request, wires),
    "requests": Target(requests, lambda: [*wires(), b"\xff".join(wires()[-5:])]),
    "batch": Target(batch, lambda: [encode_items(ITEMS), encode_personal([PersonalItem()] * 2, bytes(32))]),
    "orders": Target(orders, order_batches),
    "tiles": Target(
        tiles, lambda: [b"tile/0/x001/x234/067.p/17", b"tile/entries/000", tile_format.bundle([b"a" * 32, b"b"])]
    ),
    "note": Target(note, lambda: [*(told.encode() for told in notes()), notes()[0].split("\n\n")[0].encode()]),
    "cosignature": Target(
        cosignature, lambda: [*(told.encode() for told in cosigned()), ANNE.word.encode(), *frauds()]
    ),
    "verify": Target(verify, lambda: [evidence(), *frauds(), trust(CARDS).encode()]),
    "receipts": Target(receipts, promises),
    "state": Target(state, states),
    "manifest": Target(manifest, manifests),
    "credential": Target(credential, credentials),
    "frames": Target(frames, lambda: [b"".join(map(frame, wires()[-2:])), answer(b"O", bytes(len(Outcome)))]),
    "lines": Target(lines, _lines),
    "leaf": Target(leaf, lambda: [pack_leaf(row) for row in town().rows()[-3:]]),
    "word": Target(word, lambda: [border()[1].body.encode(), border()[1].note.encode()]),
    "schedule": Target(schedule, schedules),
    "constraint": Target(
        constraint,
        lambda: [
            b"charge of a >= 80% at 07:30 on 23 April",
            b"energy of zone PL, TR <= 1.5 kWh from 18:00 to 24:00 for dso",
            b'no longer: temperature of "a b" between 19 and 23 C every Monday, Friday from 06:00 to 22:00 until 3 May',
            b"power of owner a <= 0 W from 01:30 (second) on 28 October to 07:00 on 30 October 2026 in Europe/Paris",
        ],
    ),
    "diary": Target(diary, diaries),
}
