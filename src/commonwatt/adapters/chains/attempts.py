"""Keep in a file which checkpoint was sent to the chain last, so that whoever was killed does not send it twice."""

from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.flows.anchoring import Attempt
from commonwatt.model import Corrupt


class AttemptFile:
    """Implements `commonwatt.flows.anchoring.Attempts`; each is written whole and durable, in place of the one before.

    Args:
        path: The file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> Attempt | None:
        """Return what was kept last; None where nothing was.

        Raises:
            Corrupt: The file is damaged.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Attempt)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise Corrupt(f"a checkpoint's attempt is an object of size, block and transaction: {error}") from error

    def keep(self, attempt: Attempt) -> None:
        """Keep an attempt.

        Raises:
            OSError: The folder is missing, full or cannot be written; what was kept before still is.
        """
        save_secret(self._path, msgspec.json.encode(attempt))
