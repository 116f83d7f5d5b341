"""What an account holds, what came and went, and where to go on reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import check
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.flows.rulebook.tokens.wallets import Agreed
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Commodity, Memo
from commonwatt.settlement.bill import label_of
from commonwatt.tokens.prepaid import TopUp, TopUpRule

_LOOK_BACK = 2_000
NAMES: dict[str, str] = {
    Memo.PURCHASE: "Money paid in",
    Memo.REFUND: "Money paid back to you",
    Memo.CHARGE_BACK: "Money taken back by your bank",
    Memo.PAYOUT: "Money paid out to your bank",
    Memo.PAYOUT_RETURNED: "Money that came back from your bank",
    Memo.SENT_OUT: "Sent out to the chain",
    Memo.CAME_IN: "Brought in from the chain",
    Memo.COMMISSION: "Commission for storing",
    Memo.COMMISSION_SHARE: "Share of all commissions",
    Memo.WELCOME_GRANT: "Welcome grant",
    Memo.INITIAL_DISTRIBUTION: "First distribution",
    Memo.GENESIS: "From the founding",
    Memo.ENDOWMENT: "Endowment",
}
"""What entries are called that no bill has a line for."""


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
        free_ergon_micro: What of it can be given away now; below zero where more is promised than is there.
        free_watt_wh: Likewise.
        free_tsl_micro: Likewise; what is stored needs its right.
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
    free_ergon_micro: int
    free_watt_wh: int
    free_tsl_micro: int
    custodial: bool
    keys: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry of the books as one of its two sides sees it: ``amount`` above zero came, below zero went.

    ``label`` is what it is called on a bill, in English.
    """

    number: int
    slot_s: int
    commodity: Commodity
    amount: int
    other: AccountId
    memo: str
    label: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Tokens that are set aside until who is to get them takes them, base units.

    Args:
        transfer: Its name.
        other: Who is to get them where ``incoming`` is not set, else who gives.
        incoming: Whether this account may take them, or let them go.
        commodity: What.
        amount: How much.
        until_s: When it ends by itself.
        against: What whoever takes them gives in the same instant; None where nothing.
        against_amount: How much of that.
    """

    transfer: str
    other: AccountId
    incoming: bool
    commodity: Commodity
    amount: int
    until_s: int
    against: Commodity | None
    against_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealings:
    """With whom somebody deals, and what stands between them.

    Args:
        as_of_s: As of when.
        waiting: What is set aside, in the order in which it ends.
        known: Whom they have dealt with, the latest first, by pseudonym.
        collects: Whether the payment provider may collect from their card or bank, by its own word.
        rule: Their standing wish to buy ERGON when it runs low.
        asked: What the provider was asked to collect last.
    """

    as_of_s: int
    waiting: list[Waiting]
    known: list[AccountId]
    collects: bool
    rule: TopUpRule | None
    asked: TopUp | None


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
        free_ergon_micro=free(state, account, Commodity.ERGON),
        free_watt_wh=free(state, account, Commodity.WATT),
        free_tsl_micro=free(state, account, Commodity.TSL),
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
            label=NAMES.get(one.memo) or label_of(account, one),
            ref=one.ref,
        )
        for number, one in found
    ]


def dealings(community: Community, seat: Seat, account: AccountId) -> Dealings:
    """Return with whom an account deals, what is set aside between them, and how it is topped up.

    Raises:
        Unseen, Refused: As in `seeing.check`.
    """
    check(community, seat, Action.SEE_ENTRIES, account)
    state = community.state
    others = (
        one.source if one.target == account else one.target
        for _, one in community.chronicle.entries(account, limit=_LOOK_BACK)
    )
    return Dealings(
        as_of_s=community.told_s,
        waiting=_waiting(community, account),
        known=[other for other in dict.fromkeys(others) if state.has_wallet(other)],
        collects=account in state.wallets.mandates,
        rule=state.wallets.topups.rule(account),
        asked=state.wallets.topups.asked(account),
    )


def _waiting(community: Community, account: AccountId) -> list[Waiting]:
    wallets = community.state.wallets
    found = []
    for one in wallets.transfers.items():
        if account not in (one.source, one.target) or not community.state.has_wallet(one.target):
            continue
        agreed = wallets.agreed.get(one.id, Agreed())
        incoming = one.target == account
        found.append(
            Waiting(
                transfer=one.id,
                other=one.source if incoming else one.target,
                incoming=incoming,
                commodity=one.commodity,
                amount=one.amount,
                until_s=one.until_s,
                against=agreed.against,
                against_amount=agreed.against_amount,
            )
        )
    return sorted(found, key=lambda one: (one.until_s, one.transfer))
