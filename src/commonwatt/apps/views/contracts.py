"""Contracts as one side of them sees them: each window, what was promised, measured and paid, and the entries of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.market.contracts import Call, Contract
from commonwatt.model import AccountId, AssetId, Memo

_MEMOS = (
    Memo.FLEXIBILITY_PAYMENT,
    Memo.FLEXIBILITY_AVAILABILITY,
    Memo.FLEXIBILITY_PENALTY,
    Memo.FLEXIBILITY_SETTLEMENT,
)
_MOST_ENTRIES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractWindow:
    """One window of a contract; Wh and micro.

    ``against`` is what it is measured against, ``entries`` the numbers of what was booked for it: each has a proof.
    """

    start_s: int
    end_s: int
    direction: str
    status: str
    against: str
    promised_wh: int
    delivered_wh: int
    due_micro: int
    paid_micro: int
    entries: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractView:
    """A contract: between whom, what one asset promises each way, W, until when, and its windows, the newest first.

    What ended longer ago than readings may be corrected, the log keeps as entries and no more as a contract.
    """

    contract: str
    offer: str
    utility: AccountId
    member: AccountId
    asset: AssetId
    charge_w: int
    give_back_w: int
    ends_s: int
    ended: bool
    windows: Sequence[ContractWindow]


def contracts(community: Community, seat: Seat, account: AccountId) -> list[ContractView]:
    """Return the contracts that an account is a side of, the newest first.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    book = community.state.contracted.book
    found = [one for one in book.contracts.values() if account in (one.member, book.offers[one.offer].utility)]
    entries = booked(community, account) if found else {}
    return [_contract(community, one, entries) for one in reversed(found)]


def _contract(community: Community, one: Contract, entries: dict[str, list[int]]) -> ContractView:
    offer = community.state.contracted.book.offers[one.offer]

    def window(call: Call) -> ContractWindow:
        return ContractWindow(
            start_s=call.start_s,
            end_s=call.end_s,
            direction=offer.terms.windows[call.window].direction.value,
            status=call.status.value,
            against=offer.terms.baseline.value,
            promised_wh=call.promised_wh,
            delivered_wh=call.delivered_wh,
            due_micro=call.due.net_micro,
            paid_micro=call.paid_micro,
            entries=entries.get(f"{one.id}/{call.start_s}", []),
        )

    return ContractView(
        contract=one.id,
        offer=one.offer,
        utility=offer.utility,
        member=one.member,
        asset=one.asset,
        charge_w=one.charge_w,
        give_back_w=one.give_back_w,
        ends_s=one.ends_s,
        ended=one.ended_s is not None,
        windows=[window(call) for call in reversed(one.calls)],
    )


def booked(community: Community, account: AccountId) -> dict[str, list[int]]:
    """Return the numbers of what an account booked for contracts, by contract and window's start: ``12/1542214800``."""
    found: dict[str, list[int]] = {}
    for memo in _MEMOS:
        for number, entry in community.chronicle.entries(account, memo=memo, limit=_MOST_ENTRIES):
            found.setdefault(entry.ref, []).append(number)
    return found
