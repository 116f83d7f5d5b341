"""Keep which faults of devices stand, so that an alarm is the same one tomorrow; by hash: they are their owners'."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.model import Corrupt

FAULTS = "faults.json"


class Fault(msgspec.Struct, frozen=True):
    """By what name a fault is known, since when it is said, and since when nothing was seen of it, zero for it stands.

    What was last found of it is kept with it, since what stands for longer than can be looked back is found no more:
    what it was called, how far off that was, by which statistic, what it had cost and up to when. Times are seconds
    since 1970.
    """

    id: str
    since_s: int
    clear_s: int = 0
    ailment: str = ""
    off_permille: int = 0
    score: float = 0.0
    lost_wh: int = 0
    until_s: int = 0


def read(folder: Path) -> dict[str, Fault]:
    """Return the faults that a community's folder keeps, by hash of device and what may ail it.

    Raises:
        Corrupt: The file does not hold faults.
    """
    path = folder / FAULTS
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Fault])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"{path} does not tell of faults: {error}") from error


def keep(folder: Path, faults: Mapping[str, Fault]) -> None:
    """Keep the faults that stand in place of those before, whole or not at all.

    Raises:
        OSError: The disk is full or broken.
    """
    save_secret(folder / FAULTS, msgspec.json.encode(dict(faults)))
