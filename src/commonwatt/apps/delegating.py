"""Let another key act for a member, or no longer: signed with the member's key, sent through the community's door."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from commonwatt.adapters.door.client import knock
from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.desk import Desk
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.model import AccountId, InvalidValue, Kind, Outcome, Refused, epoch


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
    key = open_key(folder, name)
    with open_log(folder) as log:
        state = resume(log, community_of(log)).state
    record = state.keys.get(key.id)
    if record is None:
        raise Refused("a key is registered before it grants", named=name, key=key.id)
    desk = Desk(state)
    desk.write(key, record.account, Kind.DELEGATE, body)
    (outcome,), _ = knock(host, port, desk.wires)
    if outcome is not Outcome.BOOKED:
        raise Refused("the log takes what its rules allow", to=body.to, outcome=outcome)
    return Delegated(account=record.account, to=body.to, outcome=outcome)


def public_key(folder: Path, to: str) -> str:
    """Return a public key as hex: as it was given, or that of a key in the folder by its name."""
    return to if len(to) == 66 and set(to) <= set("0123456789abcdef") else open_key(folder, to).public.hex()


def until_s(text: str) -> int:
    """Return the first second after a day, YYYY-MM-DD, UTC, since 1970.

    Raises:
        InvalidValue: It is no day.
    """
    try:
        return epoch(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)) + 86_400
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f"a day looks like 2018-11-14, was {text!r}") from error
