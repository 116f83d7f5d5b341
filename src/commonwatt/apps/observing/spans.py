"""Where an ask's way is written down, if anybody wants it: its shape, which by itself costs nothing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol


class Span(Protocol):
    """A stretch of somebody's way through the system."""

    @property
    def trace(self) -> str:
        """The trace that it is part of, 32 hex digits; empty where nothing is written down."""

    @property
    def parent(self) -> str:
        """What the next one is told, as a W3C ``traceparent``; empty likewise."""

    def answered(self, method: str, route: str, status: int) -> None:
        """Note what was asked, and how it was answered."""

    def inner(self, name: str) -> "Span":
        """Begin a stretch inside of this one; it is ended by `end`."""

    def end(self, outcome: str = "") -> None:
        """Note that it is over; ``outcome`` is one of the log's words."""


class Spans(Protocol):
    """Writes ways down."""

    def asked(self, parent: str) -> AbstractContextManager[Span]:
        """Begin the way of one ask, as long as a block; what runs in it finds it by `current`.

        Args:
            parent: The ``traceparent`` that came with it, as it came; anything else counts for none.
        """

    def taken_up(self, name: str, parent: str) -> Span:
        """Begin a stretch of a way that comes from another program; none where what it tells is no way."""


class _NoSpan:
    trace = parent = ""

    def answered(self, method: str, route: str, status: int) -> None:
        """Note nothing."""

    def inner(self, name: str) -> Span:
        return self

    def end(self, outcome: str = "") -> None:
        """Note nothing."""


NO_SPAN: Span = _NoSpan()
_CURRENT: ContextVar[Span] = ContextVar("span", default=NO_SPAN)


def current() -> Span:
    """Return the stretch in which this runs."""
    return _CURRENT.get()


@contextmanager
def within(span: Span) -> Iterator[Span]:
    """Let what runs in a block find a span by `current`."""
    token = _CURRENT.set(span)
    try:
        yield span
    finally:
        _CURRENT.reset(token)


class _NoSpans:
    def asked(self, parent: str) -> AbstractContextManager[Span]:
        return _NO_BLOCK

    def taken_up(self, name: str, parent: str) -> Span:
        return NO_SPAN


_NO_BLOCK = nullcontext(NO_SPAN)
NO_SPANS: Spans = _NoSpans()


def open_spans(collector: str, service: str, doors: ExitStack) -> Spans:
    """Return what writes ways down, and sends them to a collector; nothing where there is none.

    Raises:
        InvalidValue: The collector's address is none.
    """
    if not collector:
        return NO_SPANS
    # Here, and not above: it takes a third of a second to load, and hardly anybody wants it.
    from commonwatt.apps.observing.tracing import Collector, Tracing  # noqa: PLC0415

    tracing = Tracing(service, Collector(collector))
    doors.callback(tracing.close)
    return tracing
