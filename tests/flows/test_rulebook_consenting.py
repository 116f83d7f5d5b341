"""Owners say how their assets may be scheduled, decide when asked, and switch off: the log holds all of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
from community import CAPACITY_WH, NOON, Community, Flow, battery, instruction, key
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_rulebook_delegating import let

from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.rulebook.flexibility import consenting
from commonwatt.flows.sequence import replay
from commonwatt.flows.trading_day import commands
from commonwatt.metering.batch import Item, encode_items
from commonwatt.model import (
    ALWAYS,
    OFF,
    SLOT_SECONDS,
    AssetKind,
    Commodity,
    Consent,
    ConsentMode,
    Interval,
    Kind,
    Outcome,
    instant,
    zone_of,
)

HOUR = 3600
BATTERY = "anna-battery"
DAYTIME = (13 * 60, 18 * 60)
"""London's clocks show 13:00 at NOON."""


def say(community: Community, mode: str, asset: str | None = BATTERY, by: str = "anna", **more: object) -> Outcome:
    body = bodies.ConsentBody(mode=ConsentMode(mode), asset=asset, **more)  # type: ignore[arg-type]  # passed on
    return community.ask(by, Kind.CONSENT, body, account="anna" if by == "agent" else None)


def decide(
    community: Community, *, accept: bool = True, issued_s: int = NOON, by: str = "anna", account: str | None = None
) -> Outcome:
    body = bodies.DecisionBody(asset=BATTERY, issued_s=issued_s, accept=accept)
    return community.ask(by, Kind.CONSENT, body, account=account)


def plan(community: Community, power_w: int = 2_000, start_s: int = NOON + 2 * HOUR, slots: int = 1) -> Outcome:
    return community.schedule(BATTERY, instruction(power_w, start_s, start_s + slots * SLOT_SECONDS))


def told(community: Community, slot_s: int | None = None) -> list[str]:
    return sorted(commands(community.state, community.slot_s if slot_s is None else slot_s))


def asked(decide_s: int = HOUR) -> Community:
    """Return a community in which one schedule from two o'clock on waits until one o'clock, or sooner."""
    community = Community(2)
    assert say(community, "ask", decide_s=decide_s) is Outcome.BOOKED
    assert plan(community) is Outcome.WAITING
    return community


@pytest.mark.row("X3")
def test_a_schedule_says_one_thing_at_a_time() -> None:
    community = Community(2)
    start_s = community.slot_s
    charge = instruction(2_000, start_s, start_s + 2 * SLOT_SECONDS)
    supply = instruction(-2_000, start_s + SLOT_SECONDS, start_s + 2 * SLOT_SECONDS)
    later = instruction(1_000, start_s + 2 * SLOT_SECONDS, start_s + 3 * SLOT_SECONDS)
    for entries, outcome in (
        ((charge, supply), Outcome.OVER_LIMIT),
        ((supply, charge), Outcome.OVER_LIMIT),
        ((later, charge), Outcome.BOOKED),
        ((charge, later), Outcome.BOOKED),
    ):
        body = bodies.ScheduleBody(asset=BATTERY, issued_s=start_s, instructions=list(entries))
        assert community.ask("planner", Kind.SCHEDULE, body) is outcome


def same_again(community: Community) -> None:
    """Hold a community against a replay of its log and against its own snapshot."""
    found = replay(community.rows(), "tiny")
    assert (found.tree.root(), found.state.root()) == (community.roots().log, community.roots().state)
    again, _ = snapshot.load(snapshot.dump(community.state, community.now_s, b""))
    assert again.root() == community.state.root()
    assert again.proposals == community.state.proposals
    assert (again.consents, again.consents_of) == (community.state.consents, community.state.consents_of)
    assert commands(again, community.slot_s) == commands(community.state, community.slot_s)


