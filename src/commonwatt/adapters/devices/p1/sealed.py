"""Encrypted P1 telegrams (Luxembourg, Austria): found in a stream of bytes, and opened with the customer's key."""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from commonwatt.adapters.devices.p1.translate import LONGEST
from commonwatt.model import InvalidValue

HEAD = b"\xdb\x08"
"""General-global-ciphering, and a system title of eight bytes."""
TITLE, LENGTH, COUNTER, TEXT = slice(2, 10), slice(11, 13), slice(14, 18), 18
AUTHENTICATED_AND_ENCRYPTED = 0x30
TAG_BYTES = 12
LUXEMBOURG = "00112233445566778899AABBCCDDEEFF"
"""The authentication key of all meters in Luxembourg, public (E-Meter P1 Specification 1.1.3, 3.2.5)."""


@dataclass(slots=True)
class SealedFramer:
    """Finds encrypted telegrams in what a port sends, by their head and the length that they tell.

    Args:
        dropped: How often bytes that belong to none were passed over.
    """

    dropped: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    @property
    def begun(self) -> bool:
        """Tell whether a telegram was begun whose end has not come yet."""
        return bool(self._buffer)

    def feed(self, piece: bytes) -> list[bytes]:
        """Take what arrived; return the telegrams that it completes, still sealed."""
        self._buffer += piece
        frames = []
        while len(self._buffer) > TEXT:
            start = self._buffer.find(HEAD)
            if start != 0:
                self.dropped += 1
                del self._buffer[: start if start > 0 else len(self._buffer) - 1]
                continue
            length = int.from_bytes(self._buffer[LENGTH], "big")
            if self._buffer[10] != 0x82 or not 5 + TAG_BYTES <= length <= LONGEST:
                self.dropped += 1  # the two bytes stood there by chance
                del self._buffer[:1]
                continue
            if len(self._buffer) < 13 + length:
                break
            frames.append(bytes(self._buffer[: 13 + length]))
            del self._buffer[: 13 + length]
        return frames

    def forget(self) -> None:
        """Forget the beginning of a telegram whose connection is gone."""
        self.dropped += bool(self._buffer)
        self._buffer.clear()


class Opener:
    """Opens the telegrams of one meter; none twice, for each is sealed with a number that rises.

    Args:
        key: Of the customer, 16 bytes as hex, from the grid company.
        authentication_key: Likewise; Luxembourg's is the same for all.

    Raises:
        InvalidValue: A key is none.
    """

    def __init__(self, key: str, authentication_key: str) -> None:
        try:
            self._key, self._authentication = bytes.fromhex(key), bytes.fromhex(authentication_key)
        except ValueError as error:
            raise InvalidValue("a meter's keys are 32 hexadecimal digits, was something else") from error
        if len(self._key) != 16 or len(self._authentication) != 16:
            raise InvalidValue("a meter's keys are 32 hexadecimal digits, was of another length")
        self._last: dict[bytes, int] = {}

    def open(self, frame: bytes) -> bytes:
        """Return the telegram in a frame.

        Raises:
            InvalidValue: The key does not fit, it was changed on the way, or it was opened before.

        Source: DLMS UA Green Book 9.2.7, security suite 0 (AES-128-GCM, tag of 12 bytes).
        """
        counter = int.from_bytes(frame[COUNTER], "big")
        if frame[13] != AUTHENTICATED_AND_ENCRYPTED:
            raise InvalidValue(f"a telegram is authenticated and encrypted (0x30), was {frame[13]:#04x}")
        title = frame[TITLE]  # each meter counts by itself: a new one begins again
        last = self._last.get(title, -1)
        if counter <= last:
            raise InvalidValue(f"a telegram's number rises above {last}, was {counter}")
        seal = modes.GCM(frame[TITLE] + frame[COUNTER], frame[-TAG_BYTES:], min_tag_length=TAG_BYTES)
        opener = Cipher(algorithms.AES(self._key), seal).decryptor()
        opener.authenticate_additional_data(frame[13:14] + self._authentication)
        try:
            telegram = opener.update(frame[TEXT:-TAG_BYTES]) + opener.finalize()
        except InvalidTag as error:
            raise InvalidValue("a sealed telegram fits the meter's keys, was damaged or of other keys") from error
        self._last[title] = counter
        return telegram
