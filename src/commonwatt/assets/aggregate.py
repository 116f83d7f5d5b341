"""Many assets as few envelopes, any path inside of which the members can really deliver (rows X11, M4).

What is given away, so that this holds:

- Members are taken together only with their like: connected in the same zone, movable in the same slots, of the same
  losses, gains, wear, fuel and least times, about as full, and with power and room in about the same proportion
  (within a factor of 1.5). A thousand cars that come and leave at will make some hundred envelopes, not one: a single
  level cannot say whose energy leaves with whom.
- All members of a part move together, each by its share of the energy. The one with the least power or room for its
  share sets the pace, where a cleverer split would turn to the others. Members without a store are split slot by slot
  and give nothing away, unless they have a least power.
- Where members draw 6 A or nothing, the part draws all members' least or nothing.
- A part's level bounds are those that fit all members. Whole watts cannot be split for ever: a member may end up to
  `rounded_wh` past a level bound at which it would rest by itself, which is less than its own meter rounds in a day.
- What would leave its bounds if left alone, runs a profile, or has no like stays a part of its own, exactly as it is.
- A temperature, a meter's fees and an owner's name do not outlive being added up. State comfort as level bounds
  of members, and aggregate behind one meter where its fees count.

Source: homothetic inner approximations of flexibility sets; Zhao, Zhang, Hao & Li, A geometric approach to virtual
battery modeling of thermostatically controlled loads, 2017.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from commonwatt.assets import levels
from commonwatt.model import SLOTS_PER_HOUR, AssetId, Envelope, Refused, Store
from commonwatt.model.envelope import MILLION

FULLNESS = 10
"""Into how many grades of fullness members are sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Members that act as one, and what that one can do.

    Args:
        envelope: What the planner sees.
        members: Who is in it.
        weights: Each member's share of the energy, summing to one; empty where it is split slot by slot.
    """

    envelope: Envelope
    members: tuple[Envelope, ...]
    weights: tuple[Fraction, ...] = ()


def parts(name: str, members: Sequence[Envelope]) -> tuple[Part, ...]:
    """Return an aggregate of any size: each part's envelope holds only paths that `share` delivers.

    Args:
        name: What the aggregate is called; its parts are numbered.
        members: Their envelopes, over the same slots. Who joins or leaves is in or out of the next call.
    """
    kin: dict[Hashable, list[Envelope]] = defaultdict(list)
    for member in members:
        kin[_kind(member)].append(member)
    found: list[Part] = []
    for alike in kin.values():
        together = [member for member in alike if _joins(member)]
        alone = [member for member in alike if not _joins(member)]
        if len(together) > 1:
            part = _together(together)
            if part is None:
                alone += together
            else:
                found.append(part)
        else:
            alone += together
        found += [Part(envelope=member, members=(member,), weights=(Fraction(1),)) for member in alone]
    return tuple(
        replace(part, envelope=replace(part.envelope, asset=AssetId(f"{name}-{number}")))
        for number, part in enumerate(found)
    )


def share(part: Part, power_w: Sequence[int]) -> dict[AssetId, tuple[int, ...]]:
    """Split a part's powers among its members: whole watts that sum to them, in every slot.

    Args:
        part: From `parts`.
        power_w: A path inside its envelope.

    Raises:
        Refused: A power lies outside the envelope's bounds, or below its least.
    """
    whole = part.envelope
    rows: list[list[int]] = []
    behind = [0.0] * len(part.members)
    for slot, power in enumerate(power_w):
        stepped = 0 < power < whole.least_import_w or 0 < -power < whole.least_export_w
        if stepped or not whole.lo_w[slot] <= power <= whole.hi_w[slot]:
            raise Refused("outside what an aggregate can do", part=whole.asset, slot=slot, found_w=power)
        even = [power * weight for weight in part.weights]
        moves_wh, kept = _moves(whole.store, slot, power)
        behind = [error * kept for error in behind]
        rows.append(_whole_watts(even or _by_room(part.members, slot, power), power, behind, moves_wh))
    return {member.asset: tuple(row[i] for row in rows) for i, member in enumerate(part.members)}


def rounded_wh(member: Envelope) -> float:
    """Return how far whole watts may at most move a member's level from its share of a part's level, in Wh."""
    store = member.store
    if store is None:
        return 0.0
    gains = [levels.gain(store, slot) for slot in range(len(member.lo_w))]
    return 1.0 + 2.0 / SLOTS_PER_HOUR * max(*gains, 1000 / store.discharge_permille)


def _moves(store: Store | None, slot: int, power_w: int) -> tuple[float, float]:
    """Return by how many Wh a watt moves a level in a slot, and what is left in it of what was there."""
    if store is None:
        return 1 / SLOTS_PER_HOUR, 1.0
    moved = levels.gain(store, slot) if power_w > 0 else 1000 / store.discharge_permille
    return moved / SLOTS_PER_HOUR, store.keep_ppm / MILLION


def _kind(e: Envelope) -> Hashable:
    """Return what members must have in common to be added up."""
    steps = e.least_import_w > 0 or e.least_export_w > 0 or e.least_run > 1 or e.least_rest > 1
    alike: tuple[Hashable, ...] = (e.zone, e.feeder, e.supply_micro_per_kwh, steps, e.fixed)
    if steps or e.store:
        alike += (_windows(e), e.least_run, e.least_rest, e.running)
        alike += (e.least_import_w > 0, e.least_import_w == max(e.hi_w), e.least_export_w > 0)
    store = e.store
    if store:
        # How long it takes to fill, in half powers of two, and how full it is: an empty one cannot give with full ones.
        least_wh, room_wh = min(store.level_min_wh), max(store.level_max_wh) - min(store.level_min_wh)
        fastest_w = max(1, *e.hi_w, *(-lo for lo in e.lo_w))
        alike += (round(2 * math.log2(max(1, room_wh) / fastest_w)),)
        alike += (round(FULLNESS * (store.level_now_wh - least_wh) / max(1, room_wh)),)
        alike += (store.keep_ppm, store.charge_permille, store.gain_permille, store.discharge_permille)
        alike += (store.wear_micro_per_kwh, store.deep_wear, store.warmth is not None and store.warmth.wh_per_k > 0)
    return alike


def _windows(e: Envelope) -> tuple[tuple[bool, bool], ...]:
    return tuple((lo < 0, hi > 0) for lo, hi in zip(e.lo_w, e.hi_w, strict=True))


def _joins(e: Envelope) -> bool:
    """Tell whether a member can do nothing at any time, so that it can follow any share down to zero."""
    if e.shift:
        return False
    if not e.store and not (e.least_import_w or e.least_export_w or e.least_run > 1 or e.least_rest > 1):
        return True
    if any(lo > 0 or hi < 0 for lo, hi in zip(e.lo_w, e.hi_w, strict=True)):
        return False
    if (e.least_run > 1 or e.least_rest > 1) and not _steady(e):
        return False
    if e.store is None:
        return True
    rest = levels.follow(e, (0,) * len(e.lo_w))
    bounds = zip(rest, e.store.level_min_wh, e.store.level_max_wh, strict=True)
    return all(least <= level <= most for level, least, most in bounds)


def _steady(e: Envelope) -> bool:
    """Tell whether a run is the same in every slot: on is on for all members, whatever is asked of the part."""
    ways = (e.least_import_w, max(e.hi_w)), (e.least_export_w, -min(e.lo_w))
    return len({*e.lo_w}) == len({*e.hi_w}) == 1 and all(least > 0 or most <= 0 for least, most in ways)


def _together(members: Sequence[Envelope]) -> Part | None:
    """Return members of a kind as one; None where nothing would be left of them."""
    first = members[0]
    if first.store is None:
        return _without_store(members)
    best: tuple[float, Part] | None = None
    for measure in (_power_in, _power_out, _room):
        sizes = [measure(member) for member in members]
        if min(sizes) <= 0:
            continue
        part = _with_store(members, sizes)
        kept = 0.0 if part is None else _kept(part)
        if part is not None and (best is None or kept > best[0]):
            best = kept, part
    return best[1] if best else None


def _power_in(e: Envelope) -> int:
    return max(e.hi_w)


def _power_out(e: Envelope) -> int:
    return -min(e.lo_w)


def _room(e: Envelope) -> int:
    assert e.store is not None
    return max(e.store.level_max_wh) - min(e.store.level_min_wh)


def _kept(part: Part) -> float:
    """Return which share of its members' power and room a part keeps, multiplied."""
    power = sum(part.envelope.hi_w) - sum(part.envelope.lo_w), sum(sum(e.hi_w) - sum(e.lo_w) for e in part.members)
    rooms = [sum(e.store.level_max_wh) - sum(e.store.level_min_wh) for e in (part.envelope, *part.members) if e.store]
    return power[0] / max(1, power[1]) * max(0, rooms[0]) / max(1, sum(rooms[1:]))