@pytest.mark.row("X3")
def test_always_lets_every_schedule_come_into_force_at_once() -> None:
    community = Community(1)
    assert plan(community, start_s=NOON, slots=2) is Outcome.BOOKED
    assert told(community) == [BATTERY]
    assert told(community, NOON + SLOT_SECONDS) == [], "each slot has a schedule of its own"
    same_again(community)


@pytest.mark.row("X3")
def test_off_takes_effect_in_the_running_slot_and_keeps_everything_out() -> None:
    community = Community(2)
    assert plan(community, start_s=NOON) is Outcome.BOOKED
    assert community.schedule("ben-battery", instruction(1_000)) is Outcome.BOOKED
    community.now_s += 40
    assert told(community) == ["anna-battery", "ben-battery"]
    assert say(community, "off") is Outcome.BOOKED
    assert told(community) == ["ben-battery"]
    assert community.state.schedules.keys() == {"ben-battery"}
    assert plan(community, start_s=NOON) is Outcome.NOT_ALLOWED
    same_again(community)
    assert say(community, "always") is Outcome.BOOKED
    assert told(community) == ["ben-battery"], "a yes brings back no plan of before"


@pytest.mark.row("X3")
def test_one_word_is_about_all_that_an_owner_has_now_and_later() -> None:
    community = Community(2)
    plan(community, start_s=NOON)
    community.schedule("ben-battery", instruction(1_000))
    assert say(community, "off", asset=None) is Outcome.BOOKED
    assert told(community) == ["ben-battery"], "others' assets are not meant"
    assert community.state.consent(battery("anna")) == OFF
    assert say(community, "always", asset=None) is Outcome.BOOKED
    community.claim("anna", "car", AssetKind.VEHICLE, capacity_wh=50_000)
    assert community.schedule("car", instruction(5_000)) is Outcome.BOOKED
    assert say(community, "off", asset="car") is Outcome.BOOKED
    assert (community.state.consent(battery("anna")), community.state.consent("car")) == (ALWAYS, OFF)  # type: ignore[arg-type]
    assert say(community, "always", asset=None) is Outcome.BOOKED
    assert community.state.consent("car") == ALWAYS  # type: ignore[arg-type]
    same_again(community)


@pytest.mark.row("X3")
@pytest.mark.parametrize(
    ("limits", "power_w", "start_s", "slots", "outcome"),
    [
        ({"most_supply_w": 0}, -1, NOON, 1, Outcome.NOT_ALLOWED),
        ({"most_supply_w": 0}, 9_000, NOON, 1, Outcome.BOOKED),
        ({"most_supply_w": 1_500}, -1_500, NOON, 1, Outcome.BOOKED),
        ({"most_supply_w": 1_500}, -1_501, NOON, 1, Outcome.NOT_ALLOWED),
        ({"hours": DAYTIME}, 500, NOON, 1, Outcome.BOOKED),
        ({"hours": DAYTIME}, 500, NOON - SLOT_SECONDS, 1, Outcome.NOT_ALLOWED),
        ({"hours": DAYTIME}, 0, NOON, 20, Outcome.BOOKED),
        ({"hours": DAYTIME}, 0, NOON, 21, Outcome.NOT_ALLOWED),
        ({"least_percent": 40}, -1_800, NOON + SLOT_SECONDS, 1, Outcome.BOOKED),
        ({"least_percent": 40}, -1_804, NOON + SLOT_SECONDS, 1, Outcome.NOT_ALLOWED),
        ({"least_percent": 0}, -8_000, NOON + SLOT_SECONDS, 2, Outcome.BOOKED),
        ({"least_percent": 40}, 20_000, NOON + SLOT_SECONDS, 1, Outcome.BOOKED),
    ],
)
def test_a_schedule_that_leaves_the_limits_is_refused(
    limits: dict[str, Any], power_w: int, start_s: int, slots: int, outcome: Outcome
) -> None:
    community = Community(1)
    community.levels_wh["anna"] = 4_500
    community.live()
    assert say(community, "within", **limits) is Outcome.BOOKED
    assert plan(community, power_w, start_s, slots) is outcome
    assert (BATTERY in community.state.schedules) is (outcome is Outcome.BOOKED)


