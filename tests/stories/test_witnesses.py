"""A served log and three witnesses, all real programs that meet on loopback: finality, kills, fraud and garbage."""

import json
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
import uvicorn
from community import NAME, Flow
from paper_street import live, stage
from watched import Watched, card, folder_of, trust

from commonwatt.adapters.witness import client
from commonwatt.adapters.witness.client import HttpDoor
from commonwatt.adapters.witness.memory import MemoryFile
from commonwatt.apps.api.log import log_app
from commonwatt.apps.api.serving import server
from commonwatt.apps.publishing import address, listen, open_publisher
from commonwatt.apps.wiring import watched
from commonwatt.apps.witnessing import Looked, open_keys, watch
from commonwatt.flows.prove import default_case, final_note, make_evidence, trust_file
from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook.bodies import Witness as Card
from commonwatt.flows.verify import Report, verify_evidence, verify_file
from commonwatt.flows.witness import FraudProven
from commonwatt.identity.eip712 import sign_checkpoint
from commonwatt.ledger.checkpoint import Checkpoint, sign_note, split_note, vkey
from commonwatt.ledger.cosign import cosignature_line, weight
from commonwatt.model import Corrupt, InvalidValue, Refused

COMMAND = Path(sys.executable).with_name("commonwatt")
NAMES = ("anne.example", "bob.example", "carl.example")


