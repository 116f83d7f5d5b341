"""The pipe to a program: a line out, a line back; a gateway that died is started again, and goes on from its memory."""

import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from commonwatt.adapters.devices.gateway.translate import Hello, Lived, Ready, Slot, Stepped
from commonwatt.model import Refused

ANSWER_WITHIN_S = 180
"""A program that lives and says nothing for so long is taken for dead, one that ended is known at once. On a fresh
checkout a dozen of them compile before their first word, on a busy machine for more than half a minute."""


class Line:
    """A program of ours in a process of its own, spoken to by lines.

    Args:
        module: The program, run as ``python -m module FOLDER``.
        folder: Its own; nobody else reads there.
        spec: The first line that it is told, as JSON.
    """

    def __init__(self, module: str, folder: Path, spec: bytes) -> None:
        self._folder = folder
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module, no shell
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; a program ends when its input does
        )
        self.write(spec)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def write(self, line: bytes) -> None:
        """Say something.

        Raises:
            OSError: Nobody hears it.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def read(self) -> bytes:
        """Return what it says.

        Raises:
            Refused: It says nothing, or has died.
        """
        assert self._process.stdout is not None
        # Each side says one line at a time, so nothing waits in the reader's own buffer.
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_WITHIN_S)
        line = self._process.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            raise Refused("a program gave no answer", folder=self._folder, within_s=ANSWER_WITHIN_S)
        return line

    def close(self) -> None:
        """End the program by ending its input."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kill(self) -> None:
        """End the program at once."""
        self._process.kill()
        self._process.wait()


class GatewayProcess:
    """One gateway program in a process of its own, with its own folder for key and memory."""

    def __init__(self, module: str, folder: Path, spec: bytes) -> None:
        self._told = (module, folder, spec)
        self._line = Line(*self._told)
        self._hello: Hello | None = None

    def greet(self) -> Hello:
        """Wait until the program is up, and return what it says of itself."""
        if self._hello is None:
            self._hello = msgspec.json.decode(self._line.read(), type=Hello)
        return self._hello

    def ask(self, slot: Slot) -> None:
        """Send a step of a slot; a program that has died is started again."""
        try:
            self._line.write(msgspec.json.encode(slot))
        except OSError:
            self._again(slot)

    def answer(self, slot: Slot) -> Lived:
        """Return what came of the step that was asked for."""
        try:
            return msgspec.json.decode(self._line.read(), type=Lived)
        except Refused:
            self._again(slot)
            return msgspec.json.decode(self._line.read(), type=Lived)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._line.pid

    def close(self) -> None:
        """End the program."""
        self._line.close()

    def _again(self, slot: Slot) -> None:
        self._line.kill()
        self._line = Line(*self._told)
        self._hello = None
        self.greet()
        self._line.write(msgspec.json.encode(slot))


class PlantProcess:
    """The simulated devices of a whole street in a process of their own."""

    def __init__(self, module: str, folder: Path, spec: bytes) -> None:
        self._line = Line(module, folder, spec)
        self._ready: Ready | None = None

    def greet(self) -> Ready:
        """Wait until the devices can be reached, and return where each is."""
        if self._ready is None:
            self._ready = msgspec.json.decode(self._line.read(), type=Ready)
        return self._ready

    def step(self, slot: Slot) -> Stepped:
        """Let a slot begin, or end.

        Raises:
            Refused: The program has died; a run goes on from its memory when it is started again.
        """
        try:
            self._line.write(msgspec.json.encode(slot))
        except OSError as error:
            raise Refused("the simulated devices are gone", why=error) from error
        return msgspec.json.decode(self._line.read(), type=Stepped)

    def close(self) -> None:
        """End the program."""
        self._line.close()
