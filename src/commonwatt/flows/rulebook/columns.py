"""The registered assets in columns, one place a meter, for rules that judge whole arrays of readings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook.state import State
from commonwatt.metering.bulk import Meters
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, GatewayId

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the registry says of each meter; made anew when the registry changes.

    Args:
        meters: Limits, and since when each counts.
        points: Places of the connections and the feeder: settlement waits for these.
        connection: Whether it is a member's connection.
        account: The number of its owner's account.
        alone: Whether it is a connection whose owner has nothing else behind it.
        feeder: The grid's own meter, where there is one.
        batteries: All batteries, in order of registration.
        owned: What each account has, likewise.
        first: Per gateway, where its assets' places begin in ``behind``.
        behind: Places of all assets, gateway by gateway, in order of their registers.
    """

    meters: Meters
    points: Numbers
    connection: Flags
    account: Numbers
    alone: Flags
    feeder: AssetId | None
    batteries: tuple[Asset, ...]
    owned: dict[AccountId, tuple[Asset, ...]]
    first: dict[GatewayId, tuple[int, int]]
    behind: Numbers


def columns(state: State) -> Columns:
    """Return the registry in columns, as it stands."""
    if state.columns is None or state.columns[0] != state.registry_version:
        state.columns = (state.registry_version, _columns(state))
    found = state.columns[1]
    assert isinstance(found, Columns)
    return found


def _columns(state: State) -> Columns:
    assets = [state.assets[meter] for meter in state.readings.meters]
    kinds = [asset.kind for asset in assets]
    owned: dict[AccountId, list[Asset]] = {}
    for asset in assets:
        owned.setdefault(asset.owner, []).append(asset)
    first, behind = {}, list[int]()
    for name, gateway in state.gateways.items():
        first[name] = (len(behind), len(gateway.assets))
        behind += [state.readings.number(asset) for asset in gateway.assets]
    connection = np.array([kind is AssetKind.CONNECTION for kind in kinds], np.bool_)
    points = connection | np.array([kind is AssetKind.FEEDER for kind in kinds], np.bool_)
    return Columns(
        meters=Meters(
            most_import_wh=_most_wh([asset.max_import_w for asset in assets]),
            most_export_wh=_most_wh([asset.max_export_w for asset in assets]),
            joined_s=np.array([state.joined_s[asset.id] for asset in assets], np.int64),
            stores=np.array([asset.stores for asset in assets], np.bool_),
        ),
        points=np.flatnonzero(points),
        connection=connection,
        account=np.array([state.accounts.number(asset.owner) for asset in assets], np.int64),
        alone=connection & np.array([len(owned[asset.owner]) == 1 for asset in assets], np.bool_),
        feeder=next((asset.id for asset in assets if asset.kind is AssetKind.FEEDER), None),
        batteries=tuple(asset for asset in assets if asset.kind is AssetKind.BATTERY),
        owned={owner: tuple(own) for owner, own in owned.items()},
        first=first,
        behind=np.array(behind, np.int64),
    )


def _most_wh(limits_w: list[int]) -> Numbers:
    return np.array(limits_w, np.int64) * SLOT_SECONDS // 3600 + ROUNDING_WH
