"""What the one writer of the log makes durable with its marks, and what a replay reaches and finds out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import pytest
from community import EXPORT, IMPORT, NAME, NOON, Community, Flow, instruction, key
from msgspec import structs
from standing import PURCHASE, RECORDS, refused

from commonwatt.flows.ports import NO_TILES
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.market import order_bodies
from commonwatt.flows.sequence import Sequencer, replay
from commonwatt.ledger.journal import entry_leaf
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import merkle_root
from commonwatt.model import Corrupt, Kind, Outcome, Refused, Side
from commonwatt.simulator.paper import PaperLog
from commonwatt.simulator.world import salts


class FailingLog(PaperLog):
    """A disk that fails once when told to."""

    failing = False

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        if self.failing:
            self.failing = False
            raise OSError("no space left on device")
        super().append(rows, marks, tiles)


def test_what_could_not_be_made_durable_is_never_answered_and_a_reopened_log_goes_on() -> None:
    store = FailingLog()
    community = Community(1, store=store)
    before = community.roots()
    wire = community.wire("payment", Kind.PURCHASE, PURCHASE)
    store.failing = True
    with pytest.raises(OSError, match="no space"):
        community.sequencer.submit([wire], NOON, {"slot": "1"})
    for _ in range(2):
        with pytest.raises(Refused, match="open it again"):
            community.send(wire)
    with pytest.raises(Refused, match="open it again"):
        community.sequencer.submit([], NOON, {"slot": "2"})
    assert store.size == before.leaves
    assert store.marks() == {}
    community.sequencer = Sequencer(store, NAME, salts("tiny"))
    assert community.roots() == before
    assert community.send(wire) is Outcome.BOOKED
    assert store.size == before.leaves + 1


def test_marks_are_set_with_their_batch_even_when_it_is_empty() -> None:
    community = Community(1)
    before = community.roots()
    assert community.sequencer.submit([], NOON, {"slot": "5"}) == []
    assert community.store.marks() == {"slot": "5"}
    assert community.roots() == before


@cache
def story() -> Community:
    """Return a community whose log holds every kind of request and both sorts of outcome; no test changes it."""
    community = Community(2)
    community.state_that("anna", "charge of anna-battery >= 10% at 07:30 on 2 June 2026")
    community.order("ben", Side.BID, 300, IMPORT, NOON)
    community.order("anna", Side.ASK, 300, EXPORT, NOON)
    community.schedule("anna-battery", instruction(1_000))
    community.schedule("ben-solar", instruction(-1_000))
    ack = bodies.AckItem(command="c", asset="anna-battery", why="it is asleep")
    community.ask("gw-anna", Kind.ACK, bodies.AckBody(gateway="gw-anna", slot_s=NOON, acks=[ack]))
    community.live(anna=Flow(solar_wh=1_300, charge_wh=1_000), ben=Flow(load_wh=500))
    community.order("anna", Side.ASK, 500, 200_000)
    community.order("ben", Side.BID, 400, 200_000)
    community.ask("anna", Kind.CANCEL, order_bodies.CancelBody(order="1"))
    seal(community)
    community.live(anna=Flow(discharge_wh=400), ben=Flow(load_wh=300))
    return community


def seal(community: Community) -> None:
    note = community.sequencer.checkpoint(community.slot_s).note_text()
    sealed = community.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note + "\nanyone's signature\n"))
    assert sealed is Outcome.BOOKED


@pytest.mark.row("M5")
def test_a_replay_reaches_what_was_lived() -> None:
    live = story()
    for keep in (False, True):
        found = replay(live.rows(), NAME, keep=keep)
        assert (found.tree.root(), found.state.root()) == (live.roots().log, live.roots().state)
    assert merkle_root(entry_leaf(entry) for entry in found.state.entries) == live.state.journal.root()
    assert {row.outcome for row in live.rows()} >= {Outcome.BOOKED, Outcome.NOT_ALLOWED, Outcome.UNKNOWN_THING}


def flip(row: LeafRow, at: int) -> LeafRow:
    body = bytearray(row.body)
    body[at] ^= 1
    return structs.replace(row, body=bytes(body))


STRANGER = "0x" + "0" * 40
TAMPERED: dict[str, Callable[[list[LeafRow], int], list[LeafRow]]] = {
    "a bit of its name": lambda rows, n: [*rows[:n], flip(rows[n], 20), *rows[n + 1 :]],
    "a bit of its body": lambda rows, n: [*rows[:n], flip(rows[n], rows[n].body.index(b'"body"') + 12), *rows[n + 1 :]],
    "a bit of its signature": lambda rows, n: [*rows[:n], flip(rows[n], -5), *rows[n + 1 :]],
    "its outcome": lambda rows, n: [
        *rows[:n],
        structs.replace(
            rows[n], outcome=Outcome.OVER_LIMIT if rows[n].outcome is not Outcome.OVER_LIMIT else Outcome.BOOKED
        ),
        *rows[n + 1 :],
    ],
    "its time": lambda rows, n: [*rows[:n], structs.replace(rows[n], stamped_s=rows[n].stamped_s + 1), *rows[n + 1 :]],
    "its salt": lambda rows, n: [*rows[:n], structs.replace(rows[n], salt=bytes(32)), *rows[n + 1 :]],
    "its place": lambda rows, n: [*rows[: n - 1], rows[n], rows[n - 1], *rows[n + 1 :]] if n else rows[1:],
    "its being there": lambda rows, n: [*rows[:n], *rows[n + 1 :]],
    "its being there once": lambda rows, n: [*rows[: n + 1], *rows[n:]],
    "what was decided with it": lambda rows, n: [
        *rows[:n],
        structs.replace(rows[n], closes=not rows[n].closes),
        *rows[n + 1 :],
    ],
    "its author's name": lambda rows, n: [*rows[:n], structs.replace(rows[n], author=STRANGER), *rows[n + 1 :]],
    "its number": lambda rows, n: [*rows[:n], structs.replace(rows[n], seq=rows[n].seq + 1), *rows[n + 1 :]],
    "whose it is": lambda rows, n: [*rows[:n], structs.replace(rows[n], owner="eve"), *rows[n + 1 :]],
    "a bit of its records": lambda rows, n: [
        *rows[:n],
        structs.replace(
            rows[n], items=bytes([*rows[n].items[:-1], rows[n].items[-1] ^ 1]) if rows[n].items else b"\0" * 48
        ),
        *rows[n + 1 :],
    ],
    "its records": lambda rows, n: [
        *rows[:n],
        structs.replace(rows[n], items=b"" if rows[n].items else RECORDS[0]),
        *rows[n + 1 :],
    ],
    "its personal part": lambda rows, n: [*rows[:n], structs.replace(rows[n], personal=bytes(48)), *rows[n + 1 :]],
}


@pytest.mark.row("M5")
@pytest.mark.parametrize("what", TAMPERED)
def test_nobody_changes_a_stored_row_unnoticed(what: str) -> None:
    rows, whole = story().rows(), story().roots()
    for n in range(len(rows)):
        tampered = TAMPERED[what](rows, n)
        try:
            found = replay(tampered, NAME)
        except Corrupt:
            continue
        assert found.tree.root() != whole.log, f"row {n} was tampered with"


def test_a_replay_says_at_which_position_the_log_contradicts_itself() -> None:
    rows = story().rows()
    with pytest.raises(Corrupt, match="position 7 should never have been admitted: BAD_SIGNATURE"):
        replay([*rows[:7], flip(rows[7], -5), *rows[8:]], NAME)
    with pytest.raises(Corrupt, match="position 9 was answered OVER_LIMIT, the rulebook says BOOKED"):
        replay([*rows[:9], structs.replace(rows[9], outcome=Outcome.OVER_LIMIT), *rows[10:]], NAME)
    with pytest.raises(Corrupt, match="stamped"):
        replay([*rows[:-1], structs.replace(rows[-1], stamped_s=NOON)], NAME)
    with pytest.raises(Corrupt, match="position 0 should never have been admitted: WRONG_COMMUNITY"):
        replay(rows, "another")


@pytest.mark.row("M5")
@pytest.mark.parametrize("wrong", ["origin", "size", "log_root", "state_root"])
def test_a_false_checkpoint_is_not_admitted_and_would_be_found_in_a_replay(wrong: str) -> None:
    community = story()
    other = {"origin": "tinier", "size": community.roots().leaves - 1, "log_root": bytes(32), "state_root": bytes(32)}
    point = replace(community.sequencer.checkpoint(community.slot_s), **{wrong: other[wrong]})
    wire = community.wire("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=point.note_text() + "\nsigned\n"))
    refused(wire, Outcome.MALFORMED, community)
    smuggled = LeafRow(
        position=community.store.size,
        stamped_s=community.now_s,
        salt=bytes(32),
        body=wire,
        outcome=Outcome.BOOKED,
        author=key("operator").id,
        seq=community.state.keys.next_seq(key("operator").id),
        owner="operator",
        closes=True,
    )
    with pytest.raises(Corrupt, match=f"position {community.store.size} "):
        replay([*community.rows(), smuggled], NAME)


def test_a_stamp_that_runs_backwards_is_refused_and_the_log_goes_on() -> None:
    community = Community(1)
    community.live()
    before, wire = community.roots(), community.wire("payment", Kind.PURCHASE, PURCHASE)
    for wires in ([wire], []):
        with pytest.raises(Refused, match="backwards"):
            community.sequencer.submit(wires, community.now_s - 1, {"slot": "never"})
    assert community.roots() == before
    assert community.store.marks() == {}
    assert community.send(wire) is Outcome.BOOKED, "the same time again is no step back"
    assert replay(community.rows(), NAME).state.root() == community.roots().state
