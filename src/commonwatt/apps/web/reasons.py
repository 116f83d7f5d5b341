"""Why a schedule asks what it asks, in the reader's language; logged is English, by few forms (`diary.REASONS`)."""

import re

from markupsafe import Markup

from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.words import Words, mark
from commonwatt.flexibility.diary import MICRO_PER_PENNY

FORMS = (
    mark("keeps the street's own energy, worth {sold} outside"),
    mark("grid energy at {bought}; {later} at {at}"),
    mark("neighbours would else buy from the grid at {bought}"),
    mark("worth {sold} outside, more than later here"),
    mark("rests: the street is balanced without it, outside it is {bought}"),
    mark("nothing to gain at {bought}"),
    mark("waits: {bought} now, {later} at {at}"),
)
"""As `diary.REASONS`, where translators' tools find them."""
_PRICE, _CLOCK = r"-?\d{1,9}\.\d p/kWh", r"\d\d:\d\d"


def _pattern(form: str) -> re.Pattern[str]:
    place = re.compile(r"\\\{(\w+)\\\}")
    return re.compile(
        place.sub(lambda found: f"(?P<{found[1]}>{_CLOCK if found[1] == 'at' else _PRICE})", re.escape(form))
    )


_PATTERNS = tuple((form, _pattern(form)) for form in FORMS)


def said(words: Words, reason: str) -> str | None:
    """Return a logged reason in the reader's language and money; None for one of another form, as a gateway's."""
    for form, pattern in _PATTERNS:
        if found := pattern.fullmatch(reason):
            return words.say(form, **{name: _value(words, name, told) for name, told in found.groupdict().items()})
    return None


def why(words: Words, reason: str) -> Markup:
    """Return a logged reason as a paragraph; one of another form stays in English, and says so."""
    told = said(words, reason)
    return tag("p", reason if told is None else told, class_="small", lang="en" if told is None else None)


def _value(words: Words, name: str, told: str) -> str:
    if name == "at":
        return told
    pence = told.removesuffix(" p/kWh").replace(".", "")
    return words.price(int(pence) * MICRO_PER_PENNY // 10)
