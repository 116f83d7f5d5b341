"""Hold who asks against the table of access; what somebody may not see is not there for them."""

from commonwatt.apps.community import Community
from commonwatt.flows.rulebook.identity.delegating import standing_delegation
from commonwatt.flows.rulebook.kinds import RULES
from commonwatt.identity.access import GRANTED_BY, TO_SEE, Action, Relation, lets, may, relation_to, within
from commonwatt.identity.seat import Seat
from commonwatt.model import AccountId, Asset, AssetId, CommonwattError, Kind, Refused


class Unseen(CommonwattError):
    """There is no such thing for who asks: it does not exist, or it is another's; which of both is not told.

    Args:
        thing: What was asked for.
    """

    def __init__(self, thing: str) -> None:
        self.thing = thing
        super().__init__(f"there is nothing here by this name for you: {thing}")


class Absent(CommonwattError):
    """There is no such thing among what is one's own, where that may be said.

    Args:
        rule: What would have to be.
        thing: What was asked for.
    """

    def __init__(self, rule: str, thing: str) -> None:
        self.rule, self.thing = rule, thing
        super().__init__(f"{rule}, was {thing}")


def check(
    community: Community, seat: Seat, action: Action, owner: AccountId | None, asset: AssetId | None = None
) -> None:
    """Refuse what a seat may not see or do.

    Args:
        community: With the grants that stand.
        seat: Who asks.
        action: What they ask for.
        owner: Whose it is; None for what is nobody's alone.
        asset: Which asset it is about, where it is about one.

    Raises:
        Unseen: It is another's.
        Refused: The role does nothing of this kind, or the seat's token or session is not for it.
    """
    hold_to_scopes(seat, action)
    if may(seat.role, action, relation(community, seat, owner, asset, action)):
        return
    if owner is not None and any(may(seat.role, action, other) for other in Relation):
        raise Unseen(asset or owner)
    raise _not_in_line(seat, action)


def check_own(seat: Seat, action: Action) -> None:
    """Refuse who may do or see nothing of a kind in their own name; it needs no account, which not every role has.

    Raises:
        Refused: The role does nothing of this kind, or the seat's token or session is not for it.
    """
    hold_to_scopes(seat, action)
    if not may(seat.role, action, Relation.OWN):
        raise _not_in_line(seat, action)


def _not_in_line(seat: Seat, action: Action) -> Refused:
    return Refused("a role does what is in its line of the table", role=seat.role.value, action=action.value)


def can_ask(community: Community, seat: Seat, action: Action, kind: Kind) -> bool:
    """Tell whether a seat may do something for its own account, which has a key of a role that the log takes it of."""
    if seat.account is None or not lets(seat, action, Relation.OWN):
        return False
    return any(community.state.keys.has_role(seat.account, role) for role in RULES[kind].may)


def hold_to_scopes(seat: Seat, action: Action) -> None:
    """Refuse what the token or session by which somebody sits there is not for.

    Raises:
        Refused: Says so.
    """
    if not within(seat, action):
        raise Refused("a token does what it was made for", scopes=" ".join(seat.scopes or ()), action=action.value)


def relation(
    community: Community,
    seat: Seat,
    owner: AccountId | None,
    asset: AssetId | None = None,
    action: Action = Action.SEE_READINGS,
) -> Relation:
    """Return how something relates to a seat that would do this to it, as the log's grants stand now."""
    needed = GRANTED_BY.get(action, TO_SEE)
    return relation_to(seat, owner, granted=owner is not None and _granted(community, seat, owner, asset, needed))


def asset_of(community: Community, seat: Seat, name: str, action: Action) -> Asset:
    """Return an asset by name, for who may do something about it.

    Raises:
        Unseen: There is none for who asks.
        Refused: The role does nothing of this kind.
    """
    asset = community.state.assets.get(AssetId(name))
    if asset is None:
        raise Unseen(name)
    check(community, seat, action, asset.owner, asset.id)
    return asset


def assets_of(community: Community, seat: Seat, action: Action = Action.SEE_ASSETS) -> list[Asset]:
    """Return all assets that a seat may do something about, by name."""
    every = sorted(community.state.assets.values(), key=lambda asset: asset.id)
    return [one for one in every if lets(seat, action, relation(community, seat, one.owner, one.id, action))]


def _granted(community: Community, seat: Seat, owner: AccountId, asset: AssetId | None, needed: str) -> bool:
    """Tell whether an owner's grant in the log names what is needed, for any key of the seat's account."""
    granted = community.state.trusted.delegations.get(owner)
    if not granted or seat.account is None:
        return False
    for key in granted:
        record = community.state.keys.get(key)
        if record is None or record.account != seat.account:
            continue
        standing = standing_delegation(community.state, owner, key, community.now_s())
        if standing is not None and needed in standing.kinds and (standing.assets is None or asset in standing.assets):
            return True
    return False
