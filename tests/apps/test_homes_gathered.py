"""What meters told is gathered by the local clock, the hour that spring leaves out and a roof's first day among it."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.gathering import Gathered, gather
from commonwatt.flows.brought import NOTHING_BROUGHT
from commonwatt.flows.chronicle import Believed, Chapter
from commonwatt.market.contracts import Call, Contract, Contracts
from commonwatt.metering.batch import Quality
from commonwatt.model import (
    SLOT_SECONDS,
    AccountId,
    Asset,
    AssetId,
    AssetKind,
    GatewayId,
    Reading,
    epoch,
    slot_from,
)

ANNA, HOME, ROOF = AccountId("anna"), AssetId("home"), AssetId("roof")
FIRST_S, NOW_S = (epoch(datetime(2026, 3, day, tzinfo=UTC)) for day in (27, 31))
DAY_S = 86_400
NO_CONTRACTS = Contracts()


def _asset(name: AssetId, kind: AssetKind) -> Asset:
    gateway = GatewayId("gateway")
    return Asset(id=name, owner=ANNA, gateway=gateway, kind=kind, zone="z", max_import_w=8_000, max_export_w=8_000)


def _told(
    roof_from_s: int, prices: dict[int, tuple[int, int]] | None = None, book: Contracts = NO_CONTRACTS
) -> Gathered:
    """Return a home in Berlin that draws 100 Wh a slot, less 40 Wh since a roof was registered there."""
    own = [_asset(HOME, AssetKind.CONNECTION)]
    own += [_asset(ROOF, AssetKind.SOLAR)] if roof_from_s < NOW_S else []
    told = Chapter(size=1, now_s=NOW_S, prices=prices or {})
    for slot_s in range(FIRST_S, NOW_S, SLOT_SECONDS):
        sun = 40 if slot_s >= roof_from_s else 0
        for name, bought, sold in ((HOME, 100 - sun, 0), (ROOF, 0, sun))[: 2 if sun else 1]:
            reading = Reading(asset=name, interval=slot_from(slot_s), import_wh=bought, export_wh=sold)
            told.readings.append(Believed(reading=reading, slot_s=slot_s, quality=Quality.MEASURED, position=0))
    chronicle = Chronicle()
    chronicle.add(told)
    state: Any = SimpleNamespace(
        charter=SimpleNamespace(timezone="Europe/Berlin"),
        assets={one.id: one for one in own},
        joined_s={HOME: FIRST_S, ROOF: roof_from_s},
        contracted=SimpleNamespace(book=book),
    )
    return gather(state, chronicle, NOTHING_BROUGHT, NOW_S)


def test_the_hour_that_clocks_leave_out_in_spring_is_no_hole() -> None:
    told = _told(roof_from_s=NOW_S)
    assert date(2026, 3, 29) in told.days[:-1]
    whole = told.load_wh[:, :-1]
    assert (whole == 100).all(), "two slots of the local day are told by one reading"


def test_a_roof_says_nothing_of_the_time_before_it_was_there_and_the_load_is_known_all_along() -> None:
    told = _told(roof_from_s=FIRST_S + 2 * DAY_S)
    assert (told.load_wh[:, :-1] == 100).all()
    before = told.starts_s[: len(told.days)] < FIRST_S + 2 * DAY_S
    assert np.isnan(told.solar_wh[0][before]).all() and (told.solar_wh[0, :-1][~before[:-1]] == 40).all()


def test_prices_from_long_before_the_first_home_was_metered_are_no_days_of_it() -> None:
    years = {FIRST_S - 500 * DAY_S + at * SLOT_SECONDS: (3, 1) for at in range(500 * 96)}
    told = _told(roof_from_s=NOW_S, prices=years)
    assert told.load_wh.shape[1] == len(told.days) == 4 and np.isfinite(told.load_wh[:, :-1]).all()
    assert 300 < len(told.priced) < 500 and (told.priced[:-5] == 3).all(), "they are learnt from for more than a year"


def _asked(asset: AssetId, start_s: int) -> Contracts:
    """Return a contract under which an asset was asked for an hour of each of two days; the second was never called."""
    book, hour = Contracts(), 3_600
    calls = [
        Call(window=at, start_s=from_s, end_s=from_s + hour, called=None if at else (from_s, from_s + hour))
        for at, from_s in enumerate((start_s, start_s + DAY_S))
    ]
    book.contracts["7"] = Contract(
        id="7", offer="6", member=ANNA, asset=asset, charge_w=0, give_back_w=500, stake_micro=0,
        penalty_stake_micro=0, left=1, ends_s=start_s + 2 * DAY_S, calls=calls,
    )  # fmt: skip
    return book


@pytest.mark.row("H8")
def test_what_a_home_did_because_it_was_asked_to_is_no_habit_of_it() -> None:
    evening_s = FIRST_S + DAY_S + 17 * 3_600  # six in the evening in Berlin
    told = _told(roof_from_s=NOW_S, book=_asked(HOME, evening_s))
    first, second = (told.load_wh[0, told.days.index(date(2026, 3, day))] for day in (28, 29))
    assert np.isnan(first[72:76]).all() and (first[:72] == 100).all() and (first[76:] == 100).all()
    assert (second == 100).all(), "what was never called was nothing to answer"
    battery = _told(roof_from_s=NOW_S, book=_asked(ROOF, evening_s))
    assert not np.isnan(battery.load_wh[:, :-1]).any(), "what stands beside the home's own use is metered by itself"
