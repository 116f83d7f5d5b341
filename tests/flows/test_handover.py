"""Where a witness begins: at zero, at the state that it kept, or at one that was handed over and is final."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from community import NAME, key
from watched import ANNE, BOB, CARDS, CARL, DirectLog, Watched, trusted

from commonwatt.adapters.stores.notes import NoteFile
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.adapters.witness.memory import MemoryFile
from commonwatt.flows.handover import Handed, read_handed, state_at, vouched
from commonwatt.flows.publish import Publisher
from commonwatt.flows.replay import replay, store_tile
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.witness import FROM_ZERO, FraudProven, Witness, WitnessKeys
from commonwatt.ledger.checkpoint import Checkpoint, sign_note, split_note
from commonwatt.ledger.cosign import cosignature_line
from commonwatt.model import Corrupt, Refused

NOW_S = 1_800_000_000


@dataclass
class PaperShelf:
    """Implements `commonwatt.flows.witness_ports.Shelf` in memory."""

    state: tuple[int, bytes] | None = None

    def kept(self) -> tuple[int, bytes] | None:
        return self.state

    def keep(self, size: int, content: bytes) -> None:
        self.state = size, content


@contextmanager
def watching(
    path: Path, log: DirectLog, shelf: PaperShelf | None = None, keys: WitnessKeys = ANNE
) -> Iterator[Witness]:
    with MemoryFile(path / f"{keys.name}.sqlite") as memory:
        yield Witness(log, memory, keys, trusted(), lambda: NOW_S, shelf=shelf)


@dataclass
class Town:
    """A watched community whose log can be pruned."""

    community: Watched
    store: SqliteLog
    log: DirectLog
    path: Path

    def slot(self, **flow: int) -> str:
        self.log.note = self.community.slot(**flow)
        return self.log.note

    @property
    def point(self) -> Checkpoint:
        return Checkpoint.parse(split_note(self.log.note)[0])

    def prune(self) -> int:
        """Let go of every leaf so far, and return how many those were."""
        self.community.sequencer.save_snapshot()
        size = self.store.size
        self.store.prune(size)
        return size

    def hand_over(self, *who: WitnessKeys, note: str = "") -> int:
        """Let the log hand over its state at its last note, cosigned by some, and return how many leaves led to it."""
        note = note or self.log.note
        lines = [cosignature_line(split_note(note)[0], one.name, one.note.private, NOW_S) for one in who]
        size = Checkpoint.parse(split_note(note)[0]).size
        content = state_at(self.store, NAME, size)
        assert content is not None
        self.log.state = Handed(note + "".join(lines), content).encode()
        return size


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with SqliteLog(tmp_path / "log.sqlite", MasterKey(bytes(32))) as store:
        community = Watched(store=store)
        one = Town(community, store, DirectLog(store), tmp_path)
        one.slot()
        one.slot(charge_wh=300)
        yield one


def test_a_witness_goes_on_after_a_start_from_the_state_that_it_kept(town: Town) -> None:
    shelf = PaperShelf()
    with watching(town.path, town.log, shelf) as anne:
        first = anne.look()
        assert anne.began == FROM_ZERO
    assert shelf.state is not None
    assert shelf.state[0] == first.size
    town.community.pay_often(300)
    town.slot()
    asked = list[int]()
    leaves = town.log.leaves
    town.log.leaves = lambda first, limit: (asked.append(first), leaves(first, limit))[1]  # type: ignore[method-assign]
    with watching(town.path, town.log, shelf) as anne:
        assert anne.look().size == town.point.size
        assert min(asked) == first.size
        assert anne.began == f"run from leaf {first.size} on, which this witness had reached itself"
    assert shelf.state[0] == town.point.size
    with watching(town.path, town.log, shelf) as anne:
        assert anne.look().size == town.point.size, "there is nothing new, and nothing is asked for"
    assert len([one for one in asked if one >= first.size]) == len(asked)


def test_a_witness_goes_on_where_all_that_it_has_run_was_pruned(town: Town) -> None:
    shelf = PaperShelf()
    with watching(town.path, town.log, shelf) as anne:
        anne.look()
    # The leaf of the note itself came after what was kept.
    with pytest.raises(Refused, match="pruned"), watching(town.path, town.log) as anne:
        town.store.save_snapshot(shelf.state[0], shelf.state[1])  # type: ignore[index]
        town.store.prune(shelf.state[0])  # type: ignore[index]
        anne.look()
    town.slot(load_wh=70)
    with watching(town.path, town.log, shelf) as anne:
        assert anne.look().size == town.point.size
        assert "which this witness had reached itself" in anne.began


@pytest.mark.parametrize("damage", ["bit", "short", "other size", "other state"])
def test_a_kept_state_that_is_not_the_one_that_was_cosigned_is_not_gone_on_from(town: Town, damage: str) -> None:
    shelf = PaperShelf()
    with watching(town.path, town.log, shelf) as anne:
        anne.look()
    assert shelf.state is not None
    size, content = shelf.state
    at = content.index(key("anna").public) + 20
    rows = town.community.rows()
    closed = max(row.position for row in rows[: size - 5] if row.closes)
    then = replay(rows[: closed + 1], NAME)
    at = content.index(b"anna")  # a bit that means something: the name of a part that is as ever may say anything
    shelf.state = {
        "bit": (size, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]),
        "short": (size, content[:100]),
        "other size": (size - 1, content),
        "other state": (size, snapshot.dump(then.state, then.last_s, snapshot.log_root(content))),
    }[damage]
    town.slot()
    with watching(town.path, town.log, shelf) as anne:
        assert anne.look().size == town.point.size
        assert anne.began == FROM_ZERO
    assert shelf.state[0] == town.point.size, "it is put right"


@pytest.mark.row("E14")
def test_a_witness_that_was_started_again_still_proves_that_history_was_rewritten(town: Town) -> None:
    shelf = PaperShelf()
    with watching(town.path, town.log, shelf) as anne:
        anne.look()
    other = Watched()
    log = DirectLog(other.store)
    for _ in range(4):
        log.note = other.slot(load_wh=700)
    with watching(town.path, log, shelf) as anne, pytest.raises(FraudProven):
        anne.look()
    assert log.handed_in == []


@pytest.mark.row("E14")
@pytest.mark.parametrize("who", [(ANNE, BOB), (BOB, CARL), (ANNE, BOB, CARL)])
def test_who_never_followed_a_pruned_log_begins_at_a_state_that_is_final(
    town: Town, who: tuple[WitnessKeys, ...]
) -> None:
    town.prune()
    town.slot()
    size = town.hand_over(*who)
    town.slot(charge_wh=200)
    shelf = PaperShelf()
    with watching(town.path, town.log, shelf, CARL) as carl:
        promise = carl.look()
        assert promise.size == town.point.size > size
        told = f"the state there was handed over, {len(who)} of 3 of the witnesses' weight cosigned it"
        assert carl.began == f"run from leaf {size} on; {told}"
        town.slot()
        assert carl.look().size == town.point.size
    with watching(town.path, town.log, shelf, CARL) as carl:
        carl.look()
        assert "reached itself" in carl.began


@pytest.mark.row("E14")
@pytest.mark.parametrize("who", [(), (ANNE,), (CARL,)])
def test_a_state_that_is_not_final_is_not_taken_over(town: Town, who: tuple[WitnessKeys, ...]) -> None:
    town.prune()
    town.slot()
    town.hand_over(*who)
    town.slot()
    with (
        watching(town.path, town.log, PaperShelf(), CARL) as carl,
        pytest.raises(Corrupt, match=f"{len(who)} of 3 cosi"),
    ):
        carl.look()
    assert town.log.handed_in == []


def test_a_state_of_another_checkpoint_is_not_taken_over(town: Town) -> None:
    town.prune()
    early = town.slot()
    town.hand_over(ANNE, BOB)
    before = read_handed(town.log.handed())
    town.slot(charge_wh=100)
    town.hand_over(ANNE, BOB)
    after = read_handed(town.log.handed())
    town.slot()
    for state in (
        Handed(after.note, before.content),
        Handed(before.note, after.content),
        Handed(after.note, after.content[:-1]),
        Handed(sign_note(split_note(early)[0], NAME, ANNE.note.private), before.content),
    ):
        town.log.state = state.encode()
        with watching(town.path, town.log, PaperShelf(), CARL) as carl, pytest.raises(Corrupt):
            carl.look()
    for content in (b"", b"\xff", b"{}", b"\x92"):
        town.log.state = content
        with watching(town.path, town.log, PaperShelf(), CARL) as carl, pytest.raises(Corrupt, match="handed over as"):
            carl.look()
    assert town.log.handed_in == []


def test_who_has_cosigned_before_takes_over_only_what_goes_on_from_there(town: Town) -> None:
    with watching(town.path, town.log) as anne:
        first = anne.look()
    town.prune()
    town.slot()
    town.hand_over(BOB, CARL)
    town.slot()
    with watching(town.path, town.log) as anne:
        assert anne.look().size == town.point.size > first.size
        assert "handed over" in anne.began
    # Another history, as final as it may be.
    path = town.path / "other"
    path.mkdir()
    with SqliteLog(path / "log.sqlite", MasterKey(bytes(32))) as store:
        other = Town(Watched(store=store), store, DirectLog(store), path)
        for _ in range(6):
            other.slot(load_wh=700)
        other.prune()
        other.slot()
        other.hand_over(BOB, CARL)
        other.slot()
        with watching(town.path, other.log) as anne, pytest.raises(FraudProven):
            anne.look()


def test_who_is_following_jumps_over_no_leaf(town: Town) -> None:
    with watching(town.path, town.log) as anne:
        anne.look()
        town.slot()
        town.prune()
        town.slot()
        town.hand_over(BOB, CARL)
        town.slot()
        with pytest.raises(Refused, match="pruned"):
            anne.look()


def test_a_state_can_be_made_for_any_checkpoint_after_a_snapshot_and_for_none_before(town: Town) -> None:
    early = town.point
    assert state_at(town.store, NAME, early.size) is None
    size = town.prune()
    assert state_at(town.store, NAME, early.size) is None
    later = [Checkpoint.parse(split_note(town.slot())[0]) for _ in range(3)]
    for point in later:
        content = state_at(town.store, NAME, point.size)
        assert content is not None
        there = vouched(point, content, NAME, store_tile(town.store))
        assert (there.state.root(), len(there.tree)) == (point.state_root, point.size)
        assert point.size >= size
    with pytest.raises(Corrupt, match="is of road"):
        vouched(later[0], state_at(town.store, NAME, later[0].size) or b"", "road", store_tile(town.store))


@pytest.mark.row("M5")
def test_a_pruned_log_still_knows_its_witnesses_and_becomes_final(town: Town) -> None:
    town.prune()
    note = town.slot()
    with NoteFile(town.path / "notes.sqlite") as notes:
        publisher = Publisher(town.store, notes, trusted())
        assert publisher.witnesses == CARDS
        assert publisher.checkpoint() == note
        assert publisher.handed() is None, "nothing is final yet"
        assert publisher.standing().total_weight == 3


def test_a_log_that_was_pruned_while_it_was_served_goes_on_being_served(town: Town) -> None:
    with NoteFile(town.path / "notes.sqlite") as notes:
        publisher = Publisher(town.store, notes, trusted())
        town.community.pay_often(20)
        town.prune()
        assert publisher.checkpoint() is None
        note = town.slot()
        assert publisher.checkpoint() == note


def test_a_pruned_log_whose_snapshots_do_not_hold_says_that_it_does_not_know_its_witnesses(town: Town) -> None:
    town.prune()
    for size in (town.store.size - 1, town.store.size):
        town.store.save_snapshot(size, b"no snapshot")
    with NoteFile(town.path / "notes.sqlite") as notes, pytest.raises(Corrupt, match="cannot be read"):
        _ = Publisher(town.store, notes, trusted()).witnesses


def test_an_error_does_not_tell_where_a_log_rests(town: Town) -> None:
    place, size = str(town.path), town.prune()
    town.slot()
    with NoteFile(town.path / "notes.sqlite") as notes:
        publisher = Publisher(town.store, notes, trusted())
        with pytest.raises(Refused, match=f"pruned_to {size}") as refused:
            publisher.leaves(0, 5)
        assert place not in str(refused.value)
        with pytest.raises(Refused) as refused:
            publisher.entries("tile/entries/000.p/3")
        assert place not in str(refused.value)
        town.store._db.execute("UPDATE leaf SET sealed = x'00' WHERE position = ?", (size,))
        with pytest.raises(Corrupt, match=f"leaf {size} cannot be read") as corrupt:
            publisher.leaves(size, 5)
        assert place not in str(corrupt.value)
