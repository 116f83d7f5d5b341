from hashlib import sha256

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from commonwatt.kernels import native
from commonwatt.kernels.sha256 import leaf_hashes, node_hashes, ragged_hashes, run_roots, tree_root, wrapped_hashes
from commonwatt.ledger.merkle import EMPTY_ROOT, leaf_hash, merkle_root, node_hash, salted

widths = st.sampled_from([0, 1, 31, 32, 48, 55, 56, 63, 64, 65, 119, 120, 200])


def table(rows: list[bytes], width: int) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), width)


def bytes_of(rows: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in rows]


@given(st.data(), widths, st.integers(0, 9))
def test_leaf_hashes_are_those_of_hashlib(data: st.DataObject, width: int, count: int) -> None:
    rows = [data.draw(st.binary(min_size=width, max_size=width)) for _ in range(count)]
    assert bytes_of(leaf_hashes(table(rows, width))) == [sha256(b"\0" + row).digest() for row in rows]


def test_rows_that_do_not_lie_end_to_end_are_hashed_as_they_read() -> None:
    wide = np.arange(10 * 64, dtype=np.uint8).reshape(10, 64)
    for rows in (wide[:, 3:40], wide[::2], wide[::-1]):
        assert bytes_of(leaf_hashes(rows)) == [leaf_hash(row.tobytes()) for row in rows]


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=9))
def test_node_hashes_are_those_of_pairs_and_an_odd_one_is_left_out(hashes: list[bytes]) -> None:
    pairs = zip(hashes[::2], hashes[1::2], strict=False)
    assert bytes_of(node_hashes(table(hashes, 32))) == [node_hash(*pair) for pair in pairs]


@given(
    st.binary(max_size=400),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=8),
    st.binary(max_size=3),
)
def test_pieces_of_one_buffer_hash_as_they_would_alone(data: bytes, cuts: list[tuple[int, int]], prefix: bytes) -> None:
    cuts = [(min(a, b, len(data)), min(max(a, b), len(data))) for a, b in cuts]
    starts, ends = (np.array([cut[n] for cut in cuts], np.int64) for n in (0, 1))
    hashes = ragged_hashes(np.frombuffer(data, np.uint8), starts, ends, prefix)
    assert bytes_of(hashes) == [sha256(prefix + data[start:end]).digest() for start, end in cuts]


@given(st.integers(1, 300))
def test_a_root_is_that_of_the_tree(count: int) -> None:
    datas = [b"%d" % n for n in range(count)]
    assert tree_root(table([leaf_hash(data) for data in datas], 32)) == merkle_root(datas)


@given(st.lists(st.integers(1, 20), max_size=12))
def test_the_roots_of_runs_are_those_of_their_trees(counts: list[int]) -> None:
    runs = [[b"%d %d" % (run, n) for n in range(count)] for run, count in enumerate(counts)]
    hashes = table([leaf_hash(data) for datas in runs for data in datas], 32).copy()
    assert bytes_of(run_roots(hashes, np.array(counts, np.int64))) == [merkle_root(datas) for datas in runs]


def test_nothing_hashes_to_nothing() -> None:
    empty = np.empty((0, 32), np.uint8)
    assert [len(found) for found in (leaf_hashes(empty), node_hashes(empty))] == [0, 0]
    assert len(run_roots(empty, np.empty(0, np.int64))) == 0
    assert merkle_root([]) == EMPTY_ROOT


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_where_openssl_shows_nothing_hashlib_does_the_same_work(pieces: list[bytes]) -> None:
    assert three_calls(pieces) == sha256(b"".join(pieces)).digest()


_init, _update, _final = native._from_hashlib()
slow_init = native._named("test_sha256_init", _init, native.types.int32, native.POINTER)
slow_update = native._named(
    "test_sha256_update", _update, native.types.int32, native.POINTER, native.POINTER, native.types.uintp
)
slow_final = native._named("test_sha256_final", _final, native.types.int32, native.POINTER, native.POINTER)


@njit
def _feed(state: np.ndarray, data: np.ndarray, ends: np.ndarray, out: np.ndarray) -> int:
    done, start = slow_init(state.ctypes.data), 0
    for end in ends:
        done += slow_update(state.ctypes.data, data[start:].ctypes.data, np.uint64(end - start))
        start = end
    return done + slow_final(out.ctypes.data, state.ctypes.data)


def three_calls(pieces: list[bytes]) -> bytes:
    """Hash pieces by the three calls that a kernel makes."""
    out, state = np.empty(32, np.uint8), np.empty(native.SHA256_STATE_BYTES, np.uint8)
    ends = np.cumsum([len(piece) for piece in pieces] or [0]).astype(np.int64)
    data = np.frombuffer(b"".join(pieces) + b"\0", np.uint8)
    assert _feed(state, data, ends, out) == 2 + len(ends), "each call says that it went well"
    return out.tobytes()


@given(
    st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 2)), max_size=9),
    st.tuples(*[st.binary(max_size=70)] * 3),
    st.binary(min_size=1, max_size=40),
)
def test_wrapped_texts_hash_as_they_would_alone(
    told: list[tuple[bytes, bytes, int]], befores: tuple[bytes, ...], after: bytes
) -> None:
    salts, texts, numbers = ([one[n] for one in told] for n in range(3))
    alone = [leaf_hash(salted(salt, befores[number] + text + after)) for salt, text, number in told]
    assert bytes_of(wrapped_hashes(salts, texts, befores, numbers, after)) == alone
