"""What a door's program measures of itself: how long commits take, what waits, and how many gateways are there."""

from collections.abc import Callable, Collection, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from commonwatt.adapters.door.server import Door
from commonwatt.apps.observing.spans import NO_SPANS, Spans
from commonwatt.flows.sequence import Sequencer

COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
MOST_WAYS = 16
"""Of a commit that are written down."""
_NS = 1_000_000_000


class DoorMetrics:
    """All numbers of one door.

    Args:
        ticks_ns: A clock that is never set, nanoseconds.
        spans: Writes down ways of requests.
    """

    def __init__(self, ticks_ns: Callable[[], int], spans: Spans = NO_SPANS) -> None:
        self.registry = CollectorRegistry()
        self._ticks_ns, self._spans = ticks_ns, spans
        ProcessCollector(namespace="commonwatt", registry=self.registry)
        self._commits = Histogram(
            "commonwatt_commit_seconds",
            "Commits of the log's one writer, from being decided to being durable.",
            buckets=COMMIT_S,
            registry=self.registry,
        )
        self._requests = Counter(
            "commonwatt_commit_requests", "Requests that were decided in them.", registry=self.registry
        )

    def commit(self, many: int, ways: Collection[str]) -> Callable[[], None]:
        """Begin to time a commit; see `commonwatt.adapters.door.server.LookOn`."""
        began_ns = self._ticks_ns()
        spans = [self._spans.taken_up("commit", way) for way in sorted(ways)[:MOST_WAYS]]

        def durable() -> None:
            self._commits.observe((self._ticks_ns() - began_ns) / _NS)
            self._requests.inc(many)
            for span in spans:
                span.end()

        return durable

    def watch(
        self, door: Door, sequencer: Sequencer, now_s: Callable[[], int], gateways: Callable[[], int] | None
    ) -> None:
        """Show a door's numbers, as they are whenever somebody looks.

        Args:
            door: The door.
            sequencer: Its writer.
            now_s: The clock, seconds since 1970.
            gateways: How many gateways' lines are open; None where none come in here.
        """
        self.registry.register(_Writer(door, sequencer, now_s, gateways))


class _Writer(Collector):
    def __init__(
        self, door: Door, sequencer: Sequencer, now_s: Callable[[], int], gateways: Callable[[], int] | None
    ) -> None:
        self._door, self._sequencer, self._now_s, self._gateways = door, sequencer, now_s, gateways

    def describe(self) -> Iterable[Metric]:
        """Tell nothing in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all that is known now."""
        door, writer, now_s = self._door, self._sequencer, self._now_s()
        state = writer.state
        values: list[tuple[str, str, float | None]] = [
            ("door_open", "1 while requests are taken.", int(door.failed is None)),
            ("door_connections", "Connections that are open.", door.connections),
            ("door_waiting", "Requests that are not decided yet.", door.waiting),
            ("gateways_connected", "Gateways whose line is open.", self._gateways() if self._gateways else None),
            ("log_leaves", "Leaves of the log.", len(writer.tree)),
            ("log_unsnapped_leaves", "Leaves since the last snapshot.", len(writer.tree) - writer.kept_to),
            ("log_age_seconds", "Since the log's last leaf, by its own time.", max(0, now_s - writer.last_s)),
            (
                "checkpoint_age_seconds",
                "Since the last checkpoint's slot began.",
                max(0, now_s - state.checked_s) if state.checked_s >= 0 else None,
            ),
        ]
        for name, told, value in values:
            if value is not None:
                yield GaugeMetricFamily(f"commonwatt_{name}", told, value=value)
