from pathlib import Path

import pytest
from doorway import Clock, doorway

from commonwatt.flows.entrance.hall import Hall


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hall(tmp_path: Path, clock: Clock) -> Hall:
    return doorway(tmp_path, clock)
