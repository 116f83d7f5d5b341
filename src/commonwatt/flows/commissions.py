"""What the operator's income came to: who owed commission on their storage, and for whom a licence waived it."""

from dataclasses import dataclass

import numpy as np

from commonwatt.flows.rulebook.columns import columns
from commonwatt.flows.rulebook.licensing import BOUGHT, COMMISSION, OPERATOR, commission_micro, waived
from commonwatt.flows.rulebook.state import State
from commonwatt.model import AccountId, Commodity


@dataclass(slots=True, kw_only=True)
class Commissioned:
    """One owner of storage, over all slots that are settled.

    Args:
        account: Whose.
        charged_wh: What their storage took in.
        discharged_wh: What it gave.
        owed_micro: What the books say they owed for that, corrections included.
        waived_micro: What they would have owed without a licence, in the slots in which they had one.
        licences_micro: What they paid for licences.
    """

    account: AccountId
    charged_wh: int = 0
    discharged_wh: int = 0
    owed_micro: int = 0
    waived_micro: int = 0
    licences_micro: int = 0


def commissions(state: State) -> list[Commissioned]:
    """Return what each owner of storage owed the operator, sorted by account.

    Args:
        state: From a replay that kept everything: sums are over its entries, what was waived is read from readings.
    """
    found: dict[AccountId, Commissioned] = {}

    def of(account: AccountId) -> Commissioned:
        return found.setdefault(account, Commissioned(account=account))

    for entry in state.entries:
        if entry.commodity is Commodity.ERGON and entry.memo in (COMMISSION, BOUGHT):
            account = entry.source if entry.target == OPERATOR else entry.target
            micro = entry.amount if entry.target == OPERATOR else -entry.amount
            if entry.memo == COMMISSION:
                of(account).owed_micro += micro
            else:
                of(account).licences_micro += micro
    stores = columns(state).meters.stores
    for slot_s in sorted(slot_s for slot_s in state.readings if slot_s < state.settled_to_s):
        slot = state.readings[slot_s]
        for place in np.flatnonzero(stores[: len(slot.quality)] & slot.told()).tolist():
            reading = slot[state.readings.meters[place]]
            told = of(state.assets[reading.asset].owner)
            told.charged_wh += reading.import_wh
            told.discharged_wh += reading.export_wh
            if waived(state, told.account, slot_s):
                told.waived_micro += commission_micro(state, reading)
    return [found[account] for account in sorted(found)]
