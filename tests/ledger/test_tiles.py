import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.ledger import tiles
from commonwatt.ledger.merkle import EMPTY_ROOT, MerkleTree, leaf_hash, verify_consistency, verify_inclusion
from commonwatt.ledger.tile_format import bundle, tile_path
from commonwatt.ledger.tiles import Frontier, Hashes, check_tiles, consistency_proof, inclusion_proof
from commonwatt.model import Corrupt, InvalidValue

EVERY_SIZE = 600
MOST = 140_000
SIZES = st.integers(1, 3_000) | st.integers(65_400, MOST) | st.sampled_from([256, 512, 65_536, 65_537, 131_072])
Tiles = dict[tuple[int, int], bytes]


class Shelf:
    """Tiles by level and index, as a store that overwrites an unfinished tile by its fuller successor."""

    def __init__(self, tiles: Tiles | None = None) -> None:
        self.tiles = tiles or {}
        self.reads: list[tuple[int, int]] = []

    def __call__(self, level: int, index: int, width: int) -> bytes:
        assert 1 <= width <= 256
        self.reads.append((level, index))
        return self.tiles.get((level, index), b"")


@pytest.fixture(scope="module")
def big() -> tuple[MerkleTree, Shelf]:
    datas = [n.to_bytes(4) for n in range(MOST)]
    frontier = Frontier()
    frontier.extend(hashes(datas))
    return MerkleTree(datas), Shelf(frontier.take())


def hashes(datas: Iterable[bytes]) -> Hashes:
    return np.frombuffer(bytearray().join(map(leaf_hash, datas)), np.uint8).reshape(-1, 32)


