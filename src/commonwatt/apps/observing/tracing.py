"""Write ways down as OpenTelemetry has it, and send them to a collector as OTLP JSON over HTTP.

A span tells which route was asked, how it was answered and how long it took; never a path, header, body, or who asks.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, Tracer, set_span_in_context
from opentelemetry.trace import Span as OpenSpan

from commonwatt.apps.observing.spans import NO_SPAN, Span, within
from commonwatt.model import InvalidValue

SENT_WITHIN_S = 5.0
MOST_WAITING = 2_048
"""Spans that wait to be sent; beyond, new ones are dropped: a collector that is away costs nobody else anything."""
_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_BROKEN = 500
_KINDS = {SpanKind.SERVER: 2, SpanKind.CLIENT: 3}
_ERROR = 2


class Tracing:
    """Implements `spans.Spans`.

    A ``traceparent`` that comes with an ask is taken up, its ``tracestate`` is not: anybody may write into it what
    nobody here should keep.

    Args:
        service: Which program this is.
        exporter: Where spans go.
    """

    def __init__(self, service: str, exporter: SpanExporter) -> None:
        self._provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MOST_WAITING))
        self._tracer = self._provider.get_tracer("commonwatt")

    @contextmanager
    def asked(self, parent: str) -> Iterator[Span]:
        """Begin the way of one ask, as long as a block."""
        span = _Open(self._tracer, self._tracer.start_span("asked", _context(parent), SpanKind.SERVER))
        try:
            with within(span):
                yield span
        finally:
            span.end()

    def taken_up(self, name: str, parent: str) -> Span:
        """Begin a stretch of a way that comes from another program; none where what it tells is no way."""
        if not _PARENT.fullmatch(parent):
            return NO_SPAN
        return _Open(self._tracer, self._tracer.start_span(name, _context(parent), SpanKind.SERVER))

    def close(self) -> None:
        """Send what waits, and end."""
        self._provider.shutdown()


class Collector(SpanExporter):
    """Sends spans to a collector; what it does not take is lost, and nothing waits for it.

    Args:
        url: Where it is, such as ``http://127.0.0.1:4318``; ``/v1/traces`` is added where there is no path.

    Raises:
        InvalidValue: The address is none of HTTP, or holds a password, which would be shown wherever it is.

    Source: OpenTelemetry protocol, OTLP/HTTP with JSON encoding.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise InvalidValue("a collector's address is http://HOST:PORT or https://HOST:PORT, without a login")
        self._url = url if parts.path.strip("/") else f"{url.rstrip('/')}/v1/traces"
        self._client = httpx.Client(timeout=SENT_WITHIN_S, follow_redirects=False, trust_env=False)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; run by a thread of the SDK's."""
        try:
            answered = self._client.post(self._url, json=otlp(spans))
        except httpx.HTTPError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if answered.is_success else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Close the line."""
        self._client.close()


def otlp(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return spans as OTLP JSON has them: ids in hex, times as text in nanoseconds."""
    resource = spans[0].resource.attributes if spans else {}
    told = {"scope": {"name": "commonwatt"}, "spans": [_told(span) for span in spans]}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [told]}]}


class _Open:
    """Implements `spans.Span`."""

    def __init__(self, tracer: Tracer, span: OpenSpan) -> None:
        self._tracer, self._span = tracer, span

    @property
    def trace(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    @property
    def parent(self) -> str:
        here = self._span.get_span_context()
        return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"

    def answered(self, method: str, route: str, status: int) -> None:
        self._span.update_name(f"{method} {route}")
        self._span.set_attribute("http.request.method", method)
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)

    def inner(self, name: str) -> Span:
        return _Open(self._tracer, self._tracer.start_span(name, set_span_in_context(self._span), SpanKind.CLIENT))

    def end(self, outcome: str = "") -> None:
        if outcome:
            self._span.set_attribute("commonwatt.outcome", outcome)
        self._span.end()


def _context(parent: str) -> Context:
    """Return what a span stands in; a context without any where nobody told one that can be read."""
    found = _PARENT.fullmatch(parent)
    if found is None:
        return Context()
    trace, span, flags = (int(part, 16) for part in found.groups())
    above = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags & TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(above), Context())


def _told(span: ReadableSpan) -> dict[str, Any]:
    here, attributes = span.get_span_context(), span.attributes or {}
    assert here is not None
    told = {
        "traceId": f"{here.trace_id:032x}",
        "spanId": f"{here.span_id:016x}",
        "name": span.name,
        "kind": _KINDS.get(span.kind, 1),
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(attributes),
    }
    if span.parent is not None:
        told["parentSpanId"] = f"{span.parent.span_id:016x}"
    status = attributes.get("http.response.status_code", 0)
    if isinstance(status, int) and status >= _BROKEN:
        told["status"] = {"code": _ERROR}
    return told


def _attributes(attributes: Any) -> list[dict[str, Any]]:
    return [
        {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}}
        for name, value in attributes.items()
    ]
