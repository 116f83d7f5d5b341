"""The guide's page on constraints: every line of it does what it says."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from commonwatt.flexibility.language import parse, read, text
from commonwatt.flexibility.language.calendar import from_ics
from commonwatt.flexibility.permission import SAYS
from commonwatt.model import Interval, Quantity, Refused

PAGE = (Path(__file__).parents[3] / "docs" / "guide" / "constraints.md").read_text()
LONDON = ZoneInfo("Europe/London")
NOW = datetime(2018, 4, 20, 12, tzinfo=UTC)


def boxes(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


LINES = [line for box in boxes("constraint") for line in box.splitlines()]


@pytest.mark.row("X1")
@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_page_is_read_or_refused_as_it_says(line: str) -> None:
    sentence, _, says = (part.strip() for part in line.partition("#!"))
    sentence = sentence.split("#")[0].strip()
    if says:
        with pytest.raises(Refused, match=re.escape(says)):
            read(sentence, NOW, LONDON)
        return
    for one in read(sentence, NOW, LONDON).statements:
        assert parse(text(one, LONDON), NOW, LONDON) == one


def test_the_page_shows_every_quantity_and_every_role() -> None:
    shown = {
        one.quantity for line in LINES if "#!" not in line for one in read(line.split("#")[0], NOW, LONDON).statements
    }
    assert shown == set(Quantity)
    for role in SAYS:
        assert role in PAGE


def test_the_calendar_on_the_page_states_what_stands_below_it() -> None:
    (ics,), (states,) = boxes("ics"), boxes("states")
    span = Interval(NOW, datetime(2018, 6, 1, tzinfo=UTC))
    found = from_ics(ics, span, LONDON, things={"car": "car-07"})
    assert [text(one, LONDON) for one in found] == states.splitlines()
