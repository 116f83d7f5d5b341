"""Slow down who guesses: the more tries in a row failed, the longer until the next one is looked at."""

from dataclasses import dataclass

FREE_TRIES = 5
_DOUBLES_FROM_S = 1
_LONGEST_S = 900
FORGOTTEN_AFTER_S = 86_400
FREE_TRIES_OF_ADDRESS = 30
"""A whole street can come from one address."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How often something was tried in a row without success, and when last, seconds since 1970."""

    count: int = 0
    last_s: int = 0


def wait_s(tries: Tries, now_s: int, free: int = FREE_TRIES) -> int:
    """Return how many seconds it takes until the next try is looked at; 0 for at once.

    It says the same for a name that exists as for one that does not, and before anything else is looked at.

    Args:
        tries: So far.
        now_s: Seconds since 1970.
        free: How many cost nothing.
    """
    over = tries.count - free
    if over < 0 or now_s - tries.last_s >= FORGOTTEN_AFTER_S:
        return 0
    pause_s = min(_LONGEST_S, _DOUBLES_FROM_S << min(over, 20))
    return max(0, tries.last_s + pause_s - now_s)


def one_more(tries: Tries, now_s: int) -> Tries:
    """Return the tries with one that is under way; it counts until it succeeds, so that many at once gain nothing."""
    fresh = now_s - tries.last_s >= FORGOTTEN_AFTER_S
    return Tries(1 if fresh else tries.count + 1, now_s)
