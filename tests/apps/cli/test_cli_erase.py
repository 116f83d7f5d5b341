"""A member leaves: what they said is gone, and everybody else can still replay and prove."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest
from click.testing import Result
from community import NAME, Community, Flow, instruction, key
from test_keeping import cosign
from typer.testing import CliRunner
from watched import ANNE, BOB, folder_of

from commonwatt.adapters.stores import faults
from commonwatt.adapters.stores.answered import ANSWERED, Answer, Answered
from commonwatt.adapters.stores.issued import ISSUED
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.cli.main import app
from commonwatt.apps.faults import _key
from commonwatt.apps.wiring import MASTER_KEY, open_issued, open_log
from commonwatt.flows.issued import Issued
from commonwatt.flows.prove import trust_file
from commonwatt.flows.replay import community_of, resume, store_tile
from commonwatt.flows.rulebook import bodies, snapshot
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import NoteKey
from commonwatt.ledger import tiles
from commonwatt.ledger.checkpoint import sign_note, vkey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import verify_inclusion
from commonwatt.model import LEVELS_PERMILLE, AccountId, Corrupt, Kind, Outcome, Refused
from commonwatt.simulator.world import salts

NOTE = NoteKey.from_seed(b"tiny", "note")
FLOW = Flow(load_wh=200, solar_wh=300)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found(tmp_path_factory.mktemp("erase") / "town")


def found(folder: Path) -> Path:
    """Return a folder with a community that lived some slots, each under a signed checkpoint."""
    (folder / "keys").mkdir(parents=True)
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        town = Community(3, store=log)
        for _ in range(6):
            town.live(anna=FLOW, ben=FLOW, cleo=FLOW)
            sign(town)
    (folder / "community.pub").write_text(trust_file(key("operator").public, vkey(NAME, NOTE.public), NAME))
    save_secret(folder / "keys" / "anna.pem", b"a key")
    (folder / "summary.json").write_text("{}")
    return folder


@pytest.fixture
def folder(lived: Path, tmp_path: Path) -> Path:
    """The same, for one test to change."""
    return Path(shutil.copytree(lived, tmp_path / "town"))


def sign(town: Community) -> None:
    note = sign_note(town.sequencer.checkpoint(town.slot_s).note_text(), NAME, NOTE.private)
    assert town.ask("operator", Kind.CHECKPOINT, bodies.CheckpointBody(note=note)) is Outcome.BOOKED


def command(*words: object, answer: str = "") -> Result:
    """Run the command; an error of ours is raised, since only `main` puts it into words."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=answer)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def erase(folder: Path, who: str = "anna") -> dict[str, object]:
    found = json.loads(command("erase", folder, who, "--yes", "--json").output)
    assert isinstance(found, dict)
    return found


def replayed(folder: Path) -> dict[str, object]:
    found = json.loads(command("replay", folder, "--json").output)
    assert isinstance(found, dict)
    return found


def all_rows(folder: Path) -> list[LeafRow]:
    with open_log(folder) as log:
        return list(log.rows())


def spoil(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "log.sqlite") as db:
        db.execute(statement)
    db.close()


@pytest.mark.row("M5")
def test_an_erased_member_is_gone_and_all_others_replay_and_prove(folder: Path) -> None:
    rows, before = all_rows(folder), replayed(folder)
    with open_log(folder) as log:
        root = tiles.root(len(rows), store_tile(log))
    told = erase(folder)
    theirs = {row.position for row in rows if row.owner in ("anna", "gw-anna")}
    assert told["owners"] == ["anna", "gw-anna"], "the readings of their gateway are theirs too"
    assert (told["leaves"], told["replay_from"]) == (len(theirs), len(rows) - 1)
    assert len(theirs) == 10
    with open_log(folder) as log:
        for row in rows:
            if row.position in theirs:
                with pytest.raises(Corrupt, match="its owner's key was erased"):
                    next(log.rows(row.position))
            else:
                assert next(log.rows(row.position)) == row
                proof = tiles.inclusion_proof(row.position, len(rows), store_tile(log))
                assert verify_inclusion(row.data(), row.position, len(rows), proof, root)
    after = replayed(folder)
    assert (after["log_root"], after["state_root"]) == (before["log_root"], before["state_root"])
    assert (after["leaves"], after["from_leaf"], after["checkpoints"]) == (len(rows), len(rows) - 1, 1)
    said = command("replay", folder).output
    assert f"leaves before {len(rows) - 1} were erased or pruned: replayed from the snapshot there" in said


def test_nothing_of_an_erased_member_is_left_in_the_file(folder: Path) -> None:
    with sqlite3.connect(folder / "log.sqlite") as db:
        asked = "SELECT sealed FROM leaf JOIN party ON id = owner WHERE name IN ('anna', 'gw-anna')"
        gone = [sealed for (sealed,) in db.execute(asked)]
        gone += [wrapped for (wrapped,) in db.execute("SELECT wrapped FROM party WHERE name IN ('anna', 'gw-anna')")]
    db.close()
    assert any(gone[0][:40] in path.read_bytes() for path in folder.glob("log.sqlite*"))
    erase(folder)
    left = b"".join(path.read_bytes() for path in folder.glob("log.sqlite*"))
    assert [one for one in gone if one[:40] in left] == []


