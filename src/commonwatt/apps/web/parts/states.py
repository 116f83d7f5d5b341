"""What stands where content does not: a skeleton while it loads, why there is none, or what went wrong."""

from collections.abc import Callable
from typing import Final

from markupsafe import Markup

from commonwatt.apps.api.problems import Problem
from commonwatt.apps.web.icons import icon
from commonwatt.apps.web.markup import join, tag
from commonwatt.apps.web.words import Words

_A_LONG_TIME_S: Final = 1_000_000_000


def skeleton(words: Words, lines: int = 3) -> Markup:
    """Return grey lines in the shape of what is coming; screen readers hear that it is coming."""
    bars = join(*(tag("span", class_="bone") for _ in range(lines)))
    said = tag("span", words.say("Loading"), class_="unseen")
    return tag("div", said, bars, class_="card skeleton", role="status")


def empty_state(words: Words, title: str, why: str, *, action: str = "", href: str = "") -> Markup:
    """Say honestly that there is nothing, why, and where one could make it otherwise.

    Args:
        words: Unused where both texts are translated already; kept so that all states are called alike.
        title: What there is none of.
        why: Why that is so, in a sentence.
        action: What could be done; empty for nothing.
        href: Where.
    """
    link = tag("a", action, href=href, class_="button") if action else Markup("")
    return tag("div", tag("p", title, class_="lead"), tag("p", why), link, class_="card empty", lang=words.language)


def error_state(words: Words, problem: Problem) -> Markup:
    """Say which rule said no, about which thing, and what was found."""
    rows = [(words.say("Rule"), problem.rule)]
    if problem.thing:
        rows.append((words.say("Concerns"), problem.thing))
    rows += [_found(words, name, value) for name, value in problem.found.items() if str(value) != problem.thing]
    facts = join(*(join(tag("dt", name), tag("dd", value)) for name, value in rows))
    return tag(
        "div",
        tag("p", icon("warning"), tag("span", words.say("This did not work")), class_="lead"),
        tag("dl", facts, class_="facts"),
        class_="card error",
        role="alert",
    )


def _time(words: Words) -> Callable[[int], str]:
    """Return what writes seconds: since 1970 where they are so many, else a length of time."""
    return lambda value: words.instant(value) if value > _A_LONG_TIME_S else words.lasting(value)


def _found(words: Words, name: str, value: object) -> tuple[str, str]:
    """Return what was found as people read it: the unit is at the end of its name."""
    plain, _, unit = name.rpartition("_")
    write = {"w": words.power, "wh": words.energy, "micro": words.money, "s": _time(words)}.get(unit)
    if name.endswith("_micro_tsl") and isinstance(value, int):
        return name.removesuffix("_micro_tsl").replace("_", " "), words.tokens(value, "TSL", 6)
    if write is None or not plain or not isinstance(value, int) or isinstance(value, bool):
        return name.replace("_", " "), str(value)
    return plain.replace("_", " "), write(value)
