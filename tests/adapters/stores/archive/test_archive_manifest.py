import json
from contextlib import suppress
from dataclasses import replace
from datetime import date

import pytest
from archived import facts_of
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.stores.archive.manifest import DayFacts, Manifest, TableBlob
from commonwatt.model import CommunityId, Corrupt, InvalidValue

HASHES = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
COUNTS = st.integers(0, 2**53 - 1)
MANIFEST = Manifest(facts=facts_of(), tables={"leaf": TableBlob(blob="a" * 64, rows=3, size_bytes=9)})


@given(st.text(min_size=1), st.dates(), st.tuples(COUNTS, COUNTS).map(sorted), HASHES, HASHES, COUNTS, COUNTS)
def test_a_manifest_reads_back_as_it_was(
    name: str, day: date, positions: list[int], log_root: str, state_root: str, rows: int, size_bytes: int
) -> None:
    facts = DayFacts(
        community=CommunityId(name),
        day=day,
        first_position=positions[0],
        last_position=positions[1],
        log_root=log_root,
        state_root=state_root,
    )
    tables = {"leaf": TableBlob(blob=state_root, rows=rows, size_bytes=size_bytes)}
    manifest = Manifest(facts=facts, tables=tables)
    assert Manifest.from_json(manifest.to_json()) == manifest


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_garbage_is_no_manifest(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Manifest.from_json(data)


@given(st.integers(0, 8 * len(MANIFEST.to_json()) - 1))
def test_a_flipped_bit_gives_no_manifest_or_one_of_another_hash(bit: int) -> None:
    data = bytearray(MANIFEST.to_json())
    data[bit // 8] ^= 1 << bit % 8
    with suppress(Corrupt):
        assert Manifest.from_json(bytes(data)).digest() != MANIFEST.digest()


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        MANIFEST.to_json() + b" ",
        MANIFEST.to_json().replace(b'"rows":3', b'"rows":3.0'),
        MANIFEST.to_json().replace(b'"rows":3', b'"rows":-3'),
        MANIFEST.to_json().replace(b'"rows":3', b'"rows":9007199254740993'),
        MANIFEST.to_json().replace(b'"rows":3', b'"more":1,"rows":3'),
        MANIFEST.to_json().replace(b'"format":1', b'"format":2'),
        MANIFEST.to_json().replace(b'"2026-04-01"', b'"2026-04-31"'),
    ],
)
def test_a_manifest_has_one_form(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Manifest.from_json(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"community": ""},
        {"first_position": -1},
        {"first_position": 3},
        {"last_position": 2**53},
        {"log_root": "A" * 64},
        {"state_root": "a" * 63},
    ],
)
def test_facts_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        replace(facts_of(), **wrong)
