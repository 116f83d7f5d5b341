"""From what was asked to what flowed: one chain of evidence, and no digit of it can be another."""

import json
import re
from functools import cache
from random import Random
from typing import Any

import pytest
from community import NOON, Community, Flow, gateway, instruction, key
from msgspec import structs
from test_prove import run, slots_of
from test_rulebook_delegating import let

from commonwatt.flows.chain import make_chain, story
from commonwatt.flows.evidence import Said, encode
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import default_case, final_note, make_evidence, shown_leaf, trust_file
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity.trust_bodies import Grant
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import replay
from commonwatt.flows.speakers import Key, chain_roles, check_signatures, needed
from commonwatt.flows.verify import Report, verify_chain, verify_file
from commonwatt.identity.keys import NoteKey, VerifyingKey
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.model import SLOT_SECONDS, ConsentMode, InvalidValue, Kind, Outcome, Refused, Side

Json = dict[str, Any]
LINKS = ("asset", "asked", "planned", "agreed", "took", "flowed")
NOTE_KEY = NoteKey.from_seed(b"tiny", "note")
BATTERY = "anna-battery"
WISH = "charge of anna-battery >= 80% at 07:30 on 2 June 2026"


def trust() -> str:
    return trust_file(key("operator").public, vkey("tiny", NOTE_KEY.public), "tiny")


def close(community: Community) -> None:
    note = sign_note(community.sequencer.checkpoint(community.slot_s).note_text(), "tiny", NOTE_KEY.private)
    assert community.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note)) is Outcome.BOOKED


def prove(community: Community, asset: str = BATTERY, slot_s: int = NOON) -> bytes:
    rows = community.rows()
    note, size = final_note(rows)
    then = replay(rows[:size], "tiny", keep=True)
    return make_chain(then.state, then.whole_tree(), rows, note, asset, slot_s)


def answer(community: Community, slot_s: int, lo_w: int = 2_000, member: str = "anna", **more: str) -> Outcome:
    asset = f"{member}-battery"
    command = f"{asset}@2026-06-01T12:00Z"
    item = bodies.AckItem(**({"command": command, "asset": asset, "lo_w": lo_w, "hi_w": lo_w} | more))
    body = bodies.AckBody(gateway=gateway(member), slot_s=slot_s, acks=[item])
    return community.ask(gateway(member), Kind.ACK, body)


def lived(*, agree: bool = True, ask: str = "anna") -> Community:
    """Return a community in which one battery was asked for, planned, answered for and read in the slot at noon."""
    community = Community(2)
    if ask != "anna":
        community.register_key(ask, "agent", ask)
        let(community, ask, "constraint", "consent", until_s=NOON + 9 * SLOT_SECONDS)
    said = bodies.ConstraintBody(text=WISH, said_s=NOON)
    assert community.ask(ask, Kind.CONSTRAINT, said, account="anna") is Outcome.BOOKED
    yes = bodies.ConsentBody(asset=BATTERY, mode=ConsentMode.ALWAYS if agree else ConsentMode.OFF)
    assert community.ask(ask, Kind.CONSENT, yes, account="anna") is Outcome.BOOKED
    planned = community.schedule(BATTERY, instruction(2_000))
    assert planned is (Outcome.BOOKED if agree else Outcome.NOT_ALLOWED)
    if agree:
        assert answer(community, NOON) is Outcome.BOOKED
    community.live(anna=Flow(charge_wh=480 if agree else 0))
    community.live()
    close(community)
    return community


@cache
def fair() -> bytes:
    return prove(lived())


def opened() -> Json:
    chain: Json = json.loads(fair())
    return chain


def refused(report: Report, name: str, wrong: str = ".") -> None:
    assert not report.ok
    assert (report.lines[-1].name, report.lines[-1].ok) == (name, False), report.lines[-1]
    assert re.search(wrong, report.lines[-1].detail), report.lines[-1]


@pytest.mark.row("X6")
def test_a_chain_holds_from_constraint_to_measured_energy() -> None:
    report = verify_file(fair(), trust())
    assert report.ok, report.lines[-1]
    assert tuple(line.name for line in report.lines if line.name in LINKS) == LINKS
    told = {line.name: line.detail for line in report.lines}
    assert "anna asked: charge of anna-battery >= 80%" in told["asked"]
    assert told["planned"].startswith("START CHARGE at 2000 W from 2026-06-01 13:00 to 2026-06-01 13:15, 500 Wh")
    assert told["agreed"].startswith("anna agreed")
    assert told["took"] == "the device took 2000 to 2000 W"
    assert told["flowed"] == "480 Wh measured, 500 Wh expected, -20 Wh between them"


