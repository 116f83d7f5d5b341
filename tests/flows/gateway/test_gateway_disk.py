"""Whatever a disk does to a gateway's memory, devices are kept, somebody is told, and nothing answered is lost."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from community import NAME, key
from test_gateway_days import BATTERY, NUMBER, Home, letter

from commonwatt.adapters.stores.outbox import OutboxFile, open_outbox
from commonwatt.flows.gateway.letters import Answers
from commonwatt.flows.intake import read_request
from commonwatt.model import SLOT_SECONDS, Outcome, Refused

pytestmark = pytest.mark.row("H1")
PAGE = 4_096


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def damage(path: Path, *, beyond: int = 2) -> None:
    """Spoil every page behind the first ones, as a dying card does."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    assert len(content) > (beyond + 3) * PAGE, "there is something to spoil"
    for at in range(beyond * PAGE, len(content), PAGE):
        content[at : at + 200] = b"\xa5" * 200
    path.write_bytes(content)


def filled(home: Home, slots: int = 40) -> Home:
    """Let a day begin in which some of what was signed was answered and some was not."""
    home.to_slot_end()
    for half in range(2):
        for _ in range(slots):
            home.clock.go(SLOT_SECONDS)
            home.turn(SLOT_SECONDS)
            asyncio.run(home.gateway.close_slot(int(home.clock.s) - SLOT_SECONDS))
        if half == 0:
            home.send()
    home.line.cut = True
    return home


def seqs(home: Home) -> list[int]:
    return [row.seq for row in home.town.rows() if row.author == key(NUMBER).id]


READS: list[Callable[[OutboxFile], object]] = [
    OutboxFile.memory,
    lambda outbox: outbox.waiting(10),
    OutboxFile.aside,
    len,
    OutboxFile.check,
    lambda outbox: outbox.keep(b"{}", [b"wire"]),
    lambda outbox: outbox.done([1]),
    lambda outbox: outbox.renew(b"{}", [(1, b"wire")]),
    lambda outbox: outbox.put_aside([(1, "why")]),
]


@pytest.mark.parametrize("asked", READS)
def test_whatever_a_broken_disk_refuses_is_an_error_of_the_disk(
    tmp_path: Path, asked: Callable[[OutboxFile], object]
) -> None:
    outbox = OutboxFile(tmp_path / "outbox.sqlite")
    outbox.close()
    with pytest.raises(OSError, match="a gateway's memory cannot be"):
        asked(outbox)


