"""Asks feeds when they are due, and keeps what they say; an outage is noted, waited out, and never an error."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from commonwatt.flows.feeds.ports import Feed, FeedState, IssueStore, Now, Throttled
from commonwatt.flows.feeds.series import Issue
from commonwatt.model import CommonwattError, Interval, instant

_log = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60, 3_600
_BEFORE, _AHEAD, _MISSED = timedelta(days=1), timedelta(days=3), timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of asking one feed: how it stands now, and what it said."""

    state: FeedState
    issues: tuple[Issue, ...]


def due(
    feeds: Sequence[Feed], store: IssueStore, now: Now, unkept: Mapping[str, FeedState] = MappingProxyType({})
) -> list[tuple[Feed, FeedState]]:
    """Return the feeds that may be asked again, and how each stands; see `lost` for what could not be kept."""
    states = ((feed, unkept.get(feed.name) or store.state(feed.name)) for feed in feeds)
    return [(feed, state) for feed, state in states if state.next_s <= now.of(feed) or _set_back(state, now.of(feed))]


def allowed(feeds: Sequence[Feed], store: IssueStore, now: Now) -> list[tuple[Feed, FeedState]]:
    """Return the feeds whose publishers allow a question now, though we would wait longer after a failure."""
    states = ((feed, store.state(feed.name)) for feed in feeds)
    return [
        (feed, state) for feed, state in states if state.allowed_s <= now.of(feed) or _set_back(state, now.of(feed))
    ]


def lost(before: FeedState, asked: Asked) -> FeedState:
    """Return how a feed stands whose answer could not be kept: to be left alone as long, and asked for it again."""
    return replace(asked.state, seen=before.seen, answered_s=before.answered_s)


def ask(feed: Feed, state: FeedState, now: Now) -> Asked:
    """Ask a feed; touches nothing else, so that a thread may wait for it. What it says is kept by `IssueStore.keep`.

    After an answer it is left alone as long as it is usual or as the publisher says; after a failure for a minute, and
    twice as long after each further one up to an hour, or as long as it asks for. What nobody foresaw is a failure,
    too: one publisher's answer ends no other's feed. Nobody is asked again within a minute, by hand either.
    """
    now_s, at_s = now.log_s, now.of(feed)
    try:
        answer = feed.fetch(window(now_s, state.answered_s), now_s, state.seen)
    except Exception as error:
        trouble = str(error)
        if not isinstance(error, CommonwattError):
            trouble = type(error).__name__  # What it says may hold the question, and so a token.
            _log.exception("a feed failed as nobody foresaw: %s", feed.source)
        failures = state.failures + 1
        pause_s = min(FIRST_PAUSE_S << min(failures - 1, 10), max(LONGEST_PAUSE_S, feed.every_s))
        floor_s = FIRST_PAUSE_S
        if isinstance(error, Throttled):
            pause_s, floor_s = max(pause_s, error.wait_s), max(floor_s, error.wait_s)
        failed = replace(
            state,
            asked_s=at_s,
            allowed_s=at_s + floor_s,
            next_s=at_s + pause_s,
            failures=failures,
            trouble=trouble,
        )
        return Asked(state=failed, issues=())
    rest_s = max(feed.every_s, answer.fresh_s)
    done = FeedState(
        name=feed.name,
        seen=answer.seen,
        asked_s=at_s,
        answered_s=now_s,
        allowed_s=at_s + rest_s,
        next_s=at_s + rest_s,
    )
    return Asked(state=done, issues=answer.issues)


def window(now_s: int, since_s: int | None = None) -> Interval:
    """Return what feeds are asked for: whole UTC days, so that the question is the same all day.

    It begins a day before today, or before the day of `since_s`, up to a week back, so that an outage leaves no hole.
    """
    today = _midnight(now_s)
    since = today if since_s is None else max(min(_midnight(since_s), today), today - _MISSED)
    return Interval(since - _BEFORE, today + _AHEAD)


def _midnight(at_s: int) -> datetime:
    return instant(max(at_s, 0)).replace(hour=0, minute=0, second=0)


def _set_back(state: FeedState, now_s: int) -> bool:
    """Tell whether the clock was set back to before a feed was asked: it would be waited for a long time."""
    return state.asked_s is not None and state.asked_s > now_s
