"""Statements in the log: repeated, ranged, taken back, kept in state and snapshot; read by plan, summary and chain."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from community import NOON, SLOT_SECONDS, Community, Flow, instruction
from test_chain import BATTERY, answer, close, prove, trust
from test_outlook import terms
from test_rulebook_delegating import let

from commonwatt.flows.chain import story
from commonwatt.flows.constraint_to_command import plan_ahead
from commonwatt.flows.outlook import outlook
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.flexibility.stated import Stated
from commonwatt.flows.summary import missed
from commonwatt.flows.verify import verify_file
from commonwatt.model import AccountId, AssetKind, Interval, InvalidValue, Kind, Outcome, Priority, Reach, instant

DAILY = "charge of anna-battery >= 50% at 14:00 every day"
EVENING = "power of anna-battery <= 0 W from 14:00 to 16:00 every weekday until 30 June"


def day(after: int = 0) -> Interval:
    start = instant(NOON + after * 86_400)
    return Interval(start, start + timedelta(days=1))


@pytest.mark.row("X1")
def test_what_repeats_stands_until_it_is_taken_back_and_comes_every_day() -> None:
    community = Community(1)
    assert community.state_that("anna", DAILY) is Outcome.BOOKED
    (stated,) = community.state.stated
    assert (stated.text, stated.account, stated.once) == (DAILY, "anna", None)
    for after in (0, 1, 400):
        (one,) = stated.occurrences(day(after))
        assert (one.value, one.author, one.priority) == (50, "anna", Priority.OWNER)
    assert community.state_that("anna", f"no longer: {DAILY}") is Outcome.BOOKED
    assert community.state.stated == []
    assert community.state_that("anna", f"no longer: {DAILY}") is Outcome.UNKNOWN_THING


def test_a_range_is_two_statements_of_one_line() -> None:
    community = Community(1)
    line = "power of anna-battery between -1 and 2 kW from 14:00 to 16:00 every day"
    assert community.state_that("anna", line) is Outcome.BOOKED
    assert [(one.position, one.statement.value) for one in community.state.stated] == [
        (community.state.stated[0].position, -1_000),
        (community.state.stated[0].position, 2_000),
    ]
    assert community.state_that("anna", f"no longer: {line}") is Outcome.BOOKED
    assert community.state.stated == []


def test_only_who_stated_something_takes_it_back_and_only_in_its_words() -> None:
    community = Community(2)
    community.state_that("anna", DAILY)
    assert community.state_that("ben", f"no longer: {DAILY}") is Outcome.UNKNOWN_THING
    assert community.state_that("dso", f"no longer: {DAILY}") is Outcome.UNKNOWN_THING
    assert community.state_that("anna", f"no longer: {DAILY.replace('50', '51')}") is Outcome.UNKNOWN_THING
    assert community.state_that("anna", "no longer: this") is Outcome.OVER_LIMIT
    assert len(community.state.stated) == 1


def test_what_was_over_when_it_was_taken_back_was_asked_for() -> None:
    community = Community(1)
    community.state_that("anna", DAILY.replace("14:00", "13:15"))
    community.state_that("anna", EVENING)
    for _ in range(2):
        community.live()
    assert community.state_that("anna", f"no longer: {DAILY.replace('14:00', '13:15')}") is Outcome.BOOKED
    assert community.state_that("anna", f"no longer: {EVENING}") is Outcome.BOOKED
    (ended,) = community.state.stated
    assert ended.ended_s == community.now_s
    assert [one.at for one in ended.occurrences(day())] == [instant(NOON + SLOT_SECONDS)]
    assert ended.occurrences(day(1)) == []
    assert snapshot.load(snapshot.dump(community.state, 0, b""))[0].root() == community.state.root()


def test_what_ended_is_let_go_of_once_it_matters_no_more() -> None:
    community = Community(1, correction_slots=2)
    line = DAILY.replace("14:00", "13:15").replace("every day", "every Monday until 1 June")
    assert community.state_that("anna", line) is Outcome.BOOKED
    assert community.state_that("anna", DAILY) is Outcome.BOOKED
    for _ in range(6):
        community.live()
    live, kept = replay(community.rows(), "tiny"), replay(community.rows(), "tiny", keep=True)
    assert [one.text for one in live.state.stated] == [DAILY]
    assert [one.text for one in kept.state.stated] == [line, DAILY]
    assert live.state.root() == kept.state.root()


@pytest.mark.row("E14")
@pytest.mark.parametrize(
    "bent",
    [
        {"first": "replace"},
        {"weekdays": (0,)},
        {"start_minute": 1},
        {"zone": "UTC"},
        {"value": 51},
        {"ended_s": NOON},
    ],
)
def test_a_state_root_binds_what_repeats_and_a_snapshot_holds_it(bent: dict[str, Any]) -> None:
    community = Community(1)
    community.state_that("anna", DAILY)
    again, _ = snapshot.load(snapshot.dump(community.state, 0, b""))
    assert again.stated == community.state.stated
    assert again.root() == community.state.root()
    (one,) = again.stated
    assert one.repeating is not None
    if "first" in bent:
        bent = {"first": one.repeating.first - timedelta(days=1)}
    if "ended_s" in bent:
        again.stated[0] = replace(one, **bent)
    else:
        again.stated[0] = replace(one, repeating=replace(one.repeating, **bent))
    assert again.root() != community.state.root()


def test_a_statement_is_once_or_repeats_and_not_both() -> None:
    with pytest.raises(InvalidValue):
        Stated(position=1, account=AccountId("a"), text="")
    community = Community(1)
    community.state_that("anna", "charge of anna-battery >= 50% at 14:00")
    (once,) = community.state.stated
    with pytest.raises(InvalidValue):
        Stated(position=1, account=AccountId("a"), text="", once=once.constraint, ended_s=1)


@pytest.mark.row("X1")
def test_a_plan_sees_the_next_time_of_what_repeats() -> None:
    community = Community(1)
    community.live(anna=Flow(charge_wh=500))
    community.state_that("anna", DAILY)
    known = outlook(community.state, terms("anna"), community.slot_s)
    (asked,) = known.constraints
    assert asked.at == instant(NOON + 4 * SLOT_SECONDS)
    assert known.behind["anna-battery"] == ("anna", "anna-home")
    plan, problem = plan_ahead(known)
    assert {(e.owner, e.connection, e.feeder) for e in problem.envelopes} == {("anna", "anna-home", "feeder")}
    assert plan.level_wh["anna-battery"][2] >= 50 * community.state.assets["anna-battery"].capacity_wh // 100


@pytest.mark.row("X1")
def test_a_car_leaves_when_its_owner_always_does() -> None:
    community = Community(1)
    community.register_gateway("gw-car")
    community.claim("anna", "car", AssetKind.VEHICLE, capacity_wh=50_000, gateway="gw-car")
    community.agree("anna", "car")
    community.live()
    community.report("gw-car", community.slot_s - SLOT_SECONDS, {"car": (0, 0, 20_000)})
    community.state_that("anna", "charge of car >= 80% at 07:30 every weekday")
    car = next(one for one in outlook(community.state, terms("anna"), community.slot_s).stored if one.asset.id == "car")
    assert car.leaves == instant(NOON + 66_600)
    assert car.wanted_wh == 40_000


@pytest.mark.row("X1")
def test_meters_tell_which_times_of_what_repeats_were_missed() -> None:
    community = Community(1)
    community.state_that("anna", "power of connection anna-home <= 1 kW from 13:00 to 13:30 every day")
    for _ in range(3):
        community.live(anna=Flow(load_wh=500))
    kept = replay(community.rows(), "tiny", keep=True)
    (line,) = missed(kept.state, day())
    asked, _, found = line.partition(": ")
    assert asked == "power of connection anna-home <= 1 kW from 13:00 to 13:30 on 1 June 2026"
    assert found == "missed by 1000 W at most, in 2 slots"
    assert missed(kept.state, day(1)) == []


@pytest.mark.row("X1")
@pytest.mark.row("X14")
def test_each_role_states_what_it_answers_for_and_nothing_above() -> None:
    community = Community(2)
    window = "from 13:00 to 14:00 on 1 June 2026"
    community.register_key("tso", "tso", "transmission")
    community.register_key("pool", "aggregator", "pool")
    told = {
        ("anna", f"power of owner anna <= 9 kW {window}"): Outcome.BOOKED,
        ("anna", f"power of owner ben <= 9 kW {window}"): Outcome.NOT_ALLOWED,
        ("anna", f"power of connection anna-home <= 9 kW {window}"): Outcome.BOOKED,
        ("anna", f"power of connection anna-battery <= 9 kW {window}"): Outcome.UNKNOWN_THING,
        ("anna", f"power of community <= 9 kW {window}"): Outcome.NOT_ALLOWED,
        ("dso", f"ramp of feeder feeder <= 9 kW {window} for dso"): Outcome.BOOKED,
        ("dso", f"power of connection ben-home <= 4.2 kW {window} for dso"): Outcome.BOOKED,
        ("dso", f"power of zone lane <= 9 kW {window} for grid"): Outcome.NOT_ALLOWED,
        ("tso", f"power of zone lane >= -9 kW {window} for grid"): Outcome.BOOKED,
        ("tso", f"power of owner ben <= 9 kW {window} for grid"): Outcome.NOT_ALLOWED,
        ("operator", f"reserve up of community >= 1 kW {window} for contract"): Outcome.BOOKED,
        ("operator", f"reserve up of community >= 1 kW {window}"): Outcome.NOT_ALLOWED,
        ("pool", f"reserve up of anna-battery >= 1 kW {window} for contract"): Outcome.BOOKED,
        ("pool", f"reserve up of anna-battery >= 1 kW {window}"): Outcome.NOT_ALLOWED,
        ("oracle", f"power of zone lane <= 9 kW {window}"): Outcome.NOT_ALLOWED,
    }
    for (who, line), outcome in told.items():
        body = bodies.ConstraintBody(text=line, said_s=community.now_s)
        account = {"tso": "transmission"}.get(who)
        assert community.ask(who, Kind.CONSTRAINT, body, account=account) is outcome, line
    assert community.agree("ben", "ben-battery", standing=False) is Outcome.BOOKED
    body = bodies.ConstraintBody(text=f"energy of ben-battery <= 1 kWh {window} for contract", said_s=community.now_s)
    assert community.ask("pool", Kind.CONSTRAINT, body) is Outcome.NOT_ALLOWED, "its owner did not agree"


def test_a_delegate_takes_back_what_its_grant_is_about_and_no_more() -> None:
    community = Community(1)
    community.register_key("agent", "agent", "agent")
    let(community, "agent", "constraint", assets=("anna-battery",))
    window = "from 14:00 to 16:00 every day"
    for line, outcome in (
        (DAILY, Outcome.BOOKED),
        (f"no longer: {DAILY}", Outcome.BOOKED),
        (f"power of owner anna <= 1 kW {window}", Outcome.NOT_ALLOWED),
        (f"power of connection anna-home <= 1 kW {window}", Outcome.NOT_ALLOWED),
        (f"no longer: power of anna-solar >= 0 W {window}", Outcome.NOT_ALLOWED),
    ):
        body = bodies.ConstraintBody(text=line, said_s=NOON)
        assert community.ask("agent", Kind.CONSTRAINT, body, account="anna") is outcome, line


@pytest.mark.row("X6")
def test_a_chain_shows_what_repeats_and_not_what_was_taken_back() -> None:
    community = Community(2)
    community.state_that("anna", DAILY)
    community.state_that("anna", EVENING)
    community.state_that("anna", "power of owner anna between -5 and 5 kW from 13:00 to 15:00 every day")
    community.state_that("dso", "power of feeder feeder <= 9 kW from 13:00 to 15:00 every day for dso")
    community.state_that("ben", "charge of ben-battery >= 60% at 14:00 every day")
    community.state_that("anna", f"no longer: {EVENING}")
    community.schedule(BATTERY, instruction(2_000))
    answer(community, NOON)
    community.live(anna=Flow(charge_wh=480))
    close(community)
    chain = prove(community)
    report = verify_file(chain, trust())
    assert report.ok, report.lines[-1]
    asked = story(chain)[1]
    assert "anna asked: charge of anna-battery >= 50% at 14:00 every day" in asked
    assert asked.count("power of owner anna") == 2
    assert 'grid asked: power of feeder "feeder" <= 9 kW' in asked
    assert "16:00" not in asked and "ben" not in asked
    assert {one.statement.reach for one in community.state.stated} == {Reach.ASSET, Reach.OWNER, Reach.FEEDER}