def test_levels_are_followed_through_the_whole_schedule() -> None:
    community = Community(1)
    community.levels_wh["anna"] = 4_500
    community.live()
    say(community, "within", least_percent=40)
    then = [NOON + n * SLOT_SECONDS for n in range(1, 5)]
    charge, out = instruction(4_000, then[0], then[1]), [instruction(-2_800, t, t + SLOT_SECONDS) for t in then[1:]]
    assert community.schedule(BATTERY, charge, out[0]) is Outcome.BOOKED
    assert community.schedule(BATTERY, out[0], charge) is Outcome.BOOKED, "the order of time counts, not of writing"
    assert community.schedule(BATTERY, charge, out[0], out[1]) is Outcome.NOT_ALLOWED


def test_where_no_level_is_known_nothing_may_be_supplied_below_a_least_level() -> None:
    community = Community(1)
    say(community, "within", least_percent=1)
    assert plan(community, -1, start_s=NOON) is Outcome.NOT_ALLOWED
    assert plan(community, 1_000, start_s=NOON) is Outcome.BOOKED
    community.levels_wh["anna"] = CAPACITY_WH
    community.live()
    assert plan(community, -1_000, community.now_s) is Outcome.BOOKED
    community.now_s += 5 * SLOT_SECONDS
    assert plan(community, -1_000, community.now_s) is Outcome.NOT_ALLOWED, "a level of more than an hour ago is none"


def test_a_line_to_hold_takes_no_more_than_the_owner_leaves() -> None:
    community = Community(1)
    community.levels_wh["anna"] = 4_100
    community.live()
    say(community, "within", least_percent=40, most_supply_w=5_000)
    held = msgspec.structs.replace(instruction(0, NOON + SLOT_SECONDS, NOON + 2 * SLOT_SECONDS), balance_w=0)
    assert community.schedule(BATTERY, held) is Outcome.BOOKED
    band = commands(community.state, community.slot_s)[battery("anna")].band
    assert (band.lo_w, band.hi_w, band.balance_w) == (-360, 20_000, 0), "100 Wh above the least level, 90 come out"
    assert commands(community.state, community.slot_s)[battery("anna")].expires == instant(NOON + 2 * SLOT_SECONDS)


@pytest.mark.row("X3")
def test_an_asked_owner_s_schedule_waits_and_their_yes_puts_it_in_force() -> None:
    community = asked()
    assert community.state.schedules == {}
    (proposal,) = consenting.waiting(community.state, community.now_s)
    assert (proposal.schedule.asset, proposal.deadline_s, proposal.accepted) == (BATTERY, NOON + HOUR, None)
    assert told(community, NOON + 2 * HOUR) == []
    same_again(community)
    community.now_s += HOUR - 1
    assert decide(community) is Outcome.BOOKED
    assert consenting.waiting(community.state, community.now_s) == []
    assert told(community, NOON + 2 * HOUR) == [BATTERY]
    assert told(community, NOON + 2 * HOUR + SLOT_SECONDS) == []
    same_again(community)


@pytest.mark.row("X3")
def test_an_accepted_schedule_is_told_slot_by_slot_until_it_ends() -> None:
    community = Community(1)
    say(community, "ask", decide_s=0)
    assert plan(community, slots=8) is Outcome.WAITING
    assert decide(community) is Outcome.BOOKED
    sent = [commands(community.state, NOON + 2 * HOUR + n * SLOT_SECONDS).get(battery("anna")) for n in range(-1, 9)]
    assert [command is not None for command in sent] == [False, *[True] * 8, False]
    assert all(
        command.expires > instant(NOON + 2 * HOUR + n * SLOT_SECONDS) for n, command in enumerate(sent[1:9]) if command
    )


