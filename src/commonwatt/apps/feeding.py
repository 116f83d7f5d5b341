"""A community's feeds: asked when they are due, kept, and told to the log where its configuration says so."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from commonwatt.adapters.feeds.client import HttpFeed
from commonwatt.adapters.feeds.sources import SOURCES
from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.apps import door_card
from commonwatt.apps.asking import state_of
from commonwatt.apps.community import Community
from commonwatt.apps.feed_terms import FILE, FeedEntry, Outside, Terms, open_outside, topics_of
from commonwatt.flows.feeds.keeper import allowed, ask, due, lost, window
from commonwatt.flows.feeds.ports import FeedState, Now
from commonwatt.flows.feeds.series import UNITS, Topic
from commonwatt.flows.feeds.telling import Corrected, Price, corrections, event_fact, price_facts, published_prices
from commonwatt.flows.rulebook import State
from commonwatt.model import Corrupt, Kind, Outcome, Refused

_log = logging.getLogger(__name__)
LOOK_S = 5.0
"""Between two looks at whether a feed is due."""
KEPT_S = 92 * 86_400
"""How long what was heard stays in the database; whole months before that go to files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What a feed said last of one topic."""

    topic: str
    unit: str
    issued_s: int | None
    heard_s: int | None
    start_s: int | None
    end_s: int | None
    values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLine:
    """One feed as it stands: when it is asked by its own time (see `Now`), when it answered by the log's."""

    name: str
    source: str
    licence: str
    asked_s: int | None
    answered_s: int | None
    next_s: int
    failures: int
    trouble: str
    series: Sequence[Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All feeds of a community, and which prices were corrected after the log was told: those stay as told."""

    now_s: int
    feeds: Sequence[FeedLine]
    corrected: Sequence[Corrected]


async def keep_feeds(community: Community, every_s: float = LOOK_S, system_s: Callable[[], float] = time.time) -> None:
    """Go on asking a community's feeds and telling its log, until cancelled; what fails is tried again later."""
    unkept = dict[str, FeedState]()
    outside = community.outside
    if outside is None:
        return
    owed, said = True, ""
    with opened(community.folder, outside.terms) as feeds:
        while True:
            try:
                owed = await ask_due(community, outside, feeds, unkept, int(system_s())) or owed
                if owed:
                    await tell(community, outside)
                owed, trouble = False, ""
            except Exception as error:
                trouble = f"{type(error).__name__}: {error}"
                foreseen = isinstance(error, (Refused, Corrupt, OSError))
                if trouble != said:
                    _log.warning("feeds are asked or told later: %s", error, exc_info=None if foreseen else error)
            said = trouble
            await asyncio.sleep(every_s)


async def ask_due(
    community: Community, outside: Outside, feeds: Sequence[HttpFeed], unkept: dict[str, FeedState], system_s: int
) -> bool:
    """Ask the feeds that are due, beside each other, and keep what they say; tells whether any was.

    Args:
        community: Whose.
        outside: Where what they say is kept.
        feeds: Its feeds.
        unkept: How those stand whose answers could not be kept, by name; changed. A full disk is no reason to ask more.
        system_s: The system's time.

    Raises:
        Corrupt: The archive is damaged; what could be kept is kept.
        OSError: The disk is full or broken; likewise.
    """
    now, archive = Now(log_s=community.now_s(), system_s=system_s), outside.archive
    waiting, failed = due(feeds, archive, now, unkept), list[Exception]()
    answers = await asyncio.gather(*(asyncio.to_thread(ask, feed, state, now) for feed, state in waiting))
    for (feed, before), done in zip(waiting, answers, strict=True):
        try:
            archive.keep(done.state, done.issues)
        except Exception as error:  # of one feed: the others' answers are kept all the same
            unkept[feed.name] = lost(before, done)
            failed.append(error)
        else:
            unkept.pop(feed.name, None)
    if failed:
        raise failed[0]
    if waiting:
        archive.archive(now.log_s - KEPT_S)
    return bool(waiting)


async def tell(community: Community, outside: Outside) -> None:
    """Sign what the log does not know yet of published prices and events as the oracle, and send it.

    Raises:
        Refused: The oracle's key is not kept here, no door is open, or the log refused a fact.
        OSError: The line to the door broke.
    """
    tells = outside.tells
    if tells is None or community.broken is not None:
        return
    state, now_s = community.state, community.now_s()
    facts: list[msgspec.Struct] = []
    if tells.prices is not None:
        facts += price_facts(state, _prices(outside, tells.prices, state, now_s))
    for event in tells.events:
        values = outside.known(event.topic, window(now_s), now_s, usual=False)
        made = event_fact(state, tells.oracle, event, values, now_s)
        facts += [] if made is None else [made]
    for fact in facts:
        done = await community.send(tells.oracle, Kind.FACT, fact)
        if done.outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
            raise Refused("the log takes what its rules allow", kind=Kind.FACT.value, outcome=done.outcome)


@contextmanager
def opened(folder: Path, terms: Terms) -> Iterator[list[HttpFeed]]:
    """Hold a configuration's feeds, with the tokens that its files hold.

    Raises:
        InvalidValue: A feed would break its publisher's terms.
        Refused: A token is missing, or not its owner's alone.
    """
    with ExitStack() as doors:
        yield [doors.enter_context(_feed(folder, entry)) for entry in terms.feed]


def check_feeds(community: Community) -> None:
    """Refuse a configuration that could not be asked by, before anybody comes. Raises as `opened`."""
    if community.outside is not None:
        with opened(community.folder, community.outside.terms):
            pass


def standing(folder: Path) -> Standing:
    """Return how a community's feeds stand; asks nobody.

    Raises:
        Refused: It has no feeds.
        InvalidValue: Their configuration makes no sense.
    """
    with _outside(folder) as outside:
        now_s = _now_s(folder)
        lines = [_line(outside, entry, outside.archive.state(entry.name)) for entry in outside.terms.feed]
        corrected: Sequence[Corrected] = ()
        if outside.tells is not None and outside.tells.prices is not None:
            state = state_of(folder)
            corrected = corrections(state, _prices(outside, outside.tells.prices, state, now_s))
        return Standing(now_s=now_s, feeds=lines, corrected=corrected)


def fetch(folder: Path, names: Sequence[str] = ()) -> Standing:
    """Ask feeds now, and keep what they say: all that are due, or those that are named and may be asked. Tells no log.

    Who is named is waited for a minute after a failure, and its publisher's own limits stand.

    Raises:
        Refused: It has no feeds, or none of a name; or a token is missing.
        InvalidValue: Their configuration makes no sense.
    """
    with _outside(folder) as outside, opened(folder, outside.terms) as feeds:
        now, archive = Now(log_s=_now_s(folder), system_s=int(time.time())), outside.archive
        if unknown := set(names) - {feed.name for feed in feeds}:
            raise Refused("a feed is named as in its configuration", found=", ".join(sorted(unknown)))
        named = [feed for feed in feeds if feed.name in names]
        for feed, state in allowed(named, archive, now) if names else due(feeds, archive, now):
            done = ask(feed, state, now)
            archive.keep(done.state, done.issues)
    return standing(folder)


def _prices(outside: Outside, terms: tuple[Price, Price], state: State, now_s: int) -> dict[int, tuple[int, int]]:
    """Return the community's prices as published by now, from yesterday on or from what is not settled yet."""
    span = window(now_s, state.settled_to_s)
    bought, sold = (outside.known(price.topic, span, now_s, usual=False) for price in terms)
    return published_prices(bought, sold, terms)


@contextmanager
def _outside(folder: Path) -> Iterator[Outside]:
    outside = open_outside(folder)
    if outside is None:
        raise Refused(f"a community's feeds are in its {FILE}", folder=folder)
    try:
        yield outside
    finally:
        outside.close()


def _feed(folder: Path, entry: FeedEntry) -> HttpFeed:
    token = None
    if entry.token is not None:
        try:
            token = load_secret(folder / entry.token).decode("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError) as error:
            raise Refused("a feed's token lies in a file", feed=entry.name, missing=entry.token) from error
    return HttpFeed(
        entry.name,
        entry.source,
        entry.place,
        SOURCES[entry.source].read_settings(entry.settings),
        time.monotonic,
        address=entry.address,
        token=token or None,
        contact=entry.contact,
        every_s=entry.every_s,
        within_s=entry.within_s,
    )


def _line(outside: Outside, entry: FeedEntry, state: FeedState) -> FeedLine:
    return FeedLine(
        name=entry.name,
        source=entry.source,
        licence=SOURCES[entry.source].licence,
        asked_s=state.asked_s,
        answered_s=state.answered_s,
        next_s=state.next_s,
        failures=state.failures,
        trouble=state.trouble,
        series=[_series(outside, entry.source, topic) for topic in topics_of(entry)],
    )


def _series(outside: Outside, source: str, topic: Topic) -> Series:
    issue = outside.archive.last(topic, source)
    return Series(
        topic=str(topic),
        unit=UNITS[topic.what],
        issued_s=None if issue is None else issue.issued_s,
        heard_s=None if issue is None else issue.heard_s,
        start_s=None if issue is None else issue.start_s,
        end_s=None if issue is None else issue.end_s,
        values=0 if issue is None else sum(value is not None for value in issue.values),
    )


def _now_s(folder: Path) -> int:
    """Return the log's time where its door is open, else the system's."""
    try:
        return door_card.read(folder).now_s(time.time())
    except Refused:
        return int(time.time())
