"""The operator's broadcasts of DEMAND: kept in a file of the community's folder, told to every gateway by its door."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.gateway.rules import MOST_DEMANDS
from commonwatt.model import InvalidValue, Refused, epoch

DEMANDS = "demands.json"


def standing(folder: Path, now_s: int) -> list[Called]:
    """Return what is broadcast and not over, by its start.

    Raises:
        InvalidValue: The file is no list of them.
    """
    path = folder / DEMANDS
    if not path.exists():
        return []
    try:
        told = msgspec.json.decode(load_secret(path), type=list[Called])
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidValue(f"{path} lists what is demanded: {error}") from error
    return sorted((one for one in told if now_s < one.end_s), key=lambda one: (one.start_s, one.id))


def demand(folder: Path, called: Called, now_s: int) -> Sequence[Called]:
    """Broadcast a DEMAND; one of the same name is replaced. The door tells it within a moment.

    Raises:
        InvalidValue: It is over, or ends before it begins.
        Refused: There are too many at once.
    """
    called.demand()
    if called.end_s <= now_s:
        raise InvalidValue(f"a DEMAND ends later than now, was {called.end_s}, now is {now_s}")
    kept = [one for one in standing(folder, now_s) if one.id != called.id]
    if len(kept) >= MOST_DEMANDS:
        raise Refused("so many DEMANDs stand at once at most", most=MOST_DEMANDS)
    return _save(folder, [*kept, called])


def retract(folder: Path, name: str, now_s: int) -> Sequence[Called]:
    """Take a DEMAND back.

    Raises:
        Refused: There is none of that name.
    """
    before = standing(folder, now_s)
    kept = [one for one in before if one.id != name]
    if kept == before:
        raise Refused("a DEMAND is taken back by its name", named=name, standing=[one.id for one in before])
    return _save(folder, kept)


def seconds_of(text: str) -> int:
    """Return the instant that a person wrote, seconds since 1970.

    Raises:
        InvalidValue: It is no instant, or says no zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue(f"an instant looks like 2026-06-01T20:00Z, was {text!r}") from error
    if at.tzinfo is None:
        raise InvalidValue(f"an instant says its zone, as 2026-06-01T20:00Z does, was {text!r}")
    return epoch(at)


def _save(folder: Path, demands: Sequence[Called]) -> Sequence[Called]:
    save_secret(folder / DEMANDS, msgspec.json.encode(list(demands)))
    return demands
