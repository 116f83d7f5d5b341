"""A door that is kept: checkpoints without traffic, a clock that is not believed blindly, leaves checked, money."""

import asyncio
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from community import NAME, NOON, Community, key
from door_client import NOTE, Client, found_folder, give
from fastapi import FastAPI
from typer.testing import CliRunner
from watched import trust

from commonwatt.adapters.door import server
from commonwatt.adapters.door.client import knock
from commonwatt.adapters.door.server import AT_ONCE, Door
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.adapters.stores.vault import MasterKey
from commonwatt.apps import door_card, publishing
from commonwatt.apps.accepting import MOST_AHEAD_S, MOST_BEHIND_S, Hours, LogClock, accept
from commonwatt.apps.api.limits import Limits
from commonwatt.apps.cli.main import app
from commonwatt.apps.hosting import DOUBTS, open_doubts, read_terms
from commonwatt.apps.publishing import serve_folder
from commonwatt.apps.wiring import MASTER_KEY, open_log
from commonwatt.flows.publish import checkpoint_note
from commonwatt.flows.receipts import Receipt, give_receipt
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook.identity.trusted import Delegation
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.flows.sequence import Sequencer
from commonwatt.ledger.checkpoint import read_note, verify_note
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, Corrupt, InvalidValue, KeyId, Kind, Outcome, Refused
from commonwatt.simulator.sandbox_bank import GOOD_CARD, SandboxBank, serving

SECRET, API_KEY = b"a secret of the provider", "sandbox key"


class Kept:
    """A door in a thread of this process, by a clock that a test sets."""

    def __init__(self, folder: Path, **hours: object) -> None:
        self.folder, self.now_s, self.words = folder, NOON + 10, list[str]()
        self.error: BaseException | None = None
        self._opened: Queue[int] = Queue()
        self._hours = Hours(look_every_s=0.01, **{"check": False, **hours})  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._run)

    def open(self) -> "Kept":
        self._thread.start()
        self.port = self._opened.get(timeout=20)
        return self

    def ended(self) -> BaseException | None:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.error

    def close(self) -> None:
        """End it in the one way that needs no signal: the clock is set back."""
        self.now_s = 0
        self.ended()

    def notes(self) -> list[int]:
        """Return the slots of the checkpoints in the log, in order."""
        with open_log(self.folder) as log:
            notes = [note for row in log.rows() if (note := checkpoint_note(row))]
        assert all(verify_note(note, {NAME: NOTE.public}) for note in notes)
        return [read_note(note).slot_s for note in notes]

    def ergon(self, who: str) -> int:
        with open_log(self.folder) as log:
            return replay(log.rows(), NAME).state.ergon(AccountId(who))

    def _run(self) -> None:
        try:
            accept(
                self.folder,
                "127.0.0.1",
                0,
                lambda: self.now_s,
                on_open=lambda port, leaves: self._opened.put(port),
                on_word=self.words.append,
                hours=self._hours,
            )
        except BaseException as error:
            self.error = error
            self._opened.put(0)


def until(true: object, within_s: float = 10) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found_folder(tmp_path / "town")
    save_secret(tmp_path / "town" / "keys" / "payment.pem", key("payment").to_pem(b"open"))
    return tmp_path / "town"


def test_an_open_door_leaves_a_card_with_its_place_and_the_systems_time(folder: Path) -> None:
    door = Kept(folder).open()
    card = door_card.read(folder)
    assert (card.community, card.host, card.port) == (NAME, "127.0.0.1", door.port)
    assert [card.now_s(NOON + 10 + passed) for passed in (0, 0.9, 3_600)] == [NOON + 10, NOON + 10, NOON + 3_610]
    door.close()
    assert not (folder / door_card.DOOR_CARD).exists()


