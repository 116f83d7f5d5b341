"""What feeds publish becomes oracles' facts in the log: told once, in time, never made up; and they call contracts."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from community import EXPORT, IMPORT, NOON
from test_rulebook_contracting import DAY_S, HOUR_S, PEAK, Contracting

from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.flows.feeds.known import Value, known
from commonwatt.flows.feeds.ports import FeedState
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.flows.feeds.telling import Event, Price, corrections, event_fact, price_facts, published_prices
from commonwatt.flows.rulebook.market.contracts import contract_bodies
from commonwatt.market.contracts import Direction, Status, TriggerKind
from commonwatt.model import SLOT_SECONDS, AccountId, Interval, InvalidValue, Kind, Outcome, instant

pytestmark = pytest.mark.row("E13")
BOUGHT, SOLD, COLD = Topic(What.PRICE, "in"), Topic(What.PRICE, "out"), Topic(What.TEMPERATURE, "lane")
TERMS = Price(topic=BOUGHT), Price(topic=SOLD)
NORTH = AccountId("north")
AFTER_S = NOON + 200 * SLOT_SECONDS
"""From here on the community was founded without prices."""


class Watched(Contracting):
    """A community whose oracles have an archive each of what they heard."""

    def __init__(self, folder: Path, oracles: Sequence[str] = ("north",)) -> None:
        super().__init__(oracles)
        self.heard = {who: FeedArchive(folder / who) for who in ("oracle", *oracles)}

    def hear(self, who: str, topic: Topic, start_s: int, *values: int | None) -> None:
        issue = Issue(
            topic=topic, source="feed", licence="free", issued_s=None, heard_s=self.now_s, start_s=start_s,
            step_s=SLOT_SECONDS, values=values,
        )  # fmt: skip
        self.heard[who].keep(FeedState(name="feed"), [issue])

    def known(self, who: str, topic: Topic, start_s: int, slots: int) -> list[Value]:
        span = Interval(instant(start_s), instant(start_s + slots * SLOT_SECONDS))
        return known(self.heard[who], topic, ("feed",), span, self.now_s)

    def prices(self, who: str, start_s: int, slots: int) -> dict[int, tuple[int, int]]:
        both = (self.known(who, topic, start_s, slots) for topic in (BOUGHT, SOLD))
        return published_prices(*both, TERMS)

    def tell(self, who: str, start_s: int, slots: int) -> list[Outcome]:
        """Let an oracle tell the log what its feeds publish of some slots."""
        facts = price_facts(self.state, self.prices(who, start_s, slots))
        return [self.ask(who, Kind.FACT, fact, account=who) for fact in facts]

    def tell_event(self, who: str, event: Event, slots: int = 96) -> Outcome | None:
        values = self.known(who, event.topic, NOON, slots)
        fact = event_fact(self.state, AccountId(who), event, values, self.now_s)
        return None if fact is None else self.ask(who, Kind.FACT, fact, account=who)

    def contract(self, trigger: contract_bodies.TriggerItem) -> None:
        offer = self.offer(PEAK, trigger=trigger, notice_s=HOUR_S)
        assert self.guarantee(charge_w=0) is Outcome.BOOKED
        assert self.accept(offer, charge_w=0) is Outcome.BOOKED

    @property
    def call(self) -> Status:
        (contract,) = self.state.contracted.book.contracts.values()
        return contract.calls[-1].status


def test_published_prices_are_told_once_and_only_where_both_are_published(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    lane.hear("oracle", BOUGHT, AFTER_S - SLOT_SECONDS, 1, 200_000, 210_000, None, 230_000, 240_000)
    lane.hear("oracle", SOLD, AFTER_S, 50_000, 51_000, 52_000, 53_000)
    assert lane.tell("oracle", AFTER_S - SLOT_SECONDS, 8) == [Outcome.BOOKED] * 2
    slots = [AFTER_S + n * SLOT_SECONDS for n in range(-1, 5)]
    told = [lane.state.prices.get(slot_s) for slot_s in slots]
    assert told == [(IMPORT, EXPORT), (200_000, 50_000), (210_000, 51_000), None, (230_000, 53_000), None]
    assert lane.tell("oracle", AFTER_S - SLOT_SECONDS, 8) == []
    lane.hear("oracle", SOLD, AFTER_S + 4 * SLOT_SECONDS, 54_000)
    assert lane.tell("oracle", AFTER_S, 8) == [Outcome.BOOKED]
    lane.sure()


def test_what_is_usual_is_no_price(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    for topic in (BOUGHT, SOLD):
        lane.hear("oracle", topic, AFTER_S, *[100_000] * 96)
    lane.now_s = AFTER_S + DAY_S
    values = lane.known("oracle", BOUGHT, lane.now_s, 4)
    assert {(one.value, one.origin.published) for one in values} == {(100_000, False)}
    assert lane.tell("oracle", lane.now_s, 4) == []


def test_a_tariff_is_a_part_of_a_published_price_and_an_amount_on_top() -> None:
    assert Price(topic=BOUGHT, permille=1_190, plus_micro_per_kwh=180_000).of(-40_005) == 180_000 - 47_606


def test_a_correction_after_prices_were_told_is_noted_and_the_first_word_stands(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    lane.hear("oracle", BOUGHT, AFTER_S, 200_000, 210_000)
    lane.hear("oracle", SOLD, AFTER_S, 50_000, 51_000)
    assert lane.tell("oracle", AFTER_S, 2) == [Outcome.BOOKED]
    lane.now_s += 60
    lane.hear("oracle", BOUGHT, AFTER_S, 200_000, 999_000, 220_000)
    lane.hear("oracle", SOLD, AFTER_S + 2 * SLOT_SECONDS, 52_000)
    assert lane.tell("oracle", AFTER_S, 3) == [Outcome.BOOKED], "the slot that is new is told all the same"
    (found,) = corrections(lane.state, lane.prices("oracle", AFTER_S, 3))
    assert (found.slot_s, found.told, found.published) == (
        AFTER_S + SLOT_SECONDS, (210_000, 51_000), (999_000, 51_000)
    )  # fmt: skip
    assert lane.state.prices[AFTER_S + SLOT_SECONDS] == (210_000, 51_000)


def test_of_two_oracles_that_disagree_of_a_price_the_first_is_believed_and_the_second_sees_it(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    for who, value in (("oracle", 200_000), ("north", 300_000)):
        lane.hear(who, BOUGHT, AFTER_S, value)
        lane.hear(who, SOLD, AFTER_S, 50_000)
    other = price_facts(lane.state, lane.prices("north", AFTER_S, 1))
    assert lane.tell("oracle", AFTER_S, 1) == [Outcome.BOOKED]
    assert lane.ask("north", Kind.FACT, other[0], account="north") is Outcome.ALREADY_THERE
    assert lane.state.prices[AFTER_S] == (200_000, 50_000)
    assert lane.tell("north", AFTER_S, 1) == []
    assert [one.published for one in corrections(lane.state, lane.prices("north", AFTER_S, 1))] == [(300_000, 50_000)]


def test_prices_that_come_too_late_to_matter_are_not_told(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    long_ago_s = lane.state.horizon_s - 4 * SLOT_SECONDS
    for topic in (BOUGHT, SOLD):
        lane.hear("oracle", topic, long_ago_s, *[100_000] * 4)
    late = lane.prices("oracle", long_ago_s, 4)
    assert len(late) == 4
    assert price_facts(lane.state, late) == []
    assert lane.tell_prices(long_ago_s, [(100_000, 100_000)] * 4) is Outcome.TOO_LATE


def test_a_published_price_calls_a_contract_above_its_level(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    window = contract_bodies.WindowItem(
        direction=Direction.GIVE_BACK, price_micro_per_kwh=400_000, start_s=AFTER_S, end_s=AFTER_S + HOUR_S
    )
    trigger = contract_bodies.TriggerItem(kind=TriggerKind.PRICE_ABOVE, level=IMPORT)
    offer = lane.offer(window, trigger=trigger, notice_s=HOUR_S)
    assert lane.guarantee(charge_w=0) is Outcome.BOOKED
    assert lane.accept(offer, charge_w=0) is Outcome.BOOKED
    assert lane.call is Status.STANDBY
    lane.hear("oracle", BOUGHT, AFTER_S, *[IMPORT + 1] * 4)
    lane.hear("oracle", SOLD, AFTER_S, *[EXPORT] * 4)
    assert lane.tell("oracle", AFTER_S, 4) == [Outcome.BOOKED]
    assert lane.call is Status.CALLED
    lane.sure()


FROST = Event(name="frost", topic=COLD, direction=Direction.GIVE_BACK, below=-5_000)


def test_weather_that_two_oracles_forecast_calls_a_contract_and_one_alone_does_not(tmp_path: Path) -> None:
    lane = Watched(tmp_path, ("north", "south"))
    lane.contract(
        contract_bodies.TriggerItem(kind=TriggerKind.EVENT, name="frost", oracles=("north", "south"), quorum=2)
    )
    hours = (PEAK.start_s - NOON) // SLOT_SECONDS
    for who in ("north", "south"):
        lane.hear(who, COLD, NOON, *[2_000] * hours, *[-5_100] * 4, *[1_000] * 4)
    assert lane.tell_event("north", FROST) is Outcome.BOOKED
    assert lane.call is Status.STANDBY, "one of two is no quorum"
    assert lane.tell_event("south", FROST) is Outcome.BOOKED
    assert lane.call is Status.CALLED
    lane.sure()


def test_oracles_that_forecast_other_hours_do_not_agree_and_call_nothing(tmp_path: Path) -> None:
    lane = Watched(tmp_path, ("north", "south"))
    lane.contract(
        contract_bodies.TriggerItem(kind=TriggerKind.EVENT, name="frost", oracles=("north", "south"), quorum=2)
    )
    hours = (PEAK.start_s - NOON) // SLOT_SECONDS
    lane.hear("north", COLD, NOON, *[2_000] * hours, *[-6_000] * 4, 0)
    lane.hear("south", COLD, NOON, *[2_000] * hours, *[-6_000] * 3, 0)
    assert [lane.tell_event(who, FROST) for who in ("north", "south")] == [Outcome.BOOKED] * 2
    assert lane.call is Status.STANDBY
    lane.now_s += 60
    lane.hear("south", COLD, PEAK.start_s + 3 * SLOT_SECONDS, -6_000)
    assert lane.tell_event("south", FROST) is None, "an oracle has one voice until its event is over"


def test_an_event_is_to_come_lasts_a_day_at_most_and_is_never_made_of_what_is_usual(tmp_path: Path) -> None:
    lane = Watched(tmp_path)
    past = Event(name="frost", topic=COLD, direction=Direction.CHARGE, below=0)
    lane.hear("north", COLD, NOON - 4 * SLOT_SECONDS, *[-1_000] * 5)
    values = lane.known("north", COLD, NOON - 4 * SLOT_SECONDS, 100)
    assert event_fact(lane.state, NORTH, past, values, NOON) is None
    tomorrow = lane.known("north", COLD, NOON + DAY_S - 4 * SLOT_SECONDS, 4)
    assert {one.value for one in tomorrow} == {-1_000}  # usual
    assert event_fact(lane.state, NORTH, past, tomorrow, NOON) is None
    lane.hear("north", COLD, NOON + SLOT_SECONDS, *[-1_000] * 200)
    found = event_fact(lane.state, NORTH, past, lane.known("north", COLD, NOON, 200), NOON)
    assert found is not None
    assert (found.start_s, found.end_s) == (NOON + SLOT_SECONDS, NOON + SLOT_SECONDS + DAY_S)


def test_an_event_has_one_level() -> None:
    for levels in ({}, {"above": 1, "below": 2}):
        with pytest.raises(InvalidValue):
            Event(name="frost", topic=COLD, direction=Direction.CHARGE, **levels)
