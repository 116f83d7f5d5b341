"""An ask's way is written down from the app through the door to its commit, and nobody learns from it who asked."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from fastapi import FastAPI, Request
from lived import LivedStreet, lived_again, open_community
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from commonwatt.adapters.door.wire import frame, frame_way, split_frames, split_way
from commonwatt.apps.observing.asked import Answered, Watched
from commonwatt.apps.observing.at_door import DoorMetrics
from commonwatt.apps.observing.metrics import AppMetrics
from commonwatt.apps.observing.spans import NO_SPANS, current
from commonwatt.apps.observing.tracing import Collector, Tracing, otlp
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.model import SLOT_SECONDS, AccountId, InvalidValue, Kind, Side

TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{ABOVE}-01"
WRITTEN = {"http.request.method", "http.route", "http.response.status_code", "commonwatt.outcome"}


def ticks() -> int:
    return 0


@pytest.fixture(scope="module")
def way(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, ReadableSpan], list[Answered]]:
    """Return what is written down of one order that came with a trace, by name, and what the events told."""
    kept, heard = (InMemorySpanExporter(), InMemorySpanExporter()), list[Answered]()
    of_app, of_door = Tracing("app", kept[0]), Tracing("door", kept[1])

    async def live() -> None:
        metrics = AppMetrics(ticks)
        async with open_community(lived_again(lived, tmp_path_factory), DoorMetrics(ticks, of_door).commit) as town:
            town.passing = metrics.passing
            app = FastAPI()

            @app.post("/homes/{account}/orders")
            async def order(request: Request, account: str) -> str:
                bid = order_bodies.SlotOrder(
                    side=Side.BID, energy_wh=40, price_micro_per_kwh=100_000, slot_s=town.told_s + SLOT_SECONDS
                )
                return (await town.send(AccountId(account), Kind.ORDER, bid)).outcome.value

            app.add_middleware(Watched, ticks_ns=ticks, hear=(heard.append,), spans=of_app)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
                headers = {"traceparent": PARENT, "tracestate": "who=anna", "Cookie": "secret"}
                assert (await client.post("/homes/member-01/orders?code=secret", headers=headers)).is_success

    asyncio.run(live())
    of_app.close()
    of_door.close()
    return {span.name: span for one in kept for span in one.get_finished_spans()}, heard


Way = tuple[dict[str, ReadableSpan], list[Answered]]


def test_a_way_leads_from_who_asked_to_the_commit_and_each_stretch_stands_in_the_one_before(way: Way) -> None:
    spans, heard = way
    asked, door, commit = (spans[name] for name in ("POST /homes/{account}/orders", "door", "commit"))
    assert len(spans) == 3
    above = [span.parent.span_id if span.parent else 0 for span in (asked, door, commit)]
    below = [int(ABOVE, 16), *(span.context.span_id for span in (asked, door) if span.context)]
    assert above == below
    assert {span.context.trace_id for span in spans.values() if span.context} == {int(TRACE, 16)}
    assert [span.kind for span in (asked, door, commit)] == [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER]
    assert [one.trace for one in heard] == [TRACE]


def test_a_span_tells_the_route_and_the_answer_and_nothing_of_who_asked(way: Way) -> None:
    spans, _ = way
    for span in spans.values():
        assert set(span.attributes or {}) <= WRITTEN and not span.events
        assert span.context is not None and not span.context.trace_state
    told = json.dumps(otlp(list(spans.values())))
    assert "member-01" not in told and "secret" not in told and "anna" not in told
    assert dict(spans["POST /homes/{account}/orders"].attributes or {})["http.response.status_code"] == 200
    assert (spans["door"].attributes or {})["commonwatt.outcome"]


@pytest.mark.parametrize(
    "parent",
    ["", "x", f"01-{TRACE}-{ABOVE}-01", f"00-{'0' * 32}-{ABOVE}-01", f"00-{TRACE}-{'0' * 16}-01", PARENT + "-x"],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(parent: str) -> None:
    kept = InMemorySpanExporter()
    tracing = Tracing("app", kept)
    with tracing.asked(parent) as span:
        assert current() is span and span.trace not in (TRACE, "0" * 32)
    assert tracing.taken_up("commit", parent).trace == "", "and at the door it begins none"
    tracing.close()
    assert [one.parent for one in kept.get_finished_spans()] == [None]


def test_who_asked_not_to_be_written_down_is_not() -> None:
    kept = InMemorySpanExporter()
    tracing = Tracing("app", kept)
    with tracing.asked(PARENT[:-2] + "00"):
        pass
    tracing.close()
    assert kept.get_finished_spans() == ()


def test_where_nobody_writes_ways_down_there_is_nothing_to_pass_on() -> None:
    with NO_SPANS.asked(PARENT) as span:
        assert current() is span and (span.trace, span.parent, span.inner("door").parent) == ("", "", "")
    assert AppMetrics(ticks).passing().trace == ""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Listen as a collector does; return where, and what came."""
    came = list[dict[str, object]]()

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append({"path": self.path, "kind": self.headers["Content-Type"], **json.loads(body)})
            self.send_response(200 if len(came) == 1 else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Takes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()


def test_a_collector_is_sent_spans_as_otlp_has_them(collector: tuple[str, list[dict[str, object]]], way: Way) -> None:
    url, came = collector
    exporter, spans = Collector(url), way[0]
    assert exporter.export(list(spans.values())) is SpanExportResult.SUCCESS
    assert (came[0]["path"], came[0]["kind"]) == ("/v1/traces", "application/json")
    (resource,) = came[0]["resourceSpans"]  # type: ignore[misc]
    assert resource["resource"]["attributes"][0]["key"] == "service.name"
    told = {one["name"]: one for one in resource["scopeSpans"][0]["spans"]}
    asked, commit = told["POST /homes/{account}/orders"], told["commit"]
    assert (asked["traceId"], asked["parentSpanId"], asked["kind"]) == (TRACE, ABOVE, 2)
    assert commit["parentSpanId"] == told["door"]["spanId"] and told["door"]["kind"] == 3
    assert int(asked["startTimeUnixNano"]) <= int(asked["endTimeUnixNano"])
    assert {"key": "http.response.status_code", "value": {"intValue": "200"}} in asked["attributes"]
    assert exporter.export(list(spans.values())) is SpanExportResult.FAILURE, "it says that it takes no more"
    exporter.shutdown()


def test_a_collector_that_is_away_is_no_error_of_anybodys() -> None:
    exporter = Collector("http://127.0.0.1:1")
    assert exporter.export([]) is SpanExportResult.FAILURE
    exporter.shutdown()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:4318", "http://", "http://anna:word@127.0.0.1:4318"])
def test_a_collectors_address_is_one_of_http_without_a_login(url: str) -> None:
    with pytest.raises(InvalidValue):
        Collector(url)


def test_a_door_hears_a_way_in_whatever_pieces_it_comes_and_what_comes_behind_it() -> None:
    said = frame(b"before") + frame_way(PARENT) + frame(b"one") + frame(b"two")
    buffer, heard = bytearray(), list[object]()
    for byte in said:
        buffer.append(byte)
        while wires := split_frames(buffer):
            heard += wires
        if way := split_way(buffer):
            heard.append(way)
    assert heard == [b"before", PARENT, b"one", b"two"] and not buffer