@pytest.mark.row("X6")
def test_the_story_is_what_the_verifier_finds() -> None:
    told = {line.name: line.detail for line in verify_file(fair(), trust()).lines}
    assert [line.split(maxsplit=1) for line in story(fair())] == [[name, told[name]] for name in LINKS]


@pytest.mark.row("X6")
def test_a_refusal_is_a_chain_too() -> None:
    chain = prove(lived(agree=False))
    report = verify_file(chain, trust())
    assert report.ok, report.lines[-1]
    told = {line.name: line.detail for line in report.lines}
    assert told["agreed"].startswith("anna refused")
    assert told["took"] == "nothing was told to the device"
    assert told["flowed"].startswith("0 Wh measured, 500 Wh expected")


def test_who_signed_for_the_owner_is_shown_with_the_grant() -> None:
    community = lived(ask="agent")
    chain = prove(community)
    report = verify_file(chain, trust())
    assert report.ok, report.lines[-1]
    assert "1 grants used" in next(line.detail for line in report.lines if line.name == "signatures")
    bundle = json.loads(chain)
    grants = [leaf for leaf in bundle["leaves"] if '"kind":"delegate"' in leaf["body"]]
    bundle["leaves"].remove(grants[0])
    refused(verify_file(encode(bundle), trust()), "signatures", "member|gateway|planner|account")


def narrowed(assets: tuple[str, ...], text: str = WISH) -> tuple[Community, Outcome]:
    """Return a community in which a delegate, whose grant is narrowed, speaks for anna's battery."""
    community = Community(2)
    community.register_key("agent", "agent", "agent")
    let(community, "agent", "constraint", until_s=NOON + 9 * SLOT_SECONDS, assets=assets)
    said = bodies.ConstraintBody(text=text, said_s=NOON)
    outcome = community.ask("agent", Kind.CONSTRAINT, said, account="anna")
    community.schedule(BATTERY, instruction(2_000))
    answer(community, NOON)
    community.live(anna=Flow(charge_wh=480))
    close(community)
    return community, outcome


@pytest.mark.row("X6")
def test_a_statement_of_a_delegate_holds_under_a_grant_that_is_narrowed_to_its_asset() -> None:
    community, outcome = narrowed((BATTERY,))
    assert outcome is Outcome.BOOKED
    report = verify_file(prove(community), trust())
    assert report.ok, report.lines[-1]
    assert "1 grants used" in next(line.detail for line in report.lines if line.name == "signatures")


@pytest.mark.row("X6")
@pytest.mark.parametrize("text", [WISH, "import of street <= 3 kW from 12:00 to 13:00 on 1 June 2026"])
def test_a_statement_beyond_a_narrowed_grant_is_not_believed_whatever_the_log_says(text: str) -> None:
    """A dishonest operator books what the rulebook refuses; the verifier holds the grant as narrow as it is."""
    community, outcome = narrowed(("anna-solar",), text)
    assert outcome is not Outcome.BOOKED
    rows = [
        structs.replace(row, outcome=Outcome.BOOKED) if b'"kind":"constraint"' in row.body else row
        for row in community.rows()
    ]
    said = [Said(row, (told := read_head(row.body)), bodies.read_body(told.kind, told.body)) for row in rows]
    spoken = [one for one in said if isinstance(one.body, bodies.ConstraintBody)]
    keys = {VerifyingKey(bytes.fromhex(one.body.public)).id: one for one in said if hasattr(one.body, "public")}
    shown = {one.row.position: one for one in [*needed(said, keys, spoken), *spoken]}
    assert not any(isinstance(one.body, Grant) for one in shown.values())
    grant = next(one for one in said if isinstance(one.body, Grant))
    registered = {
        who: Key(VerifyingKey(key(who).public), role, who, keys[key(who).id].row.position)
        for who, role in (("agent", "agent"), ("anna", "member"))
    }
    with pytest.raises(Refused, match=r"to say|speaks for its account"):
        check_signatures(
            [said[0], grant, *spoken], {key(who).id: known for who, known in registered.items()}, chain_roles
        )