def test_a_card_that_dies_while_it_runs_stops_no_device_and_is_said(home: Home) -> None:
    filled(home)
    with closing(sqlite3.connect(home.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    home.outbox.close()
    home.start()
    damage(home.path)
    home.line.cut = False
    stop, waits = asyncio.Event(), 0

    async def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        home.clock.go(1)
        home.turn(1)
        if waits > 60:
            stop.set()
        await asyncio.sleep(0)

    home.runner._sleep = sleep
    home.runner.hear(letter(home, number=1, lo_w=2_000))
    held = list[int]()
    home.runner._show = lambda: held.append(home.plants[BATTERY].power_w)
    asyncio.run(home.runner.run(stop))  # it ends when it is told to, and not before
    assert 2_000 in held
    assert any("memory cannot be read" in word for word in home.alarms)


def test_after_that_it_starts_with_what_can_still_be_read_and_what_was_answered_stays(home: Home) -> None:
    filled(home)
    answered = len(seqs(home))
    home.outbox.close()
    damage(home.path, beyond=5)
    words = list[str]()
    home.line.cut = False
    outbox = open_outbox(home.path, words.append)
    outbox.close()
    assert "it lies in outbox.sqlite.damaged-1 now" in words[0]
    assert home.path.with_name("outbox.sqlite.damaged-1").exists()
    home.start()
    home.ask_time()
    for _ in range(3):
        home.to_slot_end()
        home.send()
    assert seqs(home) == list(range(1, len(seqs(home)) + 1)), "no number is used twice, and none is left out"
    assert len(seqs(home)) >= answered + 2
    assert home.waiting() == 0


def test_a_memory_that_cannot_be_read_at_all_costs_numbers_and_nothing_that_was_answered(home: Home) -> None:
    filled(home, slots=3)
    before = [(row.seq, row.body) for row in home.town.rows() if row.author == key(NUMBER).id]
    home.outbox.close()
    for end in ("", "-wal", "-shm"):
        home.path.with_name(home.path.name + end).unlink(missing_ok=True)
    home.path.write_bytes(b"this is no database" * 1_000)
    words = list[str]()
    open_outbox(home.path, words.append).close()
    assert "not its memory and 0 requests" in words[0]
    home.line.cut = False
    home.start()
    home.ask_time()
    for _ in range(3):
        home.to_slot_end()
        home.send()
    after = [(row.seq, row.body) for row in home.town.rows() if row.author == key(NUMBER).id]
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert home.waiting() == 0


def test_a_lock_that_somebody_else_holds_delays_no_device(home: Home) -> None:
    home.to_slot_end()
    with closing(sqlite3.connect(home.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        home.runner.hear(letter(home, number=1, lo_w=2_000))
        began_s = time.monotonic()
        home.go(2)
        assert time.monotonic() - began_s < 4
        assert home.plants[BATTERY].power_w == 2_000
        assert any("the disk refuses" in word and "locked" in word for word in home.alarms)
        assert home.waiting() == 0
        other.execute("ROLLBACK")
    home.go(2)
    assert home.waiting() == 1, "the answer was signed once it could be kept"


def test_a_whole_outbox_is_opened_as_it_is(tmp_path: Path) -> None:
    path, words = tmp_path / "outbox.sqlite", list[str]()
    with open_outbox(path, words.append) as outbox:
        outbox.keep(b'{"seq":1}', [b"wire"])
    with open_outbox(path, words.append) as outbox:
        assert (outbox.memory(), [wire for _, wire in outbox.waiting(9)]) == (b'{"seq":1}', [b"wire"])
    assert words == []


def test_a_memory_that_is_no_json_is_laid_aside_and_what_waits_goes_on(tmp_path: Path) -> None:
    path, words = tmp_path / "outbox.sqlite", list[str]()
    with OutboxFile(path) as outbox:
        outbox.keep(b'{"seq":\xff', [b"one", b"two"])
    with open_outbox(path, words.append) as outbox:
        assert (outbox.memory(), [wire for _, wire in outbox.waiting(9)]) == (b"{}", [b"one", b"two"])
    assert len(words) == 1


def test_a_request_whose_bytes_changed_on_the_disk_keeps_no_other_from_being_signed_again(home: Home) -> None:
    for _ in range(4):
        home.to_slot_end()
    places = home.outbox.waiting(9)
    home.outbox.renew(home.outbox.memory() or b"", [(places[1][0], b"\x00" + places[1][1])])
    assert home.gateway.renumber(7) == len(places) - 1
    assert [read_request(wire).seq for _, wire in home.outbox.waiting(9)] == [7, 8]
    assert len(home.outbox.aside()) == 1


def test_a_number_that_another_request_had_is_not_taken_for_an_answer_where_the_memory_is_lost(home: Home) -> None:
    for _ in range(3):
        home.to_slot_end()
    places = [place for place, _ in home.outbox.waiting(9)]
    told = Answers(
        community=NAME, gateway=NUMBER, burst="0" * 64, told_s=int(home.clock.true),
        outcomes=[Outcome.SEEN_BEFORE] * len(places), next_seq=50,
    )  # fmt: skip
    assert home.post._settle(places, told) == 0
    assert [read_request(wire).seq for _, wire in home.outbox.waiting(9)] == [50, 51]


def test_a_token_that_fails_stops_no_device_and_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.to_slot_end()

    def fail(message: bytes) -> str:
        raise Refused("a token signs", token="gone", found="DeviceRemoved")

    with monkeypatch.context() as broken:
        broken.setattr(
            home.gateway._pen, "_key", type("Gone", (), {"id": key(NUMBER).id, "sign": staticmethod(fail)})()
        )
        home.runner.hear(letter(home, number=1, lo_w=2_000))
        home.go(10)
        assert home.plants[BATTERY].power_w == 2_000
        home.to_slot_end()
        assert any("nothing is signed: a token signs" in word for word in home.alarms)
        assert home.waiting() == 0
    home.go(30, 5)
    home.to_slot_end()
    home.send()
    assert seqs(home) == list(range(1, len(seqs(home)) + 1))
