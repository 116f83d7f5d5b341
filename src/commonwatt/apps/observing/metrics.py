"""What an app measures of itself for Prometheus: asks, the log that it follows, what is behind, and how many are there.

Labels name routes, kinds and outcomes; never a person, an account, a device or an address.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from commonwatt.apps.community import Community, Passed
from commonwatt.apps.observing.asked import Answered
from commonwatt.apps.observing.spans import current
from commonwatt.apps.views.operations import Totals, totals
from commonwatt.model import Outcome

_NS = 1_000_000_000
ASK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PASS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
COUNT_EVERY_S = 60.0
NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is around a community that is worth a number.

    Args:
        open_pages: Pages that are open, of which numbers move.
        feeds: Different things that they show.
        people: Who is signed in; None where nobody signs in.
    """

    open_pages: Callable[[], int]
    feeds: Callable[[], int]
    people: Callable[[], int] | None


class AppMetrics:
    """All numbers of one app.

    Args:
        ticks_ns: A clock that is never set, nanoseconds.
    """

    def __init__(self, ticks_ns: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._ticks_ns = ticks_ns
        ProcessCollector(namespace="commonwatt", registry=self.registry)
        self._asks = Histogram(
            "commonwatt_http_request_seconds",
            "Asks by route and status, until the answer began.",
            ("method", "route", "status"),
            buckets=ASK_S,
            registry=self.registry,
        )
        self._passes = Histogram(
            "commonwatt_door_seconds",
            "Requests to the community's door, until the log told of them.",
            buckets=PASS_S,
            registry=self.registry,
        )
        self._outcomes = Counter(
            "commonwatt_door_requests", "Likewise by what became of them.", ("outcome",), registry=self.registry
        )
        self._waiting = 0

    def heard(self, answered: Answered) -> None:
        """Count an ask."""
        labels = self._asks.labels(answered.method, answered.route, str(answered.status))
        labels.observe(answered.took_ns / _NS)

    def passing(self) -> Passed:
        """Begin to time a request to the door; see `commonwatt.apps.community.Community.passing`."""
        self._waiting += 1
        began_ns, span = self._ticks_ns(), current().inner("door")

        def done(outcome: Outcome | None) -> None:
            self._waiting -= 1
            self._passes.observe((self._ticks_ns() - began_ns) / _NS)
            told = NO_ANSWER if outcome is None else outcome.value
            self._outcomes.labels(told).inc()
            span.end(told)

        return Passed(trace=span.parent, done=done)

    def watch(self, community: Community, around: Around) -> None:
        """Show a community's numbers, as they are whenever somebody looks."""
        self.registry.register(_Followed(community, around, lambda: self._waiting))


class Seldom:
    """A number that takes a while to count, counted once a minute at most.

    Args:
        count: Counts it.
        now_s: A steady clock.
    """

    def __init__(self, count: Callable[[], int], now_s: Callable[[], float]) -> None:
        self._count, self._now_s = count, now_s
        self._counted_s, self._found = float("-inf"), 0

    def __call__(self) -> int:
        """Return the number."""
        if self._now_s() >= self._counted_s + COUNT_EVERY_S:
            self._found, self._counted_s = self._count(), self._now_s()
        return self._found


class _Followed(Collector):
    """Reads a community where it stands."""

    def __init__(self, community: Community, around: Around, waiting: Callable[[], int]) -> None:
        self._community, self._around, self._waiting = community, around, waiting

    def describe(self) -> Iterable[Metric]:
        """Tell nothing in advance: a registry asks when the log may not be open yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all that is known now; what never was has no number."""
        for name, (told, value) in self._values(totals(self._community)).items():
            if value is not None:
                yield GaugeMetricFamily(f"commonwatt_{name}", told, value=value)
        kinds = Counts(asset.kind.value for asset in self._community.state.assets.values())
        family = GaugeMetricFamily("commonwatt_assets", "Assets that are registered, by kind.", labels=["kind"])
        for kind, number in sorted(kinds.items()):
            family.add_metric([kind], number)
        yield family

    def _values(self, found: Totals) -> Mapping[str, tuple[str, float | None]]:
        community, around = self._community, self._around
        now_s = community.now_s()

        def since(at_s: int | None) -> int | None:
            return None if at_s is None else max(0, now_s - at_s)

        return {
            "log_leaves": ("Leaves of the log that this app has told.", community.size),
            "log_followed": ("1 while the log is followed.", int(community.broken is None)),
            "log_age_seconds": ("Since the last leaf, by the log's time.", since(community.told_s)),
            "checkpoint_age_seconds": ("Since the last checkpoint's slot began.", since(found.checked_s)),
            "reading_age_seconds": ("Since the end of the last slot that was read.", since(found.read_to_s)),
            "plan_age_seconds": ("Since the last schedule was issued.", since(found.planned_s)),
            "settlement_lag_seconds": ("Since the end of what is settled.", since(found.settled_to_s)),
            "gateways": ("Gateways that are registered.", found.gateways),
            "gateways_silent": ("Gateways with a meter unheard for longer than the charter waits.", found.silent),
            "assets_suspended": ("Assets that failed their inspection.", found.suspended),
            "readings_set_aside": (
                "Readings that were not believed, of the time that the log looks back.",
                found.aside,
            ),
            "commands_refused": ("Assets whose gateway did not take the last command.", found.refused),
            "members": ("Members of the community.", found.members),
            "open_pages": ("Pages that are open.", around.open_pages()),
            "live_feeds": ("Different things that open pages follow.", around.feeds()),
            "door_waiting": ("Requests of this app that wait for the door.", self._waiting()),
            **_of_chain(community),
            "people_signed_in": ("People who are signed in.", around.people() if around.people else None),
        }


def _of_chain(community: Community) -> Mapping[str, tuple[str, float | None]]:
    """Return a chain's numbers; none where the community has no chain."""
    keeper = community.chain
    if keeper is None:
        return {}
    facts = keeper.facts
    return {
        "chain_kept": ("1 while the chain is kept.", int(not keeper.trouble)),
        "chain_head": ("The last block of the chain that was seen.", facts.head.number if facts else None),
        "chain_final": ("The last block that is not taken back.", facts.final.number if facts else None),
        "chain_anchored_leaves": ("Leaves of the log that a final block holds.", facts.final_size if facts else None),
        "chain_anchor_gas": (
            "Gas that the last checkpoint used.",
            facts.anchored[0].gas if facts and facts.anchored else None,
        ),
    }
