"""Somebody with channels, on a real store; carriers that do as a test tells them."""

from pathlib import Path

import pytest
from carriers import Scripted, Street

from doorway import Clock, doorway


@pytest.fixture
def street(tmp_path: Path) -> Street:
    clock = Clock()
    return Street(tmp_path, clock, doorway(tmp_path, clock), Scripted())
