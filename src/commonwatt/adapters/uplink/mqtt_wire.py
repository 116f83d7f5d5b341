"""MQTT 3.1.1 as far as a bridge needs it, many packets at a time: a client library takes each one by itself.

Source: MQTT Version 3.1.1, OASIS Standard, 29 October 2014, sections 2.2 and 3.
"""

from collections.abc import Iterable
from struct import Struct, error

from commonwatt.flows.gateway.letters import MOST_BURST_BYTES
from commonwatt.model import InvalidValue

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
PING, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
MOST_PACKET = MOST_BURST_BYTES + 1_024
_SHORT = Struct(">H")
_LAST_LENGTH_BYTE = 3
REFUSALS = {
    1: "it speaks no MQTT 3.1.1",
    2: "it does not take this client's name",
    3: "it is not available",
    4: "name or password is wrong",
    5: "this client is not authorised",
}


def connect(name: str, keep_alive_s: int, login: tuple[str, str] | None = None) -> bytes:
    """Return how a client begins: a clean session, under a name, with a login where the broker asks for one."""
    flags, payload = 0x02, _text(name)
    if login is not None:
        flags |= 0xC0
        payload += _text(login[0]) + _text(login[1])
    return _packet(0x10, b"\x00\x04MQTT\x04" + bytes([flags]) + _SHORT.pack(keep_alive_s) + payload)


def subscribe(packet_id: int, topic: str) -> bytes:
    """Return a subscription at QoS 1."""
    return _packet(0x82, _SHORT.pack(packet_id) + _text(topic) + b"\x01")


def publish(packet_id: int, topic: str, payload: bytes, *, retain: bool = False) -> bytes:
    """Return a message at QoS 1."""
    return _packet(PUBLISH | 0x02 | retain, _text(topic) + _SHORT.pack(packet_id) + payload)


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return that messages have arrived."""
    return b"".join(b"\x40\x02" + _SHORT.pack(one) for one in packet_ids)


def split(buffer: bytearray) -> list[tuple[int, bytes]]:
    """Take all whole packets off the front of what has come in: first byte, and what follows its length.

    Raises:
        InvalidValue: A length is none, or longer than anything that is meant for a bridge.
    """
    at, end, packets = 0, len(buffer), list[tuple[int, bytes]]()
    view = memoryview(buffer)
    try:
        while end - at >= 2:
            size, shift, begin = 0, 0, at + 1
            while True:
                if begin == end:
                    return packets
                digit = buffer[begin]
                size |= (digit & 0x7F) << shift
                begin, shift = begin + 1, shift + 7
                if not digit & 0x80:
                    break
                if shift > 7 * _LAST_LENGTH_BYTE:
                    raise InvalidValue("a packet's length has four bytes at most")
            if size > MOST_PACKET:
                raise InvalidValue(f"a packet has at most {MOST_PACKET} bytes, {size} are announced")
            if begin + size > end:
                return packets
            packets.append((buffer[at], bytes(view[begin : begin + size])))
            at = begin + size
        return packets
    finally:
        view.release()
        del buffer[:at]


def published(first: int, packet: bytes) -> tuple[str, int | None, bytes]:
    """Return topic, packet number (none at QoS 0) and payload of a message.

    Raises:
        InvalidValue: It ends too early, or its topic is no text.
    """
    try:
        (size,) = _SHORT.unpack_from(packet)
        at = 2 + size
        topic = packet[2:at].decode()
        if len(packet) < at:
            raise InvalidValue(f"a message's topic has {size} bytes, {len(packet) - 2} are there")
        if not first & 0x06:
            return topic, None, packet[at:]
        (packet_id,) = _SHORT.unpack_from(packet, at)
    except (error, UnicodeDecodeError) as wrong:
        raise InvalidValue(f"a message has topic and number: {wrong}") from wrong
    return topic, packet_id, packet[at + 2 :]


def _text(text: str) -> bytes:
    data = text.encode()
    return _SHORT.pack(len(data)) + data


def _packet(first: int, content: bytes) -> bytes:
    left, length = len(content), bytearray()
    while True:
        left, digit = left >> 7, left & 0x7F
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([first]) + length + content
