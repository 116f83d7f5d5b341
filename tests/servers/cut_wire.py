"""A wire to a PostgreSQL server that is cut after so many bytes in either direction."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class Wire:
    """Passes everything on until `cut_after` has passed one way, and nothing from then on."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._ends = near, far
        self._left: dict[str, int | None] = {"up": None, "down": None}
        self._lock = threading.Lock()
        for source, sink, way in ((near, far, "up"), (far, near, "down")):
            threading.Thread(target=self._carry, args=(source, sink, way), daemon=True).start()

    def cut_after(self, way: str, count: int) -> None:
        """Cut once so many more bytes have gone ``up`` to the server or come ``down`` from it."""
        with self._lock:
            self._left[way] = count

    def _carry(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        try:
            while data := source.recv(4096):
                with self._lock:
                    left = self._left[way]
                    if left is not None:
                        data, self._left[way] = data[:left], max(0, left - len(data))
                sink.sendall(data)
                if left is not None and len(data) >= left:
                    break
        except OSError:
            pass  # the other direction was cut
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wires(dsn: str, folder: Path) -> Iterator[tuple[str, list[Wire]]]:
    """Give a DSN that leads to the same server over wires that can be cut, and the wires in the order of laying."""
    real = dict(part.split("=") for part in dsn.split())["host"]
    laid: list[Wire] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / SOCKET))
    listening.listen()

    def lay() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(Path(real) / SOCKET))
            laid.append(Wire(near, far))

    thread = threading.Thread(target=lay, daemon=True)
    thread.start()
    try:
        yield dsn.replace(real, str(folder)), laid
    finally:
        # Closing alone does not wake the thread that waits in accept.
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()
