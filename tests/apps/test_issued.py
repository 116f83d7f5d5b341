"""What was forecast is shown and scored as it was told then, whatever a later look would say."""

import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_book_made import DAYS, gathered

from commonwatt.apps.foresight import Book, as_issued, issues, look
from commonwatt.apps.wiring import open_issued
from commonwatt.flows.issued import COMMUNITY, Issued, as_told, issued
from commonwatt.forecasting.foresee import AHEAD, Foretold
from commonwatt.forecasting.score import coverage
from commonwatt.model import LEVELS_PERMILLE, AccountId, Corrupt, InvalidValue

DAY_S = 86_400


def books() -> tuple[Book, Book]:
    """Return the book of a day, and of the next, when its readings have come."""
    whole = gathered(DAYS + 1)
    cut = replace(
        whole,
        today=whole.days[-2],
        days=whole.days[:-1],
        starts_s=whole.starts_s[:-1],
        load_wh=whole.load_wh[:, :-1],
        solar_wh=whole.solar_wh[:, :-1],
        prices=whole.prices[:-1],
        priced=whole.priced[:-1],
    )
    return look(cut), look(whole)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def days() -> tuple[Book, Book]:
    return books()


def every(book: Book) -> list[Foretold]:
    sums = [one for one in (book.community, book.sun, book.price) if one is not None]
    return [*book.loads.values(), *book.roofs.values(), *book.zones.values(), *sums]


@pytest.mark.row("X9")
def test_yesterday_is_shown_as_it_was_told_then_and_scored_so(days: tuple[Book, Book], folder: Path) -> None:
    before, after = days
    store = open_issued(folder)
    lucky = {name: replace(one, quantiles_wh=one.quantiles_wh * 0 + 777) for name, one in before.loads.items()}
    assert store.keep(issues(replace(before, loads=lucky))) == len(every(before))
    told = as_issued(after, store.between(0))
    for name, one in told.loads.items():
        anew = after.loads[name]
        yesterday, today = -AHEAD - 1, -AHEAD
        assert (one.quantiles_wh[:, yesterday] == 777).all() and (anew.quantiles_wh[:, yesterday] != 777).any()
        np.testing.assert_array_equal(one.quantiles_wh[:, today:], anew.quantiles_wh[:, today:])
        assert one.told is not None and one.told.slots == 96 and anew.told is None
        came = anew.measured_wh[yesterday]
        assert one.told.nmae == pytest.approx(np.abs(777 - came).sum() / came.sum())
    for one, anew in zip(every(told), every(after), strict=True):
        if one.told is not None and one.series not in told.loads:
            rows = one.quantiles_wh[:, -AHEAD - 1]
            assert one.told.coverage_permille == round(1000 * coverage(rows[0], rows[-1], anew.measured_wh[-AHEAD - 1]))


@pytest.mark.row("X9")
def test_what_was_issued_stands_whoever_looks_again(days: tuple[Book, Book], folder: Path) -> None:
    before, _ = days
    store = open_issued(folder)
    store.keep(issues(before))
    others = {name: replace(one, quantiles_wh=one.quantiles_wh + 500) for name, one in before.loads.items()}
    again = replace(before, loads=others)
    assert store.keep(issues(again)) == 0
    told = as_issued(again, store.between(0))
    for name, one in told.loads.items():
        shown = one.quantiles_wh[:, -AHEAD:]
        assert np.abs(shown - before.loads[name].quantiles_wh[:, -AHEAD:]).max() <= 0.5


def test_a_clock_that_goes_back_tells_nothing_that_was_issued_later(days: tuple[Book, Book], folder: Path) -> None:
    before, after = days
    store = open_issued(folder)
    store.keep(issues(after))
    told = as_issued(before, store.between(0))
    for one, anew in zip(every(told), every(before), strict=True):
        np.testing.assert_array_equal(one.quantiles_wh, anew.quantiles_wh)
        assert one.told is None


def test_a_sum_of_other_homes_is_another_series(days: tuple[Book, Book], folder: Path) -> None:
    before, after = days
    store = open_issued(folder)
    store.keep(issues(before))
    fewer = replace(after, loads={name: one for name, one in after.loads.items() if name != "d"})
    told = as_issued(fewer, store.between(0))
    assert told.community is not None and told.community.told is None
    assert all(one.told is not None for one in told.loads.values())


def test_who_is_erased_takes_what_was_forecast_of_them_along(days: tuple[Book, Book], folder: Path) -> None:
    before, _ = days
    store = open_issued(folder)
    store.keep(issues(before))
    assert store.forget(AccountId("a")) == 2  # home and roof
    left = store.between(0)
    assert len(left) == len(every(before)) - 2 and "a" not in {one.owner for one in left}
    assert store.forget(AccountId("a")) == 0


def test_who_is_erased_while_a_book_is_made_is_not_written_back(days: tuple[Book, Book], folder: Path) -> None:
    before, after = days
    store = open_issued(folder)
    store.keep(issues(before))
    store.forget(AccountId("a"))
    store.keep(issues(after))
    left = store.between(0)
    assert "a" not in {one.owner for one in left} and len(left) == 2 * (len(every(before)) - 2)


