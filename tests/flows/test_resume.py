from collections.abc import Iterator
from pathlib import Path

import pytest
from community import EXPORT, IMPORT, NAME, Community, Flow

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.flows.replay import check_hashes, replay, resume
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import Corrupt, Refused, Side
from commonwatt.simulator.world import salts

MASTER = MasterKey(bytes(32))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(tmp_path / "log.sqlite", MASTER) as opened:
        yield opened


def lived(store: SqliteLog) -> Community:
    """Return a community in whose state everything that can stand open does."""
    town = Community(store=store)
    town.live(anna=Flow(load_wh=100, solar_wh=2_000, charge_wh=1_500), ben=Flow(load_wh=900))
    town.order("anna", Side.ASK, 300, EXPORT + 1, slot_s=town.slot_s + 900)
    town.order("ben", Side.BID, 300, IMPORT - 1, slot_s=town.slot_s + 900)
    town.order("anna", Side.ASK, 200, 150_000)
    town.order("ben", Side.BID, 100, 120_000)
    town.state_that("anna", "battery of anna-battery >= 1 kWh at 18:00 on 1 June")
    town.live(silent=["ben"], anna=Flow(load_wh=100))
    return town


def test_a_state_comes_back_from_a_snapshot_with_the_same_root_and_the_same_bytes(log: SqliteLog) -> None:
    town = lived(log)
    content = snapshot.dump(town.state, town.now_s, bytes(32))
    again, last_s = snapshot.load(content)
    assert (again.root(), last_s) == (town.state.root(), town.now_s)
    assert snapshot.dump(again, last_s, bytes(32)) == content


def test_a_community_goes_on_from_a_snapshot_as_if_it_had_never_stopped(log: SqliteLog) -> None:
    town = lived(log)
    town.sequencer.save_snapshot()
    for _ in range(2):
        town.live(anna=Flow(load_wh=400, discharge_wh=300), ben=Flow(load_wh=50))
    town.order("ben", Side.BID, 50, 160_000)
    woken = Sequencer(log, NAME, salts("tiny"))
    assert woken.state.root() == town.state.root() == replay(log.rows(), NAME).state.root()
    assert woken.tree.root() == town.sequencer.tree.root()
    town.sequencer = woken
    town.live(anna=Flow(load_wh=400), ben=Flow(load_wh=50, solar_wh=400))
    assert replay(log.rows(), NAME).state.root() == woken.state.root()


def test_every_bit_of_a_snapshot_is_guarded(log: SqliteLog) -> None:
    town = lived(log)
    content = snapshot.dump(town.state, town.now_s, town.sequencer.tree.root())
    root, step = town.state.root(), max(1, len(content) // 400)
    for place in range(0, len(content), step):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        try:
            again, _ = snapshot.load(bytes(damaged))
        except Corrupt:
            continue
        # What the root does not cover: the log's root and time (compared with the tiles and the tail), and what was.
        assert again.root() == root
        assert again.accounts.rows().tobytes() == town.state.accounts.rows().tobytes()


def test_a_damaged_snapshot_is_passed_over_for_the_log_itself(log: SqliteLog) -> None:
    town = lived(log)
    town.sequencer.save_snapshot()
    town.live(anna=Flow(load_wh=1))
    log.save_snapshot(log.size, b"no snapshot at all")
    assert resume(log, NAME).state.root() == town.state.root()


def test_a_pruned_log_starts_from_its_snapshot_and_says_so_when_asked_for_more(log: SqliteLog) -> None:
    town = lived(log)
    town.sequencer.save_snapshot()
    size = log.size
    log.prune(size)
    town.live(anna=Flow(load_wh=7), ben=Flow(load_wh=8))
    assert resume(log, NAME).state.root() == town.state.root()
    with pytest.raises(Refused, match="pruned"):
        next(log.rows())


def test_a_flipped_hash_in_a_stored_tile_is_found_and_located(log: SqliteLog) -> None:
    lived(log)
    assert check_hashes(log) == log.size
    tile = bytearray(log.tile(0, 0))
    tile[5 * 32 + 3] ^= 4
    log.append([], {}, {(0, 0): bytes(tile)})
    with pytest.raises(Corrupt, match="leaf 5 "):
        check_hashes(log)
    with pytest.raises(Corrupt):
        resume(log, NAME)