def test_a_door_shows_its_metrics_on_this_machine_where_somebody_wants_them(folder: Path) -> None:
    door = Kept(folder, metrics=0).open()
    (where,) = (word.removeprefix("metrics at ") for word in door.words if word.startswith("metrics at "))
    knock("127.0.0.1", door.port, [give(Community(), 1)])
    shown = httpx.get(where).text
    assert "commonwatt_commit_requests_total 1.0" in shown and "commonwatt_door_open 1.0" in shown
    with open_log(folder) as log:
        assert f"commonwatt_log_leaves {log.size:.1f}" in shown
    assert "anna" not in shown
    door.close()


def test_every_slot_gets_its_checkpoint_without_any_traffic(folder: Path) -> None:
    door = Kept(folder).open()
    for n in range(4):
        door.now_s = NOON + n * SLOT_SECONDS + 1
        until(lambda n=n: door.notes() == [NOON + k * SLOT_SECONDS for k in range(n + 1)])
    door.now_s += 300
    time.sleep(0.1)
    assert len(door.notes()) == 4, "one a slot"
    door.close()
    with open_log(folder) as log:
        replay(log.rows(), NAME)


def test_a_clock_that_jumps_ahead_closes_the_door_and_settles_nothing(folder: Path) -> None:
    door = Kept(folder).open()
    client = Client(door.port)
    with open_log(folder) as log:
        size = log.size
    door.now_s += 10 * 365 * 86_400
    assert isinstance(door.ended(), Refused)
    assert "the clock has jumped ahead" in str(door.error)
    assert "--slept" in str(door.error)
    while client.hear():
        pass
    assert "the clock has jumped ahead" in client.refused
    with open_log(folder) as log:
        assert log.size == size


def snapshots(folder: Path) -> int:
    with open_log(folder) as log:
        return len(list(log.snapshots()))


def test_snapshots_are_counted_from_the_last_one_however_often_the_door_was_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_log(folder) as log:
        begun = log.size
    monkeypatch.setattr("commonwatt.apps.accepting.SNAPSHOT_EVERY", begun + 3)
    for opened in range(4):  # a checkpoint each time, which alone would never come to that many
        door = Kept(folder)
        door.now_s += opened * SLOT_SECONDS
        door.open()
        until(lambda door=door, n=opened: len(door.notes()) > n)
        door.close()
        assert snapshots(folder) == (opened == 3)


def test_a_log_that_really_slept_goes_on_once_somebody_says_so(folder: Path) -> None:
    asleep = Kept(folder)
    asleep.now_s = NOON + 3 * 86_400
    asleep.open()
    assert "the clock has jumped ahead" in str(asleep.ended())
    awake = Kept(folder, slept=True)
    awake.now_s = NOON + 3 * 86_400
    awake.open()
    until(lambda: awake.notes() == [NOON + 3 * 86_400])
    until(lambda: snapshots(folder) == 1)  # all those slots are lived through once, and no start does it again
    awake.now_s += MOST_AHEAD_S + SLOT_SECONDS
    assert "the clock has jumped ahead" in str(awake.ended()), "that was said of then, not of now"


def test_a_clock_waits_where_it_is_a_little_behind_and_refuses_beyond() -> None:
    told = {"now": 1_000_000, "log": 1_000_000}
    clock = LogClock(lambda: told["now"], lambda: told["log"], MOST_AHEAD_S)
    for now, time_s in ((MOST_AHEAD_S, MOST_AHEAD_S), (0, 0), (-1, 0), (-MOST_BEHIND_S, 0)):
        told["now"] = 1_000_000 + now
        assert clock() == 1_000_000 + time_s
    for now, says in ((MOST_AHEAD_S + 1, "ahead"), (-MOST_BEHIND_S - 1, "behind the log")):
        told["now"] = 1_000_000 + now
        with pytest.raises(Refused, match=says):
            clock()
        with pytest.raises(Refused, match=says):
            LogClock(lambda: told["now"], lambda: told["log"], MOST_AHEAD_S)
    told["now"] = 10**10
    assert LogClock(lambda: told["now"], lambda: told["log"], 900, slept=True)() == 10**10