@pytest.mark.row("X3")
def test_no_answer_by_the_deadline_is_a_no_that_costs_nothing() -> None:
    community = asked()
    before = community.balances()
    community.now_s = NOON + HOUR
    assert consenting.waiting(community.state, community.now_s) == []
    assert decide(community) is Outcome.TOO_LATE
    assert decide(community, accept=False) is Outcome.TOO_LATE
    assert told(community, NOON + 2 * HOUR) == []
    assert plan(community, start_s=NOON + 8 * HOUR) is Outcome.NOT_ALLOWED, "who said nothing is not asked again"
    assert community.balances() == before
    same_again(community)


@pytest.mark.row("X3")
def test_a_decision_is_made_once() -> None:
    for accept in (True, False):
        community = asked()
        assert decide(community, accept=accept) is Outcome.BOOKED
        assert decide(community, accept=accept) is Outcome.ALREADY_THERE
        assert decide(community, accept=not accept) is Outcome.ALREADY_THERE
        assert told(community, NOON + 2 * HOUR) == [BATTERY] * accept
        same_again(community)


def test_a_decision_is_about_the_schedule_that_waits() -> None:
    community = asked()
    assert decide(community, issued_s=NOON + 1) is Outcome.UNKNOWN_THING
    body = bodies.DecisionBody(asset="no-battery", issued_s=NOON, accept=True)
    assert community.ask("anna", Kind.CONSENT, body) is Outcome.UNKNOWN_THING
    assert decide(Community(1)) is Outcome.UNKNOWN_THING
    assert plan(community) is Outcome.ALREADY_THERE, "one schedule waits at a time"


def test_who_is_asked_too_late_is_not_asked() -> None:
    community = Community(1)
    say(community, "ask", decide_s=2 * HOUR)
    assert plan(community) is Outcome.TOO_LATE
    assert plan(community, start_s=NOON + 2 * HOUR + 1) is Outcome.WAITING


@pytest.mark.row("X3")
@pytest.mark.parametrize("word", ["a consent", "a statement", "a statement taken back"])
def test_who_declined_is_asked_again_after_their_next_word(word: str) -> None:
    community = asked()
    line = f"charge of {BATTERY} >= 20% at 22:00 on 2 June 2026"
    community.state_that("anna", line)
    assert len(consenting.waiting(community.state, community.now_s)) == 1, "what waits still waits"
    decide(community, accept=False)
    assert plan(community) is Outcome.NOT_ALLOWED
    community.state_that("ben", "charge of ben-battery >= 20% at 22:00 on 2 June 2026")
    assert plan(community) is Outcome.NOT_ALLOWED, "that was somebody else"
    if word == "a consent":
        assert say(community, "ask", decide_s=HOUR) is Outcome.BOOKED
    else:
        text = line if word == "a statement" else f"no longer: {line}"
        assert community.state_that("anna", text) is Outcome.BOOKED
    assert plan(community) is Outcome.WAITING
    same_again(community)


@pytest.mark.row("X3")
def test_off_ends_what_waits_and_what_was_accepted() -> None:
    community = asked()
    say(community, "off")
    assert decide(community) is Outcome.UNKNOWN_THING
    say(community, "ask", decide_s=0)
    plan(community)
    decide(community)
    assert told(community, NOON + 2 * HOUR) == [BATTERY]
    say(community, "off", asset=None)
    assert told(community, NOON + 2 * HOUR) == []
    same_again(community)


@pytest.mark.row("X3")
def test_nobody_but_the_owner_or_their_delegate_agrees_or_decides() -> None:
    community = asked()
    community.register_key("agent", "agent", "agent")
    assert say(community, "always", by="ben") is Outcome.NOT_ALLOWED
    assert decide(community, by="ben") is Outcome.NOT_ALLOWED
    assert decide(community, by="agent", account="anna") is Outcome.NOT_ALLOWED
    assert decide(community, by="planner") is Outcome.NOT_ALLOWED
    let(community, "agent", "consent", assets=("anna-battery",))
    assert say(community, "always", asset=None, by="agent") is Outcome.NOT_ALLOWED, "it is about more than that asset"
    assert decide(community, by="agent", account="anna") is Outcome.BOOKED
    assert community.rows()[-1].author == key("agent").id
    assert say(community, "off", by="agent") is Outcome.BOOKED
    let(community, "agent", "consent")
    assert say(community, "always", asset=None, by="agent") is Outcome.BOOKED
    same_again(community)


