"""P13, P27, P28, P29: the app on a street of 100 homes that lives on, as pages and programs see it."""

import asyncio
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Request, sync_playwright

from benchmarks.crowd import OpenPage, open_pages
from benchmarks.figure import Figure, figure
from commonwatt.apps.wiring import open_log
from commonwatt.model import Refused

STREET = Path("examples/street")
HOMES, PACE_S = 100, 10
PAGES = 200
PROGRAM = "from commonwatt.apps.cli.main import main; main()"
SEEN = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_COOKIE = "commonwatt-rehearsal"
_READY_WITHIN_S = 600
_LIVED_LEAVES = 2_000
"""Some slots' worth."""
_LOOK_S, _STILL_LOOKS, _STILL_KB = 3.0, 8, 4_000
"""Memory stands still: for two slots and a half, within a twentieth of what 200 pages may take."""
_PAINTED = """new MutationObserver(() => {
  if (document.querySelector('.node.house text.value')?.textContent) window.homeAt ??= performance.now();
}).observe(document, {childList: true, subtree: true, characterData: true});"""
_SEEN_MS = "Math.max(performance.getEntriesByName('first-contentful-paint')[0].startTime, window.homeAt)"


@dataclass(frozen=True, slots=True)
class Open:
    """A street that lives on, and its app beside it."""

    address: str
    folder: Path
    app: "subprocess.Popen[bytes]"

    def resident_kb(self) -> int:
        """Return what memory the app's process has, in kB."""
        told = Path(f"/proc/{self.app.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", told)
        assert found
        return int(found[1])


@contextmanager
def running_street() -> Iterator[Open]:
    """Let a street of 100 homes live on, a quarter-hour every 10 s, and open its app; some slots have passed."""
    folder = Path(tempfile.mkdtemp(prefix="street-")) / "run"
    lives = [sys.executable, "-c", PROGRAM, "run", str(STREET), "--live", "--homes", str(HOMES), "--pace", str(PACE_S)]
    with subprocess.Popen([*lives, "--port", "0", "--output", str(folder)], stdout=subprocess.DEVNULL) as street:
        try:
            _wait(lambda: (folder / "door.json").exists() and _leaves(folder) > _LIVED_LEAVES)
            port = _free_port()
            opens = [sys.executable, "-c", PROGRAM, "app", str(folder), "--plain", "--rehearsal", "--port", str(port)]
            opens += ["--asks", "10000"]  # here one seat opens hundreds of pages
            with subprocess.Popen(opens, stdout=subprocess.DEVNULL) as app:
                try:
                    address = f"http://localhost:{port}"
                    _wait(lambda: _answers(address))
                    yield Open(address, folder, app)
                finally:
                    app.terminate()
        finally:
            street.terminate()
    shutil.rmtree(folder.parent, ignore_errors=True)


def p13() -> Figure:
    """Seconds to the first meaningful paint of Home, cold, on a phone's size; the page's weight beside it."""
    times, weights = [], []
    with running_street() as street, sync_playwright() as playwright:
        program = shutil.which("chromium") or ""
        browser = playwright.chromium.launch(executable_path=program, args=SEEN)
        for _ in range(7):
            context = browser.new_context(viewport={"width": 390, "height": 844})
            page = context.new_page()
            finished: list[Request] = []
            page.on("requestfinished", partial(_note, finished))  # it keeps something on what it calls
            page.add_init_script(_PAINTED)
            page.goto(street.address)
            page.wait_for_function("window.homeAt && document.documentElement.dataset.heard")
            times.append(page.evaluate(_SEEN_MS) / 1000)
            weights.append(sum(map(_bytes, finished)))
            context.close()
        browser.close()
    return figure(
        "P13",
        median(times),
        "s",
        1.0,
        page_kb=round(median(weights) / 1000),
        goals="1.0 s, 1,000 kB",
        limit_is="the goal",
        loads=len(times),
        homes=HOMES,
    )


def _note(finished: "list[Request]", request: "Request") -> None:
    finished.append(request)


def p27() -> Figure:
    """Seconds from a reading's being in the log to the number on the last five in a hundred of 200 open pages."""

    async def measure(street: Open) -> list[float]:
        pages = await open_pages(street.address, PAGES)
        waits: list[float] = []
        for _ in range(4):
            before = [len(page.heard) for page in pages]
            arrived = await asyncio.to_thread(_next_readings, street.folder)
            heard = await _all_hear_flow(pages, arrived, before)
            waits.append(sorted(at - arrived for at in heard)[int(PAGES * 0.95)])
        for page in pages:
            await page.socket.close()
        return waits

    with running_street() as street:
        waits = asyncio.run(measure(street))
    return figure(
        "P27", median(waits), "s", 0.5, pages=PAGES, worst=round(max(waits), 3), limit_is="the goal", homes=HOMES
    )


