"""D3: what a workplace saves on charging at once, as a share of what perfect foresight saves."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.workplace.controller import Drivers, Planner
from benchmarks.workplace.foresight import SHORT, Charged, at_once, foreseen
from benchmarks.workplace.sessions import (
    SLOT_HOURS,
    SLOT_S,
    Session,
    Tariff,
    as_stated,
    local,
    read_frozen,
    read_sessions,
    stretches,
)
from benchmarks.workplace.site import Site

GOAL_PERCENT = 95.0
METER_KWH = 0.001
"""Less than the meters of the stations can tell."""
PERCENTILES = (50, 75, 90, 95, 99, 100)


@dataclass(frozen=True, slots=True)
class Lives:
    """The same sessions charged at once, by us, with all foresight, and where it differs, foresight as promised."""

    once: Charged
    ours: Charged
    best: Charged
    promised: Charged | None
    highest_kw: float
    plans: int
    seconds: float


def d3() -> Figure:
    """Share of the perfect-foresight saving at a workplace under its cap whose cars leave when they said, per cent.

    The departure is the stated one for all three: for charging at once, for ours, which knows of a car only once it has
    plugged in, and for the linear program, which knows all arrivals and needs beforehand. What a station cannot give
    until the stated departure nobody is asked for. That a stay was stated to last until after the next car came to the
    station (323 of 6,182) hinders neither. Whom the same controller leaves short where cars leave when they really
    did is told besides.
    """
    frozen = read_frozen()
    sessions = read_sessions(frozen)
    stated = as_stated(sessions)
    asked = {s.id: s.need_kwh for s in stated}
    settings = frozen["d3"]
    lives = live(frozen, stated, settings)
    real = live(frozen, sessions, settings)
    first: date = frozen["scored_from"]
    real_scored, real_before = _halves(sessions, first)
    _, before = _halves(stated, first)
    less = [s.need_kwh - asked[s.id] for s in real_scored if s.id in asked and asked[s.id] < s.need_kwh - METER_KWH]
    return _figure(
        "D3",
        frozen,
        stated,
        lives,
        departure="as stated: estimated_departure",
        known_when_acting="who has plugged in, their need and stated departure",
        **settings,
        why_no_risk_fee="in this world nobody leaves early",
        left_out_since_stated_before_arrival=sum(s.id not in asked for s in real_scored),
        asked_for_less_since_stated_too_soon=len(less),
        kwh_not_asked_for=round(sum(less), 1),
        real_departures=_departures(real, real_scored),
        tuned_on_and_not_scored={
            **_shares(lives, before, frozen["missing"]["usd_per_kwh"]),
            **_departures(lives, before),
            "real_departures": _departures(real, real_before),
        },
    )


def d3_real() -> Figure:
    """Share of the perfect-foresight saving at a workplace under its cap whose cars leave when they did, per cent.

    Foresight knows here who leaves before or after the stated departure, which no controller can; what it still saves
    when it keeps every stated departure is told besides.
    """
    frozen = read_frozen()
    sessions = read_sessions(frozen)
    settings = frozen["d3_real"]
    lives = live(frozen, sessions, settings, promise=True)
    _, before = _halves(sessions, frozen["scored_from"])
    return _figure(
        "D3-REAL",
        frozen,
        sessions,
        lives,
        departure="as recorded",
        known_when_acting="who has plugged in, their need and stated departure; stays of days before",
        **settings,
        tuned_on_and_not_scored={
            **_shares(lives, before, frozen["missing"]["usd_per_kwh"]),
            **_departures(lives, before),
        },
    )


def _figure(
    name: str, frozen: Mapping[str, Any], sessions: Sequence[Session], lives: Lives, **conditions: Any
) -> Figure:
    first: date = frozen["scored_from"]
    scored, _ = _halves(sessions, first)
    missing_usd, cap = frozen["missing"]["usd_per_kwh"], frozen["cap"]["kw"]
    months = sorted({f"{local(s.arrive_s):%Y-%m}" for s in scored})
    shares = _shares(lives, scored, missing_usd)
    return figure(
        name,
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
        **conditions,
        plans=lives.plans,
        controller_seconds=round(lives.seconds, 1),
    )


def live(
    frozen: Mapping[str, Any], sessions: Sequence[Session], settings: Mapping[str, Any], *, promise: bool = False
) -> Lives:
    """Live through all sessions in one pass, and compute both ends of the scale."""
    price = Tariff(dict(frozen)).usd_per_kwh
    cap = frozen["cap"]["kw"]
    planner = Planner(price, cap, frozen["missing"]["usd_per_kwh"], settings["to_the_second"], settings["spare_tight"])
    site = Site(planner, Drivers(frozen["drivers"], believed=not settings["risk_fee"]))
    began = time.perf_counter()
    ours = site.live(sessions)
    seconds = time.perf_counter() - began
    groups = list(stretches(sessions))
    best = _joined([foreseen(group, price, cap) for group in groups])
    promised = _joined([foreseen(group, price, cap, as_said=True) for group in groups]) if promise else None
    return Lives(at_once(sessions, price), ours, best, promised, site.highest_kw, planner.plans, seconds)


def _halves(sessions: Sequence[Session], first: date) -> tuple[list[Session], list[Session]]:
    """Return the sessions that are scored, and those before."""
    scored = [s for s in sessions if local(s.arrive_s).date() >= first]
    return scored, [s for s in sessions if local(s.arrive_s).date() < first]


def _shares(lives: Lives, sessions: Sequence[Session], missing_usd: float) -> dict[str, Any]:
    """Return bills in USD and shares of savings in per cent.

    What a car leaves without, though foresight gave it, is added to our bill at the dearest price. It is told besides
    what the share is when it is added at what charging at once paid for it.
    """

    def usd(charged: Charged) -> float:
        return sum(charged.usd[s.id] for s in sessions)

    once, ours, best = (usd(c) for c in (lives.once, lives.ours, lives.best))
    lost = {s: max(0.0, lives.best.kwh[s.id] - lives.ours.kwh[s.id]) for s in sessions}
    lost_kwh = sum(lost.values())
    as_once = sum(kwh * lives.once.usd[s.id] / lives.once.kwh[s.id] for s, kwh in lost.items())
    possible = once - best

    def share(saved: float, of: float) -> float:
        return round(100 * saved / of, 1) if of > 0 else 0.0

    kept = {}
    if lives.promised is not None:
        promised = usd(lives.promised)
        kept = {
            "saving_share_of_foresight_that_keeps_the_promise": share(once - promised, possible),
            "saving_share_of_that": share(once - ours - missing_usd * lost_kwh, once - promised),
            "usd_foresight_that_keeps_the_promise": round(promised, 2),
        }
    return {
        "saving_share": share(once - ours - missing_usd * lost_kwh, possible),
        "saving_share_missing_at_price_at_once": share(once - ours - as_once, possible),
        **kept,
        "usd_at_once": round(once, 2),
        "usd_ours": round(ours, 2),
        "usd_missing": round(missing_usd * lost_kwh, 2),
        "usd_perfect_foresight": round(best, 2),
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
    spread = {
        "of_those_missing_percentiles": {
            f"p{p}": round(float(value), 2)
            for p, value in zip(PERCENTILES, np.percentile(missed, PERCENTILES), strict=True)
        },
        "of_those_missing_mean_percent": round(float(missed.mean()), 2),
    } if earlier else {}  # fmt: skip
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
        **spread,
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
