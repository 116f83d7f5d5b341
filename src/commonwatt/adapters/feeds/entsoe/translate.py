"""Read day-ahead prices of a bidding zone from ENTSO-E's publication documents: hours or quarters, in XML."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Annotated
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from msgspec import Meta

from commonwatt.adapters.feeds.reading import About, Question, moment_s, put, whole
from commonwatt.flows.feeds.series import MOST_VALUES, Issue, What
from commonwatt.model import Interval, InvalidValue

MICRO_PER_KWH = 1_000
"""A price of one per MWh is a thousand micro per kWh."""
_STEPS = {"PT15M": 900, "PT30M": 1_800, "PT60M": 3_600, "PT1H": 3_600}
_REPEATED = "A03"
"""The curve whose points are left out where they are as the one before; in an A01 what is left out is missing."""
_NO_DATA = "999"
_FIRST_AUCTION = "1"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which bidding zone, by its EIC code; and in which currency its prices are."""

    zone: Annotated[str, Meta(pattern=r"^[A-Z0-9-]{16}\Z")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] = "EUR"


def question(settings: Settings, window: Interval) -> Question:
    """Return what to ask for a window; whole hours."""
    return Question(
        path="/api",
        query={
            "documentType": "A44",
            "in_Domain": settings.zone,
            "out_Domain": settings.zone,
            "periodStart": f"{window.start:%Y%m%d%H00}",
            "periodEnd": f"{window.end:%Y%m%d%H00}",
        },
    )


def issues(content: bytes, about: About, settings: Settings) -> list[Issue]:
    """Return a series a resolution. A day has as many points as it has hours or quarters, in UTC: 92 to 100 quarters.

    Of several auctions of a day, which the platform numbers, the first is taken: that of the coupled market.

    Raises:
        InvalidValue: It is no such document, of another currency or unit, or a point lies outside its period.

    Source: ENTSO-E transparency platform RESTful API user guide, 12.1.D, IEC 62325-451-3 publication document 7.
    """
    root = _document(content)
    if root is None:
        return []
    issued_s = moment_s(_text(root, "createdDateTime"))
    by_step: dict[int, dict[int, int | None]] = {}
    for series in _all(root, "TimeSeries"):
        sequence = _maybe(series, "classificationSequence_AttributeInstanceComponent.position")
        if sequence not in (None, _FIRST_AUCTION):
            continue
        unit = _text(series, "currency_Unit.name"), _text(series, "price_Measure_Unit.name")
        if unit != (settings.currency, "MWH"):
            raise InvalidValue(f"prices are in {settings.currency} per MWh, was {unit[0]} per {unit[1]}")
        for period in _all(series, "Period"):
            step_s, values = _period(period, _maybe(series, "curveType") == _REPEATED)
            for at_s, value in values:
                put(by_step.setdefault(step_s, {}), at_s, value, "a price")
    found = (about.issue(What.PRICE, values, step_s, issued_s) for step_s, values in sorted(by_step.items()))
    return [one for one in found if one is not None]


def _document(content: bytes) -> Element | None:
    """Return a publication; None where the platform says that there is nothing to publish yet."""
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise InvalidValue(f"an answer is XML without a document type, was {content[:60]!r}") from error
    name = root.tag.rpartition("}")[2]
    if name == "Acknowledgement_MarketDocument":
        reason = next(_all(root, "Reason"), None)
        code, said = (None, None) if reason is None else (_maybe(reason, "code"), _maybe(reason, "text"))
        if code == _NO_DATA and "No matching data" in (said or ""):
            return None
        raise InvalidValue(f"ENTSO-E refuses the question: {str(said)[:120]}")
    if name != "Publication_MarketDocument":
        raise InvalidValue(f"prices come in a publication document, was {name[:60]}")
    return root


def _period(period: Element, repeated: bool) -> tuple[int, list[tuple[int, int | None]]]:
    resolution = _text(period, "resolution")
    step_s = _STEPS.get(resolution)
    if step_s is None:
        raise InvalidValue(f"a price holds for a quarter, half or whole hour, was {resolution[:20]}")
    interval = next(_all(period, "timeInterval"), None)
    if interval is None:
        raise InvalidValue("a period says from when to when, and did not")
    start_s, end_s = moment_s(_text(interval, "start")), moment_s(_text(interval, "end"))
    count = (end_s - start_s) // step_s
    if not 0 < count <= MOST_VALUES or (end_s - start_s) % step_s:
        raise InvalidValue(f"a period is of whole steps of {step_s} s, was {start_s} to {end_s} s")
    told: dict[int, int | None] = {}
    for point in _all(period, "Point"):
        position = _text(point, "position")
        if not (position.isascii() and position.isdigit() and len(position) < 8 and 0 < int(position) <= count):
            raise InvalidValue(f"a point lies in its period, 1 to {count}, was {position[:20]}")
        put(told, int(position), whole(_decimal(_text(point, "price.amount")), MICRO_PER_KWH, "a price"), "a price")
    if repeated:
        for n in range(2, count + 1):
            told.setdefault(n, told.get(n - 1))
    return step_s, [(start_s + (n - 1) * step_s, value) for n, value in sorted(told.items())]


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidValue(f"a price is a number, was {text[:40]!r}") from error


def _all(parent: Element, name: str) -> Iterator[Element]:
    return (child for child in parent if child.tag.rpartition("}")[2] == name)


def _maybe(parent: Element, name: str) -> str | None:
    found = next(_all(parent, name), None)
    return None if found is None else (found.text or "").strip()


def _text(parent: Element, name: str) -> str:
    found = _maybe(parent, name)
    if not found:
        raise InvalidValue(f"{parent.tag.rpartition('}')[2][:40]} has {name}, it was missing")
    return found
