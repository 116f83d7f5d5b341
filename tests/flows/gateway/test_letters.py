"""Letters are believed for the operator's signature alone; whoever carries them can change or forge none."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flows.gateway.letters import (
    MOST_REQUESTS,
    TOGETHER,
    Answers,
    Letter,
    Orders,
    Told,
    greeting,
    open_letter,
    pack,
    seal,
    unpack,
)
from commonwatt.identity.keys import SigningKey, VerifyingKey
from commonwatt.model import InvalidValue, Outcome, canonical_json

pytestmark = pytest.mark.row("H6")
OPERATOR = SigningKey.from_seed(b"letters", "operator")
PINNED = VerifyingKey(OPERATOR.public)


def orders(number: str = "HEPEK-0007", reason: str = "because") -> Orders:
    command = Told(id="a@b", asset="a", lo_w=-3_000, hi_w=5_000, expires_s=900, reason=reason, balance_w=0)
    return Orders(community="tiny", gateway=number, number=7, slot_s=0, told_s=1, until_s=900, commands=[command])


def answers(number: str = "HEPEK-0007") -> Answers:
    return Answers(community="tiny", gateway=number, burst="0" * 64, told_s=1, outcomes=[Outcome.BOOKED], next_seq=2)


@given(st.integers(1, 2 * TOGETHER + 3), st.text(max_size=20))
def test_every_letter_of_many_is_opened_alone(count: int, reason: str) -> None:
    letters: list[Letter] = [orders(f"g{n}", reason) if n % 2 else answers(f"g{n}") for n in range(count)]
    for letter, wire in zip(letters, seal(letters, OPERATOR), strict=True):
        assert open_letter(wire, PINNED, "tiny", letter.gateway) == letter


@given(st.text(max_size=50))
def test_a_letter_is_signed_in_its_one_canonical_form(reason: str) -> None:
    letter = orders(reason=reason)
    assert msgspec.json.encode(letter, order="sorted") == canonical_json(msgspec.to_builtins(letter))


@given(st.data())
def test_a_letter_that_was_changed_anywhere_is_not_believed(data: st.DataObject) -> None:
    wire = bytearray(seal([orders(), answers("other"), orders("third")], OPERATOR)[0])
    place = data.draw(st.integers(0, len(wire) - 1))
    changed = data.draw(st.integers(0, 255).filter(lambda value: value != wire[place]))
    wire[place] = changed
    try:
        found = open_letter(bytes(wire), PINNED, "tiny", "HEPEK-0007")
    except InvalidValue:
        return
    assert found == orders(), "only what says the same in other letters passes"


@given(st.binary(max_size=300))
def test_garbage_is_no_letter_and_no_burst_and_never_anything_worse(garbage: bytes) -> None:
    with pytest.raises(InvalidValue):
        open_letter(garbage, PINNED, "tiny", "HEPEK-0007")
    try:
        wires = unpack(garbage)
    except InvalidValue:
        return
    assert pack(wires) == garbage


def test_a_letter_of_another_s_key_or_for_another_is_not_believed() -> None:
    (wire,) = seal([orders()], SigningKey.from_seed(b"letters", "a broker"))
    with pytest.raises(InvalidValue, match="signed by the operator"):
        open_letter(wire, PINNED, "tiny", "HEPEK-0007")
    (wire,) = seal([orders()], OPERATOR)
    for community, number in (("tiny", "HEPEK-0008"), ("huge", "HEPEK-0007")):
        with pytest.raises(InvalidValue, match="a letter is for"):
            open_letter(wire, PINNED, community, number)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=MOST_REQUESTS))
def test_a_burst_comes_apart_as_it_was_put_together(wires: list[bytes]) -> None:
    assert unpack(pack(wires)) == wires


def test_a_burst_of_none_or_of_too_many_is_refused() -> None:
    for wires in ([], [b"x"] * (MOST_REQUESTS + 1)):
        with pytest.raises(InvalidValue, match="a burst has 1 to"):
            unpack(pack(wires))


def test_a_greeting_is_neither_request_nor_letter() -> None:
    assert greeting("tiny", "g", "00") == b'{"challenge":"00","community":"tiny","gateway":"g","what":"greeting"}'
