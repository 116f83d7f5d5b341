"""A community on a map: zones with their load, and in them the homes that a seat may see, by where they stand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.apps.community import Community
from commonwatt.apps.views import zones
from commonwatt.apps.views.seeing import assets_of
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetKind, Position, round_div

SILENT_AFTER_S = 4 * SLOT_SECONDS
"""A home none of whose meters told for so long is drawn as silent, as a device is listed."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class MapHome:
    """A home by pseudonym: what it has by kind, when its connection's meter was heard last, and whether of late.

    ``position`` is where its owner said that it stands, for whoever runs the community and its owner; to others who may
    see the home it is ``coarse``, the middle of a square kilometre or so. None where its owner did not say.
    """

    account: AccountId
    kinds: dict[str, int]
    last_slot_s: int | None
    heard: bool
    position: Position | None
    coarse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MapZone:
    """A zone: how many homes it has, its load in the last slot that was told, W, and the homes that may be seen.

    ``load_w`` is None where fewer than `zones.LEAST_HOMES` told. ``position`` is the middle of its homes, coarse; None
    where so few of them said where they stand.
    """

    zone: str
    homes: int
    load_w: int | None
    shown: Sequence[MapHome]
    position: Position | None


def community_map(community: Community, seat: Seat) -> list[MapZone]:
    """Return the zones that a seat is about, each with the homes that it may see: granted ones, or all who run it.

    The log does not tell where a home is: what the register knows is the zone that it is wired to.

    Raises:
        Refused: The role does not see zones.
        Corrupt: The file of positions is damaged.
    """
    now_s = community.now_s()
    told = zones.zones(community, seat, now_s - _DAY_S, now_s + SLOT_SECONDS)
    seen = assets_of(community, seat, Action.SEE_ASSETS)
    positions, found = community.positions.known(), []
    for one in told:
        meters = [asset for asset in seen if asset.kind is AssetKind.CONNECTION and asset.zone == one.zone]
        last = next((slot.power_w for slot in reversed(one.slots) if slot.power_w is not None), None)
        shown = [_home(community, seat, meter, seen) for meter in meters]
        placed = [positions[owner] for owner in _owners(community, one.zone) if owner in positions]
        found.append(MapZone(zone=one.zone, homes=one.homes, load_w=last, shown=shown, position=middle(placed)))
    return found


def middle(placed: Sequence[Position]) -> Position | None:
    """Return the mean of homes' positions, coarse; None of so few that it would tell where one is."""
    if len(placed) < zones.LEAST_HOMES:
        return None
    return Position(
        latitude_udeg=round_div(sum(one.latitude_udeg for one in placed), len(placed)),
        longitude_udeg=round_div(sum(one.longitude_udeg for one in placed), len(placed)),
    ).coarse()


def _owners(community: Community, zone: str) -> set[AccountId]:
    assets = community.state.assets.values()
    return {one.owner for one in assets if one.kind is AssetKind.CONNECTION and one.zone == zone}


def _home(community: Community, seat: Seat, meter: Asset, seen: Sequence[Asset]) -> MapHome:
    kinds = Counter(one.kind.value for one in seen if one.owner == meter.owner and one.zone == meter.zone)
    last_s = community.chronicle.last_slot_s(meter.id)
    exact = seat.role is Role.OPERATOR or seat.account == meter.owner
    where = community.positions.known().get(meter.owner)
    return MapHome(
        account=meter.owner,
        kinds=dict(sorted(kinds.items())),
        last_slot_s=last_s,
        heard=last_s is not None and community.told_s - last_s <= SILENT_AFTER_S,
        position=where if exact or where is None else where.coarse(),
        coarse=not exact,
    )
