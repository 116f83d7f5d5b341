"""What is done on an open page is done by who sits there still, and by nobody whose session is over."""

import asyncio
import zoneinfo
from types import SimpleNamespace
from typing import Any

import pytest
from nicegui import ui
from seats import ToldSeats

from commonwatt.apps.web.context import Context
from commonwatt.apps.web.live import Live
from commonwatt.apps.web.parts.undo import Undoable
from commonwatt.apps.web.words import Place, Words
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId


class Screen:
    """In place of NiceGUI's client and of what is put on its page: keeps what was said."""

    id, is_deleted = "a", False

    def __init__(self) -> None:
        self.said = list[str]()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def run_javascript(self, code: str) -> None:
        self.said.append(code)

    def set_content(self, markup: object) -> None:
        self.said.append(str(markup))

    def on(self, *_: object, **__: object) -> None: ...

    def props(self, _: str) -> None: ...


@pytest.fixture
def seats() -> ToldSeats:
    return ToldSeats()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    found = Screen()
    monkeypatch.setattr(ui, "html", lambda *_, **__: found)
    return found


@pytest.fixture
def context(seats: ToldSeats, screen: Screen) -> Context:
    async def send(*_: object) -> None: ...

    client: Any = screen
    place = Place(name="sun street", zone=zoneinfo.ZoneInfo("UTC"), currency="GBP")
    return Context(
        community=None,
        seat=Seat(person="anna", role=Role.MEMBER, account=AccountId("home")),
        words=Words("en", place),
        now_s=lambda: 0,
        live=Live(send),
        client=client,
        held=seats,
    )


def test_a_deed_of_a_session_that_is_over_is_refused_before_it_is_done(
    context: Context, seats: ToldSeats, screen: Screen
) -> None:
    done = list[object]()
    pressed: Any = SimpleNamespace(args={"detail": {"name": "send", "value": 5}})
    asyncio.run(context._handle({"send": done.append}, pressed))
    assert done == [5]
    seats.over = True
    asyncio.run(context._handle({"send": done.append}, pressed))
    assert done == [5] and "this session is over" in screen.said[-1]


def test_what_could_still_be_undone_is_not_done_once_the_session_is_over(
    context: Context, seats: ToldSeats, screen: Screen
) -> None:
    done = list[str]()

    async def act() -> None:
        done.append("sent")

    async def story() -> None:
        place = Undoable(context, wait_s=0)
        await place._later("Sent", act)
        seats.over = True
        await place._later("Sent", act)

    asyncio.run(story())
    assert done == ["sent"] and "this session is over" in screen.said[-1]
