"""A served log and three witnesses that meet on loopback under attack: fraud, flipped bits, garbage and rudeness."""

import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from community import NAME
from watched import folder_of
from witness_scene import NAMES, Scene, commonwatt, founded, serving, started, status

from commonwatt.adapters.witness import client
from commonwatt.adapters.witness.client import HttpDoor
from commonwatt.apps.witnessing import open_keys, watch
from commonwatt.flows.witness import FraudProven
from commonwatt.ledger.checkpoint import sign_note, split_note
from commonwatt.model import Corrupt, Refused


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return founded(tmp_path)


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
