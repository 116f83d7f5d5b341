import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from community import NAME, PREPAID, Community, key
from door_client import NOTE, Client, found_folder, give

from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps.wiring import MASTER_KEY, open_log
from commonwatt.flows.intake import read_head
from commonwatt.flows.receipts import check_receipt, receipt_path
from commonwatt.flows.replay import replay
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import verify_note
from commonwatt.model import AccountId, Outcome

NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
KILLS, LIVES_A_FOLDER = (10_000, 250) if NIGHTLY else (30, 30)
ZYGOTE = Path(__file__).with_name("door_zygote.py")


class Doors:
    """Opens a folder's door in a process of its own, as often as asked."""

    def __init__(self) -> None:
        self._zygote = subprocess.Popen(
            [sys.executable, str(ZYGOTE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.port = 0

    def open(self, folder: Path) -> None:
        assert self._zygote.stdin
        self._zygote.stdin.write(f"{folder}\n")
        self._zygote.stdin.flush()
        self.pid = self.port = 0
        while not (self.pid and self.port):
            word, *rest = self._line().split()
            assert word in ("child", "open"), (word, rest)
            if word == "child":
                self.pid = int(rest[0])
            else:
                self.port = int(rest[0])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while self._line() != "gone":
            pass

    def close(self) -> None:
        assert self._zygote.stdin
        self._zygote.stdin.close()
        self._zygote.kill()
        self._zygote.wait()

    def _line(self) -> str:
        assert self._zygote.stdout
        line = self._zygote.stdout.readline()
        assert line, "the process that opens doors has ended"
        return line.strip()


@pytest.fixture
def doors() -> Iterator[Doors]:
    opened = Doors()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pen() -> Community:
    """Signs; never sends."""
    return Community()


def test_whoever_is_killed_at_any_moment_keeps_what_was_answered_and_answers_a_repeat_alike(
    doors: Doors, pen: Community, tmp_path: Path
) -> None:
    chance, killed = Random(7), 0
    first = pen.state.keys.next_seq(key("anna").id)
    while killed < KILLS:
        folder = tmp_path / f"from-{killed}"
        found_folder(folder)
        answered: list[Outcome] = []
        for _ in range(min(LIVES_A_FOLDER, KILLS - killed)):
            doors.open(folder)
            client = Client(doors.port)
            # Some that were answered before, then new ones: whoever is not sure asks again.
            back = chance.randint(0, min(3, len(answered)))
            begin = len(answered) - back
            count = chance.randint(1, 40)
            client.send(*(give(pen, first + n) for n in range(begin, begin + count)))
            wait_s, began = chance.choice([0, 0.0005, 0.002, 0.005, 0.01]), time.perf_counter()
            while time.perf_counter() - began < wait_s or chance.random() < 0.5:
                if len(client.answered) == count or not client.hear():
                    break
            doors.kill()
            while client.hear():
                pass
            told = client.answered
            assert told[:back] == answered[begin : begin + len(told[:back])]
            answered[begin : begin + len(told)] = told
            killed += 1
        held(folder, answered, first)


def held(folder: Path, answered: list[Outcome], first: int) -> None:
    """Check that the log replays, and holds every answer and at most what was sent beyond."""
    with open_log(folder) as log:
        rows = list(log.rows())
        found = replay(iter(rows), NAME)
    gave = [row for row in rows if row.author == key("anna").id and row.seq >= first]
    assert [row.outcome for row in gave][: len(answered)] == answered
    assert len(answered) <= len(gave)
    booked = sum(row.outcome is Outcome.BOOKED for row in gave)
    assert found.state.ergon(AccountId("anna")) == PREPAID - booked


def test_a_request_gets_a_signed_receipt_before_and_its_outcome_after_it_is_durable(
    doors: Doors, pen: Community, tmp_path: Path
) -> None:
    found_folder(tmp_path / "one")
    doors.open(tmp_path / "one")
    client = Client(doors.port)
    first = pen.state.keys.next_seq(key("anna").id)
    wires = [give(pen, first), give(pen, first + 1), give(pen, first + 1, amount=2)]
    client.send(*wires)
    assert client.hear_all(3) == [Outcome.BOOKED, Outcome.BOOKED, Outcome.WRONG_SEQUENCE]
    count = 0
    for receipt in client.receipts:
        some = wires[count : count + receipt.count]
        for index, wire in enumerate(some):
            check_receipt(receipt, VerifyingKey(key("operator").public), wire, index, receipt_path(some, index))
        count += receipt.count
    assert count == 3
    with open_log(tmp_path / "one") as log:
        stands = {row.seq: row.position for row in log.rows() if row.author == key("anna").id}
    assert stands[first + 1] <= client.receipts[-1].stands_by
    doors.kill()


def test_garbage_hangs_up_on_its_sender_alone(doors: Doors, pen: Community, tmp_path: Path) -> None:
    found_folder(tmp_path / "two")
    doors.open(tmp_path / "two")
    honest, hostile, idle = Client(doors.port), Client(doors.port), Client(doors.port)
    hostile.socket.sendall(b"\xff\xff\xff\xff" + bytes(100))
    while hostile.hear():
        pass
    assert "at most" in hostile.refused
    idle.socket.sendall(b"\x00\x00\x00")  # half a length, for ever
    nonsense = Client(doors.port)
    nonsense.send(b"", b"{}", b"\x00" * 1000, b'{"author":"0x00"}\n')
    assert nonsense.hear_all(4) == [Outcome.MALFORMED] * 4
    honest.send(give(pen, pen.state.keys.next_seq(key("anna").id)))
    assert honest.hear_all(1) == [Outcome.BOOKED]
    doors.kill()


def test_checkpoints_are_signed_while_the_door_is_open(doors: Doors, pen: Community, tmp_path: Path) -> None:
    found_folder(tmp_path / "three")
    doors.open(tmp_path / "three")
    client = Client(doors.port)
    client.send(give(pen, pen.state.keys.next_seq(key("anna").id)))
    client.hear_all(1)
    kinds, until = [], time.monotonic() + 10
    while not kinds and time.monotonic() < until:
        with open_log(tmp_path / "three") as log:
            kinds = [row for row in log.rows() if b'"kind":"checkpoint"' in row.body]
    doors.kill()
    note = str(read_head(kinds[-1].body).body["note"])
    assert verify_note(note, {NAME: NOTE.public})


def test_an_old_writer_that_wakes_up_answers_nobody(doors: Doors, pen: Community, tmp_path: Path) -> None:
    found_folder(tmp_path / "four")
    doors.open(tmp_path / "four")
    SqliteLog(tmp_path / "four" / "log.sqlite", MasterKey.in_file(tmp_path / "four" / MASTER_KEY)).close()
    client = Client(doors.port)
    client.send(give(pen, pen.state.keys.next_seq(key("anna").id)))
    while client.hear():
        pass
    assert client.answered == []
    assert "another writer has taken over" in client.refused
