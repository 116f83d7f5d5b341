"""What an auditor lays side by side and takes along: sums of accounts or periods; entries, trades and requests."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

from commonwatt.apps.community import Community
from commonwatt.apps.views import audit, market
from commonwatt.apps.views.seeing import check
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Commodity, Entry, InvalidValue, Refused

_AT_ONCE = 500
ENTRY_COLUMNS = ("number", "slot_s", "commodity", "source", "target", "amount", "memo", "ref")
TRADE_COLUMNS = ("slot_s", "seller", "buyer", "energy_wh", "price_micro_per_kwh", "fee_micro_per_kwh")
LEAF_COLUMNS = ("position", "stamped_s", "kind", "account", "author", "seq", "outcome", "slot_s", "asset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whose, and which slots: [from_s, to_s), seconds since 1970.

    Raises:
        InvalidValue: It ends before it begins.
    """

    account: AccountId
    from_s: int
    to_s: int

    def __post_init__(self) -> None:
        if self.to_s < self.from_s:
            raise InvalidValue(f"a period ends after it begins, was {self.from_s} to {self.to_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What one memo came to on both sides, gained less given, in base units of its commodity."""

    memo: str
    commodity: Commodity
    left: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sums side by side, as of a state of the log."""

    as_of_s: int
    left: Span
    right: Span
    rows: list[Pair]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUnder:
    """Of which log, at which size, with which roots something was taken along; hex."""

    community: str
    what: str
    size: int
    entries: int
    as_of_s: int
    log_root: str
    state_root: str


def compare(community: Community, seat: Seat, left: Span, right: Span) -> Comparison:
    """Return what two accounts, or one in two periods, gained and gave, memo by memo.

    Raises:
        Unseen, Refused: As in `seeing.check`, for either.
    """
    sums = []
    for span in (left, right):
        check(community, seat, Action.SEE_ENTRIES, span.account)
        found = community.chronicle.sums(span.account, span.from_s, span.to_s)
        sums.append({(one.commodity, one.memo): one.gained - one.gave for one in found})
    keys = sorted({*sums[0], *sums[1]}, key=lambda key: (key[0].value, key[1]))
    rows = [
        Pair(memo=memo, commodity=what, left=sums[0].get((what, memo), 0), right=sums[1].get((what, memo), 0))
        for what, memo in keys
    ]
    return Comparison(as_of_s=community.told_s, left=left, right=right, rows=rows)


def taken_under(community: Community, what: str) -> TakenUnder:
    """Return the roots as of now; whatever is taken along from now on is cut where the log ends now."""
    return TakenUnder(
        community=community.name,
        what=what,
        size=community.size,
        entries=community.state.journal.count,
        as_of_s=community.told_s,
        log_root=community.log_root,
        state_root=community.state_root,
    )


def may_take(community: Community, seat: Seat, account: AccountId | None) -> None:
    """Refuse to let somebody take along an account's records, or with None everybody's.

    Raises:
        Unseen, Refused: They may not see them.
    """
    if account is not None:
        check(community, seat, Action.SEE_ENTRIES, account)
    elif not lets(seat, Action.SEE_ENTRIES, Relation.OTHER):
        raise Refused("who takes everybody's records along may see them all", role=seat.role.value)


async def entries(
    community: Community, under: TakenUnder, account: AccountId | None, from_s: int, to_s: int
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield entries of slots in [from_s, to_s), some hundred at a time, the newest first; see `may_take` before."""
    before: int | None = under.entries
    while before is not None:
        found = community.chronicle.entries(account, before=before, limit=_AT_ONCE, from_s=from_s, to_s=to_s)
        yield [{"number": number, **_entry(one)} for number, one in found]
        before = found[-1][0] if len(found) == _AT_ONCE else None


async def trades(community: Community, seat: Seat, under: TakenUnder) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield all trades of settled slots, some slots at a time, the newest first, under pseudonyms (row M1)."""
    before_s: int | None = under.as_of_s
    while before_s is not None:
        found = market.trades(community, seat, 0, before_s, None, _AT_ONCE)
        yield [{name: getattr(one, name) for name in TRADE_COLUMNS} for one in found]
        before_s = found[-1].slot_s if len(found) >= _AT_ONCE else None


async def leaves(community: Community, seat: Seat, under: TakenUnder) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield requests without their content, some hundred at a time, the newest first."""
    before: int | None = under.size
    while before is not None:
        found = audit.leaves(community, seat, before=before, limit=_AT_ONCE)
        yield [{name: value for name, value in asdict(one).items() if name in LEAF_COLUMNS} for one in found]
        before = found[-1].position if len(found) == _AT_ONCE else None


def _entry(one: Entry) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ENTRY_COLUMNS[1:]}
