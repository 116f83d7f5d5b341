"""The client over a real socket, against the twin: what it asks, what it reads, and what it makes of every fault."""

import logging
from collections.abc import Iterator

import pytest
from recordings import DAY_S, NOW_S, TOKENS, feed, recordings

from commonwatt.adapters.feeds.client import HttpFeed
from commonwatt.adapters.feeds.sources import SOURCES
from commonwatt.flows.feeds.keeper import window
from commonwatt.flows.feeds.ports import Seen, Throttled
from commonwatt.flows.feeds.series import What
from commonwatt.model import InvalidValue, Unreachable
from commonwatt.simulator.feeds.twin import Fault, Twin

pytestmark = pytest.mark.row("X9")


@pytest.fixture(scope="module")
def running() -> Iterator[Twin]:
    with Twin(recordings(), lambda: NOW_S, TOKENS, expires_s=600) as twin:
        yield twin


@pytest.fixture
def twin(running: Twin) -> Iterator[Twin]:
    running.asked.clear()
    yield running
    running.mend()


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_publisher_recorded_comes_back_as_it_was(twin: Twin, source: str) -> None:
    factors = {What.TEMPERATURE: 1_000, What.CLOUD: 10, What.RADIATION: 1, What.CARBON: 1_000}
    factors[What.PRICE] = 10_000 if source == "octopus" else 1_000
    names = {What.PRICE: "price", What.TEMPERATURE: "temperature", What.CLOUD: "cloud", What.RADIATION: "radiation"}
    with feed(source, twin.address) as asked:
        answer = asked.fetch(window(NOW_S), NOW_S, Seen())
        assert {one.topic for one in answer.issues} == set(asked.topics)
    for issue in answer.issues:
        name = names.get(issue.topic.what, "actual" if issue.topic.measured else "forecast")
        recording = twin.recorded[source][name]
        slots = dict(issue.slots())
        assert len(slots) >= 20
        for slot_s, value in slots.items():
            recorded = recording.values[(slot_s - recording.start_s) // recording.step_s]
            assert recorded is not None
            assert value == round(float(recorded) * factors[issue.topic.what])
    assert answer.fresh_s == 600


def test_a_publisher_that_goes_by_time_is_told_which_time_we_have(twin: Twin) -> None:
    with feed("met_norway", twin.address) as asked:
        first = asked.fetch(window(NOW_S), NOW_S, Seen())
        assert (first.seen.etag, first.seen.modified) == ("", "Sun, 29 Mar 2020 09:00:00 GMT")
        assert asked.fetch(window(NOW_S), NOW_S, first.seen).issues == ()
    assert [one.status for one in twin.asked] == [200, 304]


def test_a_publisher_is_near_only_where_its_address_is_this_machine_s(twin: Twin) -> None:
    with feed("gb_carbon", twin.address) as played, feed("gb_carbon", None) as asked:
        assert (played.near, asked.near) == (True, False)


def test_nothing_is_sent_twice_and_another_day_s_question_is_another_question(twin: Twin) -> None:
    with feed("gb_carbon", twin.address) as asked:
        first = asked.fetch(window(NOW_S), NOW_S, Seen())
        again = asked.fetch(window(NOW_S), NOW_S + 60, first.seen)
        assert (again.issues, again.seen) == ((), first.seen)
        tomorrow = asked.fetch(window(NOW_S + 86_400), NOW_S + 86_400, first.seen)
        assert tomorrow.issues
    assert [one.status for one in twin.asked] == [200, 304, 200]
    assert "if-none-match" not in twin.asked[2].headers


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.ERROR, Unreachable),
        (Fault.THROTTLED, Throttled),
        (Fault.GARBAGE, InvalidValue),
        (Fault.TRUNCATED, Unreachable),
        (Fault.HUGE, InvalidValue),
    ],
)
@pytest.mark.parametrize("source", ["entsoe", "gb_carbon"])
def test_a_fault_is_an_error_in_words_and_the_next_answer_is_whole(
    twin: Twin, source: str, fault: Fault, error: type[Exception]
) -> None:
    with feed(source, twin.address) as asked:
        twin.fail(fault)
        with pytest.raises(error) as raised:
            asked.fetch(window(NOW_S), NOW_S, Seen())
        if isinstance(raised.value, Throttled):
            assert raised.value.wait_s == 120
        assert asked.fetch(window(NOW_S), NOW_S, Seen()).issues