def test_leaves_are_hashed_again_while_requests_are_taken_and_a_fault_closes_the_door(folder: Path) -> None:
    door = Kept(folder, check=True).open()
    pen = Community()
    client = Client(door.port)
    client.send(give(pen, pen.state.keys.next_seq(key("anna").id)))
    assert client.hear_all(1) == [Outcome.BOOKED]
    until(lambda: any("leaves hashed again" in word for word in door.words))
    door.close()
    with SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)) as log:
        Sequencer(log, NAME, bytes).save_snapshot()
    with sqlite3.connect(folder / "log.sqlite") as db:
        db.execute("UPDATE leaf SET stamped_s = stamped_s + 1 WHERE position = 3")
    db.close()
    # A start from a snapshot reads nothing of what lies before it: but for this check nobody would see.
    unchecked = Kept(folder).open()
    time.sleep(0.1)
    unchecked.close()
    assert "leaf" not in str(unchecked.error)
    damaged = Kept(folder, check=True).open()
    assert isinstance(damaged.ended(), Corrupt)
    assert "leaf 3 has another hash" in str(damaged.error)


@pytest.fixture
def doors() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def configure(folder: Path, url: str, **more: object) -> Path:
    save_secret(folder / "provider.key", API_KEY.encode() + b"\n")
    save_secret(folder / "hook.secret", SECRET)
    told = {
        "provider": url,
        "api_key": "provider.key",
        "secrets": ["hook.secret"],
        "currency": "GBP",
        "port": 0,
        "every_s": 1,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in (told | more).items()]
    (folder / "payments.toml").write_text("\n".join(lines))
    return folder / "payments.toml"


@pytest.mark.row("H2")
def test_money_comes_in_and_goes_out_through_the_door_that_takes_requests(folder: Path, doors: ExitStack) -> None:
    bank = SandboxBank(API_KEY, SECRET, lambda: NOON + 20)
    url = doors.enter_context(serving(bank.app()))
    door = Kept(folder, payments=configure(folder, url))
    door.now_s = NOON + 20
    door.open()
    doors.callback(door.close)
    until(lambda: door.words)
    hook = re.findall(r"http://\S+", door.words[0])[0]
    before = door.ergon("anna")
    asked = {"account": "anna", "amount": 1_250, "currency": "GBP", "card": GOOD_CARD}
    headers = {"authorization": f"Bearer {API_KEY}", "idempotency-key": "once"}
    assert httpx.post(f"{url}/cards/payments", json=asked, headers=headers).status_code == 201
    # Requests come by socket meanwhile: one writer takes both.
    pen, client = Community(), Client(door.port)
    first = pen.state.keys.next_seq(key("ben").id)
    client.send(*(give(pen, first + n, who="ben", to="anna") for n in range(200)))
    assert bank.deliver(hook) == [200]
    assert client.hear_all(200) == [Outcome.BOOKED] * 200
    assert door.ergon("anna") == before + 12_500_000 + 200
    # A member asks for money by socket; the next round asks the provider.
    client.send(pay_out(pen, first + 200, 2 * MICRO))
    client.hear_all(201)
    until(lambda: bank.payouts)
    bank.pay_outs_arrive()
    assert bank.deliver(hook) == [200]
    assert door.ergon("ben") == before - 200 - 2 * MICRO


@pytest.mark.row("H2")
def test_what_does_not_fit_is_kept_for_a_person_over_restarts(tmp_path: Path) -> None:
    doubts = open_doubts(tmp_path / DOUBTS)
    doubts.add("e1", Outcome.NOT_ALLOWED)
    doubts.add("e2", Outcome.OVER_LIMIT)
    doubts.settle("e2")
    assert (tmp_path / DOUBTS).stat().st_mode & 0o077 == 0
    with (tmp_path / DOUBTS).open("ab") as file:
        file.write(b'["e3","NOT_')
    assert open_doubts(tmp_path / DOUBTS).events == [("e1", Outcome.NOT_ALLOWED)]
    (tmp_path / DOUBTS).write_bytes(b'["e1","WHAT"]\n')
    with pytest.raises(Corrupt, match="does not tell of events"):
        open_doubts(tmp_path / DOUBTS)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"provider": "ftp://x.y"}, "provider"),
        ({"secrets": []}, "secrets"),
        ({"currency": "pounds"}, "currency"),
        ({"ports": 1}, "ports"),
    ],
)
def test_a_configuration_that_says_no_such_thing_is_refused(more: dict[str, object], says: str, folder: Path) -> None:
    with pytest.raises(InvalidValue, match=says):
        read_terms(configure(folder, "https://provider.example", **more))


