"""A leaf at rest, and the hashes of many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.ledger.leaf import LeafRow, row_hashes
from commonwatt.ledger.merkle import leaf_hash
from commonwatt.model import InvalidValue, Outcome

admitted = st.sampled_from([outcome for outcome in Outcome if outcome.admitted])
rows = st.builds(
    LeafRow,
    position=st.integers(0, 2**53),
    stamped_s=st.just(1_790_000_100),
    salt=st.binary(min_size=32, max_size=32),
    body=st.binary(max_size=300),
    outcome=admitted,
    author=st.just("0xa"),
    seq=st.just(1),
    owner=st.just("anna"),
    closes=st.booleans(),
)


@given(st.lists(rows, max_size=9))
def test_many_rows_hash_as_each_would_alone(some: list[LeafRow]) -> None:
    assert [row.tobytes() for row in row_hashes(some)] == [leaf_hash(row.data()) for row in some]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"position": -1}, "a position is zero or more"),
        ({"salt": b"short"}, "32 bytes"),
        ({"outcome": Outcome.MALFORMED}, "only an admitted request"),
    ],
)
def test_an_impossible_row_is_never_made(wrong: dict[str, object], why: str) -> None:
    good = {
        "position": 0,
        "stamped_s": 0,
        "salt": bytes(32),
        "body": b"{}",
        "outcome": Outcome.BOOKED,
        "author": "0xa",
        "seq": 1,
        "owner": "anna",
        "closes": True,
    }
    with pytest.raises(InvalidValue, match=why):
        LeafRow(**{**good, **wrong})  # type: ignore[arg-type]  # names and types are those of the row
