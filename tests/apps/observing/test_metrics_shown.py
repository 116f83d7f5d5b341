"""What is measured of an app and a door is there for who runs them, names nobody, and is shown here alone."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from lived import LivedStreet, open_community
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from commonwatt.apps.chain_facts import Anchored, BlockFact, Facts
from commonwatt.apps.community import Community
from commonwatt.apps.observing.asked import Answered
from commonwatt.apps.observing.at_door import DoorMetrics
from commonwatt.apps.observing.listener import show_metrics
from commonwatt.apps.observing.metrics import AppMetrics, Around, Seldom
from commonwatt.apps.publishing import listen
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.model import SLOT_SECONDS, AccountId, Kind, Refused, Side

DOCS = Path(__file__).parents[3] / "docs"
AROUND = Around(open_pages=lambda: 3, feeds=lambda: 2, people=lambda: 5)


def bid(slot_s: int) -> order_bodies.SlotOrder:
    return order_bodies.SlotOrder(side=Side.BID, energy_wh=40, price_micro_per_kwh=100_000, slot_s=slot_s)


class Ticks:
    """A clock that goes on by 20 ms whenever somebody looks."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += 20_000_000
        return self.now_ns


BLOCK = BlockFact(number=7, hash="00", time_s=1)
ANCHORED = Anchored(
    size=5, slot_s=900, log_root="00", state_root="00", block=7, tx="00", gas=68_000, weight=1, bonded=1
)
FACTS = Facts(
    kind="embedded",
    chain_id=1,
    head=BLOCK,
    final=BLOCK,
    contracts={},
    operator="0x",
    rpc="",
    stage="final",
    anchored=(ANCHORED,),
    anchored_count=1,
    final_size=5,
    own_word=True,
    stakes=(),
    bonded_micro=1,
    pool_micro=0,
)


def test_a_chain_is_counted_where_there_is_one_and_its_trouble_shows(lived: LivedStreet) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    metrics, kept = AppMetrics(Ticks()), SimpleNamespace(trouble="", facts=None)
    metrics.watch(community, AROUND)
    assert "commonwatt_chain_kept" not in shown(metrics.registry)
    community.chain = cast(Any, kept)
    assert shown(metrics.registry)["commonwatt_chain_kept"] == 1
    assert "commonwatt_chain_head" not in shown(metrics.registry)
    kept.trouble, kept.facts = "no answer", FACTS
    found = shown(metrics.registry)
    community.close()
    assert (found["commonwatt_chain_kept"], found["commonwatt_chain_head"]) == (0, 7)
    assert (found["commonwatt_chain_anchored_leaves"], found["commonwatt_chain_anchor_gas"]) == (5, 68_000)


def shown(registry: CollectorRegistry) -> dict[str, float]:
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_an_app_tells_asks_by_route_what_the_door_said_and_how_its_community_fares_and_names_nobody(
    lived_copy: LivedStreet,
) -> None:
    metrics = AppMetrics(Ticks())

    async def live() -> tuple[dict[str, float], int]:
        async with open_community(lived_copy) as community:
            community.passing = metrics.passing
            metrics.watch(community, AROUND)
            metrics.heard(Answered(method="GET", route="/homes/{account}", status=200, took_ns=7_000_000, trace=""))
            done = await community.send(AccountId("member-01"), Kind.ORDER, bid(lived_copy.end_s + SLOT_SECONDS))
            assert done.outcome.admitted
            community.door = lambda: ("127.0.0.1", 1)
            with pytest.raises(Refused):
                await community.send(AccountId("member-01"), Kind.ORDER, bid(lived_copy.end_s + SLOT_SECONDS))
            assert community.size == shown(metrics.registry)["commonwatt_log_leaves"] > lived_copy.size
            community.broken = RuntimeError("as if")
            return shown(metrics.registry), len(community.state.members())

    found, members = asyncio.run(live())
    labels = 'method="GET",route="/homes/{account}",status="200"'
    assert found[f'commonwatt_http_request_seconds_bucket{{le="0.005",{labels}}}'] == 0
    assert found[f'commonwatt_http_request_seconds_bucket{{le="0.01",{labels}}}'] == 1
    assert found['commonwatt_door_requests_total{outcome="BOOKED"}'] == 1
    assert found['commonwatt_door_requests_total{outcome="no_answer"}'] == 1
    assert found["commonwatt_door_seconds_count"] == 2 and found["commonwatt_door_waiting"] == 0
    assert found["commonwatt_log_followed"] == 0 and found["commonwatt_members"] == members
    assert (found["commonwatt_open_pages"], found["commonwatt_people_signed_in"]) == (3, 5)
    assert 0 <= found["commonwatt_reading_age_seconds"] <= found["commonwatt_settlement_lag_seconds"] <= SLOT_SECONDS
    assert 0 < found["commonwatt_plan_age_seconds"] <= SLOT_SECONDS
    assert found['commonwatt_assets{kind="battery"}'] > 0
    assert not re.search(r"member-|battery-|car-|gateway-|192\.", " ".join(found))


