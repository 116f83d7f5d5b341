from pathlib import Path

import pytest

from commonwatt.flows.entrance.hall import Hall
from doorway import Clock, doorway


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hall(tmp_path: Path, clock: Clock) -> Hall:
    return doorway(tmp_path, clock)
