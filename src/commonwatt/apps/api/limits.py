"""Let nobody ask more than their part: a bucket of asks a caller, filled at a steady rate, around API and pages."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commonwatt.apps.api.problems import Problem, send_problem
from commonwatt.flows.entrance.hall import line_of

MOST_CALLERS = 10_000
"""Of whom is remembered how much they asked; who was silent longest is forgotten first, with a full bucket."""
SIGN_IN_COST = 10
"""What a try to come in counts: it may take a core for a tenth of a second, and guesses are made of many."""
_API = "/api/"
_ENTRANCE = "/api/v1/sign-in"
_FREE = ("/healthz", "/readyz", "/_nicegui/", "/assets/")
"""Probes that must not starve when others ask too much, and files out of memory: a refusal would cost as much."""
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much callers may ask.

    Args:
        known_per_s: Asks a second, lastingly, by a person who is signed in, and by each of their tokens.
        unknown_per_s: Likewise by an address from which nobody is signed in.
        burst_s: At once, as much as gathers in this time.
    """

    known_per_s: float = 20
    unknown_per_s: float = 10
    burst_s: int = 15


class RateLimit:
    """Asks by caller: a person, a token, or an address where somebody has neither.

    Args:
        per_s: How many a second, lastingly.
        burst: How many at once.
        now_s: A steady clock.
        name: By which HTTP tells it.
    """

    def __init__(self, per_s: float, burst: int, now_s: Callable[[], float], name: str = "") -> None:
        self._per_s, self._burst, self._now_s, self._name = per_s, burst, now_s, name
        self._policy = f'"{name}";q={burst};w={ceil(burst / per_s)}'
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, cost: int = 1) -> int:
        """Count an ask, and return how many more may be made at once.

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
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, rule, retry_after_s=wait_s, per_s=f"{self._per_s:g}")
        bucket.left -= cost
        return int(bucket.left)

    def told(self, left: int) -> dict[str, str]:
        """Return how HTTP tells a caller the limit, and how much of it is left.

        Source: draft-ietf-httpapi-ratelimit-headers-10.
        """
        fills_s = ceil((self._burst - left) / self._per_s)
        return {"ratelimit-policy": self._policy, "ratelimit": f'"{self._name}";r={left};t={fills_s}'}


class Fair:
    """Counts every ask of an application, and refuses what is too much, before anything is looked at.

    A line that stays, of events or a socket, counts once. What a caller shows that nobody knows, a token that was
    invented or revoked, makes nobody: it counts for the address.

    Args:
        app: What is inside.
        limits: How much.
        now_s: A steady clock.
        caller: Tells who asks, by a name that stays; None for who is not known.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, now_s: Callable[[], float], caller: Callable[[Scope], str | None]
    ) -> None:
        self._app, self._caller = app, caller
        self._known = RateLimit(limits.known_per_s, round(limits.known_per_s * limits.burst_s), now_s, "known")
        burst = round(limits.unknown_per_s * limits.burst_s)
        self._unknown = RateLimit(limits.unknown_per_s, burst, now_s, "unknown")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  as ASGI has it
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
            return
        caller = self._caller(scope)
        limit = self._unknown if caller is None else self._known
        try:
            left = limit.take(caller or address_of(scope), _cost(scope))
        except Problem as problem:
            await send_problem(scope, send, problem, limit.told(0))
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [(name.encode(), value.encode()) for name, value in limit.told(left).items()]
                message = {**message, "headers": [*message.get("headers", ()), *told]}
            await send(message)

        await self._app(scope, receive, tell if scope["path"].startswith(_API) else send)


@dataclass(slots=True)
class _Bucket:
    left: float
    seen_s: float


def _cost(scope: Scope) -> int:
    if scope["type"] == "websocket" or scope["method"] in _SAFE or not scope["path"].startswith(_ENTRANCE):
        return 1
    return SIGN_IN_COST


def address_of(scope: Scope) -> str:
    """Return from where somebody asks, as callers whom nobody knows are told apart."""
    client = scope.get("client")
    return line_of(client[0]) if client else "unknown"
