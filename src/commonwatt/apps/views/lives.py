"""Devices as their gateways know them, where these keep their folder here: nameplate, quarantine, what was noted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from commonwatt.apps import devicing
from commonwatt.apps.community import Community
from commonwatt.apps.views.seeing import asset_of, assets_of, relation
from commonwatt.flows.inventory import Mark, Note
from commonwatt.identity.access import Action, lets
from commonwatt.identity.seat import Seat
from commonwatt.model import Asset, CommonwattError, InvalidValue

GATEWAYS = "gateways"
_MOST_NOTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that happened to a device; in whose words, for whoever may see its readings."""

    at_s: int
    what: Mark
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A device as its gateway knows it.

    Args:
        asset: What it is the device of.
        make, model, firmware: What it says of itself; empty for what it does not say.
        health: How it fares.
        quarantined_s: Since when it is not believed; None where it is.
        last_seen_s: When it answered last.
        last_good_s: When it was believed last.
        failures: Questions that it has not answered since.
        nonsense: Answers that could not be true, in all.
        clock_ahead_s: By how much its clock was ahead; None where it tells none.
        trouble: What went wrong last, for whoever may see its readings: it may tell what it showed.
        ordered: What its gateway has yet to do.
        notes: What was written down, the newest first.
        may_release: Whether who asks may have it believed again.
    """

    asset: str
    make: str
    model: str
    firmware: str
    health: str
    quarantined_s: int | None
    last_seen_s: int | None
    last_good_s: int | None
    failures: int
    nonsense: int
    clock_ahead_s: int | None
    trouble: str
    ordered: Sequence[str]
    notes: Sequence[Noted]
    may_release: bool


def lives(community: Community, seat: Seat) -> list[Life]:
    """Return all devices that a seat sees and whose gateways keep their folders here, by name."""
    found = [life(community, seat, one.id) for one in assets_of(community, seat, Action.SEE_DEVICES)]
    return [one for one in found if one is not None]


def life(community: Community, seat: Seat, name: str) -> Life | None:
    """Return a device as its gateway knows it; None where that gateway keeps its folder elsewhere.

    Raises:
        Unseen, Refused: The seat does not see it.
    """
    asset = asset_of(community, seat, name, Action.SEE_DEVICES)
    folder = _folder(community, asset)
    if folder is None:
        return None
    try:
        seen = next((one for one in devicing.listing(folder) if one.asset == name and one.number), None)
        told = devicing.history(folder, name) if seen is not None else []
    except (CommonwattError, OSError):
        return None  # a gateway's own command says what is wrong with its file
    if seen is None:
        return None
    of = relation(community, seat, asset.owner, asset.id)
    close = lets(seat, Action.SEE_READINGS, of)
    since = [one.at_s for one in told if one.mark is Mark.QUARANTINED]
    quarantined = seen.health == "quarantined"
    return Life(
        asset=name,
        make=seen.nameplate.make,
        model=seen.nameplate.model,
        firmware=seen.nameplate.firmware,
        health=seen.health,
        quarantined_s=since[-1] if quarantined and since else None,
        last_seen_s=seen.last_seen_s,
        last_good_s=seen.last_good_s,
        failures=seen.failures,
        nonsense=seen.nonsense,
        clock_ahead_s=seen.clock_ahead_s,
        trouble=seen.trouble if close else "",
        ordered=seen.ordered,
        notes=[_noted(one, close=close) for one in told[::-1][:_MOST_NOTES]],
        may_release=quarantined and _may_release(community, seat, asset),
    )


def release(community: Community, seat: Seat, name: str) -> None:
    """Have a device believed again: its gateway does it at its next tick, and writes down who said so.

    Raises:
        Unseen, Refused: The seat may not, or the device is in no quarantine.
        InvalidValue: Its gateway keeps its folder elsewhere.
    """
    asset = asset_of(community, seat, name, Action.RELEASE_DEVICE)
    folder = _folder(community, asset)
    if folder is None:
        raise InvalidValue(f"a device is released where its gateway is, by commonwatt devices release, was {name} here")
    devicing.release(folder, name, f"{seat.role.value} {seat.person}")


def _may_release(community: Community, seat: Seat, asset: Asset) -> bool:
    of = relation(community, seat, asset.owner, asset.id, Action.RELEASE_DEVICE)
    return lets(seat, Action.RELEASE_DEVICE, of)


def _noted(one: Note, *, close: bool) -> Noted:
    # Who released it, and its nameplate, tell of no home; the words of other marks may tell what it showed.
    told = close or one.mark in (Mark.RELEASED, Mark.NAMED)
    return Noted(at_s=one.at_s, what=one.mark, words=one.words if told else "")


def _folder(community: Community, asset: Asset) -> Path | None:
    """Return the folder of an asset's gateway, where it keeps one with an inventory here."""
    inside = community.folder / GATEWAYS
    folder = inside / asset.gateway
    here = folder.parent == inside and (folder / devicing.INVENTORY).is_file()
    return folder if here else None
