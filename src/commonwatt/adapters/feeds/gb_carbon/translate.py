"""Read Great Britain's carbon intensity: the forecast of each half-hour, and what it came to."""

from typing import Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.feeds.reading import About, Question, json_object, moment_s, part, put, whole
from commonwatt.flows.feeds.series import Issue, What
from commonwatt.model import Interval, InvalidValue

HALF_HOUR_S = 1_800
MG_PER_G = 1_000


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which region, by the publisher's number; the whole country where it is left out. A region has no actuals."""

    region: Annotated[int, Meta(ge=1, le=17)] | None = None


def question(settings: Settings, window: Interval) -> Question:
    """Return what to ask for a window, two weeks at most."""
    span = f"{window.start:%Y-%m-%dT%H:%MZ}/{window.end:%Y-%m-%dT%H:%MZ}"
    if settings.region is None:
        return Question(path=f"/intensity/{span}", query={})
    return Question(path=f"/regional/intensity/{span}/regionid/{settings.region}", query={})


def issues(content: bytes, about: About) -> list[Issue]:
    """Return the forecast, and what was measured where it says so; the publisher says no issue time.

    Raises:
        InvalidValue: The answer is none, or a row is of no half-hour.

    Source: carbon-intensity.github.io/api-definitions, v2.
    """
    told = part(json_object(content), "data")
    if isinstance(told, dict):  # a region's rows lie one deeper
        told = part(told, "data")
    if not isinstance(told, list):
        raise InvalidValue(f"data is a list of half-hours, was {type(told).__name__}")
    forecast: dict[int, int | None] = {}
    actual: dict[int, int | None] = {}
    for row in told:
        from_s, to_s = moment_s(part(row, "from")), moment_s(part(row, "to"))
        if to_s - from_s != HALF_HOUR_S:
            raise InvalidValue(f"carbon intensity is of half-hours, was {from_s} to {to_s} s")
        intensity = part(row, "intensity")
        put(forecast, from_s, whole(part(intensity, "forecast"), MG_PER_G, "forecast"), "a forecast")
        put(actual, from_s, whole(intensity.get("actual"), MG_PER_G, "actual"), "an actual")
    found = [
        about.issue(What.CARBON, forecast, HALF_HOUR_S, None),
        about.issue(What.CARBON, actual, HALF_HOUR_S, None, measured=True),
    ]
    return [one for one in found if one is not None]
