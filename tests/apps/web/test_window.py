import os
from pathlib import Path

import pytest

from commonwatt.apps.web import window
from commonwatt.apps.web.window import browser, open_window
from commonwatt.model import Refused


def test_a_window_is_the_systems_own_browser_without_an_address_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    program = tmp_path / "chromium"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{said}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + "/usr/bin:/bin")
    assert browser() == str(program)
    assert open_window("https://localhost:8443/", tmp_path / "profile").wait(30) == 0
    words = said.read_text().splitlines()
    assert "--app=https://localhost:8443/" in words
    assert f"--user-data-dir={tmp_path / 'profile'}" in words
    assert (tmp_path / "profile").stat().st_mode & 0o077 == 0


def test_where_there_is_no_browser_the_address_is_told_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(window, "_ON_A_MAC", ())
    with pytest.raises(Refused, match="open_instead https://localhost:8443/"):
        open_window("https://localhost:8443/", tmp_path / "profile")
