"""Evidence of a slot that was corrected after it was settled: each correction is shown, and what it booked."""

import json
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from community import NOON, Community, Flow, gateway
from hypothesis import given, settings
from hypothesis import strategies as st
from test_chain import NOTE_KEY, close, trust
from test_recheck import sealed

from commonwatt.flows.evidence import encode
from commonwatt.flows.prove import final_note, make_evidence
from commonwatt.flows.sequence import replay
from commonwatt.flows.verify import Report, verify_file
from commonwatt.metering.batch import Flag, Quality
from commonwatt.model import SLOT_SECONDS, Outcome, Side

Json = dict[str, Any]
Told = tuple[int, int]


def prove(community: Community, account: str = "ben") -> bytes:
    rows = community.rows()
    note, size = final_note(rows)
    then = replay(rows[:size], "tiny", keep=True)
    return make_evidence(then.state, then.whole_tree(), rows, note, account, NOON)


def street(first: Told | None, later: Sequence[Told], *, feeder: bool = True) -> Community:
    """Return a street in which ben's meter told something of the slot at noon, if anything, and others afterwards."""
    community = Community(2, grace_slots=1)
    assert community.order("anna", Side.BID, 300, 250_000, NOON) is Outcome.BOOKED
    assert community.order("ben", Side.ASK, 300, 150_000, NOON) is Outcome.BOOKED
    community.now_s += SLOT_SECONDS
    community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=300)))
    if first:
        assert community.report("gw-ben", NOON, {"ben-home": first}) is Outcome.BOOKED
    if feeder:
        net_wh = 300 + (first or (0, 0))[0] - (first or (0, 0))[1]
        community.report("gw-feeder", NOON, community.feeder(net_wh))
    community.live()
    community.live()
    assert community.state.settled_to_s > NOON
    for n, told in enumerate(later):
        flags = Flag.CORRECTS if first or n else Flag.NONE
        assert community.report("gw-ben", NOON, {"ben-home": told}, flags=flags) is Outcome.BOOKED
    close(community)
    return community


def check(evidence: bytes) -> Report:
    return verify_file(evidence, trust())


def holds(community: Community, *, corrections: int) -> Json:
    evidence = prove(community)
    report = check(evidence)
    assert report.ok, report.lines[-1]
    bundle: Json = json.loads(evidence)
    batches = [leaf for leaf in bundle["leaves"] if '"kind":"reading_batch"' in leaf["body"]]
    assert len(batches) == 1 + corrections == 1 + len(bundle.get("older", []))
    return bundle


@pytest.mark.row("M2")
@pytest.mark.parametrize("feeder", [True, False])
@pytest.mark.parametrize(
    ("first", "later"),
    [
        ((200, 0), [(150, 40)]),
        ((0, 300), [(0, 100)]),
        ((0, 300), [(70, 0)]),
        ((321, 123), [(0, 0)]),
        ((0, 0), [(5, 7)]),
        ((100, 0), [(110, 0), (100, 0), (110, 0)]),
        ((0, 300), [(0, 200), (40, 200), (1, 1)]),
    ],
)
def test_evidence_of_a_corrected_slot_holds_and_shows_each_correction(
    first: Told, later: list[Told], *, feeder: bool
) -> None:
    holds(street(first, later, feeder=feeder), corrections=len(later))


@pytest.mark.row("M2")
@pytest.mark.parametrize("later", [[(200, 0)], [(200, 30), (150, 40)], [(0, 0), (9, 0)], [(7, 7), (0, 0)]])
def test_evidence_of_a_slot_that_was_read_late_and_then_corrected_holds(later: list[Told]) -> None:
    holds(street(None, later), corrections=len(later) - 1)


@settings(max_examples=25, deadline=None)
@given(
    st.one_of(st.none(), st.tuples(st.integers(0, 400), st.integers(0, 400))),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=4),
    st.booleans(),
)
def test_whatever_is_corrected_into_whatever_its_evidence_holds(
    first: Told | None, later: list[Told], feeder: bool
) -> None:
    report = check(prove(street(first, later, feeder=feeder)))
    assert report.ok, report.lines[-1]


