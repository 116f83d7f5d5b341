"""The frame says along the top since when its numbers stand still, and nothing where they do not."""

from zoneinfo import ZoneInfo

from commonwatt.apps.web.frame import frame
from commonwatt.apps.web.words import Place, Words
from commonwatt.identity.seat import PUBLIC


def framed(stands: bool, language: str = "en") -> str:
    words = Words(language, Place(name="Street", zone=ZoneInfo("Europe/London"), currency="GBP"))
    return str(
        frame(
            words,
            PUBLIC,
            title="Home",
            as_of_s=1_542_196_800,
            stands=stands,
            places=[],
            chairs=[],
            theme="auto",
        )
    )


def test_pages_say_since_when_their_numbers_stand_still_and_nothing_while_they_move() -> None:
    assert "stand still since" in framed(True) and "12:00" in framed(True)
    assert "the log cannot be read" not in framed(False) and 'data-live="stands"' in framed(False)
    assert "stehen still seit" in framed(True, "de")
