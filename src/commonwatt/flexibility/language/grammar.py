"""The grammar of the constraint language, and what its words are called where one is missing or wrong."""

import re
from difflib import get_close_matches

from lark import Lark, UnexpectedInput

from commonwatt.model import Priority, Quantity, Reach, Refused

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
GROUPS = {"day": (0, 1, 2, 3, 4, 5, 6), "weekday": (0, 1, 2, 3, 4), "weekend": (5, 6)}
"""What may follow "every" in place of a list of days."""
REACHES = tuple(reach.value for reach in Reach if reach is not Reach.ASSET)
"""Words that stand before names which are not of assets."""
_ENERGY, _POWER = {"Wh": 1, "kWh": 1000, "MWh": 1_000_000}, {"W": 1, "kW": 1000, "MW": 1_000_000}
UNITS: dict[Quantity, dict[str, int]] = {
    Quantity.CHARGE: {"%": 1},
    Quantity.BATTERY: _ENERGY,
    Quantity.ENERGY: _ENERGY,
    Quantity.POWER: _POWER,
    Quantity.RAMP: _POWER,
    Quantity.RESERVE_UP: _POWER,
    Quantity.RESERVE_DOWN: _POWER,
    Quantity.TEMPERATURE: {"C": 1000},
    Quantity.RUN_TIME: {"min": 1, "h": 60},
    Quantity.CYCLES: {"": 1000},
}
"""For each quantity its units, the smallest first, and how many of what `Quantity` counts in each is."""
UNREAD, UNTRUE = "not a constraint that can be read", "not a constraint that can hold"
"""The rules of refusals: no sentence, and a sentence whose words cannot be meant."""
EXAMPLE = "charge of my-car >= 80% at 07:30 on 23 April"

_QUANTITY = "|".join(quantity.value.replace(" ", "[ \\t]+") for quantity in Quantity)
_PRIORITY = "|".join(priority.name.lower() for priority in Priority)

GRAMMAR = rf"""
sentence: NO_LONGER? _claim when place? priority?
bare: _claim priority?
note: "Leave" CLOCK? "," level ("," level)*
level: _name NUMBER UNIT

_claim: QUANTITY "of" scope _bound
scope: COMMUNITY | REACH _names | _names
_names: _name ("," _name)*
_name: NAME | QUOTED
_bound: RELATION value | between
between: "between" value "and" value | "from" value "to" value
value: NUMBER UNIT?

?when: times | repeat
times: "at" moment | "from" moment "to" moment
repeat: times every since? until? | every times since? until?
moment: CLOCK NTH? ("on" day | soon)?
?day: INT MONTH YEAR? -> calendar_day
    | soon
soon: SOON
every: "every" (GROUP | WEEKDAY (("," | "and") WEEKDAY)*)
since: "from" day
until: "until" day
place: "in" TIMEZONE
priority: "for" PRIORITY

NO_LONGER: /no longer\s*:/
QUANTITY: /(?:{_QUANTITY})(?![A-Za-z0-9_.-])/
COMMUNITY.2: /community(?![A-Za-z0-9_.-])/
REACH.2: /(?:{"|".join(REACHES[:-1])})(?![A-Za-z0-9_.-])/
NAME: /[A-Za-z0-9][A-Za-z0-9_.-]*/
QUOTED: /"(?:[^"\\]|\\.)*"/
RELATION: />=|<=|≥|≤|at\s+least(?![a-z])|at\s+most(?![a-z])/
NUMBER: /[+-]?[0-9]+(?:\.[0-9]+)?/
UNIT: /%|(?:[kM]?Wh|[kM]?W|°?C|min|h)(?![A-Za-z0-9_])/
CLOCK: /(?:(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?|24:00)(?![0-9:])/
NTH: "(first)" | "(second)"
INT: /[0-9]{{1,2}}(?![0-9:])/
MONTH: /(?:{"|".join(MONTHS)})(?![a-z])/
YEAR: /[0-9]{{4}}(?![0-9:])/
SOON: "today" | "tomorrow"
GROUP: /(?:weekday|weekend|day)(?![a-z])/
WEEKDAY: /(?:{"|".join(WEEKDAYS)})(?![a-z])/
TIMEZONE: /[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*/
PRIORITY: /(?:{_PRIORITY})(?![a-z])/
%import common.WS_INLINE
%ignore WS_INLINE
"""
_PARSER = Lark(GRAMMAR, parser="lalr", start=["sentence", "bare", "note"], maybe_placeholders=False)
parse_tree = _PARSER.parse
"""Returns the tree of a line; ``start`` is what it should be: a sentence, a bare one without a time, or a note."""

