"""The pipe to one gateway process: a line out, a line back, and a new process where the old one died."""

import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from commonwatt.adapters.devices.gateway.translate import Hello, Live, Lived
from commonwatt.model import Refused

ANSWER_WITHIN_S = 20
"""A program that says nothing for so long is taken for dead; a slot lasts fifteen minutes."""


class GatewayProcess:
    """One gateway program in a process of its own, with its own folder for key and memory.

    Args:
        module: The program, run as ``python -m module FOLDER``.
        folder: Its own; nobody else reads there.
        spec: The first line that it is told, as JSON.
    """

    def __init__(self, module: str, folder: Path, spec: bytes) -> None:
        self._module, self._folder, self._spec = module, folder, spec
        self._hello: Hello | None = None
        self._start()

    def greet(self) -> Hello:
        """Wait until the program is up, and return what it says of itself."""
        if self._hello is None:
            self._hello = msgspec.json.decode(self._read(), type=Hello)
        return self._hello

    def ask(self, live: Live) -> None:
        """Send one slot; a program that has died is started again and will not have heard the commands."""
        try:
            self._write(live)
        except OSError:
            self._again(live)

    def answer(self, live: Live) -> Lived:
        """Return what came of the slot that was asked for."""
        try:
            return msgspec.json.decode(self._read(), type=Lived)
        except Refused:
            self._again(live)
            return msgspec.json.decode(self._read(), type=Lived)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def close(self) -> None:
        """End the program by ending its input."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _again(self, live: Live) -> None:
        self._process.kill()
        self._process.wait()
        self._start()
        self._hello = None
        self.greet()
        self._write(Live(slot_s=live.slot_s, wires_wh=live.wires_wh))

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module, no shell
            [sys.executable, "-m", self._module, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; a gateway ends when its input does
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._spec + b"\n")
        self._process.stdin.flush()

    def _write(self, live: Live) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(live) + b"\n")
        self._process.stdin.flush()

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        # Each side says one line at a time, so nothing waits in the reader's own buffer.
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_WITHIN_S)
        line = self._process.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            raise Refused("a gateway program gave no answer", folder=self._folder, within_s=ANSWER_WITHIN_S)
        return line
