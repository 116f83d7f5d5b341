"""Put together what looks on at an app, as whoever opens it wants it: events, metrics, traces."""

import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import FastAPI

from commonwatt.apps.community import Community
from commonwatt.apps.observing.asked import Answered, Watched
from commonwatt.apps.observing.events import Form, note_ask, write_events
from commonwatt.apps.observing.listener import LOOPBACK, show_metrics
from commonwatt.apps.observing.metrics import AppMetrics, Around
from commonwatt.apps.observing.spans import NO_SPANS, Spans, open_spans
from commonwatt.apps.publishing import listen


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to see of a program.

    Args:
        events: How events are written.
        metrics: The port on loopback where metrics are shown, 0 for any free one; None for none.
        traces: The collector to which traces go; empty for none.
    """

    events: Form = Form.TEXT
    metrics: int | None = None
    traces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What looks on at one app; by itself nothing does."""

    metrics: AppMetrics | None = None
    door: socket.socket | None = None
    spans: Spans = NO_SPANS
    hear: tuple[Callable[[Answered], None], ...] = ()
    beside: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)

    def put_around(self, app: FastAPI, community: Community, around: Around, under: str) -> None:
        """Look at an application from outside of all else, and at its community from inside.

        Args:
            app: Whole but for this.
            community: The one that it shows.
            around: What else is worth a number.
            under: Where its API stands.
        """
        if self.metrics is not None:
            community.passing = self.metrics.passing
            self.metrics.watch(community, around)
            app.add_middleware(Watched, ticks_ns=time.perf_counter_ns, hear=self.hear, spans=self.spans, under=under)


NO_WATCH = Watch()


def open_watch(wanted: Wanted, doors: ExitStack) -> Watch:
    """Return what looks on at an app, and write this process's events as wanted.

    Args:
        wanted: What somebody wants to see.
        doors: Closes what is opened here.

    Raises:
        InvalidValue: The collector's address is none.
        OSError: The port is taken.
    """
    write_events(wanted.events, sys.stderr)
    spans = open_spans(wanted.traces, "commonwatt-app", doors)
    if wanted == Wanted(events=Form.TEXT):
        return NO_WATCH
    metrics = AppMetrics(time.perf_counter_ns)
    hear = (metrics.heard, note_ask) if wanted.events is Form.JSON else (metrics.heard,)
    if wanted.metrics is None:
        return Watch(metrics=metrics, spans=spans, hear=hear)
    door = doors.enter_context(listen(LOOPBACK, wanted.metrics))
    return Watch(
        metrics=metrics, door=door, spans=spans, hear=hear, beside=[partial(show_metrics, door, metrics.registry)]
    )
