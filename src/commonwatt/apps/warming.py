"""Foresee heat pumps that have meters of their own, each by itself; what they draw is a part of every sum of homes."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from commonwatt.apps.gathering import Gathered, Meter
from commonwatt.forecasting import heating
from commonwatt.forecasting.days import from_day, holidays_in, kinds
from commonwatt.forecasting.foresee import AHEAD, Foretold
from commonwatt.model import AccountId, AssetKind

Floats = NDArray[np.float64]
Warming = Mapping[AccountId, tuple[Foretold, ...]]
"""The heat pumps of each home that has some; a series is named as the asset is."""


def warming(told: Gathered, first: int) -> Warming:
    """Return what the heat pumps of each home are expected to draw.

    Args:
        told: What was measured, and how cold it was forecast to be.
        first: The first day that is scored.
    """
    count = len(told.days) - 1
    days = [*told.days, *from_day(told.today + timedelta(days=1), AHEAD - 1)]
    calendar = kinds(days, holidays_in(told.region, days))
    return {
        owner: tuple(
            heating.pump(meter.net_wh[:count], calendar, told.outdoor_c, meter.asset.id, first) for meter in own
        )
        for owner in told.homes
        if (own := pumps_of(told, owner))
    }


def drawn_wh(told: Gathered) -> Floats:
    """Return what the heat pumps of each home drew: (homes, days, slots), today as well; zero where none told."""
    found = np.zeros(told.load_wh.shape)
    for at, owner in enumerate(told.homes):
        for meter in pumps_of(told, owner):
            found[at] += np.nan_to_num(meter.net_wh)
    return found


def pumps_of(told: Gathered, owner: AccountId) -> list[Meter]:
    """Return the meters of a member's heat pumps."""
    return [one for one in told.meters.values() if one.asset.owner == owner and one.asset.kind is AssetKind.HEAT_PUMP]
