"""Follow a fault from day to day: it keeps its name, and so its owner's answer, until it was gone for a fortnight."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from commonwatt.adapters.stores import faults as store
from commonwatt.adapters.stores.faults import Fault
from commonwatt.apps.oversight import Alarm
from commonwatt.forecasting.health import Ailment
from commonwatt.model import Corrupt

_log = logging.getLogger(__name__)
FORGOTTEN_S = 14 * 86_400
_KINDS = {
    Ailment.SOILING: "yield",
    Ailment.SHADING: "yield",
    Ailment.STRING_LOSS: "yield",
    Ailment.DRIFT: "meter",
    Ailment.BYPASS: "meter",
}
"""What may be told as the one today and as the other tomorrow is one fault."""


def followed(found: Sequence[Alarm], folder: Path, now_s: int) -> list[Alarm]:
    """Return alarms by the names under which a folder knows their faults, and keep those.

    What cannot be read is begun anew, what cannot be kept is told all the same: an alarm is worth more than its name.

    Args:
        found: Today's.
        folder: The community's.
        now_s: Up to when was looked.
    """
    try:
        known = store.read(folder)
    except Corrupt as error:
        _log.warning("alarms are named anew: %s", error)
        known = {}
    told, faults = named(found, known, now_s)
    if faults != known:
        try:
            store.keep(folder, faults)
        except OSError as error:
            _log.warning("alarms may be named anew tomorrow: %s", error)
    return told


def named(found: Sequence[Alarm], known: Mapping[str, Fault], now_s: int) -> tuple[list[Alarm], dict[str, Fault]]:
    """Return one alarm a fault, with its name and since when it was first said to be, and the faults that stand now.

    Args:
        found: In order of what they cost; of two of one fault the stronger is told.
        known: By device and kind.
        now_s: Up to when was looked.
    """
    alarms = dict[str, Alarm]()
    faults = {
        key: fault if fault.clear_s else Fault(id=fault.id, since_s=fault.since_s, clear_s=now_s)
        for key, fault in known.items()
        if not fault.clear_s or now_s - fault.clear_s < FORGOTTEN_S
    }
    for one in found:
        key = _key(one)
        before = alarms.get(key)
        fault = faults.get(key) or Fault(id=_hash(f"{key} {one.since_s}"), since_s=one.since_s)
        # What is looked at slides on, so that later looks know less of its beginning than the first one did.
        since_s = min(fault.since_s, one.since_s)
        faults[key] = Fault(id=fault.id, since_s=since_s)
        strongest = one if before is None or one.score > before.score else before
        alarms[key] = replace(strongest, id=fault.id, since_s=since_s)
    return list(alarms.values()), faults


def _key(one: Alarm) -> str:
    return _hash(f"{one.asset} {_KINDS.get(one.ailment, one.ailment)}")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
