"""What we arranged with a station and must not forget: reservations, its local list, firmware, logs and sessions."""

import msgspec

MOST_RESERVATIONS = 50
MOST_LOGS = 20
MOST_STORIES = 50


class Reservation(msgspec.Struct):
    """An EVSE kept free for a token.

    Args:
        evse: Its number; None (2.x) or 0 (1.6) is any of the station's.
        state: ``standing``, ``used``, ``expired``, ``cancelled`` or ``removed``.
    """

    evse: int | None
    token: str
    until_s: int
    group: str = ""
    state: str = "standing"


class Firmware(msgspec.Struct):
    """A firmware that a station was told to take, and how far it is."""

    request: int
    location: str
    state: str = "asked"
    told_s: int = 0
    tries: int = 1


class Upload(msgspec.Struct):
    """A log that a station was told to send, and how far it is."""

    kind: str
    location: str
    state: str = "asked"
    name: str = ""


class Story(msgspec.Struct):
    """A session of the ledger at a station: the token that it was begun with, and the transaction that it became.

    Args:
        evse: Where.
        asked_s: When the station was last asked to begin.
        most_wh: What it may take at most, and
        until_s: until when.
        transaction: Id of the transaction, empty until it is known.
        stopped: Whether it shall flow no more.
        signed_wh: What the station's meter signed that it took; None before, and where it signs nothing.
        records: By which it did.
    """

    evse: int
    token: str
    most_wh: int
    until_s: int
    asked_s: int = 0
    transaction: str = ""
    stopped: bool = False
    signed_wh: int | None = None
    records: list[str] = []


class Books(msgspec.Struct):
    """All of it, of one station; ``pages`` are the last ones of signed records, by meter and context."""

    next: int = 1
    reservations: dict[int, Reservation] = {}
    list_version: int = 0
    listed: dict[str, str] = {}
    firmware: Firmware | None = None
    uploads: dict[int, Upload] = {}
    stories: dict[str, Story] = {}
    pages: dict[str, dict[str, int]] = {}

    def number(self) -> int:
        """Return a number for a request that no other of this station has."""
        self.next += 1
        return self.next

    def reserve(self, number: int, one: Reservation) -> None:
        """Keep a reservation, and forget the oldest that is over."""
        self.reservations[number] = one
        if len(self.reservations) > MOST_RESERVATIONS:
            over = (n for n, kept in self.reservations.items() if kept.state != "standing")
            del self.reservations[next(over, next(iter(self.reservations)))]

    def reserved(self, evse: int, now_s: int) -> Reservation | None:
        """Return who an EVSE is kept for just now."""
        for one in self.reservations.values():
            if one.state == "standing" and one.until_s <= now_s:
                one.state = "expired"
        standing = [one for one in self.reservations.values() if one.state == "standing"]
        return next((one for one in standing if one.evse == evse), None)
