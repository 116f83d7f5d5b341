"""A verdict: verified, not verified, or not looked at yet; never by colour alone."""

from enum import StrEnum

from markupsafe import Markup

from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import tag
from commonwatt.apps.web.words import Words, mark


class Verdict(StrEnum):
    """What a check found."""

    VERIFIED = "verified"
    FAILED = "failed"
    PENDING = "pending"


_SAID = {
    Verdict.VERIFIED: ("check", mark("Verified")),
    Verdict.FAILED: ("cross", mark("Not verified")),
    Verdict.PENDING: ("clock", mark("Not checked yet")),
}


def badge(words: Words, verdict: Verdict, *, at_s: int | None = None) -> Markup:
    """Return a verdict, with the time of the check where there was one."""
    glyph, text = _SAID[verdict]
    when = tag("span", words.instant(at_s), class_="small") if at_s is not None else Markup("")
    return tag("span", icon(glyph), tag("span", words.say(text)), when, class_=f"badge {verdict.value}")
