"""The doors of feeds: who publishes, and where what was heard is kept with its time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from commonwatt.flows.feeds.series import Issue, Topic
from commonwatt.model import Interval, Unreachable


class Throttled(Unreachable):
    """A publisher asks to be left alone for `wait_s` seconds."""

    def __init__(self, text: str, wait_s: int) -> None:
        super().__init__(text)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Seen:
    """By what a publisher knows which answer we have: of one question, in its own words."""

    question: str = ""
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking; no issues where nothing is newer than what was seen.

    Args:
        issues: What was published.
        seen: To be told with the next question.
        fresh_s: For how many seconds the publisher says that nothing newer will come.
    """

    issues: tuple[Issue, ...]
    seen: Seen
    fresh_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What time it is: a log may run faster than the world, and a publisher must not be asked faster for it.

    Args:
        log_s: By the log's clock: what is asked for, and when it was heard.
        system_s: By the system's: how long a publisher is left alone.
    """

    log_s: int
    system_s: int

    def of(self, feed: "Feed") -> int:
        """Return the time by which a feed is left alone."""
        return self.log_s if feed.near else self.system_s


class Feed(Protocol):
    """Somebody who publishes."""

    @property
    def name(self) -> str:
        """Its name in the community's configuration."""

    @property
    def source(self) -> str:
        """Who publishes, in whose format."""

    @property
    def licence(self) -> str:
        """On which terms."""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """What it publishes."""

    @property
    def every_s(self) -> int:
        """How often it is asked at most, where the publisher names no longer time."""

    @property
    def near(self) -> bool:
        """Whether it is played on this machine, by the log's clock; whoever is elsewhere lives by the system's."""

    def fetch(self, window: Interval, now_s: int, seen: Seen) -> Answer:
        """Ask for what is published about a window.

        Raises:
            Unreachable: No answer, none in time, or a refusal; `Throttled` where it says for how long.
            InvalidValue: The answer makes no sense; nothing of it is taken.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """How a feed stands: when it was last asked and last answered, and what went wrong last.

    Its publisher allows a question again at `allowed_s`; we ask at `next_s`, which after failures is later. Both and
    `asked_s` are by the feed's own time, see `Now`; `answered_s` is by the log's.
    """

    name: str
    seen: Seen = Seen()
    asked_s: int | None = None
    answered_s: int | None = None
    allowed_s: int = 0
    next_s: int = 0
    failures: int = 0
    trouble: str = ""


class IssueStore(Protocol):
    """Keeps every issue with the time when it was heard, for ever."""

    def keep(self, state: FeedState, issues: Sequence[Issue]) -> int:
        """Keep issues and how their feed stands, all or nothing; returns how many said something new."""

    def state(self, name: str) -> FeedState:
        """Return how a feed stands."""

    def issues(self, topic: Topic, window: Interval, heard_by_s: int) -> Iterator[Issue]:
        """Yield the issues of a topic that say something of a window and were heard by then, the latest first."""

    def last(self, topic: Topic, source: str) -> Issue | None:
        """Return the issue of a topic that was heard last from a source."""