def test_a_second_member_may_leave_too_and_one_may_leave_twice(folder: Path) -> None:
    assert int(str(erase(folder, "anna")["leaves"])) > 0
    assert int(str(erase(folder, "ben")["leaves"])) > 0
    assert erase(folder, "anna")["leaves"] == 0
    assert command("replay", folder).exit_code == 0


def test_a_log_goes_on_after_an_erasure_and_the_member_may_leave_again(folder: Path) -> None:
    erase(folder)
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        town = reopened(log)
        for _ in range(3):
            town.live(anna=FLOW, ben=FLOW, cleo=FLOW)
            sign(town)
    size = len(all_from(folder, int(str(replayed(folder)["from_leaf"]))))
    assert size > 9
    assert int(str(erase(folder)["leaves"])) == 3
    assert replayed(folder)["checkpoints"] == 1


def test_it_says_plainly_what_is_gone_what_stays_and_what_is_out_of_reach(folder: Path) -> None:
    said = command("erase", folder, "anna", "--yes").output
    for words in (
        "requests and readings of anna, gw-anna",
        "stays         every leaf's hash",
        "keys/anna.pem",
        "summary.json",
        "out of reach  copies that witnesses",
        "every replay starts at the snapshot after",
    ):
        assert words in said


def test_it_says_what_the_snapshot_keeps_of_a_member_and_until_when(folder: Path) -> None:
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        town = reopened(log)
        assert town.state_that("anna", "charge of anna-battery >= 80% at 07:30") is Outcome.BOOKED
        assert town.schedule("anna-battery", instruction(2_000, town.now_s, town.now_s + 900)) is Outcome.BOOKED
        town.live(anna=FLOW)
        sign(town)
        content = snapshot.dump(town.state, town.now_s, town.sequencer.tree.root())
    kept = " / ".join(map(str, cast("list[str]", erase(folder)["stays"])))
    for words, told in (
        ("statements (1) in their own words, until 96 slots after they end", b"anna-battery >= 80%"),
        ("the last schedules of assets (1), until others take their place", b"anna-battery"),
        ("payments (1), each with its reference and amount, for ever", b"first anna"),
        ("readings of their meters, until 96 slots after those were settled", b"anna-home"),
    ):
        assert words in kept
        assert told in content
    assert "statements" not in " / ".join(map(str, cast("list[str]", erase(folder, "ben")["stays"])))


def test_it_says_which_older_snapshot_still_stands_beside_the_covering_one(folder: Path) -> None:
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        town = reopened(log)
        town.sequencer.save_snapshot()
        before = log.size
        town.live(anna=FLOW)
        sign(town)
    told = erase(folder)
    assert int(str(told["replay_from"])) > before
    with open_log(folder) as log:
        older = [size for size, _ in log.snapshots() if size < int(str(told["replay_from"]))]
    stays = " / ".join(map(str, cast("list[str]", told["stays"])))
    assert all(f"an older snapshot, of {size} leaves, which goes when the next is kept" in stays for size in older)
    assert ("an older snapshot" in stays) == bool(older)


@pytest.mark.row("M5")
def test_where_there_are_witnesses_nothing_is_erased_before_it_is_final(tmp_path: Path) -> None:
    town = folder_of(tmp_path / "town")
    for _ in range(3):
        town.slot()
    cast("SqliteLog", town.store).close()
    for who in ((), (ANNE,)):
        cosign(tmp_path / "town", *who)
        with pytest.raises(Refused, match="two thirds of the witnesses' weight cosign first what is erased"):
            erase(tmp_path / "town")
    cosign(tmp_path / "town", BOB)
    assert int(str(erase(tmp_path / "town")["leaves"])) > 0
    assert command("replay", tmp_path / "town").exit_code == 0


@pytest.mark.parametrize("answer", ["n\n", "", "perhaps\n"])
def test_it_asks_first_and_without_a_yes_changes_nothing(folder: Path, answer: str) -> None:
    said = command("erase", folder, "anna", answer=answer)
    assert (said.exit_code, "ever again. Go on?" in said.output) == (1, True)
    with open_log(folder) as log:
        assert (log.whole_from, list(log.snapshots())) == (0, [])


def test_a_yes_is_enough_and_json_does_not_ask(folder: Path) -> None:
    assert command("erase", folder, "anna", "--json").exit_code == 2
    assert command("erase", folder, "anna", answer="y\n").exit_code == 0


