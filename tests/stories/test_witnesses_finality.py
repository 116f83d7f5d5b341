"""A served log and three witnesses, real programs that meet on loopback: finality, kills, restarts, pruned logs."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from community import Flow
from paper_street import live, stage
from watched import trust
from witness_scene import NAMES, Scene, commonwatt, founded, serving, started, status

from commonwatt.adapters.witness.memory import MemoryFile
from commonwatt.apps.scenes import watched
from commonwatt.apps.witnessing import open_keys
from commonwatt.flows.prove import default_case, final_note, make_evidence, trust_file
from commonwatt.flows.replay import replay
from commonwatt.flows.verify import Report, verify_evidence
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.ledger.checkpoint import Checkpoint, split_note, vkey
from commonwatt.ledger.cosign import cosignature_line, weight
from commonwatt.model import InvalidValue, Refused


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return founded(tmp_path)


@pytest.mark.row("E14")
@pytest.mark.row("M5")
def test_a_checkpoint_becomes_final_when_two_of_three_have_run_the_log_and_not_before(scene: Scene) -> None:
    with started("serve", scene.folder, "--port", "0") as (_, url):
        one = scene.look(NAMES[0], url, "--json")
        assert one.returncode == 0, one.stderr
        size = json.loads(one.stdout)["size"]
        assert (status(url)["final_size"], status(url)["size"]) == (None, size)
        scene.looked(NAMES[1], url)
        assert status(url)["final_size"] == size
        scene.community.slot(charge_wh=500)  # the log grows while it is served
        assert status(url)["size"] > status(url)["final_size"] == size
        assert all(scene.looked(name, url, trust=scene.folder / "community.pub") for name in NAMES)
        note = httpx.get(f"{url}/checkpoint").text
        found = weight(note, {one.note: one.weight for one in scene.cards})
        assert (found.cosigned, found.is_final) == (3, True)
    with serving(scene.folder) as url:
        assert httpx.get(f"{url}/checkpoint").text == note, "cosignatures outlive the server"
    for path in (*scene.path.glob("*/keys/*"), *scene.path.glob("*/*.sqlite"), *scene.path.glob("*/witness.json")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_street_is_founded_with_its_witnesses_and_evidence_says_how_final_it_is(tmp_path: Path) -> None:
    keys = [open_keys(tmp_path / name, name) for name in NAMES]
    told = watched(stage(homes=2, starts="12:00"), [tmp_path / name / "witness.json" for name in NAMES])
    day = live(told, 3).day
    rows = list(day.sequencer._store.rows())
    note, size = final_note(rows)
    then = replay(rows[:size], "street", keep=True)
    assert [one.note for one in then.state.charter.witnesses] == [one.word for one in keys]
    pub = trust_file(
        day.cast.operator.public, vkey("street", day.cast.note.public), "street", witnesses=told.street.witness
    )
    account, slot_s = default_case(then.state)
    text = split_note(note)[0]
    lines = [cosignature_line(text, one.name, one.note.private, 1_800_000_000) for one in keys]

    def shown(*signed: str) -> Report:
        cosigned = note + "".join(signed)
        return verify_evidence(make_evidence(then.state, then.whole_tree(), rows, cosigned, account, slot_s), pub)

    def about_note(report: Report) -> str:
        assert report.ok, report.lines[-1]
        return next(line.detail for line in report.lines if line.name == "checkpoint")

    assert "not final: 0 of 3" in about_note(shown())
    assert "not final: 1 of 3" in about_note(shown(lines[0]))
    assert "; final: 2 of 3" in about_note(shown(lines[2], lines[0]))
    assert "; final: 3 of 3" in about_note(shown(*lines))
    stranger = cosignature_line(text, "dora.example", keys[0].note.private, 1_800_000_000)
    for bad in ((lines[0], lines[0]), (*lines, stranger), (lines[0].replace("anne", "bob"),)):
        report = shown(*bad)
        assert (report.ok, report.lines[-1].name) == (False, "checkpoint")
    fewer = trust_file(
        day.cast.operator.public, vkey("street", day.cast.note.public), "street", witnesses=told.street.witness[:2]
    )
    evidence = make_evidence(then.state, then.whole_tree(), rows, note, account, slot_s)
    assert "witnesses are those who are trusted" in verify_evidence(evidence, fewer).lines[-1].detail


def test_a_card_that_is_none_founds_nothing(tmp_path: Path) -> None:
    (tmp_path / "card").write_text("{}")
    with pytest.raises(InvalidValue, match="no witness's card"):
        watched(stage(homes=1), [tmp_path / "card"])
    open_keys(tmp_path / "anne")
    with pytest.raises(InvalidValue, match="of its own"):
        watched(stage(homes=1), [tmp_path / "anne" / "witness.json"] * 2)


KILLED = """
import os, signal, sys
from pathlib import Path
from commonwatt.adapters.witness import client
from commonwatt.apps.witnessing import watch
client.RemoteLog.hand_in = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
list(watch(sys.argv[1], Path(sys.argv[2]), once=True))
"""


def test_a_witness_killed_between_remembering_and_handing_in_says_the_same_again(scene: Scene) -> None:
    folder = scene.of(NAMES[0])
    with serving(scene.folder) as url:
        killed = subprocess.run([sys.executable, "-c", KILLED, url, folder], timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL
        with MemoryFile(folder / "memory.sqlite") as memory:
            promised = memory.last()
        assert promised is not None
        assert status(url)["witnesses"][0]["last_size"] is None
        scene.looked(NAMES[0], url)
        assert promised.line in httpx.get(f"{url}/checkpoint").text
        with MemoryFile(folder / "memory.sqlite") as memory:
            assert memory.last() == promised


def pruned(scene: Scene) -> int:
    """Close a slot over a snapshot, let all that came before it go, and return how many leaves those were."""
    slot_s = scene.community.live(anna=Flow(load_wh=50))
    scene.community.sequencer.save_snapshot()
    size = scene.community.store.size
    scene.community.close(slot_s)
    return size


@pytest.mark.row("E14")
def test_a_witness_started_again_goes_on_from_the_state_that_it_kept(scene: Scene) -> None:
    with serving(scene.folder) as url:
        (first,) = scene.looked(NAMES[0], url)
        assert first.began == "all of it run again"
        scene.community.slot()
        again = scene.look(NAMES[0], url, "--json")
        told = json.loads(again.stdout)
        assert told["size"] > (first.size or 0)
        assert told["began"] == f"run from leaf {first.size} on, which this witness had reached itself"
        assert "which this witness had reached itself" in scene.look(NAMES[0], url).stdout
    state = scene.of(NAMES[0]) / "state.snapshot"
    assert state.stat().st_mode & 0o077 == 0
    state.write_bytes(b"\0" * 9)
    with serving(scene.folder) as url:
        scene.community.slot()
        assert scene.looked(NAMES[0], url)[0].began == "all of it run again"


@pytest.mark.row("E14")
@pytest.mark.row("M5")
def test_a_witness_that_never_followed_begins_a_pruned_log_at_a_state_that_is_final_and_says_so(scene: Scene) -> None:
    with serving(scene.folder) as url:
        size = pruned(scene)
        (anne,) = scene.looked(NAMES[0], url)
        assert anne.size == size
        scene.community.store.prune(size)  # type: ignore[attr-defined]
        with pytest.raises(Refused, match="leaves were pruned") as refused:
            scene.looked(NAMES[2], url)
        assert str(scene.path) not in str(refused.value), "where a log rests is nobody's concern"
        assert status(url)["final_size"] is None
        scene.community.slot()
    # One more stands behind the checkpoint over the snapshot: it had run what is gone.
    with serving(scene.folder) as url:
        bob = open_keys(scene.of(NAMES[1]))
        note = httpx.get(f"{url}/checkpoint?size={size}").text
        point = Checkpoint.parse(split_note(note)[0])
        line = cosignature_line(split_note(note)[0], bob.name, bob.note.private, int(time.time()))
        typed = sign_checkpoint(
            bob.signing,
            origin=point.origin,
            epoch=point.slot_s // 900,
            size=point.size,
            log_root=point.log_root,
            state_root=point.state_root,
        )
        posted = {"size": size, "line": line, "typed": typed}
        assert httpx.post(f"{url}/cosignature", json=posted).json()["final"]
        carl = scene.look(NAMES[2], url)
        assert carl.returncode == 0, carl.stderr
        words = f"run from leaf {size} on; the state there was handed over, 2 of 3 of the witnesses' weight cosigned it"
        assert words in carl.stdout
        assert status(url)["witnesses"][2]["last_size"] > size
        scene.looked(NAMES[0], url)
        assert status(url)["final_size"] == status(url)["size"], "a pruned log becomes final as any other"
        scene.community.slot()
        assert "had reached itself" in (scene.looked(NAMES[2], url)[0].began or "")


def test_a_witness_keeps_its_name_its_keys_and_its_log(scene: Scene) -> None:
    folder = scene.of(NAMES[0])
    assert open_keys(folder).word in commonwatt("witness", "--folder", folder).stdout
    with pytest.raises(Refused, match="keeps its name"):
        open_keys(folder, "other")
    with serving(scene.folder) as url:
        scene.looked(NAMES[0], url)
        elsewhere = scene.path / "elsewhere.pub"
        elsewhere.write_text(trust(scene.cards).replace('"tiny"', '"road"'))
        with pytest.raises(Refused, match="is for one log"):
            scene.looked(NAMES[0], url, trust=elsewhere)
