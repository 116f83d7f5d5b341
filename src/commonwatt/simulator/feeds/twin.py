"""All publishers on one loopback socket, playing recordings by a clock: tells what it was asked, fails on demand."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from enum import Enum
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from commonwatt.model import instant
from commonwatt.simulator.feeds import formats
from commonwatt.simulator.feeds.formats import Recordings

HOLD_S = 30.0
"""How long a delayed answer is held back at most; until the twin closes, if that comes first."""


class Fault(Enum):
    """What one answer suffers."""

    DELAY = "delay"
    DRIP = "drip"
    ERROR = "error"
    THROTTLED = "throttled"
    GARBAGE = "garbage"
    TRUNCATED = "truncated"
    HUGE = "huge"
    STALE = "stale"
    """It says what it would have said when the fault was ordered, and goes on saying so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A question as it came, and the status of what was answered."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int


class Twin:
    """Publishers of a street's recordings.

    Args:
        recorded: By source and name, see `formats`.
        now_s: By what clock they publish.
        tokens: By source; without it they let nobody in.
        expires_s: How long they say that an answer holds.
    """

    def __init__(
        self,
        recorded: Mapping[str, Recordings],
        now_s: Callable[[], int],
        tokens: Mapping[str, str] | None = None,
        expires_s: int = 0,
    ) -> None:
        self.recorded, self.expires_s = dict(recorded), expires_s
        self.asked: list[Heard] = []
        self._now_s, self._tokens = now_s, tokens or {}
        self._faults: deque[Fault] = deque()
        self._frozen_s: int | None = None
        self._closing = threading.Event()
        twin = self

        class Handler(_Handler):
            of = twin

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, fault: Fault, times: int = 1) -> None:
        """Let the next answers suffer a fault."""
        self._faults.extend([fault] * times)
        if fault is Fault.STALE:
            self._frozen_s = self._now_s()

    def mend(self) -> None:
        """Let everything be well again."""
        self._faults.clear()
        self._frozen_s = None

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of what is asked, before any fault."""
        now_s = self._now_s() if self._frozen_s is None else self._frozen_s
        source = _source(path)
        if source is None or source not in self.recorded:
            return 404, {}, b"{}"
        if not self._lets_in(source, query, headers):
            return 401, {}, b'{"error": "unknown token"}'
        if source == "met_norway" and not any(sign in headers.get("user-agent", "") for sign in ("@", "://")):
            return 403, {}, b"who are you?"
        content = self._content(source, path, query, now_s)
        told = self._validator(source, content, now_s) | {
            "date": format_datetime(instant(self._now_s()), usegmt=True),
            "expires": format_datetime(instant(self._now_s() + self.expires_s), usegmt=True),
        }
        known = headers.get("if-none-match", ""), headers.get("if-modified-since", "")
        nothing = content.startswith(b"<Acknowledgement")
        same = bool({told.get("etag"), told.get("last-modified")} & set(known))
        return (304, told, b"") if same else (400 if nothing else 200, told, content)

    def _validator(self, source: str, content: bytes, now_s: int) -> dict[str, str]:
        """Return by what an answer is known again: MET Norway goes by time, to the hour, all others by content."""
        if source == "met_norway":
            return {"last-modified": format_datetime(instant(now_s // 3_600 * 3_600), usegmt=True)}
        return {"etag": f'"{sha256(content).hexdigest()[:20]}"'}

    def _lets_in(self, source: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        token = self._tokens.get(source)
        places = query.get("securityToken"), query.get("apikey"), headers.get("auth-token")
        return token is None or token in places

    def _content(self, source: str, path: str, query: Mapping[str, str], now_s: int) -> bytes:
        found = self.recorded[source]
        if source == "gb_carbon":
            return formats.gb_carbon(found, path, now_s)
        if source == "electricity_maps":
            return formats.electricity_maps(found, path, query, now_s)
        written = {
            "open_meteo": formats.open_meteo,
            "met_norway": formats.met_norway,
            "octopus": formats.octopus,
            "entsoe": formats.entsoe,
        }
        return written[source](found, query, now_s)

    def next_fault(self) -> Fault | None:
        """Return what the next answer suffers, which is then used up; staleness lasts."""
        if self._faults and self._faults[0] is Fault.STALE:
            return Fault.STALE
        return self._faults.popleft() if self._faults else None

    def hold(self, seconds: float) -> None:
        """Wait, but not beyond the twin's end."""
        self._closing.wait(seconds)

    def close(self) -> None:
        """Let go of the socket."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    of: Twin

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query, headers = dict(parse_qsl(parts.query)), {name.lower(): value for name, value in self.headers.items()}
        fault = self.of.next_fault()
        status, told, content = self.of.answer(parts.path, query, headers)
        if fault is Fault.ERROR:
            status, told, content = 500, {}, b"oops"
        elif fault is Fault.THROTTLED:
            status, told, content = 429, {"retry-after": "120"}, b"too many"
        elif fault is Fault.GARBAGE:
            content = content[: len(content) // 2] + b"\x00<&\xff" + content[len(content) // 2 :]
        elif fault is Fault.HUGE:
            content = b" " * 5_000_000
        elif fault is Fault.DELAY:
            self.of.hold(HOLD_S)
        self.of.asked.append(Heard(path=parts.path, query=query, headers=headers, status=status))
        self.send_response_only(status)
        for name, value in told.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.send_header("connection", "close")
        self.end_headers()
        self._write(content, fault)

    def _write(self, content: bytes, fault: Fault | None) -> None:
        try:
            if fault is Fault.TRUNCATED:
                self.wfile.write(content[: len(content) // 2])
            elif fault is Fault.DRIP:
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    self.of.hold(0.02)
            else:
                self.wfile.write(content)
        except OSError:
            pass  # who asked has hung up
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is in `Twin.asked`."""


def _source(path: str) -> str | None:
    for start, source in (
        ("/v1/forecast", "open_meteo"),
        ("/weatherapi/", "met_norway"),
        ("/v1/products/", "octopus"),
        ("/intensity/", "gb_carbon"),
        ("/regional/", "gb_carbon"),
        ("/v3/carbon-intensity/", "electricity_maps"),
        ("/api", "entsoe"),
    ):
        if path.startswith(start):
            return source
    return None
