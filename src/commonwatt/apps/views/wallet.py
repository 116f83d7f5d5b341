"""What an account holds, what came and went, and where to go on reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Commodity


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """What an account holds, in base units: ERGON and TSL in micro, WATT in Wh, and what of it is not free.

    Args:
        account: Whose.
        as_of_s: As of when, by the log's time.
        ergon_micro: Below zero where a reading was booked that nothing covered.
        ergon_reserved_micro: Set aside for bids of slots that are not settled, and for transfers that wait.
        watt_wh: WATT, 1 base unit = 1 Wh.
        b_max_wh: How much WATT it may hold.
        tsl_micro: The right to store.
        custodial: Whether its key is kept here, so that the app can sign for it.
        keys: The public keys that act for it, hex.
    """

    account: AccountId
    as_of_s: int
    ergon_micro: int
    ergon_reserved_micro: int
    watt_wh: int
    b_max_wh: int
    tsl_micro: int
    custodial: bool
    keys: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry of the books as one of its two sides sees it: ``amount`` above zero came, below zero went."""

    number: int
    slot_s: int
    commodity: Commodity
    amount: int
    other: AccountId
    memo: str
    ref: str


def wallet(community: Community, seat: Seat, account: AccountId) -> Wallet:
    """Return what an account holds.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    state = community.state
    return Wallet(
        account=account,
        as_of_s=community.told_s,
        ergon_micro=state.ergon(account),
        ergon_reserved_micro=state.slot_market.reserved_micro(account),
        watt_wh=state.watt(account),
        b_max_wh=state.charter.b_max_wh,
        tsl_micro=state.tsl(account),
        custodial=community.holds_key(account),
        keys=[record.verifying.public.hex() for record in state.keys if record.account == account],
    )


def entries(
    community: Community, seat: Seat, account: AccountId, before: int | None, limit: int, commodity: Commodity | None
) -> Sequence[EntryView]:
    """Return an account's entries, the newest first, from before a number on.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    found = community.chronicle.entries(account, before=before, limit=limit, commodity=commodity)
    return [
        EntryView(
            number=number,
            slot_s=one.slot_s,
            commodity=one.commodity,
            amount=one.amount if one.target == account else -one.amount,
            other=one.source if one.target == account else one.target,
            memo=one.memo,
            ref=one.ref,
        )
        for number, one in found
    ]
