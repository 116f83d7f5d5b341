"""One chain for many tests: each has a channel of its own."""

import sys
from pathlib import Path

import pytest

from channel_hall import Hall

sys.path.append(str(Path(__file__).parents[1]))


@pytest.fixture(scope="module")
def hall() -> Hall:
    hall = Hall()
    hall.approve()
    return hall
