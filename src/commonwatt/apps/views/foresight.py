"""What is foreseen, how sure and how good that was: bands and score cards, each for who may see what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from commonwatt.apps.community import Community
from commonwatt.apps.foresight import Book
from commonwatt.apps.gathering import today_of, today_wh
from commonwatt.apps.views.seeing import check
from commonwatt.apps.views.zones import LEAST_HOMES, shown_zones
from commonwatt.flows.foreseeing import FADE
from commonwatt.flows.issued import CARBON, EXPORT, LOCAL, PRICE
from commonwatt.forecasting.foresee import AHEAD, SOON, Foretold
from commonwatt.forecasting.futures import futures
from commonwatt.forecasting.leads import DAY
from commonwatt.forecasting.score import ScoreCard
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import LEVELS_PERMILLE, AccountId, AssetId, AssetKind

Floats = NDArray[np.float64]
WATT_HOURS, MICRO_PER_KWH, MG_PER_KWH = "Wh", "micro per kWh", "mg per kWh"
SHOWN_DAYS = 1
"""Days before today that are shown beside it: what was told of yesterday, and what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One slot: what is expected, half and nine tenths of what may come, and what came; in the series' unit.

    Half of all values fall between ``low_50`` and ``high_50``, nine in ten between ``low_90`` and ``high_90``;
    ``came`` is None before it did, ``now`` what is expected of the rest of today once some of it came: the forecast
    and the last slot's surprise, which fades.
    """

    slot_s: int
    expected: int
    low_90: int
    low_50: int
    high_50: int
    high_90: int
    came: int | None
    now: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How good forecasts of one series were over the last days, each made at the start of its local day.

    Args:
        of: What the series is: load, solar, heat (what a heat pump draws), net or price.
        series: Whose.
        model: What was scored.
        used: Whether plans and pages go by it; pages go by the better baseline else.
        reason: Why, in words.
        lead: How long before: `day`, the local day told at its start; `next slot`, each quarter-hour told as it begins;
            `seventh day`, told six days before its start.
        slots: How many were scored; with none, nothing below is told.
        nmae: Sum of absolute errors over the sum of what came.
        baseline_nmae: The same of the mean of seven days.
        median_nmae: The same of the median of 28 days.
        skill: 1 less the first over the second; above zero the model is better.
        mase: Error over that of repeating yesterday.
        pinball: Mean loss of all quantiles, in the series' unit; None for who may not see how much that is.
        coverage_permille: How often what came fell into the band of nine tenths.
        decision_micro: Of a home, what the last finished day's plan lost to the forecasts of its use and roof together;
            of the community, what all of them did.
        told_slots: How many slots are over of what was issued and kept: the numbers above are of the model as it is
            today, those below of what was told at the time.
        told_nmae: As ``nmae``.
        told_coverage_permille: As ``coverage_permille``.
    """

    of: str
    series: str
    model: str
    used: bool
    reason: str
    lead: str = DAY
    slots: int = 0
    nmae: float | None = None
    baseline_nmae: float | None = None
    median_nmae: float | None = None
    skill: float | None = None
    mase: float | None = None
    pinball: float | None = None
    coverage_permille: int | None = None
    decision_micro: int | None = None
    told_slots: int = 0
    told_nmae: float | None = None
    told_coverage_permille: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesView:
    """One series: when it was issued, its cards, and yesterday, today and days ahead slot by slot."""

    of: str
    series: str
    unit: str
    issued_s: int
    card: Card
    slots: Sequence[Band]
    leads: Sequence[Card] = ()


