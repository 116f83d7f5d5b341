"""What a fleet is told goes into records and comes back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.flexibility.fleet.told import RECORD, read, records

POWERS = st.lists(
    st.lists(st.sampled_from([0, 0, 1_380, -5_000, 2**31 - 1, -(2**31)]), min_size=6, max_size=6),
    min_size=1,
    max_size=5,
)


@given(POWERS, st.data())
def test_records_tell_what_was_told_once_for_each_change(rows: list[list[int]], data: st.DataObject) -> None:
    power = np.array(rows, np.int32)
    chosen = np.array(data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True)), np.int64)
    told = records(power, chosen)
    assert {asset: list(values) for asset, values in read(told, 6).items()} == {int(n): rows[n] for n in chosen}
    assert len(told) == sum(1 + sum(a != b for a, b in zip(rows[n], rows[n][1:], strict=False)) for n in chosen)
    assert list(dict.fromkeys(told["asset"].tolist())) == chosen.tolist()


@given(POWERS)
def test_records_are_the_same_after_they_were_bytes(rows: list[list[int]]) -> None:
    told = records(np.array(rows, np.int32), np.arange(len(rows)))
    assert RECORD.itemsize == 12
    again = np.frombuffer(told.tobytes(), RECORD)
    assert (again == told).all()
    assert told["slots"].sum() == 6 * len(rows)