def test_evidence_about_a_slot_in_which_a_delegate_traded_holds() -> None:
    community = Community(2)
    community.register_key("agent", "agent", "agent")
    let(community, "agent", "order", until_s=NOON + SLOT_SECONDS)
    bid = order_bodies.SlotOrder(side=Side.BID, energy_wh=400, price_micro_per_kwh=250_000, slot_s=NOON)
    assert community.ask("agent", Kind.ORDER, bid, account="anna") is Outcome.BOOKED
    assert community.order("ben", Side.ASK, 400, 150_000, NOON) is Outcome.BOOKED
    community.now_s += 60
    community.live(anna=Flow(load_wh=400), ben=Flow(solar_wh=400))
    close(community)
    rows = community.rows()
    note, size = final_note(rows)
    then = replay(rows[:size], "tiny", keep=True)
    assert default_case(then.state)[1] == NOON
    for member in ("anna", "ben"):
        bundle = make_evidence(then.state, then.whole_tree(), rows, note, member, NOON)
        report = verify_file(bundle, trust())
        assert report.ok, report.lines[-1]


@pytest.mark.row("X6")
def test_every_changed_digit_is_noticed() -> None:
    random = Random(2)
    digits = [at for at, byte in enumerate(fair()) if 48 <= byte <= 57]
    assert len(digits) > 3_000
    for at in digits:
        changed = bytearray(fair())
        changed[at] = random.choice([byte for byte in b"0123456789" if byte != fair()[at]])
        report = verify_chain(bytes(changed), trust())
        assert not report.ok, fair()[at - 60 : at + 20]


def test_every_deletion_double_and_swap_of_a_leaf_is_noticed_but_that_of_a_statement_alone() -> None:
    """That a statement was left out cannot be shown; whoever leaves one out leaves out its key if it had no other."""
    leaves = opened()["leaves"]
    for number in range(len(leaves)):
        less, twice, swapped = opened(), opened(), opened()
        del less["leaves"][number]
        twice["leaves"].insert(number, twice["leaves"][number])
        swapped["leaves"][number - 1 : number + 1] = swapped["leaves"][number - 1 : number + 1][::-1]
        if '"kind":"constraint"' not in leaves[number]["body"]:
            assert not verify_chain(encode(less), trust()).ok
        assert not verify_chain(encode(twice), trust()).ok
        assert number == 0 or not verify_chain(encode(swapped), trust()).ok


def test_a_chain_of_one_slot_or_asset_does_not_pass_for_another() -> None:
    refused(verify_chain(encode(opened() | {"slot_s": NOON + SLOT_SECONDS}), trust()), "planned")
    refused(verify_chain(encode(opened() | {"asset": "ben-battery"}), trust()), "asset")
    refused(verify_chain(encode(opened() | {"expected_wh": 480}), trust()), "planned", "what was expected")
    refused(verify_chain(encode(opened() | {"measured_wh": 500}), trust()), "flowed", "what was measured")
    refused(verify_chain(encode(opened() | {"community": "other"}), trust()), "checkpoint")


def test_who_trusts_others_believes_nothing() -> None:
    strange = trust_file(key("anna").public, vkey("tiny", NOTE_KEY.public), "tiny")
    refused(verify_file(fair(), strange), "community", "trusted operator")
    other = trust_file(key("operator").public, vkey("tiny", NoteKey.from_seed(b"x", "n").public), "tiny")
    refused(verify_file(fair(), other), "checkpoint")


def test_a_word_after_the_plan_is_no_part_of_what_led_to_it() -> None:
    community = lived()
    community.now_s += SLOT_SECONDS
    community.agree("anna", BATTERY, standing=False)
    community.state_that("anna", "charge of anna-battery >= 90% at 07:30 on 2 June 2026")
    close(community)
    told = " ".join(story(prove(community)))
    assert "agreed" in told
    assert "90%" not in told


def test_what_binds_no_more_or_another_is_not_shown() -> None:
    community = Community(2)
    community.state_that("anna", "charge of anna-battery >= 70% at 07:30 on 9 June 2026")
    community.state_that("ben", "charge of ben-battery >= 60% at 07:30 on 2 June 2026")
    community.schedule(BATTERY, instruction(2_000))
    answer(community, NOON)
    community.live(anna=Flow(charge_wh=500))
    close(community)
    chain = prove(community)
    assert verify_file(chain, trust()).ok
    assert "nobody asked" in story(chain)[1]


@pytest.mark.parametrize(
    ("miss", "says"),
    [
        ("schedule", "has a schedule for the slot"),
        ("ack", "answered the command"),
        ("reading", "what a meter counted"),
        ("asset", "registered"),
    ],
)
def test_a_chain_with_a_missing_link_is_not_made(miss: str, says: str) -> None:
    community = Community(1)
    if miss != "schedule":
        community.schedule(BATTERY, instruction(2_000))
    if miss != "ack":
        answer(community, NOON)
    community.live(silent={"anna"} if miss == "reading" else ())
    close(community)
    with pytest.raises(Refused, match=says):
        prove(community, "nothing" if miss == "asset" else BATTERY)


