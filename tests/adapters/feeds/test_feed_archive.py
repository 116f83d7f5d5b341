"""What feeds said is kept with the time when it was heard, for ever, and in bounded space."""

from datetime import timedelta
from pathlib import Path

import pytest

from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.flows.feeds.ports import FeedState, Seen
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.model import Corrupt, Interval, InvalidValue, instant

pytestmark = pytest.mark.row("X9")
GB = Topic(What.CARBON, "GB")
DAY_S = 1_585_440_000
DAY = Interval(instant(DAY_S), instant(DAY_S + 86_400))
MONTH_S = 31 * 86_400


def issue(heard_s: int, *values: int | None, start_s: int = DAY_S, issued_s: int | None = None) -> Issue:
    return Issue(
        topic=GB, source="gb_carbon", licence="CC BY 4.0", issued_s=issued_s, heard_s=heard_s, start_s=start_s,
        step_s=1_800, values=values,
    )  # fmt: skip


def keep(archive: FeedArchive, *issues: Issue) -> int:
    return archive.keep(FeedState(name="grid"), issues)


def test_an_issue_comes_back_as_it_was_the_latest_first_and_none_from_later(tmp_path: Path) -> None:
    told = [issue(DAY_S + n, 100 + n, None, 300 - n, issued_s=n) for n in range(3)]
    with FeedArchive(tmp_path) as archive:
        assert [keep(archive, one) for one in told] == [1, 1, 1]
        assert list(archive.issues(GB, DAY, DAY_S + 99)) == told[::-1]
        assert list(archive.issues(GB, DAY, DAY_S + 1)) == [told[1], told[0]]
        assert archive.last(GB, "gb_carbon") == told[2]
    with FeedArchive(tmp_path) as again:
        assert list(again.issues(GB, DAY, DAY_S)) == [told[0]]


def test_what_is_said_again_is_not_kept_again_and_what_is_corrected_is(tmp_path: Path) -> None:
    with FeedArchive(tmp_path) as archive:
        assert keep(archive, issue(DAY_S, 100, 200, 300)) == 1
        assert keep(archive, issue(DAY_S + 60, 100, 200, 300)) == 0
        assert keep(archive, issue(DAY_S + 120, 200, 300, start_s=DAY_S + 1_800)) == 0
        assert keep(archive, issue(DAY_S + 180, 100, 250, 300)) == 1
        assert keep(archive, issue(DAY_S + 240, 100, 200, 300)) == 1  # taken back
        assert keep(archive, issue(DAY_S + 300, 100, 200, 300, 400)) == 1
        assert [one.heard_s - DAY_S for one in archive.issues(GB, DAY, DAY_S + 999)] == [300, 240, 180, 0]


def test_what_a_clock_that_ran_ahead_heard_does_not_hide_what_is_heard_now(tmp_path: Path) -> None:
    with FeedArchive(tmp_path) as archive:
        assert keep(archive, issue(DAY_S + 9_999, 100)) == 1
        assert keep(archive, issue(DAY_S, 100)) == 1
        assert [one.values for one in archive.issues(GB, DAY, DAY_S)] == [(100,)]


def test_how_a_feed_stands_outlives_a_restart(tmp_path: Path) -> None:
    state = FeedState(name="grid", seen=Seen("q", '"tag"', "now"), asked_s=9, next_s=700, failures=2, trouble="gone")
    with FeedArchive(tmp_path) as archive:
        assert archive.state("grid") == FeedState(name="grid")
        archive.keep(state, [])
    with FeedArchive(tmp_path) as again:
        assert again.state("grid") == state


def test_whole_months_go_to_files_and_are_known_as_before(tmp_path: Path) -> None:
    old = [issue(DAY_S + n * 86_400, 100 + n, start_s=DAY_S + n * 86_400) for n in range(60)]
    with FeedArchive(tmp_path) as archive:
        keep(archive, *old)
        window = Interval(DAY.start, DAY.end + timedelta(days=60))
        before = list(archive.issues(GB, window, DAY_S + 2 * MONTH_S))
        made = archive.archive(DAY_S + MONTH_S + 10 * 86_400)
        assert [path.name for path in made] == ["2020-03.issues", "2020-04.issues"]
        assert list(archive.issues(GB, window, DAY_S + 2 * MONTH_S)) == before == old[::-1]
        assert archive.archive(DAY_S + MONTH_S + 10 * 86_400) == []
        assert list(archive.issues(GB, DAY, DAY_S)) == [old[0]]


def test_a_month_that_was_cut_off_before_its_rows_went_is_moved_again_without_twins(tmp_path: Path) -> None:
    with FeedArchive(tmp_path) as archive:
        keep(archive, issue(DAY_S, 100), issue(DAY_S + 60, 200))
        archive.archive(DAY_S + MONTH_S)
        (path,) = tmp_path.glob("*.issues")
        # As a cut leaves it: the file stands, its rows too, and no month is noted.
        keep(archive, issue(DAY_S, 100), issue(DAY_S + 60, 200))
        archive._db.execute("DELETE FROM month")
        archive.archive(DAY_S + MONTH_S)
        assert [one.values for one in archive.issues(GB, DAY, DAY_S + 99)] == [(200,), (100,)]
        assert path.exists()


def test_a_full_disk_is_said_and_keeps_what_was_kept(tmp_path: Path) -> None:
    with FeedArchive(tmp_path) as archive:
        keep(archive, issue(DAY_S, 100))
        (pages,) = archive._db.execute("PRAGMA page_count").fetchone()
        archive._db.execute(f"PRAGMA max_page_count = {pages}")
        large = [issue(DAY_S + n, *(n * 7_919 + m * m for m in range(3_000)), issued_s=n) for n in range(20)]
        with pytest.raises(OSError, match="cannot be kept"):
            archive.keep(FeedState(name="any", failures=3), large)
        assert archive.state("any").failures == 0
        assert [one.values for one in archive.issues(GB, DAY, DAY_S + 99)] == [(100,)]


def test_a_damaged_month_is_said_and_never_read(tmp_path: Path) -> None:
    with FeedArchive(tmp_path) as archive:
        keep(archive, issue(DAY_S, 100))
        (path,) = archive.archive(DAY_S + MONTH_S)
        told = bytearray(path.read_bytes())
        told[40] ^= 1
        path.write_bytes(told)
        with pytest.raises(Corrupt, match="2020-03"):
            list(archive.issues(GB, DAY, DAY_S + 99))


@pytest.mark.parametrize(
    "wrong", [{"step_s": 600}, {"start_s": DAY_S + 1}, {"values": ()}, {"values": (None,)}, {"values": (10**13,)}]
)
def test_a_series_that_cannot_be_is_none(wrong: dict[str, object]) -> None:
    whole: dict[str, object] = {"start_s": DAY_S, "step_s": 1_800, "values": (1,)}
    told = {"topic": GB, "source": "s", "licence": "l", "issued_s": None, "heard_s": 0, **whole, **wrong}
    with pytest.raises(InvalidValue):
        Issue(**told)  # type: ignore[arg-type]


def test_a_disk_that_fails_is_said_to_be_one_whatever_is_asked(tmp_path: Path) -> None:
    archive = FeedArchive(tmp_path)
    archive.close()
    with pytest.raises(OSError, match="what feeds said"):
        archive.archive(DAY_S)
    with pytest.raises(OSError, match="what feeds said"):
        list(archive.issues(GB, DAY, DAY_S))
