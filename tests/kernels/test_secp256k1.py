import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.keys import CURVE_ORDER, SigningKey, VerifyingKey
from commonwatt.kernels.keccak import signed_digests
from commonwatt.kernels.secp256k1 import POINT_BYTES, verify_many

KEYS = [SigningKey.from_seed(b"kernels", str(n)) for n in range(4)]
PUBLIC = [VerifyingKey(key.public) for key in KEYS]
Case = tuple[int, int, bytes, str]


def high_s(signature: str) -> str:
    """Return the twin of a signature that would pass where low-s is not asked for."""
    r, s = signature[:64], int(signature[64:], 16)
    return r + f"{CURVE_ORDER - s:064x}"


DAMAGES = {
    "none": lambda signature: signature,
    "a digit": lambda signature: signature[:-1] + f"{int(signature[-1], 16) ^ 1:x}",
    "its other twin": high_s,
    "zeros": lambda signature: "0" * 128,
    "beyond the order": lambda signature: "f" * 128,
    "no s": lambda signature: signature[:64] + "0" * 64,
}
cases = st.tuples(st.integers(0, 3), st.integers(0, 3), st.binary(max_size=40), st.sampled_from(sorted(DAMAGES)))
"""Who signs, by whose key it is checked, what, and how it is damaged."""


def check(told: list[tuple[int, bytes, str]]) -> list[bool]:
    messages = [message for _, message, _ in told]
    ends = np.cumsum([len(message) for message in messages] or [0])[: len(told)]
    starts = ends - np.array([len(message) for message in messages], np.int64)
    data = np.frombuffer(b"".join(messages) + b"\0", np.uint8)
    points = np.frombuffer(b"".join(PUBLIC[key].point for key, _, _ in told), np.uint8).reshape(-1, POINT_BYTES)
    signatures = np.frombuffer(bytes.fromhex("".join(one for _, _, one in told)), np.uint8).reshape(-1, 64)
    return verify_many(points, signed_digests(data, starts, ends), signatures).tolist()


def told_of(case: Case) -> tuple[int, bytes, str]:
    signer, checked_by, message, damage = case
    return checked_by, message, DAMAGES[damage](KEYS[signer].sign(message))


@given(st.lists(cases, max_size=12))
def test_many_are_good_where_one_by_one_they_are(found: list[Case]) -> None:
    told = [told_of(case) for case in found]
    assert check(told) == [PUBLIC[key].verify(message, signature) for key, message, signature in told]


def test_a_good_signature_is_good_and_every_damage_is_seen() -> None:
    good = [damage == "none" for damage in DAMAGES]
    assert check([told_of((1, 1, b"message", damage)) for damage in DAMAGES]) == good
    assert check([told_of((1, 2, b"message", "none"))]) == [False]


def test_bad_ones_among_many_stand_where_they_stood() -> None:
    told = [told_of((n % 4, n % 4, b"%d" % n, "a digit" if n in (0, 63, 64, 200) else "none")) for n in range(201)]
    assert [n for n, good in enumerate(check(told)) if not good] == [0, 63, 64, 200]
