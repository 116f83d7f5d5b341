"""A community is founded in a folder of its own, whole or not at all, and lives on from there."""

import asyncio
from pathlib import Path

import pytest

from commonwatt.adapters.door.server import Door
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps import founding, joining
from commonwatt.apps.accepting import Office, desk_keys
from commonwatt.apps.asking import state_of
from commonwatt.apps.deeds import replay_folder
from commonwatt.apps.founding import Terms, found
from commonwatt.apps.publishing import TRUST
from commonwatt.apps.wiring import MASTER_KEY, open_key
from commonwatt.flows.evidence import read_trust
from commonwatt.flows.replay import community_of
from commonwatt.flows.sequence import Sequencer
from commonwatt.model import InvalidValue, Refused

NOW_S = 1_790_000_000
HILL = Terms(name="hill", timezone="Europe/Vienna", b_max_wh=4_000)


def test_keys_are_at_random_and_nobody_elses_and_the_charter_is_as_told(tmp_path: Path) -> None:
    first, second = (found(tmp_path / name, HILL, NOW_S) for name in ("hill", "other"))
    assert first.operator != second.operator
    state = state_of(tmp_path / "hill")
    assert (state.community, state.charter.timezone, state.charter.b_max_wh) == ("hill", "Europe/Vienna", 4_000)
    assert state.operator == open_key(tmp_path / "hill", "operator").id
    trust = read_trust((tmp_path / "hill" / TRUST).read_bytes())
    assert (trust.community, trust.operator, trust.rehearsal) == ("hill", first.operator, False)
    for path in (tmp_path / "hill").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_members_join_through_its_open_door_and_its_log_runs_again(tmp_path: Path) -> None:
    folder = tmp_path / "hill"
    found(folder, HILL, NOW_S)

    async def open_and_join() -> joining.Joined:
        with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
            sequencer = Sequencer(log, community_of(log), lambda position: position.to_bytes(32))
            operator, note = desk_keys(folder)
            office = Office(sequencer, operator, note, lambda: NOW_S + 5)
            office.look()
            door = Door(sequencer, operator, lambda: NOW_S + 5, office.look)
            server = await door.listen("127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            try:
                return await asyncio.to_thread(joining.join, folder, "member-01", "member", None, "127.0.0.1", port)
            finally:
                server.close()
                await door.drain("the test is over")
                sequencer.close()

    joined = asyncio.run(open_and_join())
    assert joined.account in state_of(folder).members()
    roots = replay_folder(folder)
    assert (roots.leaves, roots.checkpoints) == (7, 1)


@pytest.mark.parametrize("name", ["", "../hill", "a hill", "x" * 65, ".hidden"])
def test_a_name_that_is_none_makes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="community's name"):
        found(tmp_path / "hill", Terms(name=name, timezone="UTC"), NOW_S)
    assert list(tmp_path.iterdir()) == []


def test_a_zone_that_is_none_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        found(tmp_path / "hill", Terms(name="hill", timezone="Mars/Olympus"), NOW_S)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone_and_nothing_half_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name in ("work", "file"):
        with pytest.raises(Refused, match="nothing in it"):
            found(tmp_path / name, HILL, NOW_S)
    monkeypatch.setattr(founding, "trust_file", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        found(tmp_path / "hill", HILL, NOW_S)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "work"]
