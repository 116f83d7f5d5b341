"""Read a tariff of Octopus Energy: what each half-hour's kWh costs, in pence."""

from typing import Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.feeds.reading import About, Question, json_object, moment_s, part, put, rows, whole
from commonwatt.flows.feeds.series import Issue, What
from commonwatt.model import Interval, InvalidValue

HALF_HOUR_S = 1_800
MICRO_PER_PENNY = 10_000
MOST_ROWS = 1_500
_CODE = r"^[A-Z0-9-]{1,60}\Z"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which product the tariff is, and whether its prices are taken with VAT, as homes pay them."""

    product: Annotated[str, Meta(pattern=_CODE)]
    tariff: Annotated[str, Meta(pattern=_CODE)]
    vat: bool = True


def question(settings: Settings, window: Interval) -> Question:
    """Return what to ask for a window."""
    return Question(
        path=f"/v1/products/{settings.product}/electricity-tariffs/{settings.tariff}/standard-unit-rates/",
        query={
            "period_from": f"{window.start:%Y-%m-%dT%H:%MZ}",
            "period_to": f"{window.end:%Y-%m-%dT%H:%MZ}",
            "page_size": str(MOST_ROWS),
        },
    )


def issues(content: bytes, about: About, settings: Settings) -> list[Issue]:
    """Return the tariff as one series of half-hours; Octopus does not say when it published them.

    A rate may hold longer than a half-hour, and is repeated as long as it holds; one without an end is not of a
    half-hourly tariff, and refused.

    Raises:
        InvalidValue: The answer is none, goes on on another page, or a rate holds for no half-hours.

    Source: docs.octopus.energy/rest/guides/endpoints, electricity tariffs.
    """
    told = json_object(content)
    if part(told, "next") is not None:
        raise InvalidValue(f"a window's rates stand on one page of {MOST_ROWS}, was more")
    column = "value_inc_vat" if settings.vat else "value_exc_vat"
    series: dict[int, int | None] = {}
    for row in rows(told, "results"):
        from_s, to_s = moment_s(part(row, "valid_from")), moment_s(part(row, "valid_to"))
        if not 0 < to_s - from_s <= MOST_ROWS * HALF_HOUR_S or (to_s - from_s) % HALF_HOUR_S:
            raise InvalidValue(f"a rate holds for some half-hours, was {from_s} to {to_s} s")
        value = whole(part(row, column), MICRO_PER_PENNY, column)
        for at_s in range(from_s, to_s, HALF_HOUR_S):
            put(series, at_s, value, "a rate")
    found = about.issue(What.PRICE, series, HALF_HOUR_S, None)
    return [] if found is None else [found]
