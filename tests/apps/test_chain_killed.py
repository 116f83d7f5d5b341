"""Who is killed in the middle of anchoring goes on without a second transaction."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lived import LivedStreet

from commonwatt.apps.chain_commands import recheck, status
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_terms import ChainTerms, want_embedded

CHILD = Path(__file__).with_name("chain_child.py")


@pytest.mark.row("M5")
@pytest.mark.parametrize("moment", ["about to", "sent"])
def test_a_kill_in_the_middle_of_anchoring_leaves_one_transaction(lived_copy: LivedStreet, moment: str) -> None:
    folder = lived_copy.folder
    want_embedded(folder)
    plain = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, CHILD, folder, moment], env=plain, check=False)
    assert ended.returncode == -signal.SIGKILL
    with ChainDesk(folder, "street", ChainTerms()) as desk:
        first, sent = desk.look(), desk.ground.chain.sent(desk.keys.desk.id)
        assert first.anchored_count == 1 and first.final_size == first.anchored[0].size
        assert desk.look().head == first.head and desk.ground.chain.sent(desk.keys.desk.id) == sent
    found = status(folder)
    assert found.anchored_size == found.final_size == first.final_size < found.log_size
    assert recheck(folder).transactions > sent
