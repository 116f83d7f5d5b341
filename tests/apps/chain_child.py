"""Look at a folder's chain once, and be killed at a moment: ``chain_child.py FOLDER MOMENT``."""

import os
import signal
import sys
from pathlib import Path

from commonwatt.adapters.chains.attempts import AttemptFile
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_terms import ChainTerms
from commonwatt.flows.anchoring import Attempt

KEPT = AttemptFile.keep


def main(folder: Path, moment: str) -> None:
    """Die before it is sent, or once it is sent and before that is written down."""

    def keep(self: AttemptFile, attempt: Attempt) -> None:
        if attempt.tx and moment == "sent":
            os.kill(os.getpid(), signal.SIGKILL)
        KEPT(self, attempt)
        if not attempt.tx and moment == "about to":
            os.kill(os.getpid(), signal.SIGKILL)

    AttemptFile.keep = keep  # type: ignore[method-assign]  # where a kill comes
    with ChainDesk(folder, "street", ChainTerms()) as desk:
        desk.look()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
