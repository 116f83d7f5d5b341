"""A community as its folder has it: the log there, and the time and the door that the folder's card tells."""

import time
from contextlib import suppress
from pathlib import Path

from commonwatt.apps import door_card
from commonwatt.apps.community import Community
from commonwatt.model import Refused


def folder_community(folder: Path) -> Community:
    """Open a folder's community, whose time and door are those of the folder's card.

    Raises:
        Refused: There is no log, or no key to it.
        Corrupt: The log is damaged.
    """
    clock = _Clock(folder)
    community = Community(folder, lambda: clock.now_s() or community.told_s, lambda: _door(folder))
    return community


class _Clock:
    """The log's time, by the card of the folder's door; it stands still where none is open."""

    def __init__(self, folder: Path) -> None:
        self._path, self._folder = folder / door_card.DOOR_CARD, folder
        self._read: tuple[int, door_card.DoorCard] | None = None

    def now_s(self) -> int | None:
        """Return the time, seconds since 1970; None where no door was open yet."""
        try:
            changed = self._path.stat().st_mtime_ns
            if self._read is None or self._read[0] != changed:
                self._read = changed, door_card.read(self._folder)
        except (OSError, Refused):
            pass
        return None if self._read is None else self._read[1].now_s(time.time())


def _door(folder: Path) -> tuple[str, int] | None:
    with suppress(Refused):
        card = door_card.read(folder)
        return card.host, card.port
    return None