def test_a_door_tells_how_long_commits_take_and_how_much_waits(lived_copy: LivedStreet) -> None:
    metrics = DoorMetrics(Ticks())

    async def live() -> None:
        async with open_community(lived_copy, metrics.commit) as community:
            await community.send(AccountId("member-01"), Kind.ORDER, bid(lived_copy.end_s + SLOT_SECONDS))

    asyncio.run(live())
    found = shown(metrics.registry)
    assert found["commonwatt_commit_seconds_count"] == found["commonwatt_commit_requests_total"] == 1
    assert found["commonwatt_commit_seconds_sum"] == pytest.approx(0.02)


class Named(Collector):
    """One number, or an error in its place."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def collect(self) -> list[GaugeMetricFamily]:
        if self.value is None:
            raise RuntimeError("secret-in-an-error")
        return [GaugeMetricFamily("commonwatt_test", "A number.", value=self.value)]


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 200, b"commonwatt_test 7.0"),
        (b"GET /metrics?x=1 HTTP/1.1\r\nHOST: 127.0.0.1\r\n\r\n", 200, b"commonwatt_test 7.0"),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.test:1\r\n\r\n", 421, b"on this machine"),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 421, b"on this machine"),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, b"are read"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, b"/metrics"),
        (b"\xff\r\nHost: localhost\r\n\r\n", 404, b""),
        (b"x" * 20_000, None, b""),
    ],
)
def test_metrics_are_shown_to_who_asks_for_them_on_this_machine(asked: bytes, status: int | None, told: bytes) -> None:
    number = Named(7)
    registry = CollectorRegistry()
    registry.register(number)
    answered = asyncio.run(scraped(registry, asked))
    assert (int(answered.split()[1]) if answered else None) == status
    assert told in answered


def test_what_cannot_be_gathered_is_said_so_without_its_reason() -> None:
    registry, number = CollectorRegistry(), Named(7)
    registry.register(number)
    number.value = None
    answered = asyncio.run(scraped(registry, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    assert b" 500 " in answered and b"secret" not in answered


async def scraped(registry: CollectorRegistry, asked: bytes) -> bytes:
    """Return what the listener answers; nothing where it hangs up."""
    with listen("127.0.0.1", 0) as door:
        serving = asyncio.ensure_future(show_metrics(door, registry))
        reader, writer = await asyncio.open_connection(*door.getsockname()[:2])
        writer.write(asked)
        with suppress(ConnectionError):
            answered = await asyncio.wait_for(reader.read(), 60)
            serving.cancel()
            return answered
        serving.cancel()
        return b""


def test_people_are_counted_seldom() -> None:
    now_s, counted = [0.0], [0]

    def count() -> int:
        counted[0] += 1
        return counted[0]

    seldom = Seldom(count, lambda: now_s[0])
    assert (seldom(), seldom()) == (1, 1)
    now_s[0] = 60
    assert seldom() == 2


def test_the_guide_tells_every_metric_and_alerts_stand_on_metrics_that_are_there(lived: LivedStreet) -> None:
    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    community.catch_up()
    of_app, of_door = AppMetrics(Ticks()), DoorMetrics(Ticks())
    of_app.watch(community, AROUND)
    kept: Any = SimpleNamespace(trouble="", facts=FACTS)
    community.chain = kept
    state = SimpleNamespace(checked_s=0)
    writer: Any = SimpleNamespace(tree=(), kept_to=0, last_s=0, state=state)
    door: Any = SimpleNamespace(failed=None, connections=0, waiting=0)
    of_door.watch(door, writer, lambda: 0, lambda: 0)
    there = names(of_app.registry) | names(of_door.registry)
    community.close()
    told = set(re.findall(r"`(commonwatt_\w+)", (DOCS / "guide" / "operating.md").read_text()))
    assert told == there
    alerts = (DOCS / "reference" / "examples" / "alerts.yml").read_text()
    rules = [rule for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    assert len(rules) >= 8 and all({"alert", "expr", "for", "annotations"} <= rule.keys() for rule in rules)
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"commonwatt_\w+", alerts)}
    assert used <= there


def names(registry: CollectorRegistry) -> set[str]:
    """Return what is shown, by the names that queries use."""
    typed = re.findall(r"^# TYPE (commonwatt_\w+)", generate_latest(registry).decode(), re.M)
    return {name for name in typed if not name.endswith("_created")}
