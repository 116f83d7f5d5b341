"""The log as an auditor searches it: which request stands where, what became of it, and who stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import Unseen, check
from commonwatt.flows.chronicle import Told
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, AssetId, Kind, Outcome

_OPEN = frozenset(
    {Kind.FACT, Kind.CHECKPOINT, Kind.REGISTER, Kind.ORDER, Kind.CANCEL, Kind.AUCTION, Kind.CONTRACT, Kind.ATTEST}
)
"""Kinds whose content an auditor reads of everybody: what markets, registry and operator did in the open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafView:
    """One leaf; ``body`` is the request as it stands there, None where its content is its owner's."""

    position: int
    stamped_s: int
    kind: Kind
    account: AccountId
    author: str
    seq: int
    outcome: Outcome
    slot_s: int | None
    asset: AssetId | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The community in a few figures that everybody may know.

    Args:
        name: The community's.
        as_of_s: The log's time.
        size: Leaves.
        log_root, state_root: 64 hex digits each, over all of these.
        settled_to_s: The first slot that is not settled.
        checkpoint_s: Of which slot the last signed checkpoint is; None before the first.
        members, assets: How many.
        witnesses: How many are named.
        entries: How many the books hold.
    """

    name: str
    as_of_s: int
    size: int
    log_root: str
    state_root: str
    settled_to_s: int
    checkpoint_s: int | None
    members: int
    assets: int
    witnesses: int
    entries: int


def standing(community: Community, seat: Seat) -> Standing:
    """Return the community in figures."""
    check(community, seat, Action.SEE_COMMUNITY, None)
    state = community.state
    return Standing(
        name=community.name,
        as_of_s=community.told_s,
        size=community.size,
        log_root=community.log_root,
        state_root=community.state_root,
        settled_to_s=state.settled_to_s,
        checkpoint_s=state.checked_s if state.checked_s >= 0 else None,
        members=len(state.members()),
        assets=len(state.assets),
        witnesses=len(state.charter.witnesses),
        entries=state.journal.count,
    )


def leaves(
    community: Community,
    seat: Seat,
    *,
    before: int | None,
    limit: int,
    kinds: Sequence[Kind] = (),
    account: AccountId | None = None,
    asset: AssetId | None = None,
    outcome: Outcome | None = None,
) -> list[LeafView]:
    """Return leaves as asked, the newest first, from before a position on.

    Raises:
        Refused: The role does not read the log.
    """
    check(community, seat, Action.SEE_LOG, None)
    if seat.role is not Role.AUDITOR:
        # Of others' requests it is public that they stand there; whose they are is for an auditor to search by.
        account = seat.account
        if account is None:
            return []
    found = community.chronicle.leaves(
        before=before, limit=limit, kinds=kinds, account=account, asset=asset, outcome=outcome
    )
    return [_leaf(one, seat) for one in found]


def leaf(community: Community, seat: Seat, position: int) -> LeafView:
    """Return one leaf.

    Raises:
        Refused: The role does not read the log.
        Unseen: There is none, or it is another's.
    """
    check(community, seat, Action.SEE_LOG, None)
    found = community.chronicle.leaf(position)
    if found is None or (seat.role is not Role.AUDITOR and found.account != seat.account and found.kind not in _OPEN):
        raise Unseen(str(position))
    return _leaf(found, seat)


def _leaf(one: Told, seat: Seat) -> LeafView:
    shown = (
        one.account == seat.account
        or (one.kind in _OPEN and lets(seat, Action.SEE_ENTRIES, Relation.OTHER))
        or one.kind is Kind.CHECKPOINT
    )
    return LeafView(
        position=one.position,
        stamped_s=one.stamped_s,
        kind=one.kind,
        account=one.account,
        author=one.author,
        seq=one.seq,
        outcome=one.outcome,
        slot_s=one.slot_s,
        asset=one.asset,
        body=one.body.decode() if shown and one.body else None,
    )
