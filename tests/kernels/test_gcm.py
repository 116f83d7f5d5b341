from os import urandom

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.kernels.gcm import KEY_BYTES, NONCE_BYTES, TAG_BYTES, open_many, seal_many

texts = st.lists(st.tuples(st.binary(max_size=200), st.binary(min_size=1, max_size=30)), min_size=1, max_size=9)


def flat(pieces: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(b"".join(pieces), np.uint8), np.cumsum([0, *map(len, pieces)])


def sealed(told: list[tuple[bytes, bytes]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    keys = np.frombuffer(urandom(KEY_BYTES * len(told)), np.uint8).reshape(-1, KEY_BYTES)
    nonces = np.frombuffer(urandom(NONCE_BYTES * len(told)), np.uint8).reshape(-1, NONCE_BYTES)
    return keys, nonces, seal_many(keys, nonces, *flat([t for t, _ in told]), *flat([b for _, b in told]))


@given(texts)
def test_many_are_sealed_as_each_would_be_alone(told: list[tuple[bytes, bytes]]) -> None:
    keys, nonces, found = sealed(told)
    alone = [
        nonce.tobytes() + AESGCM(key.tobytes()).encrypt(nonce.tobytes(), text, bound)
        for key, nonce, (text, bound) in zip(keys, nonces, told, strict=True)
    ]
    assert found.tobytes() == b"".join(alone)


@given(texts, st.data())
def test_what_was_sealed_opens_and_one_flipped_bit_is_found_where_it_is(
    told: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    keys, _, found = sealed(told)
    ends = np.cumsum([0, *(len(text) + NONCE_BYTES + TAG_BYTES for text, _ in told)])
    opened, good = open_many(keys, found, ends, *flat([b for _, b in told]))
    assert good.all()
    assert opened.tobytes() == b"".join(text for text, _ in told)
    at = data.draw(st.integers(0, len(found) - 1))
    found[at] ^= 1 << data.draw(st.integers(0, 7))
    _, good = open_many(keys, found, ends, *flat([b for _, b in told]))
    wrong = int(np.searchsorted(ends, at, "right")) - 1
    assert np.flatnonzero(~good).tolist() == [wrong]


def test_nothing_opens_under_what_it_is_not_bound_to() -> None:
    keys, _, found = sealed([(b"text", b"7 anna")])
    ends = np.array([0, len(found)])
    assert not open_many(keys, found, ends, *flat([b"8 anna"]))[1].any()
    assert not open_many(keys[:, ::-1].copy(), found, ends, *flat([b"7 anna"]))[1].any()