def test_an_answer_to_another_command_or_slot_is_no_answer() -> None:
    community = Community(1)
    community.schedule(BATTERY, instruction(2_000))
    answer(community, NOON, command="anna-battery@2026-06-01T11:45Z")
    answer(community, NOON + SLOT_SECONDS)
    community.live()
    close(community)
    with pytest.raises(Refused, match="answered the command"):
        prove(community)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format":"commonwatt-chain-1"}', b"[" * 9_999])
def test_garbage_is_no_chain(content: bytes) -> None:
    assert not verify_file(content, trust()).ok
    with pytest.raises(InvalidValue):
        story(content)


@pytest.mark.row("X6")
def test_every_schedule_of_a_streets_day_has_its_chain() -> None:
    one = run(4)
    checked = 0
    for slot_s in slots_of(one)[1:3]:
        for asset in one.then.state.schedules:
            try:
                chain = make_chain(one.then.state, one.then.whole_tree(), one.rows, one.note, asset, slot_s)
            except Refused:
                continue  # a car that is away was not planned
            report = verify_file(chain, one.trust)
            assert report.ok, report.lines[-1]
            checked += 1
    assert checked > 10


def other_leaves() -> tuple[Json, dict[str, Json]]:
    """Return a fair chain, and leaves of the same log that came too late for it or are about something else."""
    community = Community(2)
    community.schedule(BATTERY, instruction(2_000, NOON - SLOT_SECONDS, NOON))
    community.state_that("anna", WISH)
    community.schedule(BATTERY, instruction(2_000))
    answer(community, NOON)
    community.schedule("ben-battery", instruction(2_000))
    community.agree("anna", BATTERY)
    community.state_that("anna", WISH)
    community.live(anna=Flow(charge_wh=480))
    community.schedule(BATTERY, instruction(2_000))
    answer(community, NOON + SLOT_SECONDS)
    community.live()
    close(community)
    rows = community.rows()
    _, size = final_note(rows)
    tree = replay(rows[:size], "tiny", keep=True).whole_tree()
    kinds: dict[str, list[Json]] = {"schedule": [], "consent": [], "constraint": [], "ack": [], "reading_batch": []}
    for row in rows[:size]:
        for kind, found in kinds.items():
            if f'"kind":"{kind}"' in row.body.decode():
                found.append(json.loads(encode(shown_leaf(row, tree, size))))
    chain = json.loads(prove(community))
    return chain, {
        "a schedule of another time": kinds["schedule"][0],
        "a schedule of another asset": kinds["schedule"][2],
        "a schedule after the event": kinds["schedule"][3],
        "a word after the plan": kinds["consent"][-1],
        "a word about another asset": kinds["consent"][1],
        "a statement after the plan": kinds["constraint"][-1],
        "an answer in another slot": kinds["ack"][-1],
        "another gateway's readings": kinds["reading_batch"][1],
        "a later slot's readings": kinds["reading_batch"][3],
    }


@pytest.mark.parametrize(
    ("what", "link", "says"),
    [
        ("a schedule of another time", "planned", "one instruction"),
        ("a schedule of another asset", "planned", "of this asset"),
        ("a schedule after the event", "planned", "before the slot had passed"),
        ("a word after the plan", "agreed", "before the plan"),
        ("a word about another asset", "agreed|signatures", "."),
        ("a statement after the plan", "asked", "before the plan"),
        ("an answer in another slot", "took", "about this slot"),
        ("another gateway's readings", "flowed|signatures", "."),
        ("a later slot's readings", "flowed", "in the batch"),
    ],
)
def test_true_leaves_of_another_story_make_no_chain(what: str, link: str, says: str) -> None:
    chain, others = other_leaves()
    assert verify_chain(encode(chain), trust()).ok
    kind = re.search('"kind":"([a-z_]+)"', others[what]["body"])
    assert kind
    kept = [leaf for leaf in chain["leaves"] if f'"kind":"{kind[1]}"' not in leaf["body"]]
    leaves = sorted([*kept, others[what]], key=lambda leaf: leaf["position"])
    report = verify_chain(encode(chain | {"leaves": leaves}), trust())
    assert not report.ok
    assert re.fullmatch(link, report.lines[-1].name), report.lines[-1]
    assert re.search(says, report.lines[-1].detail), report.lines[-1]
