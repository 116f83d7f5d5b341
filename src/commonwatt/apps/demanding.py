"""The operator's broadcasts of DEMAND: kept in a file of the community's folder, told to every gateway by its door."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.flows.gateway.letters import Called
from commonwatt.flows.gateway.rules import MOST_DEMANDS
from commonwatt.model import InvalidValue, Refused, epoch

DEMANDS = "demands.json"
TOLD = "demands-told.json"
MOST_TOLD = 200
"""How many that were told are kept to be followed up, the newest."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A DEMAND that was told: since when gateways could know of it, and when it was taken back; None where never.

    Whoever holds the community's machine calls without a name.
    """

    called: Called
    told_s: int
    retracted_s: int | None = None
    caller: str = ""

    @property
    def end_s(self) -> int:
        """Until when it held."""
        return self.called.end_s if self.retracted_s is None else min(self.called.end_s, self.retracted_s)


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


def demand(
    folder: Path, called: Called, now_s: int, caller: str = "", on_due: Callable[[], None] = lambda: None
) -> Sequence[Called]:
    """Broadcast a DEMAND; one of the same name is replaced. The door tells it within a moment.

    Args:
        folder: The community's.
        called: What is called.
        now_s: Seconds since 1970.
        caller: Who calls.
        on_due: Told once nothing stands against it, before it is broadcast.

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
    before = _ended(folder, called.id, now_s)
    on_due()
    _note(folder, [*before, Told(called=called, told_s=now_s, caller=caller)])
    return _save(folder, [*kept, called])


def retract(folder: Path, name: str, now_s: int, on_due: Callable[[], None] = lambda: None) -> Sequence[Called]:
    """Take a DEMAND back; whose it is, who asks has seen to.

    Args:
        folder: The community's.
        name: Of the DEMAND.
        now_s: Seconds since 1970.
        on_due: As in `demand`.

    Raises:
        Refused: There is none of that name.
    """
    before = standing(folder, now_s)
    kept = [one for one in before if one.id != name]
    if kept == before:
        raise Refused("a DEMAND is taken back by its name", named=name, standing=[one.id for one in before])
    ended = _ended(folder, name, now_s)
    on_due()
    _note(folder, ended)
    return _save(folder, kept)


def caller(folder: Path, name: str) -> str | None:
    """Return who called the last DEMAND of a name; None where there was none.

    Raises:
        InvalidValue: As in `history`.
    """
    return next((one.caller for one in reversed(history(folder)) if one.called.id == name), None)


def history(folder: Path) -> list[Told]:
    """Return what was ever told, the newest last; the oldest of very many are forgotten.

    Raises:
        InvalidValue: The file is no list of them.
    """
    path = folder / TOLD
    if not path.exists():
        return []
    try:
        return msgspec.json.decode(load_secret(path), type=list[Told])
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidValue(f"{path} lists what was demanded: {error}") from error


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


def _ended(folder: Path, name: str, now_s: int) -> list[Told]:
    """Return what was told, with all of a name that still held ended now."""
    return [
        msgspec.structs.replace(one, retracted_s=now_s) if one.called.id == name and now_s < one.end_s else one
        for one in history(folder)
    ]


def _note(folder: Path, told: Sequence[Told]) -> None:
    save_secret(folder / TOLD, msgspec.json.encode(list(told)[-MOST_TOLD:]))


def _save(folder: Path, demands: Sequence[Called]) -> Sequence[Called]:
    save_secret(folder / DEMANDS, msgspec.json.encode(list(demands)))
    return demands
