"""Sharing keys against sums done with fractions and by hand; exact in whole Wh whatever is shared."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import InvalidValue
from commonwatt.settlement.sharing import Sharing, matrix, share

WH = st.integers(0, 3_000)
SIDES = st.lists(WH, max_size=6)
KEYS = st.sampled_from(Sharing)


@st.composite
def parts(draw: st.DrawFn, count: int) -> list[int]:
    found, left = [], 1000
    for _ in range(count):
        found.append(draw(st.integers(0, left)))
        left -= found[-1]
    return found


def naive_taken(
    key: Sharing, exports: list[int], imports: list[int], permille: list[int], again: bool
) -> list[Fraction]:
    """What each would take if Wh could be split at will."""
    made, needed = sum(exports), sum(imports)
    if key is Sharing.NONE or not made or not needed:
        return [Fraction(0)] * len(imports)
    if key is not Sharing.STATIC:
        return [Fraction(min(made, needed) * wh, needed) for wh in imports]
    took = [min(Fraction(made * part, 1000), Fraction(wh)) for part, wh in zip(permille, imports, strict=True)]
    if again and (lack := needed - sum(took)):
        more = min(made - sum(took), lack)
        took = [wh + more * (want - wh) / lack for wh, want in zip(took, imports, strict=True)]
    return took


@given(KEYS, SIDES, SIDES, st.data(), st.booleans())
def test_what_is_given_is_taken_and_nobody_gives_or_takes_more_than_they_have(
    key: Sharing, exports: list[int], imports: list[int], data: st.DataObject, again: bool
) -> None:
    permille = data.draw(parts(len(imports))) if key is Sharing.STATIC else []
    shared = share(key, exports, imports, permille, redistribute=again)
    assert sum(shared.given_wh) == sum(shared.taken_wh) == shared.total_wh
    assert all(0 <= wh <= most for wh, most in zip(shared.given_wh, exports, strict=True))
    assert all(0 <= wh <= most for wh, most in zip(shared.taken_wh, imports, strict=True))
    if key in (Sharing.DYNAMIC, Sharing.PAIRS):
        assert shared.total_wh == min(sum(exports), sum(imports)), "no Wh leaves that a neighbour could use"


@given(KEYS, SIDES, SIDES, st.data(), st.booleans())
def test_whole_wh_are_the_exact_fractions_rounded_to_a_neighbouring_number(
    key: Sharing, exports: list[int], imports: list[int], data: st.DataObject, again: bool
) -> None:
    permille = data.draw(parts(len(imports))) if key is Sharing.STATIC else []
    shared = share(key, exports, imports, permille, redistribute=again)
    rounds = 2 if again and key is Sharing.STATIC else 1  # a second sharing rounds what the first has rounded
    for wh, exact in zip(shared.taken_wh, naive_taken(key, exports, imports, permille, again), strict=True):
        assert floor(exact) - rounds < wh < ceil(exact) + rounds or wh == exact
    for wh, made in zip(shared.given_wh, exports, strict=True):
        exact = Fraction(shared.total_wh * made, sum(exports) or 1)
        assert floor(exact) <= wh <= ceil(exact)


def test_the_french_static_key_gives_what_was_registered_and_the_grid_the_rest() -> None:
    # 1,000 Wh of sun; parts of 60, 30 and 5 per cent; the second needs less than her part.
    shared = share(Sharing.STATIC, [700, 300], [900, 100, 400], [600, 300, 50])
    assert shared.taken_wh == (600, 100, 50)
    assert shared.given_wh == (525, 225), "each roof gives in proportion; 250 Wh are left for the grid"


def test_what_a_static_key_leaves_unused_can_go_to_those_who_still_need() -> None:
    shared = share(Sharing.STATIC, [1_000], [900, 100, 400], [600, 300, 50], redistribute=True)
    # 250 Wh are left; the first still needs 300, the third 350: 115.4 and 134.6.
    assert shared.taken_wh == (715, 100, 185)
    assert shared.total_wh == 1_000


def test_the_dynamic_key_follows_consumption() -> None:
    assert share(Sharing.DYNAMIC, [600], [900, 300]).taken_wh == (450, 150)
    assert share(Sharing.DYNAMIC, [9_000], [900, 300]).taken_wh == (900, 300)
    assert share(Sharing.DYNAMIC, [1], [5, 5, 5]).taken_wh == (1, 0, 0), "of equals the earlier"


@given(SIDES, SIDES)
def test_pairs_add_up_by_row_and_by_column_and_stay_near_proportion(exports: list[int], imports: list[int]) -> None:
    shared = share(Sharing.PAIRS, exports, imports)
    if not shared.total_wh:
        assert shared.pairs_wh == ()
        return
    assert [sum(row) for row in shared.pairs_wh] == list(shared.given_wh)
    assert [sum(column) for column in zip(*shared.pairs_wh, strict=True)] == list(shared.taken_wh)
    for row, gave in zip(shared.pairs_wh, shared.given_wh, strict=True):
        for wh, took in zip(row, shared.taken_wh, strict=True):
            assert wh >= 0
            assert abs(wh - Fraction(gave * took, shared.total_wh)) < 2


def test_pairs_and_the_dynamic_key_give_everyone_the_same() -> None:
    dynamic, pairs = (share(key, [700, 500], [900, 40, 800]) for key in (Sharing.DYNAMIC, Sharing.PAIRS))
    assert (dynamic.given_wh, dynamic.taken_wh) == (pairs.given_wh, pairs.taken_wh)
    assert dynamic.pairs_wh == ()
    assert pairs.pairs_wh == ((362, 16, 322), (259, 11, 230))


def test_what_cannot_be_shared_is_refused() -> None:
    for wrong in ([-1], [5, -1]):
        with pytest.raises(InvalidValue, match="zero or more"):
            share(Sharing.DYNAMIC, wrong, [5])
        with pytest.raises(InvalidValue, match="zero or more"):
            share(Sharing.DYNAMIC, [5], wrong)
    for permille in ([], [1001], [-1, 5], [600, 401]):
        with pytest.raises(InvalidValue, match="parts"):
            share(Sharing.STATIC, [5], [5] * max(1, len(permille)), permille)
    with pytest.raises(InvalidValue, match="taken"):
        matrix([3], [2])
