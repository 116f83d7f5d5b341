"""Do what was asked in a while, and let it be taken back until then."""

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import background_tasks

from commonwatt.apps.api.problems import problem_of
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.parts.controls import button

WAIT_S = 10.0


class Undoable:
    """A place on the page that says what is about to happen.

    What was asked for happens even where the page is closed meanwhile: who asked and went has not taken it back. Where
    their session is over by then it does not: they may have lost it to somebody.

    Args:
        context: The page.
        wait_s: How long it can be taken back.
    """

    def __init__(self, context: Context, wait_s: float = WAIT_S) -> None:
        self._context = context
        self._wait_s = wait_s
        self._waiting: asyncio.Task[None] | None = None
        self._act: Callable[[], Awaitable[None]] | None = None
        self._piece = context.put(tag("div"), on={"undo": self._take_back, "at-once": self._at_once}, early=False)
        self._piece.props("role=status")

    def ask(self, doing: str, done: str, act: Callable[[], Awaitable[None]]) -> None:
        """Say what will be done, and do it after a while; what was waiting before is done at once.

        Args:
            doing: What is about to happen, in a sentence.
            done: What happened.
            act: Does it; what it refuses is said.
        """
        self._finish_earlier()
        self._act = act
        self._waiting = background_tasks.create(self._later(done, act), name="what can be undone")
        say = self._context.say
        self._piece.set_content(
            tag(
                "div",
                tag("p", doing),
                tag("div", button("undo", say("Undo"), glyph="undo"), button("at-once", say("Now"), kind="quiet")),
                tag("span", class_="fuse", style=f"animation-duration:{self._wait_s}s"),
                class_="card undo",
            )
        )

    async def _later(self, done: str, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await asyncio.sleep(self._wait_s)
        finally:
            self._waiting = None
        await self._do(done, act)

    async def _do(self, done: str, act: Callable[[], Awaitable[None]]) -> None:
        self._act = None
        try:
            self._context.need_still()
            await act()
        except Exception as error:
            self._show("warning", problem_of(error).rule)
        else:
            self._show("check", done)

    def _finish_earlier(self) -> None:
        if self._waiting is not None and self._act is not None:
            self._waiting.cancel()
            background_tasks.create(self._do("", self._act), name="what can no longer be undone")

    async def _at_once(self, _: object) -> None:
        if self._waiting is not None and self._act is not None:
            self._waiting.cancel()
            await self._do(self._context.say("Done"), self._act)

    async def _take_back(self, _: object) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._act = None
            self._show("undo", self._context.say("Taken back: nothing was done"))

    def _show(self, glyph: str, text: str) -> None:
        if not self._context.client.is_deleted:
            self._piece.set_content(
                tag("p", icon(glyph), tag("span", text), class_="card done") if text else tag("div")
            )
