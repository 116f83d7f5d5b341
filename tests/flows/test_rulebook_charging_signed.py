"""A station whose tariff pins the key of its meter is read by signed records alone, and receipts judge them again."""

import pytest
from charging_place import GATEWAY, POINT, POST, REGISTER_WH, STATION, Plaza

from commonwatt.adapters.devices.ocpp.charge_point import token_of
from commonwatt.apps.charging import Signature, signature_of
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.charging import session_bodies
from commonwatt.model import Kind, Outcome
from commonwatt.simulator.devices.ocpp_meter import SigningMeter

METER = SigningMeter(serial="m-1")


def pinned(plaza: Plaza, signs_as: str = "m-1", signs_by: str = METER.public_key) -> Outcome:
    body = session_bodies.Tariff(meter=POINT, from_s=plaza.now_s + 1, signs_as=signs_as, signs_by=signs_by)
    outcome = plaza.ask(POST, Kind.SESSION, body, account=STATION)
    plaza.now_s += 1
    return outcome


def ended(plaza: Plaza) -> str:
    """Live a session of 4,000 Wh that waits for its reading."""
    session = plaza.authorised()
    plaza.start(session)
    plaza.now_s += 600
    plaza.count(session, (0, 4_000))
    plaza.stop(session)
    return session


def read(plaza: Plaza, session: str, wh: int, *signed: str) -> Outcome:
    body = session_bodies.Metered(session=session, began_wh=REGISTER_WH, ended_wh=REGISTER_WH + wh, signed=signed)
    return plaza.ask(GATEWAY, Kind.SESSION, body)


def records(session: str, wh: int, meter: SigningMeter = METER, user: str | None = None) -> tuple[str, str]:
    user = token_of(session) if user is None else user
    return meter.sign("B", 1_780_315_200, 70_000, user), meter.sign("E", 1_780_315_800, 70_000 + wh, user)


@pytest.mark.row("E9")
def test_where_a_key_is_pinned_no_reading_counts_without_records_and_where_none_is_none_with_them() -> None:
    plaza = Plaza()
    unsigned = ended(plaza)
    assert read(plaza, unsigned, 4_000, *records(unsigned, 4_000)) is Outcome.NOT_ALLOWED
    assert read(plaza, unsigned, 4_000) is Outcome.BOOKED
    assert signature_of(plaza.standing(unsigned)) == Signature()
    plaza = Plaza()
    assert pinned(plaza) is Outcome.BOOKED
    signed = ended(plaza)
    assert read(plaza, signed, 4_000) is Outcome.NOT_ALLOWED
    assert read(plaza, signed, 4_000, *records(signed, 4_000)) is Outcome.BOOKED
    found = signature_of(plaza.standing(signed))
    assert (found.meter, found.energy_wh, found.trouble) == ("m-1", 4_000, "")


def test_a_reading_of_nothing_needs_no_record_and_half_a_meter_is_pinned_by_nobody() -> None:
    plaza = Plaza()
    assert pinned(plaza, signs_by="") is pinned(plaza, signs_as="") is Outcome.NOT_ALLOWED
    assert pinned(plaza) is Outcome.BOOKED
    assert read(plaza, ended(plaza), 0) is Outcome.BOOKED


@pytest.mark.row("E9")
def test_a_receipt_says_why_records_do_not_hold_whoever_let_them_into_the_log() -> None:
    other = SigningMeter(serial="m-1")
    for wh, made, why in (
        (4_000, lambda name: records(name, 4_000, other), "signature does not hold"),
        (4_000, lambda name: records(name, 4_000, SigningMeter(serial="m-2", key=METER.key)), "another meter"),
        (4_000, lambda name: records(name, 4_000, user="CW7"), "another user"),
        (4_000, lambda name: records(name, 4_000)[:1], "a start and an end"),
        (4_000, lambda name: records(name, 3_000), "no more is read than was signed"),
        (4_000, lambda name: records(name, 4_000)[::-1], "seen before or older"),
        (4_000, lambda name: ("OCMF|nonsense",), "cannot be read"),
    ):
        plaza = Plaza()
        pinned(plaza)
        session = ended(plaza)
        assert read(plaza, session, wh, *made(session)) is Outcome.BOOKED, why
        found = signature_of(plaza.standing(session))
        assert found.energy_wh is None
        assert why in found.trouble


def test_a_snapshot_keeps_the_records_and_the_pinned_key() -> None:
    plaza = Plaza()
    pinned(plaza)
    session = ended(plaza)
    read(plaza, session, 4_000, *records(session, 4_000))
    state, _ = snapshot.load(snapshot.dump(plaza.state, plaza.now_s, plaza.sequencer.tree.root()))
    assert state.root() == plaza.state.root()
    assert state.sessions.standing[session] == plaza.standing(session)
    assert state.sessions.tariffs[plaza.standing(session).station][-1].signs_by == METER.public_key
