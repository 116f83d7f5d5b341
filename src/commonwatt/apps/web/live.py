"""Numbers that move on every open page: what a seat sees is computed once a change, however many pages show it.

A page joins a *feed*: a name, a seat and a language, with a function that returns texts by key. Whenever the log brings
something of the feed's topics, the function runs once, what moved is encoded once, and one message goes to the feed's
pages. No page holds bindings, timers or copies of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from commonwatt.apps.api.held import LOOK_EVERY_S
from commonwatt.model import CommonwattError

Value = str | int | float | bool | None | Mapping[str, "Value"] | list["Value"]
"""What a browser is told under one key: text for a plain place, a record for a picture that moves."""
View = Callable[[], Mapping[str, Value]]
Send = Callable[[Mapping[str, Value], Collection[str]], Awaitable[None]]

GATHER_S = 0.05
"""How long changes are gathered: a slot's hundred readings arrive in one burst, and are one change to a reader."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Feed:
    view: View
    topics: frozenset[Hashable]
    shown: Mapping[str, Value]
    pages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Guest:
    still: Callable[[], bool]
    put_out: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Watcher:
    topics: frozenset[Hashable]
    call: Callable[[], Awaitable[None]]


class Live:
    """All feeds of one process.

    Args:
        send: Brings what moved to pages, by their names.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._feeds: dict[Hashable, _Feed] = {}
        self._of_page: dict[str, set[Hashable]] = {}
        self._watchers: dict[str, list[_Watcher]] = {}
        self._guests: dict[str, _Guest] = {}
        self._dirty: set[Hashable] | None = set()
        self._stirred = asyncio.Event()

    def admit(self, page: str, still: Callable[[], bool], put_out: Callable[[], Awaitable[None]]) -> None:
        """Show a page what changes only as long as who opened it sits there still.

        Args:
            page: The page's name.
            still: Tells whether they do; asked every few seconds.
            put_out: Closes the page.
        """
        self._guests[page] = _Guest(still, put_out)

    @property
    def pages(self) -> int:
        """How many open pages are in any feed."""
        return len(self._of_page)

    @property
    def feeds(self) -> int:
        """How many feeds have an open page."""
        return len(self._feeds)

    def join(self, page: str, key: Hashable, view: View, topics: Collection[Hashable] = ()) -> Mapping[str, Value]:
        """Bring a page into a feed and return what the feed shows now.

        Args:
            page: The page's name.
            key: Names the feed; whatever changes what the view returns (seat, language) belongs into it.
            view: Returns the feed's values; runs on the loop, so it must be short. The first page's view serves all.
            topics: what can move the feed; none for all.
        """
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = _Feed(view, frozenset(topics), view())
        feed.pages.add(page)
        self._of_page.setdefault(page, set()).add(key)
        return feed.shown

    def watch(self, page: str, call: Callable[[], Awaitable[None]], topics: Collection[Hashable] = ()) -> None:
        """Call a page back after changes: for what no text can tell, like a list that grew."""
        self._of_page.setdefault(page, set())
        self._watchers.setdefault(page, []).append(_Watcher(frozenset(topics), call))

    def leave(self, page: str) -> None:
        """Forget a page; a feed that nobody shows any more goes too."""
        self._watchers.pop(page, None)
        self._guests.pop(page, None)
        for key in self._of_page.pop(page, ()):
            feed = self._feeds[key]
            feed.pages.discard(page)
            if not feed.pages:
                del self._feeds[key]

    async def greet(self, page: str) -> None:
        """Send a page all that its feeds show: it may have missed something before its socket stood, or fell."""
        if not await self._let_in(page):
            return
        values: dict[str, Value] = {}
        for key in self._of_page.get(page, ()):
            values.update(self._feeds[key].shown)
        if values:
            await self._send(values, (page,))

    def stir(self, topics: Collection[Hashable] = ()) -> None:
        """Say what changed: kinds of requests, accounts whose things moved; none for anything."""
        if not topics:
            self._dirty = None
        elif self._dirty is not None:
            self._dirty.update(topics)
        self._stirred.set()

    async def run(self) -> None:
        """Bring changes to pages until cancelled."""
        clock, looked_s = asyncio.get_running_loop().time, float("-inf")
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._stirred.wait()
                await asyncio.sleep(GATHER_S)
            if clock() >= looked_s + LOOK_EVERY_S:
                looked_s = clock()
                await _guarded(self.look_round)
            if not self._stirred.is_set():
                continue
            self._stirred.clear()
            topics, self._dirty = self._dirty, set()
            await _guarded(partial(self.spread, topics))

    async def look_round(self) -> None:
        """Put out the pages of those who sit there no more."""
        for page in list(self._guests):
            await self._let_in(page)
            await asyncio.sleep(0)

    async def _let_in(self, page: str) -> bool:
        guest = self._guests.get(page)
        if guest is None or guest.still():
            return True
        self.leave(page)
        await _guarded(guest.put_out)
        return False

    async def spread(self, topics: Collection[Hashable] | None) -> None:
        """Compute again what may have moved, and send what did.

        Args:
            topics: What changed; None for anything.
        """
        for key, feed in list(self._feeds.items()):
            if _touched(feed.topics, topics) and self._feeds.get(key) is feed:
                await self._refresh(key, feed)
                # One long round must not hold up the log that is followed on the same loop.
                await asyncio.sleep(0)
        for watchers in list(self._watchers.values()):
            for watcher in watchers:
                if _touched(watcher.topics, topics):
                    await _guarded(watcher.call)

    async def _refresh(self, key: Hashable, feed: _Feed) -> None:
        try:
            values = feed.view()
        except CommonwattError as error:
            # What pages show keeps its older time, which says so; the next change tries again.
            _log.warning("a feed could not be computed: feed %s, found %s", key, error)
            return
        except Exception:
            _log.exception("a feed could not be computed: feed %s", key)
            return
        moved = {name: value for name, value in values.items() if feed.shown.get(name) != value}
        feed.shown = values
        if moved and feed.pages:
            await self._send(moved, tuple(feed.pages))


async def _guarded(call: Callable[[], Awaitable[None]]) -> None:
    try:
        await call()
    except Exception:
        _log.exception("an open page could not follow a change")


def _touched(wanted: frozenset[Hashable], topics: Collection[Hashable] | None) -> bool:
    return not wanted or topics is None or not wanted.isdisjoint(topics)
