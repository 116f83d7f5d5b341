"""The real app behind its entrance, over TLS, in a process of its own; and what a test does at its forms."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from apps.lived import lived_once

PROGRAM = "from commonwatt.apps.cli.main import main; main()"


def lived_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the lived street's folder."""
    base = tmp_path_factory.getbasetemp()
    lived = lived_once(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
    folder = tmp_path_factory.mktemp("entered") / "street"
    shutil.copytree(lived.folder, folder)
    return folder


@contextmanager
def serving_entrance(folder: Path) -> Iterator[str]:
    """Serve a folder's app, and give its address."""
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    words = [sys.executable, "-u", "-c", PROGRAM, "app", str(folder), "--port", "0"]
    with subprocess.Popen(words, env=plain, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open at "), line
        yield line.removeprefix("open at ").strip()
        process.terminate()


def send(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def with_authenticator(page: Page) -> None:
    """Give the browser an authenticator that it believes to be built in, and whose owner is always there."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    there = {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    options = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True, **there}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
