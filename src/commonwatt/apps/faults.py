"""Follow a fault from day to day: it keeps its name, and so its owner's answer, until it was gone for a fortnight."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from commonwatt.adapters.stores import faults as store
from commonwatt.adapters.stores.answered import Answer, Word
from commonwatt.adapters.stores.faults import Fault
from commonwatt.apps.oversight import Alarm, Before
from commonwatt.forecasting.health import Ailment
from commonwatt.model import AccountId, Asset, AssetId, Corrupt

_log = logging.getLogger(__name__)
DAY_S = 86_400
FORGOTTEN_S = 14 * DAY_S
"""After so long without it a fault that comes is another one."""
KEPT_S = 60 * DAY_S
"""How long it is known that there was one, for what its owner said of it: longer than anything looks back."""
WORSE, WORSE_PERMILLE = 1.25, 20
"""What was accepted as it is stands again once it is so many times as far off, and two per cent more."""
ROOF = "yield"
_KINDS = {
    Ailment.SOILING: ROOF,
    Ailment.SHADING: ROOF,
    Ailment.STRING_LOSS: ROOF,
    Ailment.DRIFT: "meter",
    Ailment.BYPASS: "meter",
}
"""What may be told as the one today and as the other tomorrow is one fault."""
Answers = Callable[[AccountId, str], Answer | None]
"""What an account answered to a fault of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The faults that a folder keeps, by device and kind, and what their owners said of them."""

    faults: Mapping[str, Fault]
    answers: Answers

    def of(self, asset: AssetId, kind: str) -> Fault | None:
        """Return a device's fault of a kind; None where none is known."""
        return self.faults.get(_key(asset, kind))

    def roofs(self, assets: Iterable[Asset]) -> dict[AssetId, Before]:
        """Return what of roofs' past a look has to know: which faults stand, and since when they are looked at anew."""
        found = {}
        for asset in assets:
            fault = self.of(asset.id, ROOF)
            if fault is not None:
                answer = self.answers(asset.owner, fault.id)
                said = answer is not None and answer.word is not None
                stands = not fault.clear_s and not said and bool(fault.until_s)
                anew_s = answer.at_s if said and answer is not None else 0
                found[asset.id] = Before(stands=fault if stands else None, anew_s=anew_s)
        return found


NOTHING_KNOWN = Known(faults={}, answers=lambda _account, _fault: None)


def known(folder: Path, answers: Answers) -> Known:
    """Return the faults of a folder; what cannot be read is begun anew."""
    try:
        return Known(faults=store.read(folder), answers=answers)
    except Corrupt as error:
        _log.warning("alarms are named anew: %s", error)
        return Known(faults={}, answers=answers)


def followed(found: Sequence[Alarm], folder: Path, before: Known, now_s: int) -> list[Alarm]:
    """Return alarms by the names under which a folder knows their faults, and keep those.

    What cannot be kept is told all the same: an alarm is worth more than its name. What is said to be mended is no
    alarm while all that is seen of it is older, what was accepted as it is none while it is not clearly worse.

    Args:
        found: Today's.
        folder: The community's.
        before: What was known.
        now_s: Up to when was looked.
    """
    told, faults = named(found, before, now_s)
    if faults != before.faults:
        try:
            store.keep(folder, faults)
        except OSError as error:
            _log.warning("alarms may be named anew tomorrow: %s", error)
    return told


def named(found: Sequence[Alarm], before: Known, now_s: int) -> tuple[list[Alarm], dict[str, Fault]]:
    """Return one alarm a fault, with its name and since when it was first said to be, and the faults that stand now.

    Args:
        found: In order of what they cost; of two of one fault the stronger is told.
        before: What was known.
        now_s: Up to when was looked.
    """
    alarms, seen, quiet = dict[str, Alarm](), dict[str, Alarm](), set[str]()
    faults = {key: fault for key, fault in before.faults.items() if not fault.clear_s or now_s - fault.clear_s < KEPT_S}
    for one in found:
        key = _key(one.asset, _KINDS.get(one.ailment, one.ailment))
        if key not in seen or one.score > seen[key].score:
            seen[key] = one
        fault = faults.get(key)
        again = fault is not None and (not fault.clear_s or now_s - fault.clear_s < FORGOTTEN_S)
        faults[key], alarms[key] = _fault(one, seen[key], fault if again else None, before.answers)
        if _is_quiet(seen[key], before.answers(one.owner, faults[key].id)):
            quiet.add(key)
    for key, fault in faults.items():
        if key not in seen and not fault.clear_s:
            faults[key] = Fault(id=fault.id, since_s=fault.since_s, clear_s=now_s)
    return [one for key, one in alarms.items() if key not in quiet], faults


def forget(folder: Path, assets: Iterable[AssetId]) -> None:
    """Forget what faults some devices had, whose owner is erased.

    Raises:
        Corrupt: What is kept cannot be read.
        OSError: The disk is full or broken.
    """
    kinds = {_KINDS.get(one, one) for one in Ailment}
    gone = {_key(asset, kind) for asset in assets for kind in kinds}
    faults = store.read(folder)
    if gone & faults.keys():
        store.keep(folder, {key: fault for key, fault in faults.items() if key not in gone})


def _fault(one: Alarm, strongest: Alarm, fault: Fault | None, answers: Answers) -> tuple[Fault, Alarm]:
    """Return a fault as it is known from now on, and its alarm."""
    answer = None if fault is None else answers(one.owner, fault.id)
    if fault is None or (answer is not None and answer.word is not None and not _is_quiet(strongest, answer)):
        # What comes again after it was mended, or is clearly worse than what was accepted, is another fault.
        key = f"{one.asset} {_KINDS.get(one.ailment, one.ailment)} {one.since_s} {0 if answer is None else answer.at_s}"
        fault = Fault(id=_hash(key), since_s=one.since_s)
    # What is looked at slides on, so that later looks know less of its beginning than the first one did.
    since_s, lost_wh = min(fault.since_s, one.since_s), max(fault.lost_wh, strongest.lost_wh)
    kept = Fault(
        id=fault.id,
        since_s=since_s,
        ailment=strongest.ailment.value,
        off_permille=strongest.off_permille,
        score=strongest.score,
        lost_wh=lost_wh,
        until_s=strongest.until_s,
    )
    return kept, replace(strongest, id=fault.id, since_s=since_s)


def _is_quiet(one: Alarm, answer: Answer | None) -> bool:
    """Tell whether an owner's word says all that there is to it."""
    if answer is None or answer.word is None:
        return False
    if answer.word is Word.MENDED:
        return one.since_s < answer.at_s
    return abs(one.off_permille) <= WORSE * abs(answer.off_permille) + WORSE_PERMILLE


def _key(asset: AssetId, kind: str) -> str:
    return _hash(f"{asset} {kind}")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