def _without_store(members: Sequence[Envelope]) -> Part | None:
    slots = range(len(members[0].lo_w))
    lo_w = tuple(sum(e.lo_w[slot] for e in members) for slot in slots)
    hi_w = tuple(sum(e.hi_w[slot] for e in members) for slot in slots)
    # Each draws, or supplies, in proportion to what it could: all reach their least only from so much on.
    shares = [_by_room(members, slot, hi_w[slot]) for slot in slots]
    least_in = max(
        (math.ceil(e.least_import_w * hi_w[slot] / shares[slot][i]) for i, e in enumerate(members) for slot in slots
         if e.least_import_w and shares[slot][i] > 0), default=0,
    )  # fmt: skip
    shares = [_by_room(members, slot, lo_w[slot]) for slot in slots]
    least_out = max(
        (math.ceil(e.least_export_w * lo_w[slot] / shares[slot][i]) for i, e in enumerate(members) for slot in slots
         if e.least_export_w and shares[slot][i] < 0), default=0,
    )  # fmt: skip
    first = members[0]
    if (least_in and least_in > max(hi_w)) or (least_out and least_out > -min(lo_w)):
        return None
    made = Envelope(
        asset=first.asset, zone=first.zone, feeder=first.feeder, lo_w=lo_w, hi_w=hi_w,
        least_import_w=least_in, least_export_w=least_out, least_run=first.least_run, least_rest=first.least_rest,
        running=first.running, supply_micro_per_kwh=first.supply_micro_per_kwh,
    )  # fmt: skip
    return Part(envelope=made, members=tuple(members))


