"""Devices as the log knows them: whether they tell, what they answered last, and how one is claimed by its number."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import assets_of, check, check_own, relation
from commonwatt.flows.intake import read_head
from commonwatt.flows.rulebook import bodies
from commonwatt.identity.access import Action, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import SLOT_SECONDS, AccountId, Asset, AssetId, AssetKind, GatewayId, Kind, Outcome, Refused

SILENT_AFTER_S = 4 * SLOT_SECONDS
"""A meter that told nothing of so long a time up to now is called silent: readings come a slot late at most."""
_LOOKED_BACK = 200


class Telling(StrEnum):
    """How a device fares as far as the log shows it; its gateway knows more, see `flows.inventory.Health`."""

    HEALTHY = "healthy"
    SILENT = "silent"
    NEW = "new"
    DOUBTED = "doubted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """What a device's gateway answered to the last command: the band in W that it took, or why it took none."""

    slot_s: int
    lo_w: int | None
    hi_w: int | None
    why: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device behind a gateway.

    Args:
        asset, kind, owner, gateway: As registered.
        telling: How it fares.
        last_slot_s: The last slot that was read; None where none was.
        import_wh, export_wh, level_wh: Of that slot; None where its readings are not for who asks.
        quality: How that reading came to be; likewise.
        set_aside_s: When a batch of its gateway was not believed last; None where always all was.
        last_word: None where it was never commanded, or that is not for who asks.
    """

    asset: AssetId
    kind: AssetKind
    owner: AccountId
    gateway: str
    telling: Telling
    last_slot_s: int | None
    import_wh: int | None
    export_wh: int | None
    level_wh: int | None
    quality: str | None
    set_aside_s: int | None
    last_word: LastWord | None


def devices(community: Community, seat: Seat) -> list[DeviceView]:
    """Return all devices that a seat may look after or see, by name.

    Raises:
        Refused: The role sees no devices.
    """
    found = assets_of(community, seat, Action.SEE_DEVICES)
    if not found:
        check_own(seat, Action.SEE_DEVICES)
    gateways = sorted({str(one.gateway) for one in found})
    words = {gateway: _last_words(community, gateway) for gateway in gateways}
    aside = {gateway: _set_aside_s(community, gateway) for gateway in gateways}
    return [_device(community, seat, one, words[str(one.gateway)], aside[str(one.gateway)]) for one in found]


def claims_for(community: Community, seat: Seat) -> list[AccountId]:
    """Return for whom a seat may claim devices, sorted: for itself, or for the members who let it."""
    return [
        account
        for account in community.state.members()
        if lets(seat, Action.MANAGE_DEVICES, relation(community, seat, account, None, Action.MANAGE_DEVICES))
    ]


def claim(
    community: Community,
    seat: Seat,
    account: AccountId,
    number: str,
    name: str,
    kind: AssetKind,
    *,
    most_w: int,
    capacity_wh: int = 0,
    least_w: int = 0,
) -> dict[str, Any]:
    """Return the request by which a member claims what is behind a gateway, by the gateway's number (row H1).

    Args:
        community: Which says how many devices the gateway has already.
        seat: Who claims.
        account: For whom; an installer does it for whoever lets them.
        number: As it is printed on the gateway.
        name: What the device shall be called.
        kind: What it is.
        most_w: What flows at most, either way as far as its kind allows.
        capacity_wh: Of a store.
        least_w: Of a heat pump: what it draws at least while it runs; 0 where nobody knows.

    Raises:
        Unseen: It is for somebody who does not let them.
        Refused: No such gateway is registered, or the role manages no devices.
    """
    check(community, seat, Action.MANAGE_DEVICES, account)
    gateway = community.state.gateways.get(GatewayId(number))
    # Somebody else's gateway and none are one answer: a number is a secret between its box and who holds it.
    others = {community.state.assets[one].owner for one in gateway.assets} - {account} if gateway else set()
    if gateway is None or others:
        raise Refused("a device is claimed by the number of a gateway that is registered and free", number=number[:40])
    zones = {one.zone for one in community.state.assets.values() if one.owner == account}
    every = sorted(zones or {one.zone for one in community.state.assets.values()})
    stores = kind in (AssetKind.BATTERY, AssetKind.VEHICLE)
    return {
        "what": "asset",
        "asset": name,
        "gateway": number,
        "register": len(gateway.assets),
        "asset_kind": kind.value,
        "zone": every[0] if every else "home",
        "max_import_w": 0 if kind is AssetKind.SOLAR else most_w,
        "max_export_w": 0 if kind is AssetKind.HEAT_PUMP else most_w,
        "min_import_w": least_w if kind is AssetKind.HEAT_PUMP else 0,
        "capacity_wh": capacity_wh if stores else 0,
    }


def _device(
    community: Community, seat: Seat, asset: Asset, words: Mapping[str, LastWord], aside_s: int | None
) -> DeviceView:
    last_s = community.chronicle.last_slot_s(asset.id)
    of = relation(community, seat, asset.owner, asset.id)
    told = None
    if last_s is not None and lets(seat, Action.SEE_READINGS, of):
        told = community.chronicle.readings(asset.id, last_s, last_s + 1)[0]
    return DeviceView(
        asset=asset.id,
        kind=asset.kind,
        owner=asset.owner,
        gateway=str(asset.gateway),
        telling=_telling(last_s, aside_s, community.told_s),
        last_slot_s=last_s,
        import_wh=told.reading.import_wh if told else None,
        export_wh=told.reading.export_wh if told else None,
        level_wh=told.reading.level_wh if told else None,
        quality=told.quality.name.lower() if told else None,
        set_aside_s=aside_s,
        last_word=words.get(asset.id) if lets(seat, Action.SEE_SCHEDULES, of) else None,
    )


def _telling(last_s: int | None, aside_s: int | None, now_s: int) -> Telling:
    if aside_s is not None and now_s - aside_s < SILENT_AFTER_S:
        return Telling.DOUBTED
    if last_s is None:
        return Telling.NEW
    return Telling.SILENT if now_s - last_s > SILENT_AFTER_S else Telling.HEALTHY


def _last_words(community: Community, gateway: str) -> dict[str, LastWord]:
    """Return the last answer of each device of a gateway."""
    found: dict[str, LastWord] = {}
    acks = community.chronicle.leaves(
        account=AccountId(gateway), kinds=[Kind.ACK], outcome=Outcome.BOOKED, limit=_LOOKED_BACK
    )
    for leaf in acks:
        if not leaf.body:
            continue
        body = bodies.read_body(Kind.ACK, read_head(leaf.body).body)
        assert isinstance(body, bodies.AckBody)
        for ack in body.acks:
            word = LastWord(slot_s=body.slot_s, lo_w=ack.lo_w, hi_w=ack.hi_w, why=ack.why, position=leaf.position)
            found.setdefault(ack.asset, word)
    return found


def _set_aside_s(community: Community, gateway: str) -> int | None:
    found = community.chronicle.leaves(
        account=AccountId(gateway), kinds=[Kind.READING_BATCH], outcome=Outcome.SET_ASIDE, limit=1
    )
    return found[0].stamped_s if found else None
