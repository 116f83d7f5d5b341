"""What is said on a line beside bursts and letters; bytes from anywhere raise nothing but that they make no sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.uplink import mqtt_wire
from commonwatt.adapters.uplink.translate import (
    Greeting,
    Tls,
    client_tls,
    number_of,
    place,
    read_hello,
    server_tls,
    topic,
)
from commonwatt.model import InvalidValue

pytestmark = pytest.mark.row("H6")


def test_a_line_goes_to_scheme_host_and_port_alone() -> None:
    assert str(place("wss://power.example", "ws", "wss")) == "wss://power.example:443"
    assert str(place("mqtt://[::1]:1884", "mqtt")) == "mqtt://[::1]:1884"
    for wrong in ("http://a", "ws://", "ws://a:b", "ws://a:99999", "ws://a/b", "ws://u@a", "ws://a?b", "nonsense"):
        with pytest.raises(InvalidValue, match="a line "):
            place(wrong, "ws", "wss")


def test_certificates_go_with_lines_under_tls_only() -> None:
    open_line = place("ws://a:1", "ws")
    assert client_tls(open_line, Tls()) is None
    with pytest.raises(InvalidValue, match="under TLS"):
        server_tls(open_line, Tls(ca=__file__))  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="shows a certificate"):
        server_tls(place("wss://a:1", "wss"), Tls())
    with pytest.raises(InvalidValue, match="cannot be used"):
        client_tls(place("wss://a:1", "wss"), Tls(ca=__file__))  # type: ignore[arg-type]


@given(st.text(max_size=100))
def test_whose_a_topic_is_is_known_for_our_own_alone(text: str) -> None:
    assert number_of(topic("tiny", "HEPEK-0007", "requests"), "tiny") == "HEPEK-0007"
    with pytest.raises(InvalidValue):
        number_of(text, "tiny")
    with pytest.raises(InvalidValue):
        number_of(topic("huge", "HEPEK-0007", "requests"), "tiny")


@given(st.binary(max_size=200))
def test_garbage_is_no_greeting(garbage: bytes) -> None:
    with pytest.raises(InvalidValue):
        read_hello(garbage, Greeting)


@given(st.lists(st.tuples(st.integers(1, 65_535), st.binary(max_size=400), st.booleans()), max_size=6), st.data())
def test_packets_come_apart_wherever_the_stream_is_cut(
    told: list[tuple[int, bytes, bool]], data: st.DataObject
) -> None:
    stream = b"".join(mqtt_wire.publish(n, "a/b", payload, retain=retain) for n, payload, retain in told)
    buffer, found, at = bytearray(), list[tuple[int, bytes]](), 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        buffer += stream[at : at + step]
        at += step
        found += mqtt_wire.split(buffer)
    assert [mqtt_wire.published(*one) for one in found] == [("a/b", n, payload) for n, payload, _ in told]


@given(st.binary(max_size=300))
def test_garbage_from_a_broker_raises_nothing_but_that_it_makes_no_sense(garbage: bytes) -> None:
    try:
        for first, packet in mqtt_wire.split(bytearray(garbage)):
            mqtt_wire.published(first, packet)
    except InvalidValue:
        pass


def test_what_a_bridge_says_is_mqtt_3_1_1() -> None:
    assert mqtt_wire.connect("ab", 30) == bytes.fromhex("100e 0004 4d515454 04 02 001e 0002 6162")
    assert mqtt_wire.subscribe(1, "a/+") == bytes.fromhex("8208 0001 0003 612f2b 01")
    assert mqtt_wire.pubacks([1, 258]) == bytes.fromhex("40020001 40020102")
    assert mqtt_wire.publish(9, "t", b"x" * 200)[:3] == bytes.fromhex("32cd01")
