"""Read a zone's carbon intensity as Electricity Maps tells it: the forecast, or the last day."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commonwatt.adapters.feeds.reading import About, Question, json_object, moment_s, part, put, rows, whole
from commonwatt.flows.feeds.series import Issue, What
from commonwatt.model import Interval, InvalidValue

HOUR_S = 3_600
MG_PER_G = 1_000


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which zone, by its code, and whether what is to come or the last twenty-four hours."""

    zone: Annotated[str, Meta(pattern=r"^[A-Z0-9-]{2,20}\Z")]
    tells: Literal["forecast", "history"] = "forecast"


def question(settings: Settings, window: Interval) -> Question:
    """Return what to ask; both are of the publisher's own window."""
    return Question(path=f"/v3/carbon-intensity/{settings.tells}", query={"zone": settings.zone})


def issues(content: bytes, about: About, settings: Settings) -> list[Issue]:
    """Return the zone's hours; what the publisher itself only estimated is no measured value, and left out.

    Raises:
        InvalidValue: The answer is none, or of another zone.

    Source: portal.electricitymaps.com/docs/api, carbon intensity, v3.
    """
    told = json_object(content)
    if "error" in told:
        raise InvalidValue(f"Electricity Maps refuses the question: {str(told['error'])[:120]}")
    if part(told, "zone") != settings.zone:
        raise InvalidValue(f"the answer is of zone {settings.zone}, was {str(told['zone'])[:20]!r}")
    past = settings.tells == "history"
    issued_s = moment_s(told["updatedAt"]) if "updatedAt" in told else None
    series: dict[int, int | None] = {}
    for row in rows(told, settings.tells):
        guessed = past and row.get("isEstimated") is True
        value = None if guessed else whole(part(row, "carbonIntensity"), MG_PER_G, "carbonIntensity")
        put(series, moment_s(part(row, "datetime")), value, "a carbon intensity")
    found = about.issue(What.CARBON, series, HOUR_S, issued_s, measured=past)
    return [] if found is None else [found]
