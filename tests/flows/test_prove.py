import json
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.apps.scenes import Scene, scene
from commonwatt.apps.wiring import paper_day
from commonwatt.flows.onboard import Cast
from commonwatt.flows.prove import default_case, final_note, make_evidence, sided_path, trust_file
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.state import SECTIONS
from commonwatt.flows.sequence import Replayed, replay
from commonwatt.flows.verify import verify_evidence
from commonwatt.ledger.checkpoint import vkey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree, leaf_hash, node_hash
from commonwatt.model import AccountId, AssetId, Refused, epoch
from commonwatt.simulator.box import Fault

STREET = "street"


@dataclass(frozen=True)
class Run:
    """A few slots around midday of a street's paper day, and its log up to the final note."""

    cast: Cast
    rows: list[LeafRow]
    note: str
    then: Replayed

    @property
    def trust(self) -> str:
        return trust_file(self.cast.operator.public, vkey(STREET, self.cast.note.public), STREET)

    def evidence(self, account: str, slot_s: int) -> bytes:
        return make_evidence(self.then.state, self.then.whole_tree(), self.rows, self.note, account, slot_s)


@cache
def run(
    slots: int = 12, seed: str = "tests", *, borrowed_note: bool = False, silent: str = "", silent_slots: int = 1
) -> Run:
    told = scene(Path(__file__).parents[2] / "examples" / "street")
    street = replace(told.street, starts="11:00", seed=seed)
    start_s = epoch(street.span.start)
    end_s = start_s + 900 * (1 + silent_slots)
    fault = Fault(kind="silent", asset=AssetId(silent), start_s=start_s + 900, end_s=end_s)
    day = paper_day(Scene(street, told.recorded), faults=[fault] if silent else [])
    if borrowed_note:
        day.cast = replace(day.cast, note=run().cast.note)
    for _ in zip(range(slots), day.run(), strict=False):
        pass
    rows = list(day.sequencer._store.rows())
    note, size = final_note(rows)
    return Run(day.cast, rows, note, replay(rows[:size], STREET, keep=True))


def slots_of(run: Run) -> list[int]:
    return run.then.state.slot_market.slots()


def test_a_bundle_of_the_default_case_verifies() -> None:
    one = run()
    account, slot_s = default_case(one.then.state)
    report = verify_evidence(one.evidence(account, slot_s), one.trust)
    assert report.ok
    assert all(line.ok for line in report.lines)


def test_every_member_can_prove_every_kind_of_slot() -> None:
    one = run()
    for slot_s in slots_of(one)[::3]:
        for account in one.then.state.members():
            report = verify_evidence(one.evidence(account, slot_s), one.trust)
            assert report.ok, report.lines[-1]


def test_a_bundle_shows_what_the_state_holds() -> None:
    one = run()
    account, slot_s = default_case(one.then.state)
    bundle = json.loads(one.evidence(account, slot_s))
    orders = [leaf["position"] for leaf in bundle["leaves"] if '"kind":"order"' in leaf["body"]]
    assert [str(position) for position in orders] == [o.id for o in one.then.state.slot_market.orders(slot_s)]
    assert bundle["leaves"][0]["position"] == 0
    assert len(bundle["sections"]) == len(SECTIONS)
    traded = [shown["entry"]["amount"] for shown in bundle["entries"] if shown["entry"]["memo"] == "trade"]
    assert traded
    assert bundle["trades"]


def test_entries_are_the_members_own() -> None:
    one = run()
    account, slot_s = default_case(one.then.state)
    for shown in json.loads(one.evidence(account, slot_s))["entries"]:
        assert account in (shown["entry"]["source"], shown["entry"]["target"])
        assert shown["entry"]["slot_s"] == slot_s


def test_the_same_log_gives_the_same_bytes() -> None:
    one = run()
    case = default_case(one.then.state)
    again = replay(one.rows[: len(one.then.tree)], STREET, keep=True)
    assert make_evidence(again.state, again.whole_tree(), iter(one.rows), one.note, *case) == one.evidence(*case)


