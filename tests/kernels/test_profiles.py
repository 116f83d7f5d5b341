"""What a home's past says of a day: the compiled kernel against plain Python, and nothing from the day itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.kernels.profiles import FEATURES, LEAST_LEVEL, MOST_DAYS, profiles

SLOTS, DAYS = 12, 16
AT = {name: at for at, name in enumerate(FEATURES)}


def past(seed: int, holes: float, homes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    wh = random.gamma(1.5, 100, (homes, DAYS, SLOTS)).astype(np.float32)
    wh[random.random(wh.shape) < holes] = np.nan
    seen = ~np.isnan(wh)
    everyone = (np.where(seen, wh, 0).sum(0) / np.maximum(seen.sum(0), 1)).astype(np.float32)
    kinds = np.array([0, 0, 0, 0, 0, 1, 2] * 3, np.int8)
    return wh, everyone, kinds, random.random((21, SLOTS), np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def clean(values: np.ndarray) -> np.ndarray:
    flat = np.asarray(values, np.float64).ravel()
    return flat[~np.isnan(flat)]


def plain(values: np.ndarray, share: float | None = None) -> float:
    kept = clean(values)
    if not len(kept):
        return math.nan
    return float(kept.mean() if share is None else np.quantile(kept, share))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.6]), st.integers(1, DAYS), st.integers(1, 4), st.integers(1, 28)
)
def test_the_kernel_finds_what_plain_python_finds(seed: int, holes: float, known: int, lead: int, span: int) -> None:
    wh, everyone, kinds, dark = past(seed, holes)
    day = known - 1 + lead
    found, level = profiles(wh, everyone, kinds, dark, whole(1), whole(day), whole(lead), whole(span))
    first = max(0, known - min(span, MOST_DAYS))
    mean = max(plain(wh[1, first:known]), LEAST_LEVEL)
    if math.isnan(mean):
        return
    assert level[0] == pytest.approx(mean, rel=1e-4)
    own = wh[1, first:known] / mean
    alike = kinds[first:known] == kinds[day]
    if not alike.any():
        alike = (kinds[first:known] > 0) == (kinds[day] > 0)
    if not alike.any():
        alike[:] = True
    for slot in range(SLOTS):
        near = slice(max(0, slot - 1), slot + 2)
        told = {
            "low": plain(own[:, slot], 0.1),
            "median": plain(own[:, slot], 0.5),
            "high": plain(own[:, slot], 0.9),
            "median_week": plain(own[-7:, slot], 0.5),
            "median_near": plain(own[:, near], 0.5),
            "median_alike": plain(own[alike][:, near], 0.5),
            "mean_week": plain(own[-7:, slot]),
            "mean_alike": plain(own[alike][:, slot]),
            "last": float(own[-1, slot]),
            "level_last": plain(own[-1]),
            "level_three": plain(own[-3:]),
            "level_alike": plain(own[alike]),
            "base": plain(own, 0.1),
            "peak": plain(own, 0.95),
            "kind": float(kinds[day]),
            "days": float(known - first),
            "lead": float(lead),
            "darker": float(dark[day, slot] - dark[first:known, slot].mean()),
        }
        for name, value in told.items():
            assert found[0, slot, AT[name]] == pytest.approx(value, rel=1e-3, abs=1e-4, nan_ok=True), name


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, DAYS - 1), st.integers(1, 3))
def test_nothing_that_comes_later_moves_what_is_seen(seed: int, known: int, lead: int) -> None:
    wh, everyone, kinds, dark = past(seed, 0.1)
    asked = (whole(0, 2), whole(known - 1 + lead, known - 1 + lead), whole(lead, lead), whole(28, 5))
    before = profiles(wh, everyone, kinds, dark, *asked)
    later = np.random.default_rng(seed).permutation(wh.ravel()).reshape(wh.shape)
    wh[:, known:], everyone[known:] = later[:, known:], 7.0
    after = profiles(wh, everyone, kinds, dark, *asked)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_homes_of_any_size_look_alike() -> None:
    wh, everyone, kinds, dark = past(3, 0.0)
    asked = (whole(0), whole(14), whole(1), whole(28))
    small, large = (profiles(wh * size, everyone, kinds, dark, *asked)[0][..., : AT["size"]] for size in (1, 50))
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-5)
