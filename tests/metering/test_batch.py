"""One signature covers a packed batch; any single reading of it can be proven, and nothing else can."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commonwatt.ledger.merkle import MerkleTree, merkle_root, salted, verify_inclusion
from commonwatt.metering.batch import (
    DAY_S,
    ITEM_BYTES,
    ITEM_DTYPE,
    LATEST_S,
    MOST_ITEMS,
    MOST_WH,
    Flag,
    Item,
    Quality,
    batch_root,
    decode_items,
    encode_items,
    faulty,
    item_proof,
    read_items,
    verify_item,
)
from commonwatt.metering.personal import PERSONAL_BYTES, PersonalItem, decode_personal, encode_personal, personal_hash
from commonwatt.model import AssetId, InvalidValue, Reading, slot_from

SALT = bytes(range(32))
NOON_S = 1_750_000_500
ENERGY = st.integers(0, MOST_WH)


def item(register: int = 0, slot: int = 0, **more: Any) -> Item:
    known = {"start_s": NOON_S + 900 * slot, "register": register, "import_wh": 250, "export_wh": 0}
    return Item(**{**known, **more})


def day(count: int) -> bytes:
    return encode_items([item(i // 96, i % 96, import_wh=i) for i in range(count)])


@st.composite
def batches(draw: st.DrawFn) -> list[Item]:
    """Good batches: registers in order, and in each of them intervals that touch or leave a pause."""
    items = []
    for register in sorted(draw(st.sets(st.integers(0, 2**16 - 1), min_size=1, max_size=3))):
        start_s = draw(st.integers(0, LATEST_S - 10 * DAY_S))
        for _ in range(draw(st.integers(1, 5))):
            seconds = 60 * draw(st.integers(1, 1440))
            items.append(
                Item(
                    start_s=start_s,
                    seconds=seconds,
                    register=register,
                    import_wh=draw(ENERGY),
                    export_wh=draw(ENERGY),
                    level_wh=draw(st.none() | ENERGY),
                    quality=draw(st.sampled_from(Quality)),
                    flags=Flag(draw(st.integers(0, 7))),
                    blind=draw(st.integers(0, 2**64 - 1)),
                )
            )
            start_s += seconds + draw(st.integers(0, 3600))
    return items


def outcome(read: Callable[[bytes], Any], data: bytes) -> str:
    """Say what a reader made of the bytes: the records as they stand, or its words of refusal."""
    try:
        found = read(data)
    except InvalidValue as error:
        return str(error)
    return repr([tuple(record) for record in found.tolist()] if read is read_items else [plain(i) for i in found])


def plain(found: Item) -> tuple[int, ...]:
    level_wh = -1 if found.level_wh is None else found.level_wh
    counts = (found.import_wh, found.export_wh, level_wh)
    return (found.start_s, found.seconds, found.register, int(found.quality), int(found.flags), *counts, found.blind)


def test_a_record_is_laid_out_as_it_is_written_down() -> None:
    told = Item(
        start_s=0x0102030405, seconds=900, register=0x0708, import_wh=1, export_wh=2, level_wh=3,
        quality=Quality.ESTIMATED, flags=Flag.CORRECTS | Flag.ROLLED_OVER,
    )  # fmt: skip
    head, counts = "0504030201000000 84030000 0807 01 05", "0100000000000000 0200000000000000 0300000000000000"
    assert encode_items([told]).hex() == f"{head} {counts} 0000000000000000".replace(" ", "")
    assert encode_items([replace(told, level_wh=None)])[32:40] == b"\xff" * 8
    assert ITEM_DTYPE.itemsize == ITEM_BYTES == 48


@given(batches())
def test_both_readers_tell_what_was_written(items: list[Item]) -> None:
    data = encode_items(items)
    assert decode_items(data) == tuple(items)
    assert read_items(data).tolist() == [plain(found) for found in items]


@given(st.binary(max_size=300) | st.integers(1, 4).flatmap(lambda n: st.binary(min_size=48 * n, max_size=48 * n)))
@settings(max_examples=300)
def test_both_readers_refuse_noise_in_the_same_words(noise: bytes) -> None:
    assert outcome(decode_items, noise) == outcome(read_items, noise)


@given(batches(), st.data())
@settings(max_examples=300)
def test_both_readers_judge_a_damaged_batch_alike_and_there_is_one_encoding(items: list[Item], data: Any) -> None:
    damaged = bytearray(encode_items(items))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    told = outcome(decode_items, bytes(damaged))
    assert told == outcome(read_items, bytes(damaged))
    if told.startswith("["):
        assert encode_items(decode_items(bytes(damaged))) == damaged


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("start_s", -1, "an interval lies between the years 1970 and 3000, was -1 s"),
        ("start_s", LATEST_S - 899, "between the years 1970 and 3000"),
        ("start_s", 2**63 - 1, "between the years 1970 and 3000"),
        ("seconds", 0, "whole minutes long, up to a day, was 0 s"),
        ("seconds", 901, "whole minutes long, up to a day, was 901 s"),
        ("seconds", DAY_S + 60, "whole minutes long, up to a day, was 86460 s"),
        ("quality", 3, "a quality is 0, 1 or 2, was 3"),
        ("flags", 8, "flags are the bits 0, 1 and 2, was 8"),
        ("import_wh", -1, "import is 0 to 1000000000 Wh, was -1"),
        ("export_wh", MOST_WH + 1, "export is 0 to 1000000000 Wh, was 1000000001"),
        ("level_wh", -2, "or -1 for none, was -2"),
        ("level_wh", MOST_WH + 1, "a level is 0 to 1000000000 Wh"),
    ],
)
def test_a_record_outside_its_bounds_is_named(field: str, value: int, words: str) -> None:
    records = np.frombuffer(encode_items([item(slot=i) for i in range(3)]), ITEM_DTYPE).copy()
    records[field][2] = value
    for read in (decode_items, read_items):
        with pytest.raises(InvalidValue, match=r"^item 2: ") as error:
            read(records.tobytes())
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([item(1), item(0)], "item 1: items stand by register, then start, each once, was register 0"),
        ([item(slot=1), item(slot=0)], "item 1: items stand by register, then start"),
        ([item(), item()], "item 1: items stand by register, then start, each once"),
        ([item(), item(slot=1, seconds=1800), item(slot=2)], "item 2: intervals of one register do not overlap"),
    ],
)
def test_a_batch_has_one_order_and_tells_no_time_twice(items: list[Item], words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        encode_items(items)
    data = b"".join(encode_items([each]) for each in items)
    for read in (decode_items, read_items):
        with pytest.raises(InvalidValue, match=words):
            read(data)


def test_two_registers_may_tell_of_one_time() -> None:
    assert len(decode_items(encode_items([item(0), item(1)]))) == 2


@pytest.mark.parametrize("read", [decode_items, read_items, batch_root])
def test_a_batch_is_whole_records_and_neither_empty_nor_endless(read: Callable[[bytes], Any]) -> None:
    read(day(MOST_ITEMS))
    for data, words in (
        (b"", "1 to 672 items, was 0"),
        (day(MOST_ITEMS) + encode_items([item(9)]), "1 to 672 items, was 673"),
        (day(2)[:-1], "whole records of 48 bytes, was 95 bytes"),
    ):
        with pytest.raises(InvalidValue, match=words):
            read(data)


def test_of_many_batches_end_to_end_the_broken_ones_are_found() -> None:
    good, other = day(4), encode_items([item(0), item(0, 1), item(2)])
    broken = bytearray(day(4))
    broken[2 * ITEM_BYTES + 15] = 0x80
    records = np.frombuffer(good + bytes(broken) + other + good[:ITEM_BYTES], ITEM_DTYPE)
    assert np.flatnonzero(faulty(records, [0, 4, 8, 11])).tolist() == [6]
    assert np.flatnonzero(faulty(records, [0])).tolist() == [4, 6, 8, 11], "each begins before the last one ends"
    assert faulty(records[:0], []).tolist() == []


@given(batches())
@example([item()])
def test_the_root_is_the_ledgers_own(items: list[Item]) -> None:
    data = encode_items(items)
    assert batch_root(data) == merkle_root(encode_items([each]) for each in items)


@pytest.mark.parametrize("count", [*range(1, 35), 96, MOST_ITEMS])
def test_the_proofs_are_the_ledgers_own(count: int) -> None:
    data = day(count)
    records = [data[at : at + ITEM_BYTES] for at in range(0, len(data), ITEM_BYTES)]
    tree, root = MerkleTree(records), batch_root(data)
    assert root == tree.root()
    for index in {0, 1, count // 2, count - 2, count - 1} & set(range(count)):
        proof = item_proof(data, index)
        assert proof == tree.inclusion_proof(index, count)
        assert verify_item(records[index], index, count, proof, root)
        assert verify_inclusion(records[index], index, count, proof, root)
        assert len(proof) <= 10


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 11])
def test_each_proof_shows_its_own_item_at_its_own_place_only(count: int) -> None:
    data, root = day(count), batch_root(day(count))
    proofs = [item_proof(data, index) for index in range(count)]
    fits = [
        (record, place, proof)
        for record in range(count)
        for place in range(-1, count + 1)
        for proof in range(count)
        if verify_item(data[48 * record : 48 * record + 48], place, count, proofs[proof], root)
    ]
    assert fits == [(index, index, index) for index in range(count)]


def test_one_flipped_bit_anywhere_in_a_record_fails() -> None:
    data, root = day(5), batch_root(day(5))
    for index in range(5):
        record, proof = data[48 * index : 48 * index + 48], item_proof(data, index)
        for bit in range(8 * ITEM_BYTES):
            flipped = bytearray(record)
            flipped[bit // 8] ^= 1 << bit % 8
            assert not verify_item(bytes(flipped), index, 5, proof, root)
            assert batch_root(data[: 48 * index] + flipped + data[48 * index + 48 :]) != root


@given(st.binary(max_size=60), st.integers(), st.integers(), st.lists(st.binary(max_size=40)), st.binary(max_size=40))
def test_a_made_up_proof_shows_nothing(record: bytes, index: int, count: int, proof: list[bytes], root: bytes) -> None:
    assert not verify_item(record, index, count, proof, root)
    data = day(6)
    good = item_proof(data, 3)
    assert not verify_item(data[144:192], 3, 6, [*good, *proof, b""], batch_root(data))
    assert not verify_item(data[144:192], 3, 6, good[:-1], batch_root(data))


def test_what_is_no_record_or_no_batch_is_never_proven() -> None:
    for length in (0, 32, ITEM_BYTES - 1, ITEM_BYTES + 1, 64):
        assert not verify_item(bytes(length), 0, 1, [], merkle_root([bytes(length)]))
    tree = MerkleTree([bytes(ITEM_BYTES)] * (MOST_ITEMS + 1))
    for count, proven in ((MOST_ITEMS, True), (MOST_ITEMS + 1, False)):
        assert verify_item(bytes(ITEM_BYTES), 0, count, tree.inclusion_proof(0, count), tree.root(count)) is proven


def test_a_batch_proves_only_items_that_it_has() -> None:
    for index in (-1, 3):
        with pytest.raises(InvalidValue, match="a batch of 3 items has the indices 0 to 2"):
            item_proof(day(3), index)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"register": 2**16}, "a register is counted from 0"),
        ({"register": -1}, "a register is counted from 0"),
        ({"level_wh": -1}, "a level is 0 Wh or more, was -1"),
        ({"flags": Flag(8)}, "flags are"),
        ({"import_wh": -1}, "import is 0 to"),
        ({"start_s": 2**70}, "between the years"),
    ],
)
def test_an_item_refuses_to_be_wrong(more: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        item(**more)


def test_an_item_tells_its_reading_and_whether_it_settles() -> None:
    told = item(import_wh=7, export_wh=8, level_wh=9, start_s=1800)
    asset = AssetId("battery-01")
    assert told.reading(asset) == Reading(
        asset=asset, interval=slot_from(1800), import_wh=7, export_wh=8, level_wh=9
    )  # fmt: skip
    assert told.settles
    assert not replace(told, seconds=1800).settles
    assert not replace(told, start_s=1860).settles


@pytest.mark.row("E2")
def test_only_what_was_measured_mints_and_only_better_knowledge_corrects() -> None:
    measured, estimated, by_hand = Quality
    assert [quality.mints for quality in Quality] == [True, False, False]
    assert all(measured.replaces(older) for older in Quality)
    assert [older for older in Quality if by_hand.replaces(older)] == [estimated, by_hand]
    assert [older for older in Quality if estimated.replaces(older)] == [estimated]


TEMPERATURE = st.none() | st.integers(-1000, 1000)
POSITION = st.just((None, None)) | st.tuples(
    st.integers(-900_000_000, 900_000_000), st.integers(-1_800_000_000, 1_800_000_000)
)


@pytest.mark.row("H9")
@given(st.lists(st.tuples(TEMPERATURE, TEMPERATURE, POSITION), min_size=1, max_size=5))
def test_personal_fields_come_back_as_they_were(told: list[tuple[Any, Any, tuple[Any, Any]]]) -> None:
    items = tuple(
        PersonalItem(
            indoor_decicelsius=indoor, outdoor_decicelsius=outdoor, latitude_e7_deg=north, longitude_e7_deg=east
        )
        for indoor, outdoor, (north, east) in told
    )
    data = encode_personal(items, SALT)
    assert decode_personal(data, len(items)) == items
    assert personal_hash(data) == salted(SALT, data[32:]) == sha256(data).digest()


def test_a_batch_without_personal_fields_says_nothing_of_them() -> None:
    assert personal_hash(b"") == b""


def test_the_salt_hides_what_was_measured() -> None:
    items = [PersonalItem(indoor_decicelsius=215)]
    assert personal_hash(encode_personal(items, SALT)) != personal_hash(encode_personal(items, bytes(32)))
    with pytest.raises(InvalidValue, match="a salt has 32 bytes, was 31"):
        encode_personal(items, SALT[1:])


@given(st.binary(max_size=120), st.integers(0, 5))
def test_personal_noise_is_refused_or_has_one_encoding(noise: bytes, count: int) -> None:
    try:
        items = decode_personal(noise, count)
    except InvalidValue:
        return
    assert encode_personal(items, noise[:32]) == noise


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, b"\xe9\x03", "item 1: indoor_decicelsius is between -1000 and 1000, was 1001"),
        (2, b"\x17\xfc", "item 1: outdoor_decicelsius is between -1000 and 1000, was -1001"),
        (4, b"\x01\xe9\xa4\x35", "item 1: latitude_e7_deg is between -900000000 and 900000000, was 900000001"),
        (8, bytes(4), "item 1: a position has latitude and longitude"),
        (15, b"\x01", "item 1: reserved bytes are zero, was 16777216"),
    ],
)
def test_a_personal_field_outside_its_bounds_is_named(at: int, value: bytes, words: str) -> None:
    data = bytearray(encode_personal([PersonalItem()] * 2, SALT))
    at += 32 + PERSONAL_BYTES
    data[at : at + len(value)] = value
    with pytest.raises(InvalidValue, match=words):
        decode_personal(bytes(data), 2)


def test_a_personal_part_tells_as_many_items_as_its_batch() -> None:
    data = encode_personal([PersonalItem()] * 2, SALT)
    for wrong, count, words in (
        (data, 3, "as its batch, 3, was 2"),
        (data, 1, "as its batch, 1, was 2"),
        (data[:-1], 2, "whole records of 16 bytes, was 31 bytes"),
        (b"", 2, "1 to 672 items, was 0"),
    ):
        with pytest.raises(InvalidValue, match=words):
            decode_personal(wrong, count)