def test_a_consent_that_contradicts_itself_is_refused_and_changes_nothing() -> None:
    community = Community(1)
    for mode, more in (("within", {}), ("ask", {}), ("off", {"decide_s": 5}), ("within", {"hours": (5, 5)})):
        assert say(community, mode, **more) is Outcome.OVER_LIMIT
    assert community.state.consent(battery("anna")) == ALWAYS


@pytest.mark.parametrize("field", ["consents", "consents_of", "proposals"])
def test_the_state_root_binds_consents_and_proposals(field: str) -> None:
    community = asked()
    say(community, "off", asset=None, by="ben")
    honest = community.state.root()
    bent: dict[str, Any] = {
        "consents": {battery("anna"): ALWAYS},
        "consents_of": {},
        "proposals": {battery("anna"): replace(community.state.proposals[battery("anna")], accepted=True)},
    }
    setattr(community.state, field, bent[field])
    community.state.registry_version += 1
    assert community.state.root() != honest


@dataclass
class Remembered:
    """What a reader of the log knows of one asset: the last consent and what came after it."""

    consent: Consent = OFF
    booked: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)


def remembered(community: Community) -> Mapping[str, Remembered]:
    """Read all of it from the log, with nothing of the rulebook."""
    found = {f"{member}-battery": Remembered() for member in community.members}
    for row in community.rows():
        request = msgspec.json.decode(row.body)
        body, kind = request["body"], request["kind"]
        if kind == "consent" and body["what"] == "consent" and row.outcome is Outcome.BOOKED:
            body = {name: value for name, value in body.items() if name != "what"}
            meant = body.pop("asset", None)
            hours = tuple(body.pop("hours")) if "hours" in body else None
            consent = Consent(hours=hours, **{**body, "mode": ConsentMode(body["mode"])})
            for asset in [meant] if meant else [f"{request['on_behalf_of']}-battery"]:
                found[asset] = Remembered(consent)
        elif kind == "consent" and row.outcome is Outcome.BOOKED and body["accept"]:
            known = found[body["asset"]]
            (meant,) = [one for one in known.waiting if one["issued_s"] == body["issued_s"]][-1:]
            first_s = min(item["start_s"] for item in meant["instructions"])
            assert row.stamped_s < first_s - (known.consent.decide_s or 0)
            known.accepted = [meant]
        elif kind == "schedule" and row.outcome is Outcome.BOOKED:
            found[body["asset"]].booked = [body]
        elif kind == "schedule" and row.outcome is Outcome.WAITING:
            found[body["asset"]].waiting.append(body)
    return found


consents = st.one_of(
    st.sampled_from([{"mode": "always"}, {"mode": "off"}]),
    st.sampled_from([0, 600, 1_800]).map(lambda decide_s: {"mode": "ask", "decide_s": decide_s}),
    st.sampled_from([{"most_supply_w": 0}, {"most_supply_w": 900}, {"hours": DAYTIME}, {"least_percent": 40}]).map(
        lambda limit: {"mode": "within", **limit}
    ),
)
ASK_EARLY = ("consent", "anna", True, {"mode": "ask", "decide_s": 1_800})
members = st.sampled_from(["anna", "anna", "anna", "ben"])
plans = st.tuples(
    st.just("plan"),
    members,
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from([-3_000, -800, 0, 2_000]),
    st.sampled_from([None, None, 0]),
)
decisions = st.tuples(st.just("decide"), members, st.sampled_from([0, 0, 0, 1]), st.booleans())
waits = st.tuples(st.just("wait"), st.sampled_from([60, 600, 900]))
steps = st.one_of(
    st.tuples(st.just("consent"), members, st.booleans(), consents),
    plans,
    plans,
    decisions,
    decisions,
    st.tuples(st.just("state"), members),
    waits,
)


