"""An auditor holds a community's folder, or one piece of evidence, against its chain from the command line."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from chained import chained, checkpoint, until
from lived import LivedStreet, lived_again
from typer.testing import CliRunner, Result

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.apps.chain_ground import serve_rpc
from commonwatt.apps.cli.main import app
from commonwatt.apps.wiring import open_log
from commonwatt.flows.intake import read_head
from commonwatt.flows.prove import make_evidence
from commonwatt.flows.publish import checkpoint_note
from commonwatt.flows.sequence import replay
from commonwatt.ledger.checkpoint import read_note
from commonwatt.model import Memo, Refused

pytestmark = pytest.mark.row("E14")


@pytest.fixture(scope="module")
def hill(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A street that lived some hours, whose last checkpoints its operator took to an embedded chain."""
    again = lived_again(lived, tmp_path_factory)

    async def do() -> None:
        async with chained(again) as (community, keeper):
            await until(keeper, lambda facts: bool(facts.anchored) and community.state.has_chain)
            for _ in range(2):
                size = await checkpoint(community)
                await until(keeper, lambda facts, size=size: facts.final_size == size)
            await asyncio.sleep(1.5)

    asyncio.run(do())
    return again.folder


def verify(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, words)])


def audited(folder: Path, *words: str | Path, code: int = 0) -> dict[str, Any]:
    done = verify(folder, "--trust", folder / "community.pub", "--json", *words)
    assert done.exit_code == code, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def failing(report: dict[str, Any]) -> dict[str, str]:
    return {line["name"]: line["detail"] for line in report["lines"] if not line["ok"]}


def test_a_folder_s_log_and_its_embedded_chain_agree(hill: Path) -> None:
    found = audited(hill, "--chain", hill)
    assert found["ok"] and failing(found) == {}
    names = [line["name"] for line in found["lines"]]
    assert names == [
        "contracts", "signatures", "roots", "final", "anchors", "deposits", "withdrawals", "vault", "not shown",
    ]  # fmt: skip
    shown = verify(hill, "--trust", hill / "community.pub", "--chain", hill)
    assert shown.exit_code == 0 and "all of it holds" in shown.stdout and "holds  roots: 3 of 3" in shown.stdout


def test_a_node_by_url_is_asked_as_well_and_one_checkpoint_s_evidence(hill: Path, tmp_path: Path) -> None:
    with ExitStack() as doors:
        url = serve_rpc(doors.enter_context(EmbeddedChain(hill / "chain")), 0, doors)
        assert audited(hill, "--chain", url)["ok"]
    assert verify(hill, "--trust", hill / "community.pub").exit_code == 2
    trust = hill / "community.pub"
    assert verify(trust, "--trust", trust, "--chain", hill, "--resume", tmp_path / "x").exit_code == 2


def test_evidence_is_held_against_the_chain_where_its_checkpoint_stands(hill: Path, tmp_path: Path) -> None:
    with open_log(hill) as log:
        rows = [*log.rows()]
    notes = [note for row in rows if (note := checkpoint_note(row)) is not None]
    for note, name in ((notes[-1], "last"), (notes[-4], "early")):
        size = read_note(note).size
        then = replay(rows[:size], str(read_head(rows[0].body).community), keep=True)
        first_s = next(
            entry.slot_s
            for entry in then.state.journal.kept
            if "member-03" in (entry.source, entry.target) and entry.memo in (Memo.GRID_IMPORT, Memo.SHARED_IMPORT)
        )
        bundle = make_evidence(then.state, then.whole_tree(), rows, note, "member-03", first_s)
        (tmp_path / name).write_bytes(bundle)
    trust = hill / "community.pub"
    stands = verify(tmp_path / "last", "--trust", trust, "--chain", hill)
    assert stands.exit_code == 0 and "holds  anchored: checkpoint" in stands.stdout, stands.output
    never = verify(tmp_path / "early", "--trust", trust, "--chain", hill)
    assert never.exit_code == 1 and "FAILS  anchored: no such checkpoint" in never.stdout


def test_an_audit_keeps_how_far_it_came_and_goes_on_from_there(hill: Path, tmp_path: Path) -> None:
    kept = tmp_path / "reached"
    first = audited(hill, "--chain", hill, "--resume", kept)
    assert kept.stat().st_mode & 0o077 == 0
    again = audited(hill, "--chain", hill, "--resume", kept)
    assert first["ok"] and again["ok"]
    kept.write_bytes(kept.read_bytes()[:40])
    broken = verify(hill, "--trust", hill / "community.pub", "--chain", hill, "--resume", kept)
    assert broken.exit_code == 1 and "does not tell how far" in str(broken.exception)


@pytest.mark.parametrize(
    ("bend", "name", "says"),
    [
        (lambda told: told.update(origin="another"), "", ""),
        (lambda told: told["contracts"].update(Vault=told["contracts"]["Tsl"]), "contracts", "another contract than"),
    ],
)
def test_contracts_that_are_not_the_published_ones_are_told(
    hill: Path, tmp_path: Path, bend: Callable[[dict[str, Any]], None], name: str, says: str
) -> None:
    folder = tmp_path / "hill"
    shutil.copytree(hill, folder)
    path = folder / "chain" / "deployment.json"
    told = json.loads(path.read_bytes())
    bend(told)
    path.write_text(json.dumps(told))
    found = audited(folder, "--chain", folder, code=1 if name else 0)
    assert (says in failing(found)[name]) if name else found["ok"], "its own word for the origin is not believed"


def test_a_log_in_which_one_leaf_was_changed_is_not_believed(hill: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hill"
    shutil.copytree(hill, folder)
    with closing(sqlite3.connect(folder / "log.sqlite")) as db, db:
        db.execute(
            "UPDATE leaf SET sealed = cast(substr(sealed, 1, length(sealed) - 1) || x'07' AS BLOB) WHERE position = 40"
        )
    found = audited(folder, "--chain", folder, code=1)
    assert "roots" in failing(found)


def test_a_folder_without_a_chain_is_refused(lived: LivedStreet) -> None:
    done = verify(lived.folder, "--trust", lived.folder / "community.pub", "--chain", lived.folder)
    assert isinstance(done.exception, Refused) and "remembers where its contracts are" in str(done.exception)
