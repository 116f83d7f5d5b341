"""The card of an open door in a community's folder: where it is, and what time the log has by the system's clock."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.model import SLOT_SECONDS, Corrupt, InvalidValue, Refused

DOOR_CARD = "door.json"
SLOT_MS = 1_000 * SLOT_SECONDS
"""How long a slot lasts where the log's time is the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardClock:
    """When it is what time in the log: a line through one moment, which ends where it waits for something.

    Args:
        log_s: A moment in the log's time, seconds since 1970.
        system_ms: The same moment on the system's clock, milliseconds since 1970.
        slot_ms: How long a slot of the log lasts on the system's clock.
        until_s: The log's time stands still here until there is another card; None where it never waits.

    Raises:
        InvalidValue: A slot lasts no time, or it waits for what is over.
    """

    log_s: int
    system_ms: int
    slot_ms: int = SLOT_MS
    until_s: int | None = None

    def __post_init__(self) -> None:
        if self.slot_ms < 1:
            raise InvalidValue(f"a slot lasts a millisecond or more, was {self.slot_ms}")
        if self.until_s is not None and self.until_s < self.log_s:
            raise InvalidValue(f"a clock waits for what is still to come, was {self.until_s} at {self.log_s}")

    def at(self, system_ms: int) -> int:
        """Return the log's time when the system's clock shows a moment, never before the card's own."""
        passed_s = max(0, system_ms - self.system_ms) * SLOT_SECONDS // self.slot_ms
        return self.log_s + passed_s if self.until_s is None else min(self.until_s, self.log_s + passed_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorCard:
    """Where a community's door is open, and its log's clock."""

    community: str
    host: str
    port: int
    clock: CardClock

    def now_s(self, system_now_s: float) -> int:
        """Return the log's time, seconds since 1970, when the system's clock shows seconds since 1970."""
        return self.clock.at(int(1_000 * system_now_s))


def read(folder: Path) -> DoorCard:
    """Return the card of a folder's open door.

    A door that was killed leaves its card; whoever knocks finds nobody.

    Raises:
        Refused: There is none.
        Corrupt: It cannot be read.
    """
    try:
        return msgspec.json.decode((folder / DOOR_CARD).read_bytes(), type=DoorCard)
    except FileNotFoundError as error:
        raise Refused("no door is open: `commonwatt accept` or `run --live` opens one", folder=folder) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"{folder / DOOR_CARD} is no door's card: {error}") from error


def write(folder: Path, card: DoorCard) -> None:
    """Put a card into a folder in place of the one before, whole or not at all."""
    save_secret(folder / DOOR_CARD, msgspec.json.format(msgspec.json.encode(card)))


@contextmanager
def posted(folder: Path, card: DoorCard) -> Iterator[None]:
    """Keep a card, or those that are written in its place, in a folder as long as a door is open."""
    write(folder, card)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            (folder / DOOR_CARD).unlink()
