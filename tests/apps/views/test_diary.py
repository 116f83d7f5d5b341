from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.views.diary import Entry, spells

SLOT_S = 900


def _entries(powers_w: list[int | None]) -> list[Entry]:
    """Return an entry a slot, with none where there is no power."""
    return [
        Entry(verb="", start_s=n * SLOT_S, end_s=(n + 1) * SLOT_S, power_w=w, expected_wh=w // 4, reason=str(n))
        for n, w in enumerate(powers_w)
        if w is not None
    ]


def test_slots_in_which_a_store_does_the_same_are_one_spell() -> None:
    told = spells(_entries([0, 0, 2_000, 4_000, None, 4_000, -1_000]))
    assert [(one.start_s // SLOT_S, one.end_s // SLOT_S, one.way) for one in told] == [
        (0, 2, 0),
        (2, 4, 1),
        (5, 6, 1),
        (6, 7, -1),
    ]
    assert (told[1].most_w, told[1].energy_wh, told[1].reason) == (4_000, 1_500, "2")


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3).map(lambda kw: kw * 1_000)), max_size=40))
def test_spells_cover_what_entries_covered_and_lose_no_energy(powers_w: list[int | None]) -> None:
    entries = _entries(powers_w)
    told = spells(entries[::-1])
    assert sum(one.end_s - one.start_s for one in told) == SLOT_S * len(entries)
    assert sum(one.energy_wh for one in told) == sum(abs(one.expected_wh) for one in entries)
    assert all(a.end_s < b.start_s or a.way != b.way for a, b in pairwise(told))
