"""A served gallery, a real browser in two sizes, and screenshots that are kept and compared."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import warnings
from asyncio import AbstractEventLoop, events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, sync_playwright

from apps.lived import lived_once
from browser.visitor import Visit, Visitor

SERVE = Path(__file__).parents[1] / "gallery" / "serve.py"
SERVE_LIVED = Path(__file__).parents[1] / "apps" / "serve_lived.py"
SHOTS = Path(__file__).parent / "shots"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)
_STARTS_WITHIN_S = 180
_LOOP: list[AbstractEventLoop] = []
_SMALL = 4
_DIFFERENT = 40
_MOST_DIFFERENT_SHARE = 0.02


@pytest.fixture(scope="session")
def gallery() -> Iterator[str]:
    """Serve the gallery in a process of its own, and return its address."""
    with _serving(SERVE) as address:
        yield address


@contextmanager
def _serving(program: Path, *more: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        # NiceGUI behaves otherwise where it believes that it is being tested.
        plain = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        words = [sys.executable, str(program), str(door.fileno()), *more]
        process = subprocess.Popen(words, pass_fds=[door.fileno()], env=plain, stderr=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str, process: "subprocess.Popen[Any]", path: str = "/manifest.webmanifest") -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        assert process.poll() is None, f"what is served ended with {process.returncode}"
        try:
            httpx.get(f"{address}{path}", timeout=_STARTS_WITHIN_S).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nobody answers at {address}")


@pytest.fixture(autouse=True)
def loop_of_the_browser() -> Iterator[None]:
    """Let other tests of this process run loops of their own: Playwright's seems to run as long as it lives."""
    if _LOOP:
        events._set_running_loop(_LOOP[0])
    yield
    _LOOP[:] = [loop] if (loop := events._get_running_loop()) else []
    events._set_running_loop(None)


@pytest.fixture(scope="session")
def lived_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the real app on a street that lived some hours, its door open, and return its address."""
    with living(tmp_path_factory) as address:
        yield address


@pytest.fixture(scope="session")
def chained_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Do the same with a chain, and checkpoints that are signed soon."""
    with living(tmp_path_factory, "--chain") as address:
        yield address


@contextmanager
def living(factory: pytest.TempPathFactory, *more: str) -> Iterator[str]:
    """Serve the app of a copy of the lived street, and yield its address."""
    here = factory.getbasetemp()
    folder = factory.mktemp("app") / "street"
    shutil.copytree(lived_once(here.parent if "PYTEST_XDIST_WORKER" in os.environ else here).folder, folder)
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    words = [sys.executable, str(SERVE_LIVED), str(folder), *more]
    process = subprocess.Popen(words, env=plain, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        # It prints where it is once its socket listens, or ends.
        address = process.stdout.readline().strip()
        assert address, f"the app ended with {process.wait(10)}"
        _wait(address, process, "/healthz")
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium; where it cannot be had, nothing is tested in a browser, and that is said."""
    program = shutil.which("chromium")
    if program is None:
        reason = "NOTHING IS TESTED IN A BROWSER: there is no chromium, scripts/servers.sh install brings it"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        if _LOOP:
            events._set_running_loop(_LOOP[0])
        chromium.close()


@pytest.fixture
def visit(browser: Browser, gallery: str) -> Iterator[Visit]:
    """Return a function that brings a new visitor; no page of theirs may have raised an error."""
    visitors: list[Visitor] = []

    def new(size: str = "phone", *, dark: bool = False, language: str = "en-GB") -> Visitor:
        visitors.append(Visitor(browser, gallery, size, dark=dark, language=language))
        return visitors[-1]

    yield new
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture
def sits_at(browser: Browser, lived_app: str) -> Iterator[Visit]:
    """Return a function that brings somebody to the lived street's app, in a seat; none of their pages may fail."""
    with seated(browser, lived_app) as new:
        yield new


@pytest.fixture
def sits_by_the_chain(browser: Browser, chained_app: str) -> Iterator[Visit]:
    """Do the same at the app of a street that has a chain."""
    with seated(browser, chained_app) as new:
        yield new


@contextmanager
def seated(browser: Browser, address: str) -> Iterator[Visit]:
    """Yield what gives somebody a seat and a browser there."""
    visitors: list[Visitor] = []

    def new(seat: str, size: str = "phone", *, dark: bool = False, language: str = "en-GB") -> Visitor:
        visitors.append(Visitor(browser, address, size, dark=dark, language=language))
        visitors[-1].context.request.get(f"{address}/sit/{seat}", max_redirects=0)
        return visitors[-1]

    yield new
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture
def same_as_kept(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Return a function that compares how a page looks with how it looked; ``--keep-shots`` keeps it anew.

    Kept at a quarter of the size, so that letters may be drawn a little otherwise, and nothing may move.
    """

    def compare(page: Page, name: str, *, whole: bool = False) -> None:
        taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", full_page=whole))).convert("RGB")
        small = taken.resize((taken.width // _SMALL, taken.height // _SMALL), Image.Resampling.BOX)
        file = SHOTS / f"{name}.jpg"
        if request.config.getoption("--keep-shots"):
            small.save(file, quality=85, optimize=True)
            return
        assert file.exists(), f"there is no kept {name}: run with --keep-shots and look at it"
        kept = Image.open(file).convert("RGB")
        assert small.size == kept.size
        difference = ImageChops.difference(small, kept).convert("L").point(lambda value: 255 * (value > _DIFFERENT))
        share = difference.histogram()[255] / (small.width * small.height)
        if share > _MOST_DIFFERENT_SHARE:
            found = tmp_path / f"{name}-found.png"
            small.save(found)
            raise AssertionError(f"{name} looks otherwise in {share:.1%} of its places, see {found}")

    return compare