def commons(community: Community, seat: Seat, book: Book, days: int = SOON) -> list[SeriesView]:
    """Return what is foreseen of the community, its roofs together, its zones, and the price.

    Of fewer than `LEAST_HOMES` homes or roofs' owners no sum is told, nor of a zone where the community less all zones
    that are told would be as few; of zones those that a seat is about. So many days are told from today on, and
    yesterday.

    Raises:
        Refused: The role does not see sums of homes.
    """
    check(community, seat, Action.SEE_ZONES, None)
    found = []
    owners = _homes(community)
    if len(owners) >= LEAST_HOMES:
        today = today_wh(community.state, community.chronicle, list(owners), book.starts_s[-AHEAD:][:1])
        net = today[0] + today[2] - np.nan_to_num(today[1])
        if book.community is not None and not seat.zones:
            whole = _view("net", WATT_HOURS, book, book.community, net.sum(0), days)
            found += [replace(one, card=replace(one.card, decision_micro=lost_micro(book))) for one in whole]
        roofs = {one.owner for one in community.state.assets.values() if one.kind is AssetKind.SOLAR}
        if book.sun is not None and not seat.zones and len(roofs & owners.keys()) >= LEAST_HOMES:
            found += _view("solar", WATT_HOURS, book, book.sun, np.nansum(today[1], 0) + 0 * net.sum(0), days)
        # One zone that is all of the community says nothing that its sum did not.
        shown = shown_zones(community)
        for zone, told in book.zones.items() if seat.zones or len(book.zones) > 1 else ():
            rows = [at for at, own in enumerate(owners.values()) if own == zone]
            if zone in shown and (not seat.zones or zone in seat.zones):
                found += _view("net", WATT_HOURS, book, told, net[rows].sum(0), days)
    return [*found, *price(community, seat, book, days)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Futures:
    """Whole futures of several sums of homes, each as likely as any other: what is high together in them was before.

    Args:
        series: The community, and its zones as far as they are shown.
        issued_s: When; nothing later was looked at.
        starts_s: When each slot of today and tomorrow begins.
        energy_wh: Future by future, series by series, Wh a slot; import positive.
    """

    series: Sequence[str]
    issued_s: int
    starts_s: Sequence[int]
    energy_wh: Sequence[Sequence[Sequence[int]]]


def lost_micro(book: Book) -> int | None:
    """Return what the last finished day's plans lost to their forecasts, all together; None for two members or fewer.

    Of one or two the sum would tell what each of them lost.
    """
    return sum(book.decisions.values()) if len(book.decisions) >= LEAST_HOMES else None


def scenarios(community: Community, seat: Seat, book: Book, count: int) -> Futures:
    """Return so many futures of the sums that a seat may see; none where too little is known of what moves together.

    Raises:
        Refused: The role does not see sums of homes.
    """
    return futures_of(book, [one.series for one in commons(community, seat, book) if one.of == "net"], count)


def futures_of(book: Book, series: Sequence[str], count: int) -> Futures:
    """Return so many futures of sums of homes, by name, together."""
    every = {**book.zones, **({} if book.community is None else {book.community.series: book.community})}
    drawn = futures([every[name] for name in series], book.issued_s, count) if series else None
    rows = np.zeros((0, 0, 0)) if drawn is None else drawn
    return Futures(
        series=list(series) if drawn is not None else [],
        issued_s=book.issued_s,
        starts_s=book.starts_s[-AHEAD : -AHEAD + SOON].ravel().tolist(),
        energy_wh=np.rint(rows).astype(int).tolist(),
    )


def price(community: Community, seat: Seat, book: Book, days: int = SOON) -> list[SeriesView]:
    """Return what is foreseen of prices, from the grid, to it and among neighbours, and of the grid's carbon.

    Days as for `commons`.

    Raises:
        Refused: The role does not see prices.
    """
    check(community, seat, Action.SEE_COMMUNITY, None)
    today = book.starts_s[-AHEAD]
    span = int(today[0]), int(today[-1]) + 1
    known, traded = community.chronicle.prices(*span), community.chronicle.traded(*span)
    none = (np.nan, np.nan)
    both = np.array([known.get(int(slot_s), none) for slot_s in today], np.float64)
    local = {slot_s: worth / wh for slot_s, (wh, worth) in traded.items() if wh}
    among = np.array([local.get(int(slot_s), np.nan) for slot_s in today], np.float64)
    series = (
        (PRICE, MICRO_PER_KWH, book.price, both[:, 0]),
        (EXPORT, MICRO_PER_KWH, book.export, both[:, 1]),
        (LOCAL, MICRO_PER_KWH, book.local, among),
        (CARBON, MG_PER_KWH, book.carbon, np.full(len(today), np.nan)),
    )
    return [
        view for of, unit, told, came in series if told is not None for view in _view(of, unit, book, told, came, days)
    ]


def home(community: Community, seat: Seat, account: AccountId, book: Book, days: int = SOON) -> list[SeriesView]:
    """Return what is foreseen of a member's home, roof and heat pumps; days as for `commons`.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_READINGS, account)
    if account not in book.loads:
        return []
    slots = book.starts_s[-AHEAD:][:1]
    used, made, _ = today_wh(community.state, community.chronicle, [account], slots)
    load = _view("load", WATT_HOURS, book, book.loads[account], used[0], days)
    found = [replace(one, card=replace(one.card, decision_micro=book.decisions.get(account))) for one in load]
    if account in book.roofs:
        found += _view("solar", WATT_HOURS, book, book.roofs[account], made[0], days)
    for told in book.heat.get(account, ()):
        asset = community.state.assets[AssetId(told.series)]
        found += _view("heat", WATT_HOURS, book, told, today_of(community.chronicle, asset, slots), days)
    return found


def cards(community: Community, seat: Seat, book: Book) -> list[Card]:
    """Return the score cards that a seat may see: of sums and prices, and of members as far as they are theirs.

    Who runs the community sees of each home which model is used and how it compares, in no unit of energy.

    Raises:
        Refused: The role sees none.
    """
    check(community, seat, Action.SEE_COMMUNITY, None)
    found = []
    if lets(seat, Action.SEE_ZONES, Relation.COMMUNITY):
        found += [card for one in commons(community, seat, book) for card in (one.card, *one.leads)]
    else:
        found += [card for one in price(community, seat, book) for card in (one.card, *one.leads)]
    if lets(seat, Action.SEE_MEMBERS, Relation.OTHER):
        every = (("load", book.loads), ("solar", book.roofs))
        found += [card_of(of, told, alone=False) for of, series in every for told in series.values()]
        found += [card_of("heat", told, alone=False) for pumps in book.heat.values() for told in pumps]
    elif seat.account is not None and seat.account in book.loads and lets(seat, Action.SEE_READINGS, Relation.OWN):
        own = [card for one in home(community, seat, seat.account, book) for card in (one.card, *one.leads)]
        found += own or cards_of("load", book.loads[seat.account])
    return found


def card_of(of: str, told: Foretold, *, alone: bool = True) -> Card:
    """Return a series' card of the day; what is in a unit of energy for who may see its energy alone."""
    plain = Card(of=of, series=told.series, model=told.model, used=told.choice.used, reason=told.choice.reason)
    if told.card is None:
        return plain
    then, card = told.told, _scored(of, told, DAY, told.card, alone)
    return replace(
        card,
        told_slots=0 if then is None else then.slots,
        told_nmae=None if then is None else round(then.nmae, 4),
        told_coverage_permille=None if then is None else then.coverage_permille,
    )


def cards_of(of: str, told: Foretold, *, alone: bool = True) -> list[Card]:
    """Return a series' cards: of the day, and of other leads where enough of them are over."""
    others = [_scored(of, told, lead, card, alone) for lead, card in told.leads.items()]
    return [card_of(of, told, alone=alone), *others]


def _scored(of: str, told: Foretold, lead: str, card: ScoreCard, alone: bool) -> Card:
    return Card(
        of=of,
        series=told.series,
        model=card.model,
        used=card.used,
        reason=told.choice.reason if alone else "",
        lead=lead,
        slots=card.slots,
        nmae=round(card.nmae, 4),
        baseline_nmae=round(card.baseline_nmae, 4),
        median_nmae=round(card.median_nmae, 4),
        skill=round(card.skill, 4),
        mase=None if card.mase is None else round(card.mase, 4),
        pinball=round(card.pinball_wh, 2) if alone else None,
        coverage_permille=card.coverage_permille,
    )


def _homes(community: Community) -> dict[AccountId, str]:
    """Return the zone of each member with a connection, in order of name."""
    found = {one.owner: one.zone for one in community.state.assets.values() if one.kind is AssetKind.CONNECTION}
    return dict(sorted(found.items()))


def _view(of: str, unit: str, book: Book, told: Foretold, today: Floats, days: int) -> list[SeriesView]:
    """Return a series as it is shown; nothing where nothing was ever measured, for its mean would be a made-up zero."""
    if not (told.expected_wh.any() or np.isfinite(told.measured_wh).any()):
        return []
    first = max(0, len(told.expected_wh) - AHEAD - SHOWN_DAYS)
    end = len(told.expected_wh) - AHEAD + days
    shown = told.quantiles_wh[:, first:end].reshape(len(LEVELS_PERMILLE), -1)
    came = told.measured_wh.copy()
    came[-AHEAD] = today
    starts = book.starts_s[-len(came) :][first:end]
    bands = {level: _at(shown, level) for level in (50, 250, 500, 750, 950)}
    now = _now(told, today, -np.inf if unit == MICRO_PER_KWH or of == "net" else 0.0)[first:end].ravel()
    slots = [
        Band(
            slot_s=slot_s,
            expected=round(float(bands[500][at])),
            low_90=round(float(bands[50][at])),
            low_50=round(float(bands[250][at])),
            high_50=round(float(bands[750][at])),
            high_90=round(float(bands[950][at])),
            came=_whole(value),
            now=_whole(now[at]),
        )
        for at, (slot_s, value) in enumerate(
            zip(starts.ravel().tolist(), came[first:end].ravel().tolist(), strict=True)
        )
    ]
    card, *leads = cards_of(of, told)
    return [
        SeriesView(of=of, series=told.series, unit=unit, issued_s=book.issued_s, card=card, slots=slots, leads=leads)
    ]


def _now(told: Foretold, today: Floats, floor: float) -> Floats:
    """Return what is expected now of today's slots that have not come: what was, and the last one's surprise, fading.

    By what was best a slot ahead; plans correct what was best for the day alike. Not a number on other days, and where
    nothing came yet.
    """
    found, expected = np.full(told.expected_wh.shape, np.nan), told.expected_wh[-AHEAD]
    expected = expected if told.today_wh is None else told.today_wh
    known = np.flatnonzero(~np.isnan(today))
    if len(known):
        last = int(known[-1])
        ahead = np.arange(len(today) - last - 1)
        rest = expected[last + 1 :] + (today[last] - expected[last]) * FADE**ahead
        found[-AHEAD, last + 1 :] = np.maximum(rest, floor)
    return found


def _whole(value: float) -> int | None:
    return None if np.isnan(value) else round(float(value))


def _at(quantiles: Floats, permille: int) -> Floats:
    """Return a level between those that are told, by a straight line."""
    above = next(at for at, level in enumerate(LEVELS_PERMILLE) if level >= permille)
    if LEVELS_PERMILLE[above] == permille:
        found: Floats = quantiles[above]
        return found
    low, high = LEVELS_PERMILLE[above - 1], LEVELS_PERMILLE[above]
    share = (permille - low) / (high - low)
    between: Floats = quantiles[above - 1] * (1 - share) + quantiles[above] * share
    return between
