"""Home that was opened before the first reading shows what flows once there is one, without being opened again."""

import asyncio
import zoneinfo
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.views import home as views
from commonwatt.apps.web.context import Context
from commonwatt.apps.web.live import Live
from commonwatt.apps.web.pages import home
from commonwatt.apps.web.words import Place, Words
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId

ME = AccountId("home")


class Piece:
    """In place of NiceGUI's: keeps what stands in it, and how often it was drawn."""

    def __init__(self, content: Markup, **_: object) -> None:
        self.content, self.drawn = content, 1

    def set_content(self, content: Markup) -> None:
        self.content, self.drawn = content, self.drawn + 1


def told(house_w: int | None) -> Any:
    names = ("slot_s", "house_w", "solar_w", "battery_w", "car_w", "grid_w", "bought_w", "sold_w")
    flow = None if house_w is None else SimpleNamespace(**{**dict.fromkeys(names, 0), "house_w": house_w})
    return SimpleNamespace(flow=flow, stores=[])


@pytest.mark.row("E10")
def test_home_opened_before_the_first_reading_shows_what_flows_once_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = list[Piece]()

    def html(content: Markup, **_: object) -> Piece:
        pieces.append(Piece(content))
        return pieces[-1]

    async def send(*_: object) -> None: ...

    client: Any = SimpleNamespace(id="a", is_deleted=False)
    place = Place(name="sun street", zone=zoneinfo.ZoneInfo("UTC"), currency="GBP")
    seat, words = Seat(person="anna", role=Role.MEMBER, account=ME), Words("en", place)
    live = Live(send)
    context = Context(community=None, seat=seat, words=words, now_s=lambda: 0, live=live, client=client)
    monkeypatch.setattr(ui, "html", html)
    home._picture(context, ME, told(None))
    (piece,) = pieces
    assert "Nothing measured yet" in piece.content
    for heard, drawn in ((None, 1), (700, 2), (800, 2)):
        monkeypatch.setattr(views, "home", lambda *_, heard=heard: told(heard))
        asyncio.run(live.spread({"reading_batch"}))
        assert piece.drawn == drawn, heard
    assert "0.7\N{NO-BREAK SPACE}kW" in piece.content and "Nothing measured yet" not in piece.content, (
        "from then on numbers move within it"
    )
