"""What a witness cosigns, what it refuses and where it finds a contradiction, without a socket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from community import NAME
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from watched import ANNE, BOB, CARDS, CARL, LOG_VKEY, NOTE, DirectLog, Watched, card, trusted, witness

from commonwatt.adapters.witness.memory import MemoryFile
from commonwatt.flows.evidence import Trust
from commonwatt.flows.witness import FraudProven, Promise, Witness, WitnessKeys
from commonwatt.identity.eip712 import verify_checkpoint
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, sign_note, split_note
from commonwatt.ledger.cosign import cosigned_at_s, verify_fraud_proof
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import SLOT_SECONDS, Corrupt, Outcome, Refused

NOW_S = 1_800_000_000


@contextmanager
def watching(
    path: Path, log: DirectLog, keys: WitnessKeys = ANNE, trust: Trust | None = None
) -> Iterator[tuple[Witness, MemoryFile]]:
    with MemoryFile(path / f"{keys.name}.sqlite") as memory:
        yield Witness(log, memory, keys, trust or trusted(), lambda: NOW_S), memory


def lived(slots: int = 2, **flow: int) -> tuple[Watched, DirectLog]:
    community = Watched()
    log = DirectLog(community.store)
    for _ in range(slots):
        log.note = community.slot(**flow)
    return community, log


def point(note: str) -> Checkpoint:
    return Checkpoint.parse(split_note(note)[0])


def altered(note: str, **values: object) -> str:
    """A note that the operator signed in place of another."""
    return sign_note(replace(point(note), **values).note_text(), NAME, NOTE.private)


@pytest.mark.row("E14")
def test_a_witness_cosigns_with_both_keys_what_it_has_run_itself(tmp_path: Path) -> None:
    community, log = lived()
    with watching(tmp_path, log) as (anne, memory):
        promise = anne.look()
        assert log.handed_in == [(promise.size, promise.line, promise.typed)]
        told = point(log.note)
        assert cosigned_at_s(log.note + promise.line, [ANNE.word]) == {ANNE.word: NOW_S}
        assert verify_checkpoint(
            VerifyingKey(ANNE.signing.public),
            promise.typed,
            origin=NAME,
            epoch=told.slot_s // SLOT_SECONDS,
            size=told.size,
            log_root=told.log_root,
            state_root=told.state_root,
        )
        log.note = community.slot(charge_wh=400)
        assert anne.look().size > promise.size
        assert memory.last() == anne.look()


def test_a_log_across_many_tiles_is_followed_from_where_the_witness_stands(tmp_path: Path) -> None:
    community, log = lived(1)
    with watching(tmp_path, log) as (anne, _):
        anne.look()
        community.pay_often(1_500)
        log.note = community.slot()
        before = log.asked
        assert anne.look().size == point(log.note).size > 1_500
        assert log.asked - before < 10


def test_a_witness_started_again_says_the_same_and_hands_it_in_again(tmp_path: Path) -> None:
    _, log = lived()
    with watching(tmp_path, log) as (anne, _):
        first = anne.look()
    with watching(tmp_path, log) as (anne, _):
        assert anne.look() == first
    assert log.handed_in == [(first.size, first.line, first.typed)] * 2
    log.note += first.line
    with watching(tmp_path, log) as (anne, _):
        assert anne.look() == first
    assert len(log.handed_in) == 2


def test_what_is_signed_was_remembered_before(tmp_path: Path) -> None:
    _, log = lived()
    log.hand_in = lambda *told: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with watching(tmp_path, log) as (anne, memory):
        with pytest.raises(KeyboardInterrupt):
            anne.look()
        kept = memory.last()
        assert kept and kept.note == log.note
    del log.hand_in
    with watching(tmp_path, log) as (anne, _):
        assert anne.look() == kept


def bent(position: int, change: Callable[[LeafRow], LeafRow]) -> Callable[[LeafRow], LeafRow]:
    return lambda row: change(row) if row.position == position else row


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_bit_of_any_leaf_is_found_and_located(tmp_path: Path, data: st.DataObject) -> None:
    community, log = STORY
    position = data.draw(st.integers(0, point(log.note).size - 1))
    row = community.rows()[position]
    field = data.draw(st.sampled_from(["body", "salt"] + ["items"] * bool(row.items)))
    content = bytearray(getattr(row, field))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    bending = DirectLog(
        community.store, log.note, bent(position, lambda row: structs.replace(row, **{field: bytes(content)}))
    )
    with watching(tmp_path, bending) as (anne, memory):
        with pytest.raises(Corrupt, match=rf"\bposition {position}\b"):
            anne.look()
        assert (memory.last(), bending.handed_in) == (None, [])
        bending.bend = lambda row: row
        assert anne.look().size == point(log.note).size, "what was bent is forgotten"
    (tmp_path / "anne.example.sqlite").unlink()


STORY = lived(2)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: structs.replace(row, outcome=Outcome.NOT_ALLOWED),
        lambda row: structs.replace(row, stamped_s=row.stamped_s + 1),
        lambda row: structs.replace(row, closes=not row.closes),
        lambda row: structs.replace(row, author="0x" + "0" * 40),
        lambda row: structs.replace(row, seq=row.seq + 1),
        lambda row: structs.replace(row, position=row.position + 1),
    ],
)
def test_no_field_of_a_leaf_can_be_told_otherwise(tmp_path: Path, change: Callable[[LeafRow], LeafRow]) -> None:
    community, log = STORY
    with watching(tmp_path, DirectLog(community.store, log.note, bent(9, change))) as (anne, memory):
        with pytest.raises(Corrupt, match=r"position 9\b|from position 0"):
            anne.look()
        assert memory.last() is None


@pytest.mark.parametrize("level", [0, 1])
def test_one_bit_of_a_tile_is_found_and_located(tmp_path: Path, level: int) -> None:
    community, log = lived(1)
    community.pay_often(300)
    log.note = community.slot()
    good = community.store.tile(level, 0)
    log.tiles[level, 0] = bytes([good[0] ^ 4]) + good[1:]
    with watching(tmp_path, log) as (anne, memory):
        with pytest.raises(Corrupt, match=rf"tile/{level}/000|hash 0 of|root"):
            anne.look()
        assert memory.last() is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"log_root": b"x" * 32}, "tiles of .* leaves lead to another root|tells log root"),
        ({"state_root": b"x" * 32}, "the rulebook reaches"),
        ({"origin": "road"}, "a checkpoint is of tiny, was of road"),
    ],
)
def test_a_signed_note_that_is_not_true_is_not_cosigned(tmp_path: Path, values: dict[str, object], says: str) -> None:
    community, log = STORY
    with watching(tmp_path, DirectLog(community.store, altered(log.note, **values))) as (anne, memory):
        with pytest.raises(Corrupt, match=says):
            anne.look()
        assert memory.last() is None


def test_a_note_of_another_key_or_of_none_is_not_even_looked_at(tmp_path: Path) -> None:
    community, log = STORY
    text = split_note(log.note)[0]
    for note in (sign_note(text, NAME, ANNE.note.private), text, "", "\n\n", log.note[:-5], "— " * 40):
        bad = DirectLog(community.store, note)
        with watching(tmp_path, bad) as (anne, _), pytest.raises(Corrupt):
            anne.look()
        assert bad.asked == 0


@pytest.mark.row("E14")
def test_an_operator_with_two_histories_is_proven_a_fraud_and_gets_no_word(tmp_path: Path) -> None:
    (_, one), (_, other) = lived(2), lived(2, load_wh=200)
    with watching(tmp_path, one) as (anne, memory):
        anne.look()
        anne._log = other
        with pytest.raises(FraudProven) as found:
            anne.look()
        assert memory.last() == Promise(*_fields(memory.last()))
        assert len(other.handed_in) == 0
    fraud = verify_fraud_proof(found.value.proof, LOG_VKEY)
    assert {fraud.first, fraud.second} == {point(one.note), point(other.note)}


def _fields(promise: Promise | None) -> list[object]:
    assert promise is not None
    return [getattr(promise, name) for name in ("size", "slot_s", "note", "time_s", "line", "typed")]


def test_witnesses_who_were_shown_different_logs_find_out_from_each_other(tmp_path: Path) -> None:
    (_, one), (_, other) = lived(2), lived(3, load_wh=200)
    with watching(tmp_path, one) as (anne, _), watching(tmp_path, other, BOB) as (bob, _):
        words = [watcher.look() for watcher in (anne, bob)]
        with pytest.raises(FraudProven) as found:
            bob.hear(words[0].note + words[0].line)
        assert verify_fraud_proof(found.value.proof, LOG_VKEY).signer == NAME
        anne.hear(words[1].note)  # lies ahead of Anne; it is remembered until she gets there
        _, log = lived(3)
        anne._log = log
        with pytest.raises(FraudProven):
            anne.look()


def test_a_rewritten_past_between_checkpoints_is_proven_by_the_tiles(tmp_path: Path) -> None:
    first, rewritten = Watched(), Watched()
    one, other = DirectLog(first.store), DirectLog(rewritten.store)
    one.note = first.slot()
    rewritten.live()
    rewritten.pay("anna", 1, "never happened")
    other.note = rewritten.slot()  # closes another slot at another size
    assert point(one.note).slot_s != point(other.note).slot_s
    with watching(tmp_path, one) as (anne, _):
        anne.look()
    with watching(tmp_path, other) as (anne, _), pytest.raises(FraudProven) as found:
        anne.look()
    assert verify_fraud_proof(found.value.proof, LOG_VKEY).rule == "the smaller log is the start of the larger one"
    with watching(tmp_path, other, BOB) as (bob, _):
        bob.look()
        with pytest.raises(FraudProven, match="signed"):
            bob.hear(one.note)


def test_an_honest_operator_is_not_framed_by_a_lying_peer(tmp_path: Path) -> None:
    community, log = STORY
    text = split_note(log.note)[0]
    lie = replace(point(log.note), log_root=b"x" * 32).note_text()
    lies = [
        sign_note(lie, NAME, CARL.note.private),
        f"{lie}\n{log.note.removeprefix(text + chr(10))}",
        sign_note(lie, "carl.example", CARL.note.private),
        lie,
        "",
        "\0",
    ]
    with watching(tmp_path, DirectLog(community.store, log.note)) as (anne, memory):
        anne.look()
        for note in lies:
            with pytest.raises(Corrupt) as found:
                anne.hear(note)
            assert not isinstance(found.value, FraudProven)
        earlier = next(seen for seen in memory.seen(0, point(log.note).slot_s - SLOT_SECONDS))
        anne.hear(earlier.note)
        anne.hear(log.note)
        assert anne.look().size == point(log.note).size


def test_a_log_that_goes_back_gets_no_word(tmp_path: Path) -> None:
    community, log = lived(1)
    old = log.note
    log.note = community.slot()
    with watching(tmp_path, log) as (anne, memory):
        last = anne.look()
        log.note = old
        with pytest.raises(Refused, match="does not shrink"):
            anne.look()
        assert memory.last() == last


def test_memory_takes_one_checkpoint_a_size_and_slot_and_never_goes_back(tmp_path: Path) -> None:
    with MemoryFile(tmp_path / "m") as memory, MemoryFile(tmp_path / "m") as twin:
        memory.promise(Promise(7, 900, "note", 1, "line", "typed"))
        for size, slot_s in ((7, 1800), (8, 900), (6, 1800), (7, 900)):
            with pytest.raises(Refused, match="goes on from what it cosigned last"):
                twin.promise(Promise(size, slot_s, "other", 1, "line", "typed"))
        twin.promise(Promise(8, 1800, "note", 1, "line", "typed"))
        assert memory.last() == Promise(8, 1800, "note", 1, "line", "typed")


def test_a_witness_that_is_not_named_or_trusts_others_signs_nothing(tmp_path: Path) -> None:
    community, log = STORY
    dora = witness("dora.example")
    with watching(tmp_path, DirectLog(community.store, log.note), dora) as (watcher, memory):
        with pytest.raises(Refused, match="first leaf names"):
            watcher.look()
        assert memory.last() is None
    others = trusted((*CARDS, card(dora)))
    with watching(tmp_path, DirectLog(community.store, log.note), ANNE, others) as (watcher, memory):
        with pytest.raises(Corrupt, match="position 0 names another operator or other witnesses"):
            watcher.look()
        assert memory.last() is None


def test_an_operator_who_gives_nothing_too_much_or_never_closes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    community, log = STORY
    for leaves in (lambda first, limit: [], lambda first, limit: community.rows()[first : first + limit + 1]):
        lazy = DirectLog(community.store, log.note)
        monkeypatch.setattr(lazy, "leaves", leaves)
        with watching(tmp_path, lazy) as (anne, _), pytest.raises(Corrupt, match="the log gives out"):
            anne.look()
    monkeypatch.setattr("commonwatt.flows.follower.MOST_OPEN_LEAVES", 10)
    community, log = lived(1)
    community.pay_often(1_500)
    log.note = community.slot()
    with watching(tmp_path, log, BOB) as (anne, _), pytest.raises(Corrupt, match="is not closed"):
        anne.look()


def test_a_line_that_breaks_right_behind_the_last_word_does_not_hide_a_rewritten_past(tmp_path: Path) -> None:
    first, rewritten = Watched(), Watched()
    one, other = DirectLog(first.store), DirectLog(rewritten.store)
    one.note = first.slot()
    rewritten.live()
    rewritten.pay("anna", 1, "never happened")
    other.note = rewritten.slot()
    with watching(tmp_path, one) as (anne, _):
        size = anne.look().size
    give = other.leaves

    def breaking(begin: int, limit: int) -> list[LeafRow]:
        if begin == size:
            raise Refused("could not be reached")
        return give(begin, limit)

    with watching(tmp_path, other) as (anne, _):
        other.leaves = breaking  # type: ignore[method-assign]
        with pytest.raises((Refused, FraudProven)):
            anne.look()
        other.leaves = give  # type: ignore[method-assign]
        with pytest.raises(FraudProven):
            anne.look()