def commonwatt(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def started(*words: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a command that serves, and return it with its address."""
    with subprocess.Popen([COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        try:
            assert program.stdout is not None
            ready, _, _ = select.select([program.stdout], [], [], 30)
            line = program.stdout.readline() if ready else ""
            assert "http://" in line, line
            yield program, "http://" + line.strip().partition("http://")[2]
        finally:
            program.send_signal(signal.SIGINT)
            program.communicate(timeout=20)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder from a thread of this process, on a real socket."""
    opened: Queue[tuple[uvicorn.Server, str]] = Queue()

    def run() -> None:
        with ExitStack() as doors:
            app = log_app(open_publisher(folder, doors), lambda: int(time.time()))
            door = doors.enter_context(listen("127.0.0.1", 0))
            serving = server(app)
            opened.put((serving, address(door)))
            serving.run([door])

    thread = threading.Thread(target=run)
    thread.start()
    running, url = opened.get(timeout=10)
    try:
        yield url
    finally:
        running.should_exit = True
        thread.join(10)


@dataclass
class Scene:
    """A community with three witnesses whose keys lie in folders of their own."""

    path: Path
    cards: tuple[Card, ...]
    community: Watched

    @property
    def folder(self) -> Path:
        return self.path / "log"

    def of(self, name: str) -> Path:
        return self.path / name

    def look(self, name: str, url: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Look once, as a person does."""
        return commonwatt("witness", url, "--folder", self.of(name), "--once", *words)

    def looked(self, name: str, url: str, *peers: str, trust: Path | None = None) -> list[Looked]:
        """Look once, from this process."""
        return list(watch(url, self.of(name), once=True, peers=peers, trust=trust))

    def verified(self, content: str | bytes) -> Report:
        content = content.encode() if isinstance(content, str) else content
        return verify_file(content, (self.folder / "community.pub").read_text())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    cards = tuple(card(open_keys(tmp_path / name, name)) for name in NAMES)
    community = folder_of(tmp_path / "log", cards)
    community.slot()
    return Scene(tmp_path, cards, community)


def status(url: str) -> Any:
    return httpx.get(f"{url}/witnesses").json()


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


def other_history(scene: Scene, *, slots: int = 1) -> Path:
    """The same operator's other log, for other eyes."""
    folder = scene.path / "other"
    community = folder_of(folder, scene.cards)
    for _ in range(slots):
        community.slot(load_wh=700)
    return folder


@pytest.mark.row("E14")
def test_an_operator_of_two_histories_is_caught_by_gossip_and_the_proof_convinces_anyone(scene: Scene) -> None:
    other = other_history(scene)
    with ExitStack() as doors:
        url, other_url = (doors.enter_context(serving(folder)) for folder in (scene.folder, other))
        words = ("witness", url, "--folder", scene.of(NAMES[0]), "--port", "0", "--every", "0.2")
        _, anne = doors.enter_context(started(*words))
        deadline = time.monotonic() + 20
        while httpx.get(f"{anne}/checkpoint").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with pytest.raises(FraudProven):
            scene.looked(NAMES[1], other_url, url)  # the operator's own other face
        caught = scene.look(NAMES[2], other_url, "--peer", anne)
        assert (caught.returncode, "fraud proven" in caught.stderr) == (3, True), caught.stderr
        with pytest.raises(FraudProven, match="two histories"):
            scene.looked(NAMES[2], url)  # no word for a proven fraud any more
    proof, pub = scene.of(NAMES[2]) / "fraud.json", scene.folder / "community.pub"
    found = commonwatt("verify", proof, "--trust", pub)
    assert (found.returncode, "fraud proven" in found.stdout) == (3, True), found.stdout
    text = proof.read_text()
    assert (scene.verified(text).ok, scene.verified(text).fraud) == (False, True)
    for forged in (text.replace("slot 17803", "slot 17804"), text[:-2], text.replace(NAME, "road"), text + " "):
        assert forged != text
        bad = scene.verified(forged)
        assert (bad.ok, bad.fraud, bad.lines[-1].ok) == (False, False, False), forged
    (scene.path / "forged.json").write_text(text.replace("slot 17803", "slot 17804"))
    refused = commonwatt("verify", scene.path / "forged.json", "--trust", pub)
    assert (refused.returncode, "not to be believed" in refused.stdout) == (1, True)


def test_nobody_else_can_accuse_an_operator(scene: Scene) -> None:
    note = scene.community.slot()
    text = split_note(note)[0]
    lie = text.replace(text.split("\n")[2], "A" * 43 + "=")
    for forger in (open_keys(scene.of(NAMES[0])).note, open_keys(scene.of(NAMES[1])).note):
        notes = [note, sign_note(lie, NAME, forger.private)]
        for one in (notes, notes[::-1], [note, note], [note, lie + "\n" + note.split("\n\n")[1]]):
            told = {"format": "commonwatt-fraud-1", "notes": one, "old_root": "", "proof": []}
            found = scene.verified(json.dumps(told, separators=(",", ":"), ensure_ascii=False))
            assert (found.ok, found.fraud) == (False, False)


@pytest.mark.parametrize("what", ["leaf", "tile"])
def test_one_bit_changed_at_rest_is_located_and_gets_no_word(scene: Scene, what: str) -> None:
    with serving(scene.folder) as url:
        with sqlite3.connect(scene.folder / "log.sqlite") as log:
            if what == "leaf":
                log.execute("UPDATE leaf SET stamped_s = stamped_s + 1 WHERE position = 4")
            else:
                (hashes,) = log.execute("SELECT hashes FROM tile WHERE level = 0").fetchone()
                log.execute("UPDATE tile SET hashes = ?", (hashes[:130] + bytes([hashes[130] ^ 1]) + hashes[131:],))
        log.close()
        with pytest.raises(Corrupt, match=r"position 4\b" if what == "leaf" else "tile/0/000"):
            scene.looked(NAMES[0], url)
        assert status(url)["witnesses"][0]["last_size"] is None


class _Rude(BaseHTTPRequestHandler):
    """Answers as rudely as it was told."""

    answer: Callable[["_Rude"], None]

    def do_GET(self) -> None:
        type(self).answer(self)

    def log_message(self, *_: object) -> None:
        pass

    def say(self, body: bytes, length: int | None = None, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def rude(answer: Callable[[_Rude], None]) -> Iterator[str]:
    kind = type("_OneRude", (_Rude,), {"answer": answer})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _drip(to: _Rude) -> None:
    to.say(b"", 10_000)
    try:
        for _ in range(200):
            to.wfile.write(b"x")
            to.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def _drip_head(to: _Rude) -> None:
    try:
        to.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(200):
            to.wfile.write(b"X-%d: x\r\n" % n)
            to.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def _endless(to: _Rude) -> None:
    to.send_response(200)
    to.end_headers()
    try:
        while True:
            to.wfile.write(b"x" * 65_536)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_drip, "could not be reached"),
        (_drip_head, "could not be reached"),
        (_endless, "not endless"),
        (lambda to: to.say(b"x" * 100_000), "not endless"),
        (lambda to: to.say(b"x", None, ("Content-Encoding", "gzip")), "uncompressed"),
        (lambda to: to.send_error(500, "no"), "status 500"),
        (lambda to: to.wfile.write(b"\0\1\2 garbage"), "could not be reached"),
        (lambda to: None, "could not be reached"),
    ],
)
def test_an_answer_without_end_or_haste_is_given_up(answer: Callable[[_Rude], None], says: str) -> None:
    with rude(answer) as url, HttpDoor(url, within_s=1) as door:
        began = time.monotonic()
        with pytest.raises(Refused, match=says):
            client.fetch_note(door)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("content", [b"", b"garbage\n\n", b"\xff\xfe", b"[" * 60_000, b"\0"])
def test_an_operator_of_garbage_gets_no_word(scene: Scene, content: bytes) -> None:
    words = {"once": True, "trust": scene.folder / "community.pub"}
    with rude(lambda to: to.say(content)) as url, pytest.raises(Corrupt):
        list(watch(url, scene.of(NAMES[0]), **words))  # type: ignore[arg-type]


def test_an_operator_who_serves_a_good_note_and_garbage_leaves_gets_no_word(scene: Scene) -> None:
    note = scene.community.slot().encode()

    def answer(to: _Rude) -> None:
        to.say(note if to.path == "/checkpoint" else b'[{"position":0}]')

    with rude(answer) as url, pytest.raises(Corrupt, match="holds none"):
        scene.looked(NAMES[0], url, trust=scene.folder / "community.pub")


def test_a_witness_that_cannot_reach_its_log_goes_on_looking(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    looks = watch(url, scene.of(NAMES[0]), trust=scene.folder / "community.pub", every_s=0.01)
    assert all("could not be reached" in (next(looks).trouble or "") for _ in range(3))
    looks.close()


def test_who_sends_no_head_or_garbage_is_dropped_and_others_are_served(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commonwatt.apps.api.serving.HEAD_WITHIN_S", 0.5)
    with serving(scene.folder) as url:
        port = int(url.rpartition(":")[2])
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for one in slow:
            one.sendall(b"GET /checkpoint HT")
        for content in (
            b"\0\xff" * 100,
            b"GET " + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",
            b"POST /cosignature HTTP/1.1\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as rough:
                rough.sendall(content)
        assert httpx.get(f"{url}/checkpoint").status_code == 200
        began = time.monotonic()
        for one in slow:
            one.settimeout(10)
            with suppress(ConnectionResetError):
                assert one.recv(1) == b""
            one.close()
        assert time.monotonic() - began < 5
        assert httpx.get(f"{url}/checkpoint").status_code == 200


def test_a_port_that_is_taken_and_a_folder_without_log_are_told_in_a_line(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [("serve", scene.folder, "--port", str(taken.getsockname()[1])), ("serve", scene.of(NAMES[0]))]
        for one in words:
            found = commonwatt(*one)
            assert (found.returncode, "Traceback" in found.stderr, found.stderr.count("\n")) == (1, False, 1)


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