@pytest.mark.row("X3")
@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=5, max_size=30))
@example([("consent", "anna", False, {"mode": "within", "most_supply_w": 0}), ("plan", "anna", 0, 1, 0, 0)])
@example([ASK_EARLY, ("plan", "anna", 3, 1, 2_000, None), ("wait", 900), ("wait", 900), ("decide", "anna", 0, True)])
@example([ASK_EARLY, ("plan", "anna", 3, 1, 2_000, None), ("decide", "anna", 1, True)])
def test_no_command_is_ever_told_that_its_owner_s_consent_does_not_cover(story: list[tuple[Any, ...]]) -> None:
    community = Community(2, prepaid_micro=0, priced_slots=0)
    issued = {member: [NOON - SLOT_SECONDS] for member in community.members}
    for step in story:
        take(community, step, issued)
        slot_s, known = community.slot_s, remembered(community)
        for ahead_s in range(slot_s, slot_s + 4 * SLOT_SECONDS, SLOT_SECONDS):
            for asset, command in commands(community.state, ahead_s).items():
                covered(known[asset], command.band.lo_w, ahead_s)
    same_again(community)
    assert community.state.accounts.total(Commodity.ERGON) == 0


def take(community: Community, step: tuple[Any, ...], issued: dict[str, list[int]]) -> None:
    match step:
        case ("consent", member, single, words):
            asset = f"{member}-battery" if single else None
            assert say(community, **words, asset=asset, by=member) is Outcome.BOOKED
        case ("plan", member, ahead, slots, power_w, line_w):
            start_s = community.slot_s + ahead * SLOT_SECONDS
            entry = instruction(power_w, start_s, start_s + slots * SLOT_SECONDS)
            body = bodies.ScheduleBody(
                asset=f"{member}-battery",
                issued_s=community.slot_s,
                instructions=[msgspec.structs.replace(entry, balance_w=line_w)],
            )
            community.ask("planner", Kind.SCHEDULE, body)
            issued[member] = [*issued[member], community.slot_s]
        case ("decide", member, back, accept):
            issued_s = issued[member][-1 - back % len(issued[member])]
            body = bodies.DecisionBody(asset=f"{member}-battery", issued_s=issued_s, accept=accept)
            community.ask(member, Kind.CONSENT, body)
        case ("state", member):
            community.state_that(member, f"charge of {member}-battery >= 20% at 22:00 on 2 June 2026")
        case ("wait", seconds):
            before_s = community.slot_s
            community.now_s += seconds
            if community.slot_s > before_s:
                levels = [Item(start_s=before_s, register=2, import_wh=0, export_wh=0, level_wh=4_300)]
                for member in community.members:
                    community.send(community.batch(f"gw-{member}", encode_items(levels)))


def covered(known: Remembered, lo_w: int, slot_s: int) -> None:
    consent = known.consent
    assert consent.mode is not ConsentMode.OFF
    schedules = known.accepted if consent.mode is ConsentMode.ASK else known.booked
    entries = [item for body in schedules for item in body["instructions"] if item["start_s"] <= slot_s < item["end_s"]]
    assert entries
    if consent.mode is not ConsentMode.ASK:
        assert schedules[-1]["issued_s"] == slot_s
    slot = Interval(instant(slot_s), instant(slot_s + SLOT_SECONDS))
    assert consent.open_during(slot, zone_of("Europe/London"))
    if consent.most_supply_w is not None:
        assert -lo_w <= consent.most_supply_w
    if consent.least_percent is not None:
        assert -lo_w * SLOT_SECONDS // 3600 <= 300 * 900 // 1000, "4,300 Wh were read, 4,000 are to stay"


def test_a_whole_story_of_consent_moves_no_money() -> None:
    community = asked()
    before = community.balances()
    decide(community, accept=False)
    say(community, "off")
    community.live(anna=Flow())
    assert community.balances() == before