def test_what_was_set_aside_is_no_correction() -> None:
    community = street((200, 0), [])
    community.live()
    assert community.report("gw-ben", NOON, {"ben-home": (150, 0)}) is Outcome.SET_ASIDE
    assert community.report("gw-ben", NOON, {"ben-home": (170, 0)}, flags=Flag.CORRECTS) is Outcome.BOOKED
    close(community)
    bundle = holds(community, corrections=1)
    assert [entry["amount"] for entry in entries(bundle, "energy_wh")] == [30]


def test_a_measurement_in_the_place_of_a_guess_is_shown_as_the_correction_that_it_is() -> None:
    community = Community(2, grace_slots=1)
    community.now_s += SLOT_SECONDS
    community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=100)))
    community.report("gw-ben", NOON, {"ben-home": (200, 0)}, quality=Quality.ESTIMATED)
    community.report("gw-feeder", NOON, community.feeder(300))
    assert community.report("gw-ben", NOON, {"ben-home": (210, 0)}) is Outcome.BOOKED
    close(community)
    holds(community, corrections=1)


def test_a_correction_before_settlement_needs_no_second_reading() -> None:
    community = Community(2, grace_slots=1)
    community.now_s += SLOT_SECONDS
    community.report("gw-anna", NOON, community.home("anna", Flow(load_wh=100)))
    community.report("gw-ben", NOON, {"ben-home": (200, 0)})
    community.report("gw-ben", NOON, {"ben-home": (150, 0)}, flags=Flag.CORRECTS)
    community.report("gw-feeder", NOON, community.feeder(250))
    close(community)
    holds(community, corrections=0)


def test_a_neighbours_correction_is_nothing_of_mine() -> None:
    community = street((0, 300), [(0, 100)])
    evidence = prove(community, "anna")
    assert check(evidence).ok
    assert b"corrected" not in evidence
    assert gateway("ben").encode() not in evidence


def entries(bundle: Json, commodity: str) -> list[Json]:
    return [
        shown["entry"]
        for shown in bundle["entries"]
        if shown["entry"]["commodity"] == commodity and shown["entry"]["memo"].startswith("corrected")
    ]


def swap(bundle: Json) -> None:
    bundle["older"].reverse()


def without(bundle: Json, word: str) -> None:
    bundle["entries"] = [shown for shown in bundle["entries"] if shown["entry"]["memo"] != word]


LIES: list[tuple[Callable[[Json], object], str, str]] = [
    (lambda b: None, "", ""),
    (lambda b: entries(b, "energy_wh")[0].update(amount=1), "energy", "books its difference"),
    (lambda b: entries(b, "energy_wh")[0].update(memo="late import"), "energy", "metered|difference"),
    (lambda b: entries(b, "energy_wh")[0].update(ref="anna-home"), "energy", "books its difference"),
    (lambda b: entries(b, "energy_wh")[0].update(target="anna"), "energy", "losses or grid|difference"),
    (lambda b: entries(b, "ergon_micro")[0].update(amount=1), "money", "money is the energy's at its price"),
    (lambda b: entries(b, "ergon_micro")[0].update(source="grid"), "money", "money is the energy's at its price"),
    (lambda b: without(b, "corrected import"), "energy", "books its difference"),
    (lambda b: b["entries"].append(deepcopy(b["entries"][-1])), "money", "paid once"),
    (swap, "readings", "in the batch that was signed"),
    (lambda b: b["older"].pop(), "readings", "a batch of readings is shown for each record"),
    (lambda b: b["older"].append(b["reading"]), "readings", "a batch of readings is shown for each record"),
]


@pytest.mark.parametrize(("lie", "name", "wrong"), LIES)
def test_a_lie_about_a_correction_breaks_the_rule_it_is_about(
    lie: Callable[[Json], object], name: str, wrong: str
) -> None:
    bundle: Json = json.loads(prove(street((200, 0), [(150, 40), (160, 40)])))
    lie(bundle)
    report = check(sealed(bundle, NOTE_KEY))
    if not name:
        assert report.ok, report.lines[-1]
        return
    assert (report.ok, report.lines[-1].name) == (False, name), report.lines[-1]
    assert re.search(wrong, report.lines[-1].detail), report.lines[-1]


def test_a_bundle_without_corrections_has_the_form_that_it_always_had() -> None:
    bundle = json.loads(prove(street((200, 0), [])))
    assert "older" not in bundle
    assert not check(encode(bundle | {"older": []})).ok