@pytest.mark.parametrize("fault", [Fault.DELAY, Fault.DRIP])
def test_an_answer_that_does_not_come_or_does_not_end_is_given_up(twin: Twin, fault: Fault) -> None:
    twin.fail(fault)
    with feed("octopus", twin.address, within_s=0.3) as asked, pytest.raises(Unreachable, match="answer"):
        asked.fetch(window(NOW_S), NOW_S, Seen())


def test_nobody_listening_is_unreachable() -> None:
    with Twin({}, lambda: NOW_S) as gone:
        address = gone.address
    with feed("octopus", address) as asked, pytest.raises(Unreachable):
        asked.fetch(window(NOW_S), NOW_S, Seen())


def test_a_publisher_that_tells_what_it_told_before_is_heard_but_says_nothing_new(twin: Twin) -> None:
    with feed("gb_carbon", twin.address) as asked:
        first = asked.fetch(window(NOW_S), NOW_S, Seen())
        twin.fail(Fault.STALE)
        assert asked.fetch(window(NOW_S), NOW_S, first.seen).issues == ()


@pytest.mark.parametrize("source", TOKENS)
def test_a_token_goes_to_its_publisher_and_is_told_to_nobody_else(
    twin: Twin, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), feed(source, twin.address) as asked:
        asked.fetch(window(NOW_S), NOW_S, Seen())
        twin.fail(Fault.GARBAGE)
        with pytest.raises(InvalidValue) as garbled:
            asked.fetch(window(NOW_S), NOW_S, Seen())
        twin.fail(Fault.TRUNCATED)
        with pytest.raises(Unreachable) as cut:
            asked.fetch(window(NOW_S), NOW_S, Seen())
    heard = twin.asked[0]
    assert TOKENS[source] in {*heard.query.values(), *heard.headers.values()}
    assert caplog.records  # the library does tell what it asks
    assert TOKENS[source] not in caplog.text
    assert TOKENS[source] not in f"{garbled.value!r}{cut.value!r}"


def test_a_wrong_token_is_said_in_words(twin: Twin) -> None:
    wrong = HttpFeed(
        "de", "entsoe", "DE-LU", SOURCES["entsoe"].read_settings({"zone": "10Y1001A1001A82H"}), lambda: 0.0,
        address=twin.address, token="guessed",
    )  # fmt: skip
    with wrong, pytest.raises(Unreachable, match="token and contact"):
        wrong.fetch(window(NOW_S), NOW_S, Seen())


def test_met_norway_is_told_whom_to_write_to(twin: Twin) -> None:
    with feed("met_norway", twin.address) as asked:
        asked.fetch(window(NOW_S), NOW_S, Seen())
    assert twin.asked[0].headers["user-agent"].endswith(" ops@street.example")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("met_norway", {}),
        ("entsoe", {}),
        ("octopus", {"token": "none is needed"}),
        ("gb_carbon", {"address": "http://api.carbonintensity.org.uk"}),
        ("gb_carbon", {"address": "https://api.carbonintensity.org.uk", "every_s": 60}),
        ("met_norway", {"contact": "a\nb"}),
    ],
)
def test_a_feed_that_would_break_its_publisher_s_terms_is_not_opened(source: str, told: dict[str, object]) -> None:
    settings = SOURCES[source].read_settings(
        {"latitude": 1.0, "longitude": 1.0} if source == "met_norway"
        else {"zone": "10Y1001A1001A82H"} if source == "entsoe"
        else {"product": "A", "tariff": "B"} if source == "octopus" else {}
    )  # fmt: skip
    with pytest.raises(InvalidValue):
        HttpFeed("feed", source, "here", settings, lambda: 0.0, **told)  # type: ignore[arg-type]


def test_prices_that_the_platform_does_not_have_yet_are_none(twin: Twin) -> None:
    with feed("entsoe", twin.address) as asked:
        assert asked.fetch(window(DAY_S + 30 * 86_400), NOW_S, Seen()).issues == ()
