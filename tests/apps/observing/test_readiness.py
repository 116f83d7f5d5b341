"""An app is ready where all that it needs is there, and says what is lacking where it is not."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from lived import LivedStreet, open_community
from seats import ToldSeats

from commonwatt.adapters.door.server import Door
from commonwatt.apps.api.app import make_app
from commonwatt.apps.api.gate import Gate
from commonwatt.apps.community import Community
from commonwatt.apps.observing.readiness import Need, Readiness, disk_takes, door_answers
from commonwatt.model import Refused
from doorway import doorway


async def _nothing() -> None:
    """Lack nothing."""


async def _fails() -> None:
    raise OSError("secret-in-an-error")


async def _hangs() -> None:
    await asyncio.sleep(1_000)


def test_what_is_lacking_is_named_and_tried_anew_once_a_second_however_many_ask(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s, tried = [0.0], list[str]()
    what = {"disk": _fails}

    async def disk() -> None:
        tried.append("disk")
        await what["disk"]()

    async def story() -> list[list[str]]:
        readiness = Readiness({"log": _nothing, "disk": disk}, lambda: now_s[0])
        first, *others = await asyncio.gather(*(readiness.lacking() for _ in range(20)))
        assert others == [first] * 19
        seen = [first]
        now_s[0], what["disk"] = 0.9, _nothing
        seen.append(await readiness.lacking())
        now_s[0] = 1.0
        return [*seen, await readiness.lacking()]

    assert asyncio.run(story()) == [["disk"], ["disk"], []]
    assert len(tried) == 2
    assert [record.msg for record in caplog.records] == ["not ready: %s, found %s", "ready again: %s"]


def test_what_gives_no_answer_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonwatt.apps.observing.readiness.WITHIN_S", 0.01)
    assert asyncio.run(Readiness({"door": _hangs}, lambda: 0).lacking()) == ["door"]


def test_a_door_answers_what_is_no_request_and_its_log_stays_as_it_was(lived_copy: LivedStreet) -> None:
    async def story() -> int:
        async with open_community(lived_copy) as community:
            for _ in range(3):
                await door_answers(community.door)
            return community.size

    assert asyncio.run(story()) == lived_copy.size


@pytest.mark.parametrize("where", [None, ("127.0.0.1", 1)])
def test_a_door_that_is_closed_answers_nothing(where: tuple[str, int] | None) -> None:
    with pytest.raises(Refused):
        asyncio.run(door_answers(lambda: where))


def test_a_door_that_takes_nothing_any_more_does_not_count_as_open() -> None:
    async def story() -> None:
        writer = SimpleNamespace(state=SimpleNamespace(community="town"), tree=())
        door = Door(writer, None, lambda: 0, lambda: None)  # type: ignore[arg-type]
        server = await door.listen("127.0.0.1", 0)
        door._fail(OSError("the disk is full"))
        host, port = server.sockets[0].getsockname()[:2]
        try:
            await door_answers(lambda: (host, port))
        finally:
            server.close()

    with pytest.raises(Refused, match="takes nothing"):
        asyncio.run(story())


def test_a_disk_takes_a_file_and_keeps_none(tmp_path: Path) -> None:
    asyncio.run(disk_takes(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_into_which_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(disk_takes(tmp_path / "gone"))


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_bavail=10, f_frsize=4_096))
    with pytest.raises(Refused, match="room"):
        asyncio.run(disk_takes(tmp_path))


def test_people_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    gate = Gate(hall=doorway(tmp_path))
    asyncio.run(gate.answers())
    gate.hall.people.close()
    assert asyncio.run(Readiness({"people": gate.answers}, lambda: 0).lacking()) == ["people"]


def test_an_app_says_that_it_is_alive_and_what_it_lacks_and_no_reason(lived: LivedStreet) -> None:
    async def asked(community: Community, need: Need, broken: bool) -> tuple[int, str]:
        app = make_app(lambda: community, ToldSeats(), needs={"disk": need})
        app.state.community = community  # without its lifespan, which would follow and close it
        community.broken = RuntimeError("as if") if broken else None
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            assert (await client.get("/healthz")).text == "alive\n"
            answered = await client.get("/readyz")
        return answered.status_code, answered.text

    community = Community(lived.folder, lambda: lived.end_s, lambda: None)
    assert asyncio.run(asked(community, _nothing, False)) == (200, "ready\n")
    assert asyncio.run(asked(community, _fails, False)) == (503, "not ready: disk\n")
    assert asyncio.run(asked(community, _nothing, True)) == (503, "not ready: log\n")
    assert asyncio.run(asked(community, _fails, True)) == (503, "not ready: log, disk\n")
    community.close()
