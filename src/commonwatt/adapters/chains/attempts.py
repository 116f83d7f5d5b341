"""Keep which checkpoint was sent to the chain last, in a file, so that nobody who was killed sends it twice."""

from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.flows.anchoring import Attempt
from commonwatt.model import Corrupt


class AttemptFile:
    """Implements `commonwatt.flows.anchoring.Attempts`; what `keep` returned from survives a power cut.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> Attempt | None:
        """Return what was kept last.

        Raises:
            Corrupt: The file is damaged.
        """
        if not self._path.exists():
            return None
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Attempt)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Corrupt(f"{self._path} does not tell what was sent: {error}") from error

    def keep(self, attempt: Attempt) -> None:
        """Keep an attempt in place of the one before."""
        save_secret(self._path, msgspec.json.encode(attempt))

    def forget(self) -> None:
        """Forget it: where nothing waits outside of blocks, the chain itself tells what was taken."""
        self._path.unlink(missing_ok=True)
