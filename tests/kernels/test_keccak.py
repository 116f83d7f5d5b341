import numpy as np
import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.kernels.keccak import signed_digests

# Around the ends of one and two blocks of 136 bytes, the greeting included, and where the length gets another digit.
SIZES = [0, 1, 9, 10, 99, 100, 106, 107, 108, 109, 110, 135, 136, 137, 242, 243, 244, 245, 246, 999, 1000, 4096]


def by_library(message: bytes) -> bytes:
    """Return what a wallet signs, by the EIP's own words."""
    greeted = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message
    return keccak.new(data=greeted, digest_bits=256).digest()


@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_any_length_has_the_digest_that_a_wallet_signs(size: int) -> None:
    message = bytes(n % 251 for n in range(size))
    data = np.frombuffer(message or b"\0", np.uint8)
    found = signed_digests(data, np.array([0]), np.array([size]))
    assert found.tobytes() == by_library(message)


@given(
    st.binary(min_size=1, max_size=700),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700)), max_size=6),
    st.binary(max_size=5),
)
def test_messages_of_one_buffer_have_the_digests_that_they_have_alone(
    data: bytes, cuts: list[tuple[int, int]], tail: bytes
) -> None:
    cuts = [(min(a, b, len(data)), min(max(a, b), len(data))) for a, b in cuts]
    starts, ends = (np.array([cut[n] for cut in cuts], np.int64) for n in (0, 1))
    found = signed_digests(np.frombuffer(data, np.uint8), starts, ends, tail)
    assert [row.tobytes() for row in found] == [by_library(data[start:end] + tail) for start, end in cuts]
