"""D3: what a workplace saves on charging at once, as a share of what perfect foresight saves."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.workplace.controller import Drivers, Planner
from benchmarks.workplace.foresight import Charged, at_once, foreseen
from benchmarks.workplace.sessions import (
    SLOT_HOURS,
    SLOT_S,
    Session,
    Tariff,
    local,
    read_frozen,
    read_sessions,
    stretches,
)
from benchmarks.workplace.site import Site

GOAL_PERCENT = 95.0
SHORT = 0.02
METER_KWH = 0.001
"""Less than the meters of the stations can tell."""
PERCENTILES = (50, 75, 90, 95, 99, 100)


@dataclass(frozen=True, slots=True)
class Lives:
    """The same sessions four times: charged at once, by us, with all foresight, and with foresight but as promised."""

    once: Charged
    ours: Charged
    best: Charged
    promised: Charged
    highest_kw: float
    plans: int
    seconds: float


def d3() -> Figure:
    """Share of the perfect-foresight saving that the controller reaches at a workplace under its cap, per cent."""
    frozen = read_frozen()
    sessions = read_sessions(frozen)
    lives = live(frozen, sessions)
    first: date = frozen["scored_from"]
    scored = [s for s in sessions if local(s.arrive_s).date() >= first]
    before = [s for s in sessions if local(s.arrive_s).date() < first]
    missing_usd, cap = frozen["missing"]["usd_per_kwh"], frozen["cap"]["kw"]
    months = sorted({f"{local(s.arrive_s):%Y-%m}" for s in scored})
    shares = _shares(lives, scored, missing_usd)
    return figure(
        "D3",
        shares["saving_share"],
        "%",
        100.0,
        goal=GOAL_PERCENT,
        met=shares["saving_share"] >= GOAL_PERCENT,
        **shares,
        **_departures(lives, scored),
        cap_kw=cap,
        peak_kw=_peak_kw(lives.ours, first),
        highest_kw_at_any_instant=round(lives.highest_kw, 2),
        peak_kw_at_once=_peak_kw(lives.once, first),
        slots_at_once_above_cap=sum(kwh > cap * SLOT_HOURS for kwh in _site(lives.once, first)),
        months=months,
        per_month={
            month: _shares(lives, [s for s in scored if f"{local(s.arrive_s):%Y-%m}" == month], missing_usd)
            for month in months
        },
        tuned_on_and_not_scored={**_shares(lives, before, missing_usd), **_departures(lives, before)},
        known_when_acting="who has plugged in, their need and stated departure; stays of days before",
        plans=lives.plans,
        controller_seconds=round(lives.seconds, 1),
    )


def live(frozen: Mapping[str, Any], sessions: Sequence[Session]) -> Lives:
    """Live through all sessions in one pass, and compute both ends of the scale."""
    price = Tariff(dict(frozen)).usd_per_kwh
    cap = frozen["cap"]["kw"]
    site = Site(Planner(price, cap, frozen["missing"]["usd_per_kwh"]), Drivers(frozen["drivers"]))
    began = time.perf_counter()
    ours = site.live(sessions)
    seconds = time.perf_counter() - began
    groups = list(stretches(sessions))
    best = _joined([foreseen(group, price, cap) for group in groups])
    promised = _joined([foreseen(group, price, cap, as_said=True) for group in groups])
    return Lives(at_once(sessions, price), ours, best, promised, site.highest_kw, site.planner.plans, seconds)


def _shares(lives: Lives, sessions: Sequence[Session], missing_usd: float) -> dict[str, Any]:
    """Return bills in USD and shares of savings in per cent.

    What a car leaves without, though foresight gave it, is added to our bill at the dearest price. It is told besides
    what the share is when it is added at what charging at once paid for it.
    """

    def usd(charged: Charged) -> float:
        return sum(charged.usd[s.id] for s in sessions)

    once, ours, best, promised = (usd(c) for c in (lives.once, lives.ours, lives.best, lives.promised))
    lost = {s: max(0.0, lives.best.kwh[s.id] - lives.ours.kwh[s.id]) for s in sessions}
    lost_kwh = sum(lost.values())
    as_once = sum(kwh * lives.once.usd[s.id] / lives.once.kwh[s.id] for s, kwh in lost.items())
    possible = once - best

    def share(saved: float, of: float) -> float:
        return round(100 * saved / of, 1) if of > 0 else 0.0

    return {
        "saving_share": share(once - ours - missing_usd * lost_kwh, possible),
        "saving_share_missing_at_price_at_once": share(once - ours - as_once, possible),
        "saving_share_of_foresight_that_keeps_the_promise": share(once - promised, possible),
        "saving_share_of_that": share(once - ours - missing_usd * lost_kwh, once - promised),
        "usd_at_once": round(once, 2),
        "usd_ours": round(ours, 2),
        "usd_missing": round(missing_usd * lost_kwh, 2),
        "usd_perfect_foresight": round(best, 2),
        "usd_foresight_that_keeps_the_promise": round(promised, 2),
        "kwh_at_once": round(sum(lives.once.kwh[s.id] for s in sessions), 1),
        "kwh_perfect_foresight": round(sum(lives.best.kwh[s.id] for s in sessions), 1),
        "kwh_missing": round(lost_kwh, 1),
    }


def _departures(lives: Lives, sessions: Sequence[Session]) -> dict[str, Any]:
    """Count met departures: at most 2 % short of what was feasible, alone and beside others with foresight."""
    ours, best = lives.ours.kwh, lives.best.kwh
    kept = [s for s in sessions if s.as_said]
    earlier = [s for s in sessions if not s.as_said]

    def short(some: Sequence[Session], feasible: Callable[[Session], float]) -> list[Session]:
        return [s for s in some if ours[s.id] < (1 - SHORT) * feasible(s) - METER_KWH]

    missed = 100 * np.array([1 - ours[s.id] / s.feasible_kwh for s in earlier])
    return {
        "sessions": len(sessions),
        "met_departures": len(sessions) - len(short(sessions, lambda s: s.feasible_kwh)),
        "left_no_earlier_than_said": len(kept),
        "of_them_short": len(short(kept, lambda s: s.feasible_kwh)),
        "of_them_short_of_foresight": len(short(kept, lambda s: best[s.id])),
        "of_them_worst_percent": round(max(100 * (1 - ours[s.id] / s.feasible_kwh) for s in kept), 2),
        "goal_of_them_short": 0,
        "left_earlier": len(earlier),
        "of_those_short": len(short(earlier, lambda s: s.feasible_kwh)),
        "of_those_missing_percentiles": {
            f"p{p}": round(float(value), 2)
            for p, value in zip(PERCENTILES, np.percentile(missed, PERCENTILES), strict=True)
        },
        "of_those_missing_mean_percent": round(float(missed.mean()), 2),
    }


def _site(charged: Charged, first: date) -> list[float]:
    return [kwh for slot, kwh in charged.site_kwh.items() if local(slot * SLOT_S).date() >= first]


def _peak_kw(charged: Charged, first: date) -> float:
    return round(max(_site(charged, first)) / SLOT_HOURS, 1)


def _joined(parts: Sequence[Charged]) -> Charged:
    kwh, usd, site = dict[str, float](), dict[str, float](), dict[int, float]()
    for part in parts:
        kwh |= part.kwh
        usd |= part.usd
        site |= part.site_kwh
    return Charged(kwh, usd, site)
