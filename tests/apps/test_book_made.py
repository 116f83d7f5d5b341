"""A community's book is made whatever a home, roof or meter lacks, and not again and again where it fails."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from commonwatt.apps import foresight
from commonwatt.apps.foresight import Foresight, look
from commonwatt.apps.gathering import Gathered
from commonwatt.apps.wiring import open_issued
from commonwatt.flows.brought import NOTHING_BROUGHT, Brought
from commonwatt.forecasting.days import from_day, starts_s
from commonwatt.forecasting.sun import Place
from commonwatt.model import AccountId, InvalidValue

LONDON, TODAY, HOMES, DAYS = ZoneInfo("Europe/London"), date(2026, 6, 21), 4, 20


def gathered(days: int = DAYS) -> Gathered:
    """Return four homes under four roofs, which have lived so many days and ten hours of today."""
    random, hour = np.random.default_rng(1), np.arange(96) / 4
    every = from_day(TODAY - timedelta(days), days + 1)
    load = (50 + 100 * np.exp(-0.5 * ((hour - 19) / 2) ** 2)) * random.lognormal(0, 0.3, (HOMES, days + 1, 96))
    load[:, -1, 40:] = np.nan
    sun = np.clip(np.sin((hour - 5) / 15 * np.pi), 0, None) * 300 * random.uniform(0.4, 1, (HOMES, days + 1, 1))
    return Gathered(
        clock=LONDON,
        today=TODAY,
        days=every,
        starts_s=starts_s([*every, TODAY + timedelta(1)], LONDON),
        homes=tuple(AccountId(name) for name in "abcd"),
        zone=("north",) * HOMES,
        load_wh=load,
        solar_wh=sun + 0 * load,
        meters={},
        prices=np.full((days + 1, 96, 2), np.nan),
        priced=np.full((days, 96), np.nan),
        departures={},
        told_w={},
        brought=Brought(place=Place(51, 0)),
    )


@pytest.mark.row("H8")
@pytest.mark.parametrize("fault", ["a new roof", "a silent week", "an empty home", "an empty street"])
def test_a_book_is_made_of_a_street_with(fault: str) -> None:
    told = gathered()
    load, sun = told.load_wh.copy(), told.solar_wh.copy()
    if fault == "a new roof":
        sun[3, :-4] = np.nan
    elif fault == "a silent week":
        load[:, -9:-1], sun[:, -9:-1] = np.nan, np.nan
    elif fault == "an empty home":
        load[3], sun[3] = np.nan, np.nan
    else:
        load[:], sun[:] = np.nan, np.nan
    book = look(replace(told, load_wh=load, solar_wh=sun))
    assert list(book.loads) == list(told.homes) and book.community is not None
    every = [*book.loads.values(), *book.roofs.values(), *book.zones.values(), book.community]
    assert all(np.isfinite(one.quantiles_wh).all() for one in every)
    assert (book.loads[told.homes[0]].card is None) is (fault == "an empty street")


@pytest.mark.parametrize("error", [InvalidValue("nothing was measured"), ValueError("nobody foresaw it")])
def test_a_book_that_failed_is_not_made_again_every_few_seconds_but_the_next_day_s_is(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[int] = []

    def failing(*_: object) -> None:
        made.append(1)
        raise error

    def nothing(*_: object) -> Any:
        yield

    monkeypatch.setattr(foresight, "look", failing)
    monkeypatch.setattr(foresight, "gathering", nothing)
    monkeypatch.setattr(foresight, "KEPT_WARM_S", 0.001)
    state: Any = SimpleNamespace(charter=SimpleNamespace(timezone="Europe/London"), assets={})
    chronicle: Any = None
    now_s = [1_790_000_000]

    async def story() -> None:
        (tmp_path / "keys").mkdir()
        kept = Foresight(NOTHING_BROUGHT, tmp_path, open_issued(tmp_path), lambda *_: None)
        task = asyncio.ensure_future(kept.keep_warm(lambda: state, chronicle, lambda: now_s[0]))
        for count in (1, 2):
            async with asyncio.timeout(30):
                while len(made) < count:
                    await asyncio.sleep(0.001)
            for _ in range(50):
                await asyncio.sleep(0.001)
            assert len(made) == count and not task.done()
            now_s[0] += 86_400
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(story())