def test_the_default_case_is_the_most_traded() -> None:
    state = run().then.state
    account, slot_s = default_case(state)

    def traded_wh(account: AccountId, slot_s: int) -> int:
        entries = [e for e in state.entries if (e.memo, e.commodity.value, e.slot_s) == ("trade", "energy_wh", slot_s)]
        return sum(e.amount for e in entries if account in (e.source, e.target))

    most_wh = max(traded_wh(member, each_s) for member in state.members() for each_s in slots_of(run()))
    assert traded_wh(account, slot_s) == most_wh > 0


def test_the_final_note_covers_the_log_before_its_own_leaf() -> None:
    one = run()
    note, size = final_note(one.rows)
    assert size == len(one.rows) - 1
    assert note in one.rows[size].body.decode().replace("\\n", "\n")
    assert final_note(one.rows[:size])[1] < size


def test_readings_that_came_a_slot_late_still_make_a_case() -> None:
    one = run(6, silent="home-04")
    slot_s = slots_of(one)[1]
    evidence = one.evidence("member-04", slot_s)
    batch = next(leaf for leaf in json.loads(evidence)["leaves"] if '"kind":"reading_batch"' in leaf["body"])
    assert batch["stamped_s"] > slot_s + 900
    report = verify_evidence(evidence, one.trust)
    assert report.ok, report.lines[-1]


@pytest.mark.parametrize("account", ["grid", "operator", "member-99", ""])
def test_who_has_no_meter_has_no_case(account: str) -> None:
    one = run()
    with pytest.raises(Refused, match="whose connection was read"):
        one.evidence(account, slots_of(one)[0])


def test_a_slot_that_is_not_settled_is_no_case() -> None:
    one = run()
    with pytest.raises(Refused, match="the slot is settled"):
        one.evidence("member-01", one.then.state.settled_to_s)


def test_a_state_of_another_moment_is_refused() -> None:
    one = run()
    earlier_note, size = final_note(one.rows[: len(one.then.tree)])
    case = default_case(one.then.state)
    with pytest.raises(Refused, match="the state is that of the note"):
        make_evidence(one.then.state, one.then.whole_tree(), one.rows, earlier_note, *case)
    with pytest.raises(Refused, match="the log is the one of the note"):
        make_evidence(one.then.state, MerkleTree(), one.rows, one.note, *case)
    with pytest.raises(Refused, match="the rows go up to the note"):
        make_evidence(one.then.state, one.then.whole_tree(), one.rows[:size], one.note, *case)


def test_an_empty_log_has_neither_note_nor_case() -> None:
    with pytest.raises(Refused, match="the log holds none"):
        final_note([])
    with pytest.raises(Refused, match="nobody has traded yet"):
        default_case(State(STREET))


@given(st.integers(1, 70))
def test_sided_paths_climb_to_the_root_and_rise_with_the_index(size: int) -> None:
    tree = MerkleTree(b"%d" % n for n in range(size))
    ways = []
    for index in range(size):
        path = sided_path(tree, index)
        climbed = leaf_hash(b"%d" % index)
        for step in path:
            side, sibling = step.split(" ")
            pair = (bytes.fromhex(sibling), climbed)
            climbed = node_hash(*(pair if side == "left" else pair[::-1]))
        assert climbed == tree.root()
        ways.append([step.startswith("left") for step in reversed(path)])
    assert all(a < b for a, b in pairwise(ways))


def test_evidence_of_a_slot_that_was_read_late_holds_or_is_not_made() -> None:
    late = run(14, silent="home-01", silent_slots=10)
    slot_s = next(entry.slot_s for entry in late.then.state.entries if entry.memo in ("late import", "late export"))
    try:
        bundle = late.evidence("member-01", slot_s)
    except Refused:
        return
    assert verify_evidence(bundle, late.trust).ok
