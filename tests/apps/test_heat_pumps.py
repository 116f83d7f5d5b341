"""A heat pump on the log: claimed by its owner, metered by itself, foreseen, shown, planned around and watched."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from community import NOON, SLOT_SECONDS, Community, gateway

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.apps.feed_terms import FILE, FOLDER, open_outside
from commonwatt.apps.foresight import Book, look
from commonwatt.apps.gathering import Outdoor, gather
from commonwatt.apps.views import foresight
from commonwatt.apps.warming import drawn_wh
from commonwatt.flows.brought import NOTHING_BROUGHT
from commonwatt.flows.chronicle import Chronicler
from commonwatt.flows.feeds.ports import FeedState
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.flows.outlook import Terms, homes, measured
from commonwatt.flows.sequence import replay
from commonwatt.forecasting.foresee import AHEAD
from commonwatt.forecasting.health import Ailment
from commonwatt.forecasting.heating import DEGREES
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import SLOTS_PER_DAY, AccountId, AssetId, AssetKind, Interval, Outcome, epoch, instant

ANNA, PUMP = AccountId("anna"), AssetId("anna-pump")
LEAST_W, HOUSE_WH, DAYS = 1_000, 60, 5


def lived(pump_wh: int, days: int = DAYS) -> Community:
    """Let some days pass in which a home draws 60 Wh a slot and its heat pump so much beside it."""
    community = Community(1, priced_slots=0)
    limits = {"max_import_w": 3_000, "max_export_w": 0, "min_import_w": LEAST_W}
    assert community.claim("anna", PUMP, AssetKind.HEAT_PUMP, **limits) is Outcome.BOOKED
    for _ in range(days * SLOTS_PER_DAY):
        slot_s = community.slot_s
        community.now_s = slot_s + SLOT_SECONDS
        told = {"anna-home": (HOUSE_WH + pump_wh, 0), "anna-solar": (0, 0), "anna-battery": (0, 0, 0)}
        assert community.report(gateway("anna"), slot_s, {**told, PUMP: (pump_wh, 0)}) is Outcome.BOOKED
    return community


def book_of(community: Community, outdoor: Outdoor | None = None) -> tuple[Book, Chronicle, Any]:
    """Return what is foreseen of it, from its log and perhaps a weather feed."""
    chronicler, chronicle = Chronicler(community.store), Chronicle()
    while chapter := chronicler.step():
        chronicle.add(chapter)
    told = gather(chronicler.state, chronicle, NOTHING_BROUGHT, community.now_s, outdoor)
    assert np.nanmax(told.load_wh) == HOUSE_WH, "what the pump draws is no part of what the house does"
    assert drawn_wh(told).max() > 0
    return look(told), chronicle, chronicler.state


@pytest.mark.row("H8")
@pytest.mark.row("W11")
def test_readings_of_a_pump_that_cycles_become_a_forecast_a_card_and_an_alarm() -> None:
    community = lived(125, 16)
    asked: list[int] = []

    def outdoor(window: Interval) -> dict[int, int]:
        asked.append(epoch(window.start))
        return dict.fromkeys(range(epoch(window.start), epoch(window.end), SLOT_SECONDS), 4_000)

    book, chronicle, state = book_of(community, outdoor)
    assert asked == book.starts_s[: 1 - AHEAD, 0].tolist(), "of each day, and as of its start"
    ((pump,),) = book.heat.values()
    assert (pump.series, list(book.heat)) == (PUMP, [ANNA]) and DEGREES in pump.choice.reason
    assert pump.card is not None and pump.card.nmae < 0.01 and pump.expected_wh[-AHEAD:].mean() == pytest.approx(125)
    assert book.community is not None and book.community.expected_wh[-1].mean() == pytest.approx(HOUSE_WH + 125)
    seen: Any = SimpleNamespace(state=state, chronicle=chronicle, positions=None)
    own = foresight.home(seen, Seat(person=ANNA, role=Role.MEMBER, account=ANNA), ANNA, book)
    heat = next(one for one in own if one.of == "heat")
    assert (heat.series, heat.unit) == (PUMP, "Wh") and {one.came for one in heat.slots[:SLOTS_PER_DAY]} == {125}
    (found,) = book.alarms
    assert (found.asset, found.owner, found.ailment) == (PUMP, ANNA, Ailment.SHORT_CYCLING)
    assert (
        found.score == 72 and found.off_permille == 1000 and found.lost_wh > 0 and found.visit.start_s > book.issued_s
    )


def test_a_pump_that_runs_through_alarms_nobody_and_its_log_replays() -> None:
    community = lived(300)
    assert book_of(community)[0].alarms == []
    again = replay(community.rows(), community.name)
    assert again.state.root() == community.state.root()
    assert again.state.assets[PUMP].kind is AssetKind.HEAT_PUMP


def test_a_plan_expects_what_a_pump_draws_since_it_does_not_move_it() -> None:
    community = lived(300)
    past = {ANNA: (100,) * SLOTS_PER_DAY}
    span = Interval(instant(NOON), instant(community.now_s))
    terms = Terms(
        span=span, zone="lane", load_wh=past, solar_wh=past, wear_micro_per_kwh={AssetKind.BATTERY: 1}, reserve_wh=0
    )
    loads, _ = measured(community.state, terms, ANNA, homes(community.state, terms)[ANNA], community.now_s)
    assert set(loads[SLOTS_PER_DAY:]) == {HOUSE_WH + 300}


def test_a_weather_feed_tells_how_cold_it_was_forecast_to_be_and_nothing_that_was_heard_later(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        '[[feed]]\nname = "weather"\nsource = "open_meteo"\nplace = "here"\n'
        "settings = { latitude = 52.5, longitude = 13.4 }\n"
    )
    archive = FeedArchive(tmp_path / FOLDER)
    for heard_s, mc in ((NOON - 60, 3_000), (NOON + 60, 9_000)):
        issue = Issue(
            topic=Topic(What.TEMPERATURE, "here"),
            source="open_meteo",
            licence="CC BY 4.0",
            issued_s=None,
            heard_s=heard_s,
            start_s=NOON,
            step_s=3_600,
            values=(mc,) * 24,
        )
        archive.keep(FeedState(name="weather"), [issue])
    archive.close()
    outside = open_outside(tmp_path)
    assert outside is not None
    day = Interval(instant(NOON), instant(NOON + 2 * 86_400))
    told = outside.outdoor_mc(day)
    outside.close()
    assert len(told) == SLOTS_PER_DAY and set(told.values()) == {3_000}
