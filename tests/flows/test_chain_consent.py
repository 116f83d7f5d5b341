"""A chain of evidence shows what a schedule rests on: the owner's word and, where they were asked, their decision."""

import json
from functools import cache

import pytest
from community import NOON, Community, Flow, instruction
from test_chain import BATTERY, Json, answer, close, prove, refused, trust
from test_rulebook_consenting import decide, say
from test_rulebook_delegating import let

from commonwatt.flows.evidence import encode
from commonwatt.flows.prove import final_note, shown_leaf
from commonwatt.flows.sequence import replay
from commonwatt.flows.verify import Report, verify_chain
from commonwatt.model import SLOT_SECONDS, Outcome, Refused

QUARTER_PAST = NOON + SLOT_SECONDS


def lived(answered: bool | None = True, *, by: str = "anna", everything: bool = False) -> Community:
    """Return a community in which one owner is asked at noon about the slot after, and answers, or does not."""
    community = Community(2)
    if by != "anna":
        community.register_key(by, "agent", by)
        let(community, by, "consent", until_s=NOON + 9 * SLOT_SECONDS)
    assert say(community, "ask", asset=None if everything else BATTERY, decide_s=300) is Outcome.BOOKED
    planned = community.schedule(BATTERY, instruction(2_000, QUARTER_PAST, QUARTER_PAST + SLOT_SECONDS))
    assert planned is Outcome.WAITING
    community.now_s += 100
    if answered is not None:
        assert decide(community, accept=answered, by=by, account="anna") is Outcome.BOOKED
    community.live()
    if answered:
        assert answer(community, QUARTER_PAST, command=f"{BATTERY}@2026-06-01T12:15Z") is Outcome.BOOKED
    community.live(anna=Flow(charge_wh=480 if answered else 0))
    close(community)
    return community


@cache
def accepted() -> bytes:
    return prove(lived(), slot_s=QUARTER_PAST)


def told(report: Report) -> dict[str, str]:
    assert report.ok, report.lines[-1]
    return {line.name: line.detail for line in report.lines}


@pytest.mark.row("X3")
@pytest.mark.row("X6")
def test_a_schedule_that_was_asked_for_rests_on_its_owner_s_decision() -> None:
    found = told(verify_chain(accepted(), trust()))
    assert found["agreed"].startswith("anna was asked and accepted, at position ")
    assert found["took"] == "the device took 2000 to 2000 W"


@pytest.mark.row("X3")
@pytest.mark.parametrize(("answered", "says"), [(False, "asked and declined"), (None, "did not answer in time")])
def test_a_no_and_a_silence_are_chains_in_which_nothing_was_told(answered: bool | None, says: str) -> None:
    found = told(verify_chain(prove(lived(answered), slot_s=QUARTER_PAST), trust()))
    assert says in found["agreed"]
    assert found["took"] == "nothing was told to the device"


def test_a_word_about_everything_and_a_delegate_s_decision_are_shown() -> None:
    found = told(verify_chain(prove(lived(by="agent", everything=True), slot_s=QUARTER_PAST), trust()))
    assert "accepted" in found["agreed"]
    assert "1 grants used" in found["signatures"]


@pytest.mark.row("X3")
@pytest.mark.parametrize(("hours", "says"), [((13 * 60, 14 * 60), "keeps"), ((14 * 60, 15 * 60), "leaves: refused")])
def test_limits_are_held_against_the_schedule_that_is_shown(hours: tuple[int, int], says: str) -> None:
    community = Community(2)
    assert say(community, "within", hours=hours) is Outcome.BOOKED
    kept = community.schedule(BATTERY, instruction(2_000)) is Outcome.BOOKED
    if kept:
        answer(community, NOON)
    community.live(anna=Flow(charge_wh=480 if kept else 0))
    community.live()
    close(community)
    assert says in told(verify_chain(prove(community), trust()))["agreed"]


def without(kind: str, what: str = "") -> Json:
    chain: Json = json.loads(accepted())
    chain["leaves"] = [
        leaf for leaf in chain["leaves"] if f'"kind":"{kind}"' not in leaf["body"] or what not in leaf["body"]
    ]
    return chain


def test_a_decision_that_is_left_out_leaves_an_answer_to_nothing() -> None:
    refused(verify_chain(encode(without("consent", '"decision"')), trust()), "took", "nothing is told")


def test_a_decision_without_the_word_that_asked_for_it_is_no_agreement() -> None:
    refused(verify_chain(encode(without("consent", '"what":"consent"')), trust()), "agreed", "word of the owner")


def test_a_decision_about_another_schedule_or_of_another_is_none() -> None:
    community = lived()
    say(community, "ask", decide_s=0)
    community.schedule(BATTERY, instruction(1_000, NOON + 8 * SLOT_SECONDS, NOON + 9 * SLOT_SECONDS))
    decide(community, issued_s=community.now_s)
    community.live()
    close(community)
    rows = community.rows()
    _, size = final_note(rows)
    tree = replay(rows[:size], "tiny", keep=True).whole_tree()
    later = [row for row in rows[:size] if '"what":"decision"' in row.body.decode()][-1]
    chain: Json = json.loads(prove(community, slot_s=QUARTER_PAST))
    assert verify_chain(encode(chain), trust()).ok
    places = [n for n, leaf in enumerate(chain["leaves"]) if '"what":"decision"' in leaf["body"]]
    chain["leaves"][places[0]] = json.loads(encode(shown_leaf(later, tree, size)))
    chain["leaves"].sort(key=lambda leaf: leaf["position"])
    refused(verify_chain(encode(chain), trust()), "agreed", "about this schedule")


def test_no_chain_is_made_where_the_owner_never_said_how() -> None:
    community = Community(2)
    community.schedule("anna-home", instruction(100))
    community.live()
    community.live()
    close(community)
    with pytest.raises(Refused, match="the owner has said how"):
        prove(community, asset="anna-home")