def test_secrets_that_others_may_read_or_a_key_that_the_log_does_not_know_open_nothing(folder: Path) -> None:
    terms = configure(folder, "http://127.0.0.1:9")
    (folder / "hook.secret").chmod(0o644)
    assert "chmod 600" in str(Kept(folder, payments=terms).open().ended())
    (folder / "hook.secret").unlink()
    assert "lie in files" in str(Kept(folder, payments=terms).open().ended())
    save_secret(folder / "hook.secret", SECRET)
    save_secret(folder / "keys" / "payment.pem", key("anna").to_pem(b"open"))
    assert "told by the payment key" in str(Kept(folder, payments=terms).open().ended())


def pay_out(pen: Community, seq: int, amount_micro: int) -> bytes:
    return pen.wire("ben", Kind.PAYOUT, wallet_bodies.PayoutRequest(amount_micro=amount_micro), seq=seq)


def command(*words: object) -> str:
    """Run a command, and return what it said; an error of ours is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return f"{result.exit_code} {result.output}"


def test_a_member_lets_another_act_and_takes_it_back_through_the_door(folder: Path, doors: ExitStack) -> None:
    for name in ("anna", "ben"):
        save_secret(folder / "keys" / f"{name}.pem", key(name).to_pem(b"open"))
    door = Kept(folder).open()
    doors.callback(door.close)
    asked = ("delegate", folder, "anna", "ben", "--port", door.port)
    grant = (*asked, "--may", "order", "--may", "cancel", "--until", "2026-12-31")
    assert "0 anna lets" in command(*grant)
    standing = delegations(folder)[AccountId("anna")][key("ben").id]
    assert (standing.kinds, standing.until_s) == (("cancel", "order"), 1_798_761_600)
    assert "0 anna lets" in command(*asked, "--may", "inspect", "--until", "2026-12-31", "--asset", "anna-battery")
    assert delegations(folder)[AccountId("anna")][key("ben").id].assets == ("anna-battery",)
    by_hex = ("delegate", folder, "anna", key("ben").public.hex(), "--port", door.port)
    assert "act no longer" in command(*by_hex, "--revoke")
    assert delegations(folder) == {}
    with pytest.raises(Refused, match="UNKNOWN_THING"):
        command(*asked, "--revoke")
    for words in ((), ("--may", "order"), ("--until", "2026-12-31"), ("--revoke", "--may", "order")):
        assert command(*asked, *words).startswith("2 ")
    with pytest.raises(InvalidValue, match="a day looks like"):
        command(*asked, "--may", "order", "--until", "tomorrow")
    with pytest.raises(Refused, match="OVER_LIMIT"):
        command(*asked, "--may", "payout", "--until", "2026-12-31")
    with pytest.raises(Refused, match="a key is named"):
        command("delegate", folder, "anna", "nobody", "--port", door.port, "--revoke")


def test_who_knocks_where_nobody_opens_or_says_nonsense_is_told(folder: Path, doors: ExitStack) -> None:
    with pytest.raises(Refused, match="no door is open there"):
        knock("127.0.0.1", 9, [b"{}"])
    for said, error in (
        (b"", Refused),
        (b"E\0\0\0\3sad", Refused),
        (b"O\0\0\0\1\xff", Corrupt),
        (b"R\0\0\0\1{", Corrupt),
    ):
        listening = doors.enter_context(socket.create_server(("127.0.0.1", 0)))
        thread = threading.Thread(target=_answer_once, args=(listening, said))
        thread.start()
        with pytest.raises(error):
            knock("127.0.0.1", listening.getsockname()[1], [b"{}"], within_s=5)
        thread.join()


def _answer_once(listening: socket.socket, said: bytes) -> None:
    line, _ = listening.accept()
    with line:
        line.recv(100)
        line.sendall(said)


def delegations(folder: Path) -> dict[AccountId, dict[KeyId, Delegation]]:
    with open_log(folder) as log:
        return replay(log.rows(), NAME).state.trusted.delegations


def test_a_served_log_of_which_a_leaf_was_changed_is_served_no_longer(folder: Path) -> None:
    (folder / "community.pub").write_text(trust(()))
    with sqlite3.connect(folder / "log.sqlite") as db:
        db.execute("UPDATE leaf SET stamped_s = stamped_s + 1 WHERE position = 5")
    db.close()
    with pytest.raises(Corrupt, match="leaf 5 has another hash"):
        serve_folder(folder, "127.0.0.1", 0, lambda where: None)


def test_a_served_log_gives_each_address_its_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "community.pub").write_text(trust(()))
    seen = list[tuple[str, int]]()

    class Served:
        """In the web server's place: asks the application that it is given."""

        def __init__(self, app: FastAPI) -> None:
            self.app, self.should_exit = app, False

        def run(self, doors: list[socket.socket]) -> None:
            async def ask(address: str) -> None:
                wire = httpx.ASGITransport(self.app, client=(address, 1))
                async with httpx.AsyncClient(transport=wire, base_url="http://log") as client:
                    seen.append((address, (await client.get("/community.pub")).status_code))

            for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"):
                asyncio.run(ask(address))

    monkeypatch.setattr(publishing, "server", Served)
    monkeypatch.setattr(publishing, "FAIR", Limits(unknown_per_s=0.001, burst_s=2_000))
    serve_folder(folder, "127.0.0.1", 0, lambda where: None)
    assert seen == [("192.0.2.1", 200), ("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200)]


def test_who_waits_inside_is_told_when_the_log_takes_nothing_more(folder: Path) -> None:
    log = SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY))
    sequencer = Sequencer(log, NAME, lambda position: bytes(32))
    SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY)).close()
    door = Door(sequencer, key("operator"), lambda: NOON + 1, lambda: None)
    pen = Community()
    wire = give(pen, pen.state.keys.next_seq(key("anna").id))

    async def ask() -> None:
        for _ in range(2):
            with pytest.raises(Refused, match="another writer has taken over"):
                await asyncio.wait_for(door.submit([wire]), 5)
        with pytest.raises(Refused, match="another writer"):
            await door.keep_time(0.01)

    asyncio.run(ask())
    log.close()


def test_what_a_receipt_leaves_open_is_as_little_in_a_long_log_as_in_a_short_one(folder: Path) -> None:
    log = SqliteLog(folder / "log.sqlite", MasterKey.in_file(folder / MASTER_KEY))
    sequencer = Sequencer(log, NAME, lambda position: bytes(32))
    door, pen = Door(sequencer, key("operator"), lambda: NOON + 1, lambda: None), Community()
    first = pen.state.keys.next_seq(key("anna").id)
    promised: list[tuple[int, int]] = []

    async def ask() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "give_receipt", noted)
            await door.submit([give(pen, first + n) for n in range(3 * AT_ONCE)])
            await door.submit([give(pen, first + 3 * AT_ONCE)])

    def noted(*told: Any) -> Receipt:
        promised.append((len(sequencer.tree) + len(told[2]), told[4]))
        return give_receipt(*told)

    asyncio.run(ask())
    assert [stands_by - least for least, stands_by in promised] == [1 + 3, 1]
    assert len(sequencer.tree) == promised[-1][0]
    sequencer.close()
    log.close()
