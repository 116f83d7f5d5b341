import asyncio
from collections.abc import Collection, Mapping

import pytest

from commonwatt.apps.web import live
from commonwatt.apps.web.live import Live, Value
from commonwatt.model import Refused


class Wire:
    """What was sent, to whom; and a number that one view shows, with how often it was computed."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Value], tuple[str, ...]]] = []
        self.live = Live(self.send)
        self.power_w = 100
        self.computed = 0

    async def send(self, values: Mapping[str, Value], pages: Collection[str]) -> None:
        self.sent.append((dict(values), tuple(sorted(pages))))

    def view(self) -> dict[str, Value]:
        self.computed += 1
        return {"power": f"{self.power_w} W", "name": "house"}


def test_what_a_seat_sees_is_computed_once_for_all_its_pages_and_only_what_moved_is_sent() -> None:
    wire = Wire()
    for page in ("a", "b", "c"):
        assert wire.live.join(page, "home", wire.view) == {"power": "100 W", "name": "house"}
    assert wire.computed == 1
    wire.power_w = 250
    asyncio.run(wire.live.spread(None))
    assert wire.computed == 2
    assert wire.sent == [({"power": "250 W"}, ("a", "b", "c"))]


def test_nothing_is_sent_where_nothing_moved() -> None:
    wire = Wire()
    wire.live.join("a", "home", wire.view)
    asyncio.run(wire.live.spread(None))
    assert (wire.computed, wire.sent) == (2, [])


def test_a_feed_is_computed_only_for_what_can_move_it() -> None:
    wire = Wire()
    wire.live.join("a", "home", wire.view, topics=("reading_batch", "home-001"))
    asyncio.run(wire.live.spread({"order", "home-002"}))
    assert wire.computed == 1
    asyncio.run(wire.live.spread({"order", "home-001"}))
    assert wire.computed == 2


def test_a_feed_goes_with_its_last_page() -> None:
    wire = Wire()
    wire.live.join("a", "home", wire.view)
    wire.live.join("b", "home", wire.view)
    wire.live.leave("a")
    assert (wire.live.feeds, wire.live.pages) == (1, 1)
    wire.live.leave("b")
    wire.live.leave("b")
    assert (wire.live.feeds, wire.live.pages) == (0, 0)
    asyncio.run(wire.live.spread(None))
    assert wire.computed == 1


def test_a_page_whose_socket_came_late_is_told_everything_once_more() -> None:
    wire = Wire()
    wire.live.join("a", "home", wire.view)
    wire.live.join("a", "clock", lambda: {"as_of": "19:00"})
    asyncio.run(wire.live.greet("a"))
    assert wire.sent == [({"power": "100 W", "name": "house", "as_of": "19:00"}, ("a",))]


def test_a_view_that_fails_leaves_other_feeds_alone_and_is_tried_again() -> None:
    wire = Wire()
    broken = True

    def fragile() -> dict[str, Value]:
        if wire.computed and broken:
            raise Refused("no such asset", asset="car")
        return wire.view()

    wire.live.join("a", "fragile", fragile)
    wire.live.join("b", "sound", wire.view)
    wire.power_w = 300
    asyncio.run(wire.live.spread(None))
    assert wire.sent == [({"power": "300 W"}, ("b",))]
    broken = False
    asyncio.run(wire.live.spread(None))
    assert wire.sent[1:] == [({"power": "300 W"}, ("a",))]


def test_a_burst_of_changes_is_one_round_and_no_change_is_lost() -> None:
    wire = Wire()
    wire.live.join("a", "home", wire.view, topics=("reading_batch",))

    async def burst() -> None:
        running = asyncio.create_task(wire.live.run())
        for power_w in range(100):
            wire.power_w = power_w
            wire.live.stir(("reading_batch",))
            await asyncio.sleep(0)
        while not wire.sent:
            await asyncio.sleep(0.01)
        wire.power_w = 777
        wire.live.stir(("reading_batch",))
        while len(wire.sent) < 2:
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(asyncio.wait_for(burst(), 30))
    assert [values["power"] for values, _ in wire.sent] == ["99 W", "777 W"]
    assert wire.computed == 3


def test_whoever_watches_is_called_after_what_concerns_them_and_a_failure_stays_theirs() -> None:
    wire = Wire()
    called: list[str] = []

    async def fail() -> None:
        called.append("failed")
        raise ValueError("a page broke")

    async def note() -> None:
        called.append("noted")

    wire.live.watch("a", fail, topics=("order",))
    wire.live.watch("b", note)
    asyncio.run(wire.live.spread({"order"}))
    assert called == ["failed", "noted"]
    wire.live.leave("a")
    asyncio.run(wire.live.spread({"order"}))
    assert called == ["failed", "noted", "noted"]


def test_a_page_whose_session_is_over_is_put_out_and_told_nothing_more() -> None:
    wire, over, closed = Wire(), set[str](), list[str]()

    def guest(page: str) -> None:
        async def put_out() -> None:
            closed.append(page)

        wire.live.admit(page, lambda: page not in over, put_out)
        wire.live.join(page, "home", wire.view)

    async def story() -> None:
        for page in ("a", "b", "c"):
            guest(page)
        await wire.live.look_round()
        assert closed == []
        over.update("ab")
        await wire.live.greet("b")
        running = asyncio.create_task(wire.live.run())
        wire.power_w = 250
        wire.live.stir()
        while not wire.sent:
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(asyncio.wait_for(story(), 30))
    assert sorted(closed) == ["a", "b"] and wire.live.pages == 1
    assert wire.sent == [({"power": "250 W"}, ("c",))]


def test_pages_are_put_out_also_where_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.01)
    wire, closed = Wire(), asyncio.Event()

    async def put_out() -> None:
        closed.set()

    async def story() -> None:
        wire.live.admit("a", lambda: False, put_out)
        running = asyncio.create_task(wire.live.run())
        await closed.wait()
        running.cancel()

    asyncio.run(asyncio.wait_for(story(), 30))
    assert closed.is_set() and wire.sent == []
