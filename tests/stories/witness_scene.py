"""A served log, three witnesses with folders of their own, and the commands that a person would give."""

import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import uvicorn
from watched import Watched, card, folder_of

from commonwatt.apps.api.log import log_app
from commonwatt.apps.api.serving import server
from commonwatt.apps.publishing import address, listen, open_publisher
from commonwatt.apps.witnessing import Looked, open_keys, watch
from commonwatt.flows.rulebook.bodies import Witness as Card
from commonwatt.flows.verify import Report, verify_file

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


def founded(path: Path) -> Scene:
    """Return the tiny community with a log in one folder below the path and its witnesses in others."""
    cards = tuple(card(open_keys(path / name, name)) for name in NAMES)
    community = folder_of(path / "log", cards)
    community.slot()
    return Scene(path, cards, community)


def status(url: str) -> Any:
    return httpx.get(f"{url}/witnesses").json()