_WORDS: dict[str, tuple[str, ...]] = {
    "QUANTITY": tuple(quantity.value for quantity in Quantity),
    "REACH": REACHES[:-1],
    "COMMUNITY": REACHES[-1:],
    "RELATION": (">=", "<="),
    "UNIT": ("%", "W", "kW", "MW", "Wh", "kWh", "MWh", "C", "min", "h"),
    "NTH": ("(first)", "(second)"),
    "MONTH": MONTHS,
    "SOON": ("today", "tomorrow"),
    "GROUP": tuple(GROUPS),
    "WEEKDAY": WEEKDAYS,
    "PRIORITY": tuple(priority.name.lower() for priority in Priority),
}
_OPEN = {
    "NAME": "a name",
    "QUOTED": "",
    "NUMBER": "a number",
    "CLOCK": "a time like 07:30",
    "INT": "a day of the month",
    "YEAR": "a year",
    "TIMEZONE": "a time zone like Europe/London",
    "COMMA": ",",
    "NO_LONGER": "no longer:",
    "$END": "the end",
}
"""What a word is called that can be nearly anything."""


def is_note(line: str) -> bool:
    """Tell whether a line is meant as a note of when somebody leaves and what is to be full by then."""
    return re.match(r"Leave\b.*[0-9]\s*(?:%|[kM]?Wh\b)", line) is not None


def is_meant(line: str) -> bool:
    """Tell whether a line is meant to state something: one that is, and cannot be read, is a mistake to be told of."""
    return is_note(line) or re.match(rf"(?:no longer\s*:\s*)?(?:{_QUANTITY})\s+of\s", line) is not None


def pointed(line: str, error: UnexpectedInput) -> Refused:
    """Return the refusal that points at the word a line went wrong at, and says what could stand there."""
    token, column = getattr(error, "token", None), getattr(error, "column", -1)
    # What the state's table lists may still be refused after a reduction; what is accepted was tried.
    accepts = getattr(error, "accepts", None)
    known_next = accepts if isinstance(accepts, set) and accepts else getattr(error, "expected", None)
    expected = sorted(known_next or getattr(error, "allowed", None) or [])
    # At the end of the line the parser still names the column of the last word that it read.
    if (token is not None and token.type == "$END") or not 0 < column <= len(line):
        return refusal(line, len(line), _could_be(expected))
    known = [word for name in expected for word in _words(name)]
    near = _near(line[column - 1 :], known)
    before = line[: column - 1].split()[-1:]
    if near is None and "RELATION" in expected and before:
        # A name may be anything, so a misspelt "zone" is read as one, and only the next word is wrong.
        near = _near(before[0], list(REACHES))
        if near is not None:
            column = line.rindex(before[0], 0, column - 1) + 1
    return refusal(line, column - 1, _could_be(expected), near)


def refusal(line: str, start: int, could_be: str = "", near: str | None = None, because: str = "") -> Refused:
    """Return a refusal of a line that points at the word which starts at an index, or at the line's end."""
    place: dict[str, object] = {"at_word": repr("the end of the line")}
    if start < len(line):
        # What the grammar does not take for a blank may still be one to Python, such as U+0085.
        words = line[start:].split(maxsplit=1) or [line[start]]
        place = {"at_word": repr(words[0]), "column": start + 1}
    hints: dict[str, object] = {"because": because} if because else {"could_be": could_be}
    if near is not None:
        hints["did_you_mean"] = near
    return Refused(
        UNTRUE if because else UNREAD,
        line=repr(line),
        **place,
        **hints,
        **({} if because else {"example": repr(EXAMPLE)}),
    )


def _could_be(expected: list[str]) -> str:
    said = []
    for name in expected:
        words = _OPEN.get(name)
        if words is None:
            words = _either(_words(name))
        said += [words] if words else []
    return " or ".join(said) or "nothing more"


def _words(name: str) -> tuple[str, ...]:
    return _WORDS.get(name) or (() if name in _OPEN else (name.lower() if name != "LEAVE" else "Leave",))


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _near(rest: str, known: list[str]) -> str | None:
    """Return the known word that the first word, or the first two together, of a line's rest nearly is."""
    words = rest.split()[:2]
    if words and re.fullmatch("[0-9]:[0-5][0-9]", words[0].rstrip(",")):
        return "0" + words[0].rstrip(",")
    by_lower = {word.lower(): word for word in known if word.isascii()}
    pairs = {word for word in by_lower if " " in word}
    for tried, among in ((" ".join(words), pairs), *((word, by_lower.keys()) for word in words[:1])):
        found = get_close_matches(tried.rstrip(",:").lower(), among, 1)
        if found:
            return by_lower[found[0]]
    return None
