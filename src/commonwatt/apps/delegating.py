"""Let another key act for a member, or no longer: signed with the member's key, sent through the community's door."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from commonwatt.apps.asking import send
from commonwatt.apps.wiring import open_key
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.model import AccountId, InvalidValue, Kind, Outcome, epoch, read_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """What became of it: for which account, to which key, and the outcome in the log."""

    account: AccountId
    to: str
    outcome: Outcome


def delegate(folder: Path, name: str, body: trust_bodies.Delegate, host: str, port: int) -> Delegated:
    """Sign a grant or its end with a member's key, and send it through the door.

    Args:
        folder: The community's, with the member's key; its log tells the key's next number.
        name: Of the key, as its file in the folder's keys.
        body: What is granted or taken back.
        host: Where the door is.
        port: Likewise.

    Raises:
        Refused: There is no such key or log, the log does not know it, or the request was refused; says how.
        OSError: The line to the door broke.
    """
    done = send(folder, name, Kind.DELEGATE, body, host, port)
    return Delegated(account=done.account, to=body.to, outcome=done.outcome)


def public_key(folder: Path, to: str) -> str:
    """Return a public key as hex: as it was given, or that of a key in the folder by its name."""
    return to if len(to) == 66 and set(to) <= set("0123456789abcdef") else open_key(folder, to).public.hex()


def until_s(text: str) -> int:
    """Return the first second after a day, YYYY-MM-DD, UTC, since 1970.

    Raises:
        InvalidValue: It is no day.
    """
    try:
        return epoch(datetime.combine(read_day(text), datetime.min.time(), UTC)) + 86_400
    except OverflowError as error:
        raise InvalidValue(f"a day looks like 2018-11-14, was {text!r}") from error
