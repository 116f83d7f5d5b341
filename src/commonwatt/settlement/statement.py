"""What one account's entries came to: a bill and a payslip in one."""

from collections.abc import Iterable
from dataclasses import dataclass

from commonwatt.model import AccountId, Commodity, Entry, Memo


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Sums over entries of one account; energy and WATT in Wh, money in micro, all zero or more but the last two.

    Args:
        account: Whose statement this is.
        import_wh: All energy received, from neighbours, storage and grid.
        export_wh: All energy sent.
        bought_wh: Part of the import that was traded in a slot.
        sold_wh: Part of the export that was traded in a slot.
        called_wh: Part of the import that was called from storage for WATT.
        supplied_wh: Part of the export that storage supplied for others' WATT.
        watt_bought_wh: WATT received for money.
        watt_sold_wh: WATT given for money, bought back ones included.
        paid_micro: ERGON paid for energy and WATT.
        earned_micro: ERGON earned with energy and WATT.
        purchased_micro: ERGON bought for money outside or brought in from the chain, minus what was paid out, taken
            back again or sent out to the chain.
        given_micro: ERGON that others gave for nothing, minus what was given to them.
    """

    account: AccountId
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    called_wh: int
    supplied_wh: int
    watt_bought_wh: int
    watt_sold_wh: int
    paid_micro: int
    earned_micro: int
    purchased_micro: int
    given_micro: int = 0

    @property
    def net_micro(self) -> int:
        """Earned minus paid; with what was purchased and given, it is the change of the ERGON balance."""
        return self.earned_micro - self.paid_micro


_WATT_SALES = (Memo.WATT_TRADE, Memo.WATT_BOUGHT_BACK, Memo.INTERCHANGE, Memo.INTERCHANGE_PREPARED)
NOT_EARNED = (
    Memo.PURCHASE,
    Memo.REFUND,
    Memo.CHARGE_BACK,
    Memo.PAYOUT,
    Memo.PAYOUT_RETURNED,
    Memo.SENT_OUT,
    Memo.CAME_IN,
)
"""ERGON that changed form, not owner: it came from or went to the owner's money outside, or tokens on the chain."""


def statement(account: AccountId, entries: Iterable[Entry]) -> Statement:
    """Sum up one account's part in entries of any span; entries of others change nothing."""
    energy, watt, ergon = _Sums(), _Sums(), _Sums()
    sums = {Commodity.ENERGY: energy, Commodity.WATT: watt, Commodity.ERGON: ergon, Commodity.TSL: _Sums()}
    for entry in entries:
        if account in (entry.source, entry.target):
            sums[entry.commodity].add(entry, received=entry.target == account)
    purchased_micro, paid_out_micro = ergon.of(*NOT_EARNED)
    given_micro, gave_micro = ergon.of(Memo.TRANSFER)
    received_micro, sent_micro = ergon.whole()
    returned_micro, _ = ergon.of(Memo.INTERCHANGE_RELEASED)  # paid and paid back: neither spent nor earned
    import_wh, export_wh = energy.whole()
    bought_wh, sold_wh = energy.of(Memo.TRADE)
    called_wh, supplied_wh = energy.of(Memo.WATT_DELIVERY)
    watt_bought_wh, watt_sold_wh = watt.of(*_WATT_SALES)
    watt_sold_wh -= watt.of(Memo.INTERCHANGE_RELEASED)[0]
    return Statement(
        account=account,
        import_wh=import_wh,
        export_wh=export_wh,
        bought_wh=bought_wh,
        sold_wh=sold_wh,
        called_wh=called_wh,
        supplied_wh=supplied_wh,
        watt_bought_wh=watt_bought_wh,
        watt_sold_wh=watt_sold_wh,
        paid_micro=sent_micro - returned_micro - paid_out_micro - gave_micro,
        earned_micro=received_micro - returned_micro - purchased_micro - given_micro,
        purchased_micro=purchased_micro - paid_out_micro,
        given_micro=given_micro - gave_micro,
    )


class _Sums:
    """What an account received and sent of one commodity, by memo."""

    def __init__(self) -> None:
        self._by_memo: dict[str, tuple[int, int]] = {}

    def add(self, entry: Entry, *, received: bool) -> None:
        came, went = self._by_memo.get(entry.memo, (0, 0))
        self._by_memo[entry.memo] = (came + entry.amount, went) if received else (came, went + entry.amount)

    def of(self, *memos: str) -> tuple[int, int]:
        pairs = [self._by_memo.get(memo, (0, 0)) for memo in memos]
        return sum(came for came, _ in pairs), sum(went for _, went in pairs)

    def whole(self) -> tuple[int, int]:
        return self.of(*self._by_memo)