def naive_tiles(datas: list[bytes]) -> Tiles:
    """Every tile of a log, by the specification's formula: hash i of a tile is that of 256^level whole leaves."""
    found: Tiles = {}
    level, row = 0, [leaf_hash(data) for data in datas]
    while row:
        for index in range(0, len(row), 256):
            found[level, index // 256] = b"".join(row[index : index + 256])
        level, row = level + 1, [naive_top(row[n : n + 256]) for n in range(0, len(row) // 256 * 256, 256)]
    return found


def naive_top(row: list[bytes]) -> bytes:
    while len(row) > 1:
        row = [sha256(b"\x01" + row[n] + row[n + 1]).digest() for n in range(0, len(row), 2)]
    return row[0]


def log(size: int) -> tuple[list[bytes], Shelf]:
    datas = [n.to_bytes(32) for n in range(size)]
    return datas, Shelf(naive_tiles(datas))


def test_the_frontier_makes_the_tiles_of_the_specification() -> None:
    datas = [n.to_bytes(4) for n in range(70_000)]
    frontier = Frontier()
    frontier.extend(hashes(datas))
    taken = frontier.take()
    assert taken == naive_tiles(datas)
    assert {place: len(tile) // 32 for place, tile in taken.items() if len(tile) < 8192} == {
        (0, 273): 112,
        (1, 1): 17,
        (2, 0): 1,
    }


def test_at_every_size_roots_and_proofs_from_tiles_are_those_of_the_whole_tree() -> None:
    datas, frontier, shelf, whole = [n.to_bytes(2) for n in range(EVERY_SIZE)], Frontier(), Shelf(), MerkleTree()
    for size in range(EVERY_SIZE + 1):
        assert tiles.root(size, shelf) == frontier.root() == whole.root()
        for index in {*range(0, size, 31), *range(max(0, size - 3), size), 255, 256} & {*range(size)}:
            assert inclusion_proof(index, size, shelf) == whole.inclusion_proof(index, size)
        for old in {*range(0, size, 37), *range(max(0, size - 3), size + 1), 255, 256, 257} & {*range(size + 1)}:
            assert consistency_proof(old, size, shelf) == whole.consistency_proof(old, size)
        if size < EVERY_SIZE:
            assert frontier.append(datas[size]) == whole.append(datas[size]) == size
            shelf.tiles.update(frontier.take())
    assert shelf.tiles == naive_tiles(datas)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513, EVERY_SIZE])
def test_every_leaf_and_every_growth_of_a_log_proves_from_its_tiles(size: int) -> None:
    datas, shelf = log(size)
    whole = MerkleTree(datas)
    for n in range(size):
        proof = inclusion_proof(n, size, shelf)
        assert proof == whole.inclusion_proof(n, size)
        assert verify_inclusion(datas[n], n, size, proof, whole.root())
        growth = consistency_proof(n, size, shelf)
        assert growth == whole.consistency_proof(n, size)
        assert verify_consistency(n, size, whole.root(n), whole.root(), growth)


@settings(max_examples=300)
@given(size=SIZES, data=st.data())
def test_past_sizes_of_a_large_log_prove_from_its_newest_tiles(
    big: tuple[MerkleTree, Shelf], size: int, data: st.DataObject
) -> None:
    whole, shelf = big
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    assert tiles.root(size, shelf) == whole.root(size)
    shelf.reads.clear()
    assert inclusion_proof(index, size, shelf) == whole.inclusion_proof(index, size)
    assert len(shelf.reads) == len(set(shelf.reads)) <= 6
    shelf.reads.clear()
    assert consistency_proof(old, size, shelf) == whole.consistency_proof(old, size)
    assert len(shelf.reads) == len(set(shelf.reads)) <= 6


@given(steps=st.lists(st.integers(0, 700), max_size=6), data=st.data())
def test_a_log_grown_in_any_steps_and_restarted_at_any_has_the_same_tiles(
    big: tuple[MerkleTree, Shelf], steps: list[int], data: st.DataObject
) -> None:
    frontier, shelf, size = Frontier(), Shelf(), 0
    for step in steps:
        datas = [n.to_bytes(4) for n in range(size, size + step)]
        if step < 3:
            assert [frontier.append(one) for one in datas] == list(range(size, size + step))
        else:
            frontier.extend(hashes(datas))
        size += step
        if data.draw(st.booleans()):
            shelf.tiles.update(frontier.take())
            assert frontier.take() == {}
            if data.draw(st.booleans()):
                frontier = Frontier.stored(size, shelf)
        assert len(frontier) == size
        assert frontier.root() == big[0].root(size)
    shelf.tiles.update(frontier.take())
    assert shelf.tiles == naive_tiles([n.to_bytes(4) for n in range(size)])


def test_only_tiles_that_changed_are_handed_out_and_full_ones_once() -> None:
    frontier = Frontier()
    frontier.extend(hashes([bytes([n % 251]) for n in range(300)]))
    assert {place: len(tile) // 32 for place, tile in frontier.take().items()} == {(0, 0): 256, (0, 1): 44, (1, 0): 1}
    frontier.append(b"!")
    assert {place: len(tile) // 32 for place, tile in frontier.take().items()} == {(0, 1): 45}
    frontier.extend(hashes([b"?"] * 211))
    assert {place: len(tile) // 32 for place, tile in frontier.take().items()} == {(0, 1): 256, (1, 0): 2}
    frontier.extend(hashes([]))
    assert frontier.take() == {}


def test_a_restart_reads_the_unfinished_tiles_alone(big: tuple[MerkleTree, Shelf]) -> None:
    _, shelf = big
    shelf.reads.clear()
    Frontier.stored(MOST, shelf)
    assert set(shelf.reads) == {(0, MOST >> 8), (1, MOST >> 16), (2, 0)}


def test_what_are_no_leaf_hashes_is_refused_and_adds_nothing() -> None:
    frontier = Frontier()
    for wrong in (np.zeros((2, 31), np.uint8), np.zeros(32, np.uint8), np.zeros((1, 32), np.int64)):
        with pytest.raises(InvalidValue, match="leaf hashes"):
            frontier.extend(wrong)
    assert len(frontier) == 0
    assert frontier.root() == EMPTY_ROOT
    assert frontier.take() == {}


def test_the_frontier_keeps_nothing_of_the_array_it_was_given() -> None:
    frontier, given_hashes = Frontier(), hashes([b"a", b"b", b"c"])
    frontier.extend(given_hashes)
    root = frontier.root()
    given_hashes[:] = 0
    assert frontier.root() == root


@pytest.mark.parametrize("size", [-1, 2**63])
def test_a_size_that_no_log_has_is_refused(size: int) -> None:
    for ask in (
        lambda: tiles.root(size, Shelf()),
        lambda: inclusion_proof(0, size, Shelf()),
        lambda: consistency_proof(0, size, Shelf()),
        lambda: Frontier.stored(size, Shelf()),
        lambda: check_tiles(size, EMPTY_ROOT, Shelf()),
    ):
        with pytest.raises(InvalidValue, match=f"was {size}"):
            ask()


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0)])
def test_a_leaf_that_was_not_there_is_refused(index: int, size: int) -> None:
    with pytest.raises(InvalidValue, match=f"was {index}"):
        inclusion_proof(index, size, log(5)[1])


@pytest.mark.parametrize("old", [-1, 6])
def test_a_growth_that_was_not_is_refused(old: int) -> None:
    with pytest.raises(InvalidValue, match=f"from {old}"):
        consistency_proof(old, 5, log(5)[1])


def test_a_missing_short_torn_or_swollen_tile_is_named() -> None:
    datas, shelf = log(300)
    for place, tile in list(shelf.tiles.items()):
        width = len(tile) // 32
        for wrong in (b"", tile[:-32], tile[:-1], tile + b"!", tile + bytes(8192)):
            shelf.tiles[place] = wrong
            named = f"{re.escape(tile_path(*place, width))} has {width} hashes of 32 bytes, found {len(wrong)}"
            asks = [lambda: check_tiles(300, MerkleTree(datas).root(), shelf)]
            if width < 256:
                asks += [lambda: tiles.root(300, shelf), lambda: Frontier.stored(300, shelf)]
            else:
                asks += [lambda: inclusion_proof(3, 300, shelf), lambda: consistency_proof(3, 300, shelf)]
            for ask in asks:
                with pytest.raises(Corrupt, match=named):
                    ask()
        shelf.tiles[place] = tile


@pytest.mark.parametrize("size", [0, 1, 37, 256, 257, 700])
def test_the_tiles_and_bundles_of_a_sound_log_pass(size: int) -> None:
    datas, shelf = log(size)
    check_tiles(size, MerkleTree(datas).root(), shelf)
    check_tiles(size, MerkleTree(datas).root(), shelf, bundles(datas))


def test_a_sound_log_of_three_levels_passes(big: tuple[MerkleTree, Shelf]) -> None:
    whole, shelf = big
    check_tiles(65_600, whole.root(65_600), shelf)


def test_every_flip_of_one_bit_of_any_tile_is_found_and_located() -> None:
    datas, shelf = log(258)
    root, read_bundle = MerkleTree(datas).root(), bundles(datas)
    for (level, index), at, flipped in flips(shelf.tiles):
        told = tile_path(level, index, len(flipped) // 32)
        wrong = Shelf({**shelf.tiles, (level, index): flipped})
        with pytest.raises(Corrupt) as found:
            check_tiles(258, root, wrong)
        assert told in str(found.value)
        # Which of 256 leaf hashes is wrong shows in the entries; every 97th flip looks there too.
        if level == 0 and at % 97 == 0:
            with pytest.raises(Corrupt) as found:
                check_tiles(258, root, wrong, read_bundle)
        if level or at % 97 == 0:
            assert str(found.value) == f"hash {at // 256} of {told} is wrong"


@pytest.mark.parametrize(("place", "at"), [((0, 3), 9), ((0, 256), 5), ((1, 0), 200), ((1, 1), 0), ((2, 0), 0)])
def test_a_wrong_hash_on_any_of_three_levels_is_located(
    big: tuple[MerkleTree, Shelf], place: tuple[int, int], at: int
) -> None:
    size, (whole, shelf) = 65_800, big
    tile = bytearray(shelf.tiles[place])
    tile[32 * at] ^= 1
    wrong = Shelf({**shelf.tiles, place: bytes(tile)})
    with pytest.raises(Corrupt, match=re.escape(tile_path(*place, min(256, (size >> 8 * place[0]) - 256 * place[1])))):
        check_tiles(size, whole.root(size), wrong)
    with pytest.raises(Corrupt, match=f"hash {at} of tile/{place[0]}/"):
        check_tiles(size, whole.root(size), wrong, bundles([n.to_bytes(4) for n in range(size)]))


def test_every_flip_of_one_bit_of_any_bundle_is_found_and_located() -> None:
    datas, shelf = log(40)
    root, content = MerkleTree(datas).root(), bundle(datas)
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt, match=r"tile/entries/000\.p/40") as found:
            check_tiles(40, root, shelf, lambda index, width, flipped=flipped: bytes(flipped))
        if bit // 8 % 34 > 1:
            assert f"entry {bit // 8 // 34} of" in str(found.value)


def test_a_missing_bundle_is_named() -> None:
    datas, shelf = log(258)
    held, root = bundles(datas), MerkleTree(datas).root()
    with pytest.raises(Corrupt, match=r"tile/entries/000: a bundle has"):
        check_tiles(258, root, shelf, lambda index, width: held(index, width) if index else b"")
    with pytest.raises(Corrupt, match=r"tile/entries/001\.p/2: a bundle has"):
        check_tiles(258, root, shelf, lambda index, width: b"" if index else held(index, width))
    with pytest.raises(Corrupt, match=r"tile/entries/001\.p/2 has 2 entries, found 1"):
        check_tiles(258, root, shelf, lambda index, width: held(index, width - index))


def test_entries_of_many_lengths_are_checked_too() -> None:
    datas = [bytes(n % 5) for n in range(20)]
    shelf = Shelf(naive_tiles(datas))
    check_tiles(20, MerkleTree(datas).root(), shelf, lambda index, width: bundle(datas))
    with pytest.raises(Corrupt, match="entry 3 of"):
        check_tiles(20, MerkleTree(datas).root(), shelf, lambda index, width: bundle([*datas[:3], b"!", *datas[4:]]))


def test_a_foreign_root_is_refused_though_all_tiles_agree() -> None:
    for size in (256, 258):
        _, shelf = log(size)
        with pytest.raises(Corrupt, match="another root"):
            check_tiles(size, bytes(32), shelf)


def bundles(datas: list[bytes]) -> tiles.ReadBundle:
    return lambda index, width: bundle(datas[256 * index : 256 * index + width])


def flips(shelf: Tiles) -> Iterator[tuple[tuple[int, int], int, bytes]]:
    """Yield every tile with each of its bits flipped, one at a time, and which bit it was."""
    for place, tile in shelf.items():
        for bit in range(len(tile) * 8):
            flipped = bytearray(tile)
            flipped[bit // 8] ^= 1 << bit % 8
            yield place, bit, bytes(flipped)
