"""What a page is given: whose it is, in which language, what it may show, and how it stays true while it is open."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from markupsafe import Markup
from nicegui import Client, ui
from nicegui.events import GenericEventArguments

from commonwatt.apps.api.held import FREE, Held
from commonwatt.apps.api.problems import Problem, problem_of
from commonwatt.apps.web.live import Live, Value, View
from commonwatt.apps.web.parts.states import error_state
from commonwatt.apps.web.words import Words
from commonwatt.identity.seat import Role, Seat

Handler = Callable[[Any], Awaitable[None] | None]
"""Takes what a control was set to. It comes from a browser: a handler believes none of it unchecked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One open page.

    Args:
        community: What the page is about (`apps.community.Community`); views read it.
        seat: Who looks.
        words: Their language, and the community's place.
        now_s: The community's clock, seconds since 1970.
        live: All feeds of this process.
        client: NiceGUI's page.
        within: What the address says beyond the page's own path: ``{name}`` parts and the query.
        held: By what they sit there, see `need_still`.
        pieces: What was put on the page so far, to be seen before it lives.
    """

    community: Any
    seat: Seat
    words: Words
    now_s: Callable[[], int]
    live: Live
    client: Client
    within: Mapping[str, str] = field(default_factory=dict)
    held: Held = FREE
    pieces: list[Markup] = field(default_factory=list)

    def say(self, message: str, **values: object) -> str:
        """Translate a text for whoever looks; see `Words.say`."""
        return self.words.say(message, **values)

    def put(self, markup: Markup, on: Mapping[str, Handler] | None = None, *, early: bool = True) -> ui.html:
        """Put markup on the page, where NiceGUI is just now; returns what can be given other content later.

        Args:
            markup: Parts, in which nothing is unescaped.
            on: What happens when a control in it is used, by the control's ``data-send`` name.
            early: Whether it stands by itself and is seen before the page lives.
        """
        if early:
            self.pieces.append(markup)
        piece = ui.html(markup, sanitize=False)
        if on:
            piece.on("cw", lambda event: self._handle(dict(on), event), args=["detail"])
        return piece

    def follow(self, name: Hashable, view: View, topics: Collection[Hashable] = ()) -> Mapping[str, Value]:
        """Keep every ``data-live`` place of this page true, and return what they show now.

        Args:
            name: The feed's name. Pages of one seat and language with the same name share one computation.
            view: Returns what to show by key, formatted; short, and the same for all who share it.
            topics: what can move it; none for all.
        """
        key = (name, self.seat, self.words.language)
        return self.live.join(self.client.id, key, view, topics)

    def redraw(self, piece: ui.html, draw: Callable[[], Markup], topics: Collection[Hashable] = ()) -> None:
        """Draw a piece again after changes, for what changes its shape; sends only what became other."""

        async def again() -> None:
            if not self.client.is_deleted and (markup := draw()) != piece.content:
                piece.set_content(markup)

        self.live.watch(self.client.id, again, topics)

    def later(
        self, skeleton: Markup, work: Callable[[], Awaitable[Markup]], on: Mapping[str, Handler] | None = None
    ) -> ui.html:
        """Put a skeleton on the page, and in its place what takes a while, once it is there; `on` as in `put`."""
        piece = self.put(skeleton, on)

        async def fill() -> None:
            try:
                markup = await work()
            except Exception as error:
                markup = error_state(self.words, problem_of(error))
            if not self.client.is_deleted:
                piece.set_content(markup)

        task = asyncio.get_running_loop().create_task(fill())
        self.client.on_delete(lambda: task.cancel() and None)
        return piece

    def announce(self, text: str) -> None:
        """Have a sentence read out politely, and seen for a while."""
        self.client.run_javascript(f"cw.announce({_quoted(text)})")

    def need_still(self) -> None:
        """Refuse who sits there no more as when the page was opened; before anything is done.

        Raises:
            Problem: They signed out or were put out meanwhile, or their role ended.
        """
        if not self.held.still(used=True):
            raise Problem(HTTPStatus.UNAUTHORIZED, "who does something here is signed in: this session is over")

    async def _handle(self, on: Mapping[str, Handler], event: GenericEventArguments) -> None:
        detail = event.args.get("detail") if isinstance(event.args, dict) else None
        handler = on.get(str(detail.get("name"))) if isinstance(detail, dict) else None
        if handler is None:
            return
        try:
            self.need_still()
            done = handler(detail.get("value") if isinstance(detail, dict) else None)
            if done is not None:
                await done
        except Exception as error:
            with self.client:
                self.announce(problem_of(error).rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the app.

    Args:
        path: Where it is, as in ``/market`` or ``/proof/{what}``.
        title: Its name in English, marked for translation.
        icon: One of `icons.NAMES`.
        roles: Who may open it.
        build: Puts its parts on the page; may be a coroutine.
        listed: Whether it is in the navigation.
    """

    path: str
    title: str
    icon: str
    roles: frozenset[Role]
    build: Callable[[Context], Awaitable[None] | None]
    listed: bool = True


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