def _by_room(members: Sequence[Envelope], slot: int, power_w: int) -> list[Fraction]:
    """Split a power among members without a store: from zero in proportion to what each could draw or supply."""
    lows, highs = [e.lo_w[slot] for e in members], [e.hi_w[slot] for e in members]
    rest = [min(max(0, low), high) for low, high in zip(lows, highs, strict=True)]
    ends = highs if power_w >= sum(rest) else lows
    span = sum(ends) - sum(rest)
    part = Fraction(power_w - sum(rest), span) if span else Fraction(0)
    return [still + part * (end - still) for still, end in zip(rest, ends, strict=True)]


def _with_store(members: Sequence[Envelope], sizes: Sequence[int]) -> Part | None:
    first, slots = members[0], range(len(members[0].lo_w))
    model = first.store
    assert model is not None
    pairs, all_sizes = list(zip(members, sizes, strict=True)), sum(sizes)
    hi_w = tuple(min(e.hi_w[slot] * all_sizes // size for e, size in pairs) for slot in slots)
    lo_w = tuple(-min(-e.lo_w[slot] * all_sizes // size for e, size in pairs) for slot in slots)
    least_in = max(-(-e.least_import_w * all_sizes // size) for e, size in pairs)
    least_out = max(-(-e.least_export_w * all_sizes // size) for e, size in pairs)
    # Where the least of one is above the most of another, nothing is left to draw, or to supply.
    hi_w = tuple(hi if hi >= least_in else 0 for hi in hi_w)
    lo_w = tuple(lo if -lo >= least_out else 0 for lo in lo_w)
    if max(hi_w) == 0 and min(lo_w) == 0:
        return None
    rests = [levels.follow(e, (0,) * len(slots)) for e in members]
    rooms = [_room_around(e, rest) for e, rest in zip(members, rests, strict=True)]
    parts_of = [size / all_sizes for size in sizes]
    least, most = [], []
    for slot in slots:
        down = min(room[slot][0] / part for room, part in zip(rooms, parts_of, strict=True))
        up = min(room[slot][1] / part for room, part in zip(rooms, parts_of, strict=True))
        together = sum(rest[slot] for rest in rests)
        least.append(math.ceil(together - down) if down > 0 else math.floor(together))
        most.append(math.floor(together + up) if up > 0 else math.ceil(together))
    stores = [e.store for e in members if e.store]
    inflow = [sum(s.inflow_wh[slot] if s.inflow_wh else 0 for s in stores) for slot in slots]
    made = replace(
        first,
        connection="",
        owner="",
        lo_w=lo_w,
        hi_w=hi_w,
        least_import_w=least_in,
        least_export_w=least_out,
        store=Store(
            level_now_wh=sum(s.level_now_wh for s in stores),
            level_min_wh=tuple(least),
            level_max_wh=tuple(most),
            capacity_wh=sum(s.capacity_wh for s in stores),
            charge_permille=model.charge_permille,
            discharge_permille=model.discharge_permille,
            wear_micro_per_kwh=model.wear_micro_per_kwh,
            deep_wear=model.deep_wear,
            keep_ppm=model.keep_ppm,
            inflow_wh=tuple(inflow) if any(inflow) else (),
            gain_permille=model.gain_permille,
        ),
    )
    return Part(envelope=made, members=tuple(members), weights=tuple(Fraction(size, all_sizes) for size in sizes))


def _room_around(e: Envelope, rest: Sequence[float]) -> list[tuple[float, float]]:
    """Return how far a member's level may be below and above its level at rest, slot by slot, with room to round."""
    assert e.store is not None
    spare, bounds = rounded_wh(e), zip(rest, e.store.level_min_wh, e.store.level_max_wh, strict=True)
    return [(max(0.0, level - least - spare), max(0.0, most - level - spare)) for level, least, most in bounds]


def _whole_watts(wanted: Sequence[Fraction], total: int, behind: list[float], moves_wh: float) -> list[int]:
    """Round shares down or up to whole watts that sum to the total; those whose levels are furthest behind go up.

    Args:
        wanted: Shares in W that sum to the total.
        total: What they sum to.
        behind: By how many Wh each level is below its share; carried on.
        moves_wh: What a watt moves.
    """
    rounded = [math.floor(value) for value in wanted]
    missing = [float(value - low) * moves_wh for value, low in zip(wanted, rounded, strict=True)]
    broken = sorted((i for i, part in enumerate(missing) if part > 0), key=lambda i: -(behind[i] + missing[i]))
    for i in broken[: total - sum(rounded)]:
        rounded[i] += 1
        missing[i] -= moves_wh
    for i, part in enumerate(missing):
        behind[i] += part
    return rounded