@pytest.mark.parametrize(
    ("who", "says"), [("ana", "did_you_mean anna"), ("operator", "no such member"), ("grid", "no such member")]
)
def test_nobody_else_is_erased(folder: Path, who: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        erase(folder, who)
    assert replayed(folder)["from_leaf"] == 0


def test_a_log_that_is_open_elsewhere_is_left_alone(folder: Path) -> None:
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        with pytest.raises(Refused, match="nobody else has the log open"):
            erase(folder)
        log.append([], {"still": "writing"})
    with open_log(folder), pytest.raises(Refused, match="nobody else has the log open"):
        erase(folder)
    erase(folder)


def test_a_folder_without_log_or_key_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no log in this folder"):
        erase(tmp_path)
    (folder / MASTER_KEY).unlink()
    with pytest.raises(Refused, match="opened with its master key"):
        erase(folder)


def test_what_no_signed_checkpoint_covers_is_not_erased(folder: Path) -> None:
    rows = all_rows(folder)
    last = max(row.position for row in rows if row.owner == "gw-anna")
    end = next(row.position for row in rows[last:] if row.closes) + 1
    for table in ("leaf", "personal"):
        spoil(folder, f"DELETE FROM {table} WHERE position >= {end}")
    spoil(folder, "DELETE FROM tile")
    with pytest.raises(Refused, match="a signed checkpoint covers what is erased"):
        erase(folder)
    with open_log(folder) as log:
        assert log.whole_from == 0


def test_a_log_that_does_not_hold_is_not_erased_from(folder: Path) -> None:
    spoil(folder, "UPDATE leaf SET outcome = 'NOT_BACKED' WHERE position = 30")
    with pytest.raises(Corrupt, match="position 30 was answered NOT_BACKED"):
        erase(folder)
    with open_log(folder) as log:
        assert log.whole_from == 0


def test_a_changed_hash_of_an_erased_leaf_is_found_by_replay(folder: Path) -> None:
    erase(folder)
    with open_log(folder) as log:
        hashes = bytearray(log.tile(0, 0))
    hashes[13 * 32] ^= 1  # anna's first leaf
    spoil(folder, f"UPDATE tile SET hashes = x'{hashes.hex()}' WHERE level = 0 AND place = 0")
    said = command("replay", folder)
    assert (said.exit_code, "cannot be replayed" in said.output) == (1, True)


def test_a_snapshot_that_no_checkpoint_vouches_for_is_not_believed(folder: Path) -> None:
    erase(folder)
    end = int(str(replayed(folder)["from_leaf"]))
    spoil(folder, f"DELETE FROM leaf WHERE position >= {end}")
    said = command("replay", folder)
    assert (said.exit_code, "cannot be replayed" in said.output) == (1, True)


def all_from(folder: Path, position: int) -> list[LeafRow]:
    with open_log(folder) as log:
        return list(log.rows(position))


def reopened(log: SqliteLog) -> Community:
    """Return the community of a log, taken up again where it was."""
    town = Community.__new__(Community)
    town.store, town.members = log, ("anna", "ben", "cleo")
    town.levels_wh = dict.fromkeys(town.members, 0)
    town.sequencer = Sequencer(log, NAME, salts("tiny"))
    town.now_s = town.state.settled_to_s
    return town


def _beside(folder: Path) -> None:
    """Leave beside the log what anna was asked, what ailed her battery, and what was forecast of her and of ben."""
    (folder / faults.FAULTS).write_bytes(msgspec.json.encode({}))
    answered = Answered(folder)
    for who in ("anna", "ben"):
        answered.keep(AccountId(who), "a visit", Answer(accepted=True, at_s=1))
    whole = np.zeros((len(LEVELS_PERMILLE), 96), np.int64)
    open_issued(folder).keep(
        [
            Issued(of="load", series=who, owner=who, issued_s=0, homes="", model="trees", used=True,
                   slots_s=np.arange(96), quantiles=whole, baselines=whole[:2])
            for who in ("anna", "ben")
        ]
    )  # fmt: skip


def test_what_lies_beside_the_log_goes_with_a_member_and_nobody_else_s_does(folder: Path) -> None:
    _beside(folder)
    with open_log(folder) as log:
        state = resume(log, community_of(log)).state
    named_faults = {_key(asset, "capacity"): faults.Fault(id=asset, since_s=1) for asset in state.assets}
    faults.keep(folder, named_faults)
    erase(folder)
    answered = Answered(folder)
    assert answered.of(AccountId("anna"), "a visit") is None and answered.of(AccountId("ben"), "a visit") is not None
    assert [one.owner for one in open_issued(folder).between(0)] == ["ben"]
    left = {fault.id for fault in faults.read(folder).values()}
    assert left == {name for name, asset in state.assets.items() if asset.owner != "anna"}


@pytest.mark.parametrize("damaged", [faults.FAULTS, ANSWERED, ISSUED])
def test_what_is_damaged_beside_the_log_is_said_before_the_log_loses_anything(folder: Path, damaged: str) -> None:
    _beside(folder)
    whole = (folder / damaged).read_bytes()
    for journal in folder.glob(f"{damaged}-*"):
        journal.unlink()
    (folder / damaged).write_bytes(b"{half" * 100)
    told = CliRunner().invoke(app, ["erase", str(folder), "anna", "--yes"])
    assert told.exit_code != 0 and damaged in f"{told.output}{told.exception}"
    (folder / damaged).write_bytes(whole)
    assert int(str(erase(folder)["leaves"])) > 0, "nothing of it was gone before"
