"""Let nobody ask more than their part: a bucket of asks a caller, filled at a steady rate."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

from commonwatt.apps.api.problems import Problem

MOST_CALLERS = 10_000
"""Of whom is remembered how much they asked; who was silent longest is forgotten first, with a full bucket."""


@dataclass(slots=True)
class _Bucket:
    left: float
    seen_s: float


class RateLimit:
    """Asks by caller: a session, a token, or an address where somebody has neither.

    Args:
        per_s: How many a second, lastingly.
        burst: How many at once.
        now_s: A steady clock.
    """

    def __init__(self, per_s: float, burst: int, now_s: Callable[[], float]) -> None:
        self._per_s, self._burst, self._now_s = per_s, burst, now_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, cost: int = 1) -> None:
        """Count an ask.

        Raises:
            Problem: 429, with the seconds after which to ask again; nothing is counted.
        """
        now_s = self._now_s()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now_s)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(caller)
        bucket.left = min(self._burst, bucket.left + (now_s - bucket.seen_s) * self._per_s)
        bucket.seen_s = now_s
        if bucket.left < cost:
            wait_s = ceil((cost - bucket.left) / self._per_s)
            rule = "a caller asks no more than its part"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, rule, retry_after_s=wait_s, per_s=round(self._per_s))
        bucket.left -= cost
