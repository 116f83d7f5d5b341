"""What is known of a series: from the first source, the next, an old issue, what is usual or nothing; as of then."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.flows.feeds.keeper import FIRST_PAUSE_S, LONGEST_PAUSE_S, allowed, ask, due, lost, window
from commonwatt.flows.feeds.known import Origin, known
from commonwatt.flows.feeds.ports import Answer, FeedState, Now, Seen, Throttled
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.model import Interval, InvalidValue, Unreachable, epoch, instant

pytestmark = pytest.mark.row("X9")
GB, PAST = Topic(What.CARBON, "GB"), Topic(What.CARBON, "GB", measured=True)
DAY_S = epoch(datetime(2020, 6, 10, tzinfo=UTC))
HOUR_S = 3_600
SOURCES = ("first", "second")


def issue(source: str, heard_s: int, *values: int | None, start_s: int = DAY_S, topic: Topic = GB) -> Issue:
    return Issue(
        topic=topic, source=source, licence="free", issued_s=None, heard_s=heard_s, start_s=start_s, step_s=900,
        values=values,
    )  # fmt: skip


def at(now_s: int) -> Now:
    """Return a time at which log and system agree."""
    return Now(log_s=now_s, system_s=now_s)


@pytest.fixture
def archive(tmp_path: Path) -> FeedArchive:
    return FeedArchive(tmp_path)


def keep(archive: FeedArchive, *issues: Issue) -> None:
    archive.keep(FeedState(name="any"), issues)


def told(archive: FeedArchive, as_of_s: int, slots: int = 4, start_s: int = DAY_S) -> list[tuple[int | None, Origin]]:
    span = Interval(instant(start_s), instant(start_s + slots * 900))
    return [(one.value, one.origin) for one in known(archive, GB, SOURCES, span, as_of_s)]


def test_each_slot_is_from_the_first_who_lately_spoke_of_it_and_says_who_that_was(archive: FeedArchive) -> None:
    now_s = DAY_S + HOUR_S
    keep(archive, issue("second", now_s, 21, 22, 23), issue("first", now_s - 60, 11, None))
    keep(archive, issue("second", now_s - 86_400, 31, 32, 33, 34), issue("stranger", now_s, 1, 2, 3, 4, 5))
    assert told(archive, now_s, 5) == [
        (11, Origin.FIRST),
        (22, Origin.NEXT),
        (23, Origin.NEXT),
        (34, Origin.OLD),
        (None, Origin.NONE),
    ]


def test_an_outage_falls_back_in_order_and_nothing_is_made_up(archive: FeedArchive) -> None:
    start_s = DAY_S - 3 * 86_400
    for day in range(3):
        at_s = start_s + day * 86_400
        keep(archive, issue("first", at_s, 100 + day, 200 + day, start_s=at_s, topic=PAST))
    keep(archive, issue("first", DAY_S - 60, 11, start_s=DAY_S), issue("second", DAY_S - 60, 22, start_s=DAY_S))
    # Both speak of the first slot; of the second only the last days do; of the third nobody ever did.
    assert told(archive, DAY_S, 3) == [(11, Origin.FIRST), (201, Origin.USUAL), (None, Origin.NONE)]
    # The first fell silent long ago, the second did not.
    later_s = DAY_S + 10 * HOUR_S
    keep(archive, issue("second", later_s, 23, start_s=DAY_S))
    assert told(archive, later_s, 1) == [(23, Origin.NEXT)]
    assert told(archive, later_s + 10 * HOUR_S, 1) == [(23, Origin.OLD)]


def test_a_forecast_that_is_made_again_sees_what_was_known_then_and_nothing_later(archive: FeedArchive) -> None:
    keep(archive, issue("first", DAY_S - HOUR_S, 100, 110))
    before = told(archive, DAY_S)
    keep(archive, issue("first", DAY_S + HOUR_S, 150, 160))
    keep(archive, issue("first", DAY_S + HOUR_S, 155, 165, topic=PAST))
    assert told(archive, DAY_S) == before
    assert told(archive, DAY_S + HOUR_S)[0] == (150, Origin.FIRST)


class Played:
    """A feed that does what it is told."""

    name, source, licence, topics, every_s = "grid", "first", "free", (GB,), 900
    near = False

    def __init__(self, *plays: Answer | Exception) -> None:
        self.plays = list(plays)
        self.asked: list[tuple[Interval, Seen]] = []

    def fetch(self, window: Interval, now_s: int, seen: Seen) -> Answer:
        self.asked.append((window, seen))
        play = self.plays.pop(0)
        if isinstance(play, Exception):
            raise play
        return play


def test_a_feed_is_asked_no_more_often_than_it_wants_and_whole_days_at_a_time(archive: FeedArchive) -> None:
    seen = Seen("question", "tag", "")
    feed = Played(Answer(issues=(), seen=seen), Answer(issues=(), seen=seen, fresh_s=3_000))
    ((_, state),) = due([feed], archive, at(DAY_S))
    done = ask(feed, state, at(DAY_S))
    archive.keep(done.state, done.issues)
    assert due([feed], archive, at(DAY_S + 899)) == []
    ((_, state),) = due([feed], archive, at(DAY_S + 900))
    done = ask(feed, state, at(DAY_S + 900))
    archive.keep(done.state, done.issues)
    assert due([feed], archive, at(DAY_S + 900 + 2_999)) == []
    assert feed.asked == [(window(DAY_S), Seen()), (window(DAY_S), seen)]
    # A clock that was put back does not make it wait until the future comes again.
    assert due([feed], archive, at(DAY_S - 86_400))


def test_after_an_outage_what_was_missed_is_asked_for_up_to_a_week_back() -> None:
    feed = Played(*[Answer(issues=(), seen=Seen())] * 3)
    for away_days, before in ((0, 1), (3, 4), (30, 8)):
        ask(feed, FeedState(name="grid", answered_s=DAY_S - away_days * 86_400 + 5), at(DAY_S + 5))
        assert epoch(feed.asked[-1][0].start) == DAY_S - before * 86_400
        assert epoch(feed.asked[-1][0].end) == DAY_S + 3 * 86_400


@pytest.mark.parametrize(
    ("error", "pauses_s"),
    [
        (Unreachable("gone"), [60, 120, 240]),
        (InvalidValue("garbage"), [60, 120, 240]),
        (Throttled("too often", 1_000), [1_000, 1_000, 1_000]),
    ],
)
def test_a_failure_is_waited_out_longer_each_time_and_forgotten_after_an_answer(
    error: Exception, pauses_s: list[int]
) -> None:
    state = FeedState(name="grid", seen=Seen("q", "tag", ""), answered_s=7)
    for pause_s in pauses_s:
        state = ask(Played(error), state, at(DAY_S)).state
        assert state.next_s - DAY_S == pause_s
    assert (state.trouble, state.failures, state.seen.etag, state.answered_s) == (str(error), 3, "tag", 7)
    for _ in range(80):
        state = ask(Played(Unreachable("gone")), state, at(DAY_S)).state
    assert FIRST_PAUSE_S < state.next_s - DAY_S <= LONGEST_PAUSE_S
    assert ask(Played(Answer(issues=(), seen=Seen())), state, at(DAY_S)).state.failures == 0


@pytest.mark.parametrize(
    ("play", "wait_s"), [(Answer(issues=(), seen=Seen()), 900), (Throttled("too often", 1_000), 1_000)]
)
def test_a_log_that_runs_faster_than_the_world_asks_its_publishers_no_oftener(
    archive: FeedArchive, play: Answer | Exception, wait_s: int
) -> None:
    feed = Played(*[play] * 9)
    asked_s = []
    for real_s in range(0, 2 * wait_s, 10):
        now = Now(log_s=DAY_S + 90 * real_s, system_s=1_800_000_000 + real_s)
        for _, state in due([feed], archive, now):
            done = ask(feed, state, now)
            archive.keep(done.state, done.issues)
            asked_s.append(real_s)
            assert done.state.answered_s in (now.log_s, None), "what was missed is asked for by the log's days"
    assert asked_s == [0, wait_s]
    # A publisher that is played here, by the log's clock, is asked by it.
    feed.near = True
    assert due([feed], archive, Now(log_s=DAY_S + 180 * wait_s, system_s=0))


def test_what_could_not_be_kept_is_asked_for_again_in_full_but_not_before_its_time(archive: FeedArchive) -> None:
    feed = Played(Answer(issues=(), seen=Seen("question", "tag", "")), Unreachable("gone"), Unreachable("gone"))
    ((_, state),) = due([feed], archive, at(DAY_S))
    unkept = {"grid": lost(state, ask(feed, state, at(DAY_S)))}
    assert due([feed], archive, at(DAY_S + 899), unkept) == []
    for after_s, wait_s in ((900, 60), (960, 120)):
        ((_, state),) = due([feed], archive, at(DAY_S + after_s), unkept)
        assert (state.seen, state.answered_s) == (Seen(), None)
        unkept = {"grid": lost(state, ask(feed, state, at(DAY_S + after_s)))}
        assert due([feed], archive, at(DAY_S + after_s + wait_s - 1), unkept) == []


def test_who_asks_by_hand_waits_a_minute_after_a_failure_and_keeps_to_the_publisher_s_limits(
    archive: FeedArchive,
) -> None:
    for error, soon in ((Unreachable("gone"), True), (Throttled("too often", 1_000), False)):
        feed = Played(error)
        done = ask(feed, FeedState(name="grid"), at(DAY_S))
        archive.keep(done.state, done.issues)
        assert allowed([feed], archive, at(DAY_S + 59)) == []
        assert bool(allowed([feed], archive, at(DAY_S + 60))) is soon
    answered = Played(Answer(issues=(), seen=Seen(), fresh_s=3_000))
    archive.keep(ask(answered, FeedState(name="grid"), at(DAY_S)).state, [])
    assert allowed([answered], archive, at(DAY_S + 2_999)) == []
    assert allowed([answered], archive, at(DAY_S + 3_000))


def test_what_a_feed_fails_with_that_nobody_foresaw_is_a_failure_and_says_no_more_than_its_kind() -> None:
    class Wild:
        name, source, licence, topics, every_s = "wild", "first", "free", (GB,), 900
        near = False

        def fetch(self, window: Interval, now_s: int, seen: Seen) -> Answer:
            raise OverflowError("at https://elsewhere.example/?securityToken=1234")

    failed = ask(Wild(), FeedState(name="wild", answered_s=DAY_S), at(DAY_S + HOUR_S))
    assert (failed.state.failures, failed.state.trouble, failed.issues) == (1, "OverflowError", ())
    assert failed.state.next_s == DAY_S + HOUR_S + FIRST_PAUSE_S
