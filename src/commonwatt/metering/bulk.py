"""Judge many batches of plain readings at once, in compiled loops; `check` judges one by one, and is the oracle."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.metering.batch import NO_LEVEL, Quality
from commonwatt.metering.table import SlotReadings
from commonwatt.model import SLOT_SECONDS

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
BELIEVED, DOUBTED, TAKEN = 1, 2, 3
"""Verdicts: it counts now; it breaks a limit or came too early; its meter and slot have a measurement already."""
_MEASURED = int(Quality.MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """What is registered of each meter, one place each: limits in Wh a slot, from when it counts, if it stores."""

    most_import_wh: Places
    most_export_wh: Places
    joined_s: Places
    stores: Flags


def find_plain(
    records: NDArray[np.void], ends: Places, first: Places, counts: Places, behind: Places, meters: Meters,
    settled_to_s: int, now_s: int,
) -> tuple[Flags, Places]:  # fmt: skip
    """Tell which batches are plain all through, and of each of their records which meter it is of.

    Plain is a measurement of a whole slot that is over and not settled, of a meter that is known and stores nothing.

    Args:
        records: Of all batches, end to end; `ITEM_DTYPE`.
        ends: Where each batch ends.
        first: Where in ``behind`` the meters behind its gateway begin.
        counts: How many these are; none where nobody knows the gateway.
        behind: Places of meters, gateway by gateway.
        meters: All meters.
        settled_to_s: The first slot that is not settled.
        now_s: The log's time.

    Returns:
        A truth value a batch, and a place a record; a record of a batch that is not plain may have any place.
    """
    plain, places = np.zeros(len(ends), np.bool_), np.zeros(len(records), np.int64)
    _find_plain(records, ends, first, counts, behind, meters.stores, settled_to_s, now_s, plain, places)
    return plain, places


def believe(
    records: NDArray[np.void], here: Places, places: Places, slot: SlotReadings, meters: Meters,
    verdicts: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Believe what can be believed of a run of plain records about one slot, in their order.

    Args:
        records: Of any slots.
        here: Which of them are about this one, in order.
        places: Of each record's meter.
        slot: Its columns are written to.
        meters: All meters.
        verdicts: One a record, set where the record is of this slot.
    """
    _believe(
        records, here, places, slot.slot_s, slot.import_wh, slot.export_wh, slot.quality,
        meters.most_import_wh, meters.most_export_wh, meters.joined_s, verdicts,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _find_plain(
    records: Any, ends: Any, first: Any, counts: Any, behind: Any, stores: Any, settled_to_s: int, now_s: int,
    plain: Any, places: Any,
) -> None:  # fmt: skip
    begin = 0
    for batch in range(len(ends)):
        good = True
        for i in range(begin, ends[batch]):
            record = records[i]
            start_s = record.start_s
            good = (
                record.register < counts[batch]
                and record.quality == _MEASURED
                and record.flags == 0
                and record.level_wh == NO_LEVEL
                and record.seconds == SLOT_SECONDS
                and start_s % SLOT_SECONDS == 0
                and start_s >= settled_to_s
                and start_s + SLOT_SECONDS <= now_s
            )
            if not good:
                break
            places[i] = behind[first[batch] + record.register]
            if stores[places[i]]:
                good = False
                break
        plain[batch] = good
        begin = ends[batch]


@njit(nogil=True, cache=True)
def _believe(
    records: Any, here: Any, places: Any, slot_s: int, import_wh: Any, export_wh: Any, quality: Any,
    most_import_wh: Any, most_export_wh: Any, joined_s: Any, verdicts: Any,
) -> None:  # fmt: skip
    for i in here:
        record, place = records[i], places[i]
        if slot_s < joined_s[place]:
            verdicts[i] = DOUBTED
        elif quality[place] == _MEASURED:
            verdicts[i] = TAKEN
        elif record.import_wh > most_import_wh[place] or record.export_wh > most_export_wh[place]:
            verdicts[i] = DOUBTED
        else:
            verdicts[i] = BELIEVED
            import_wh[place], export_wh[place] = record.import_wh, record.export_wh
            quality[place] = _MEASURED