def test_two_who_make_a_book_at_once_keep_it_once(days: tuple[Book, Book], folder: Path) -> None:
    before, _ = days
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: open_issued(folder).keep(issues(before)), range(4)))
    assert sorted(kept) == [0, 0, 0, len(every(before))]


def test_who_is_killed_while_they_keep_it_has_kept_all_of_an_issue_or_nothing(folder: Path) -> None:
    answered = 0
    for kill in range(4):
        command = [sys.executable, str(Path(__file__).with_name("issuing_child.py")), str(folder), str(1_000 * kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            said = [child.stdout.readline() for _ in range(kill + 1)]
            time.sleep(0.003 * kill)
            child.kill()
            said += child.stdout.readlines()
        answered += len(said)
        by_issue = Counter(one.issued_s for one in open_issued(folder).between(0))
        assert set(by_issue.values()) == {3}
        assert {int(one) for one in said if one.endswith("\n")} <= by_issue.keys(), "what was answered is kept"
    assert answered >= 10


def test_one_damaged_row_hides_no_other(days: tuple[Book, Book], folder: Path) -> None:
    before, _ = days
    store = open_issued(folder)
    store.keep(issues(before))
    with sqlite3.connect(folder / "forecasts.sqlite") as db:
        db.execute("UPDATE issue SET sealed = zeroblob(40) WHERE id = 1")
    assert len(store.between(0)) == len(every(before)) - 1


def test_a_home_that_joins_in_the_day_changes_what_nobody_else_was_told(days: tuple[Book, Book], folder: Path) -> None:
    before, _ = days
    store = open_issued(folder)
    few = replace(before, loads={name: one for name, one in before.loads.items() if name != "d"})
    store.keep(issues(few))
    later = {name: replace(one, quantiles_wh=one.quantiles_wh + 500) for name, one in before.loads.items()}
    store.keep(issues(replace(before, loads=later)))
    told = as_issued(replace(before, loads=later), store.between(0))
    for name, one in told.loads.items():
        apart = np.abs(one.quantiles_wh[:, -AHEAD:] - before.loads[name].quantiles_wh[:, -AHEAD:]).max()
        assert apart <= 0.5 if name != "d" else apart > 499


def test_of_days_that_are_over_the_first_alone_is_read(days: tuple[Book, Book], folder: Path) -> None:
    before, after = days
    store = open_issued(folder)
    store.keep(issues(before))
    assert {len(one.slots_s) for one in store.between(0, whole_from_s=after.issued_s)} == {96}
    assert {len(one.slots_s) for one in store.between(0)} == {96 * AHEAD}
    assert store.between(0, before.issued_s) == []


def test_what_is_not_finite_is_not_kept_and_takes_nothing_else_along(days: tuple[Book, Book], folder: Path) -> None:
    before, _ = days
    holes = {name: replace(one, quantiles_wh=one.quantiles_wh * np.nan) for name, one in before.roofs.items()}
    assert open_issued(folder).keep(issues(replace(before, roofs=holes))) == len(every(before)) - len(holes)


def test_what_is_kept_comes_back_as_it_was_and_is_not_to_be_read_without_its_key(
    days: tuple[Book, Book], folder: Path
) -> None:
    before, _ = days
    store, told = open_issued(folder), issues(before)
    store.keep(told)
    for one, back in zip(told, store.between(before.issued_s), strict=True):
        assert (one.of, one.series, one.owner, one.model, one.used) == (
            back.of, back.series, back.owner, back.model, back.used,
        )  # fmt: skip
        np.testing.assert_array_equal(one.quantiles, back.quantiles)
        np.testing.assert_array_equal(one.slots_s, back.slots_s)
        np.testing.assert_array_equal(one.baselines, back.baselines)
    assert store.between(before.issued_s + 1) == []
    (folder / "keys" / "master.key").unlink()
    with pytest.raises(Corrupt):
        open_issued(folder).between(0)


def test_a_file_that_is_damaged_is_said_to_be(folder: Path) -> None:
    (folder / "forecasts.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(Corrupt):
        open_issued(folder).between(0)


def test_an_issue_that_is_shorter_than_a_day_changes_nothing(days: tuple[Book, Book]) -> None:
    _, after = days
    assert after.community is not None
    short = issued("net", COMMUNITY, after.community, after.issued_s, "", after.starts_s)
    cut = replace(short, slots_s=short.slots_s[:9], quantiles=short.quantiles[:, :9], baselines=short.baselines[:, :9])
    np.testing.assert_array_equal(
        as_told(after.community, after.starts_s, [cut]).quantiles_wh, after.community.quantiles_wh
    )


def test_an_issue_of_which_a_level_is_missing_is_refused() -> None:
    with pytest.raises(InvalidValue):
        Issued(
            of="load",
            series="a",
            owner="a",
            issued_s=0,
            homes="",
            model="",
            used=True,
            slots_s=np.arange(96),
            quantiles=np.zeros((len(LEVELS_PERMILLE) - 1, 96), np.int64),
            baselines=np.zeros((2, 96), np.int64),
        )