def p28() -> Figure:
    """API reads of a member's page per second, by one process, members in turn; 99 of 100 within the time beside."""
    with running_street() as street:
        rates, lates = [], []
        for _ in range(3):
            rate, late_ms = asyncio.run(_read(street.address, 6_000))
            rates.append(rate)
            lates.append(late_ms)
    late_ms = round(median(lates), 1)
    goals = "1,500 /s, p99 50 ms"
    return figure("P28", median(rates), "reads/s", 1_500, p99_ms=late_ms, goals=goals, limit_is="the goal", homes=HOMES)


def p29() -> Figure:
    """KB of the server's memory for each open page, 200 of them at once: of the first 200 or the next, the dearer.

    An app that was opened just now grows by itself for some seconds, as it takes in what has been lived: pages are
    counted from when its memory stands still. The first may find room that was freed before; the next find none.
    """

    async def measure(street: Open) -> float:
        first = await open_pages(street.address, 3)
        before_kb = await _standing_kb(street)
        pages, grew_kb = first, list[int]()
        for _ in range(2):
            pages += await open_pages(street.address, PAGES)
            await asyncio.sleep(2)
            after_kb = street.resident_kb()
            grew_kb.append(after_kb - before_kb)
            before_kb = after_kb
        for page in pages:
            await page.socket.close()
        return max(grew_kb) / PAGES

    with running_street() as street:
        value = asyncio.run(measure(street))
    return figure("P29", value, "kB", 400, pages=PAGES, limit_is="the goal", homes=HOMES)


async def _standing_kb(street: Open) -> int:
    """Wait until the app's memory grows no more while nobody comes, and return how much it is, in kB."""
    until, known = time.monotonic() + _READY_WITHIN_S, [street.resident_kb()]
    while max(known[-_STILL_LOOKS:]) - min(known[-_STILL_LOOKS:]) > _STILL_KB or len(known) < _STILL_LOOKS:
        assert time.monotonic() < until, "the app's memory never stands still"
        await asyncio.sleep(_LOOK_S)
        known.append(street.resident_kb())
    return known[-1]


async def _read(address: str, count: int) -> tuple[float, float]:
    """Ask for members' pages over connections that stay, and return asks a second and the 99th per cent in ms."""
    host, port = "127.0.0.1", int(address.rsplit(":", 1)[1])
    waits: list[float] = []

    async def one(number: int, asks: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for turn in range(asks):
            member = f"member-{(number * asks + turn) % HOMES + 1:02d}"
            path = (f"/api/v1/homes/{member}", f"/api/v1/accounts/{member}/wallet", "/api/v1/market")[turn % 3]
            began = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {_COOKIE}={member}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"200 OK" in head, (path, head)
            length = re.search(rb"content-length: (\d+)", head.lower())
            assert length
            await reader.readexactly(int(length[1]))
            waits.append(time.perf_counter() - began)
        writer.close()

    connections = 16
    began = time.perf_counter()
    await asyncio.gather(*(one(number, count // connections) for number in range(connections)))
    return len(waits) / (time.perf_counter() - began), 1000 * sorted(waits)[int(0.99 * len(waits))]


async def _all_hear_flow(pages: list[OpenPage], since: float, before: list[int]) -> list[float]:
    """Wait until every page heard of the flow after an instant, and return when each did."""
    until = time.perf_counter() + 60
    while time.perf_counter() < until:
        when = [
            next((at for at, values in page.heard[seen:] if "flow" in values and at >= since), None)
            for page, seen in zip(pages, before, strict=True)
        ]
        if all(at is not None for at in when):
            return [at for at in when if at is not None]
        await asyncio.sleep(0.01)
    raise AssertionError("not every page heard of a reading within 60 s")


def _next_readings(folder: Path) -> float:
    """Wait until further readings stand in the log, and return when that was seen, to some milliseconds."""
    with open_log(folder) as log:
        had = log.size
        while True:
            if (size := log.size) > had:
                seen = time.perf_counter()
                if any(b'"kind":"reading_batch"' in row.body for row in islice(log.rows(had), size - had)):
                    return seen
                had = size
            time.sleep(0.003)


def _leaves(folder: Path) -> int:
    """Return how many leaves a folder's log has; none before there is one."""
    with suppress(Refused, sqlite3.OperationalError), open_log(folder) as log:
        return log.size
    return 0


def _answers(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/readyz").status_code == 200
    return False


def _wait(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while not ready():
        assert time.monotonic() < until, "the street does not come alive"
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bytes(done: Request) -> int:
    sizes = done.sizes()
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])
