"""One street that lived some hours, made once; whoever writes to it takes a copy."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lived import LivedStreet, lived_once

sys.path.append(str(Path(__file__).parents[1] / "flows"))


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> LivedStreet:
    here = tmp_path_factory.getbasetemp()
    return lived_once(here.parent if "PYTEST_XDIST_WORKER" in os.environ else here)


@pytest.fixture
def lived_copy(lived: LivedStreet, tmp_path: Path) -> LivedStreet:
    """The same, to be written to."""
    folder = tmp_path / "street"
    shutil.copytree(lived.folder, folder)
    return replace(lived, folder=folder)
