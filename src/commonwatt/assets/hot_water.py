"""How a tank of hot water behaves: heat that is drawn at the tap, and a hold against legionella."""

from collections.abc import Sequence
from dataclasses import dataclass

from commonwatt.assets import levels, thermal
from commonwatt.assets.battery import StoreStep
from commonwatt.assets.thermal import Body
from commonwatt.model import (
    SLOT_SECONDS,
    AssetId,
    Constraint,
    Envelope,
    Interval,
    Priority,
    Quantity,
    Relation,
    Store,
    Warmth,
)

MWH_PER_LITRE_K = 1163
"""Thousandths of a Wh that warm a litre of water by a kelvin."""
HOLD_MC = 60_000
"""Half an hour of it kills legionella. Source: WHO, Legionella and the prevention of legionellosis, 2007."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tank:
    """A mixed tank with a heater.

    Args:
        litres: Water in it.
        loss_mw_per_k: What its wall lets through, thousandths of a watt per kelvin.
        most_w: Electric power of the heater.
        least_w: What it draws at least when on; as `most_w` for a plain thermostat.
        gain_permille: Heat per electricity: 1000 for a heating rod, more for a heat pump.
        cold_mc: Temperature of what comes in: level 0.
        room_mc: Temperature around it.
        most_mc: What it may never pass.
    """

    litres: int
    loss_mw_per_k: int
    most_w: int
    least_w: int = 0
    gain_permille: int = 1000
    cold_mc: int = 10_000
    room_mc: int = 20_000
    most_mc: int = 75_000

    @property
    def body(self) -> Body:
        """Return the tank as a body."""
        return Body(wh_per_k=max(1, self.litres * MWH_PER_LITRE_K // 1000), loss_mw_per_k=self.loss_mw_per_k)

    @property
    def warmth(self) -> Warmth:
        """Return how its level shows as a temperature: 0 is as cold as what comes in."""
        return Warmth(zero_mc=self.cold_mc, wh_per_k=self.body.wh_per_k)


def envelope(asset: AssetId, zone: str, tank: Tank, *, water_mc: int, drawn_wh: Sequence[int]) -> Envelope:
    """Return what a tank can do: heat ahead of what is drawn.

    Args:
        asset: Whose envelope.
        zone: Where.
        tank: The tank.
        water_mc: Temperature now.
        drawn_wh: n values: heat drawn at the tap in each slot, above the temperature of what comes in. That it stays
            warm enough for that is comfort: `heat.comfort`.
    """
    slots, body, gain = len(drawn_wh), tank.body, max(1, round(tank.gain_permille * tank.body.held()))
    by_itself = thermal.inflow_wh(body, tank.warmth, tank.room_mc, 0)
    return levels.within_reach(
        Envelope(
            asset=asset,
            zone=zone,
            lo_w=(0,) * slots,
            hi_w=(tank.most_w,) * slots,
            least_import_w=tank.least_w,
            store=Store(
                level_now_wh=thermal.stored_wh(tank.warmth, water_mc),
                level_min_wh=(0,) * slots,
                level_max_wh=(thermal.stored_wh(tank.warmth, tank.most_mc),) * slots,
                capacity_wh=thermal.stored_wh(tank.warmth, tank.most_mc),
                charge_permille=gain,
                discharge_permille=1000,
                keep_ppm=thermal.keep_ppm(body),
                inflow_wh=tuple(round(by_itself - drawn) for drawn in drawn_wh),
                warmth=tank.warmth,
            ),
        )
    )


def step(tank: Tank, level_wh: int, power_w: int, seconds: int = SLOT_SECONDS, *, drawn_wh: int = 0) -> StoreStep:
    """Heat for a while and let water be drawn; what is not there is not drawn, and a full tank takes no more."""
    body, power_w = tank.body, 0 if power_w < max(1, tank.least_w) else min(power_w, tank.most_w)
    rested = thermal.after(body, tank.warmth, level_wh, 0, tank.room_mc, 0, seconds) - drawn_wh
    gain = tank.gain_permille / 1000 * body.held(seconds)
    room_wh = max(0.0, thermal.stored_wh(tank.warmth, tank.most_mc) - rested)
    import_wh = min(power_w * seconds / 3600, room_wh / gain)
    return StoreStep(round(import_wh), 0, max(0, round(rested + import_wh * gain)))


def legionella(asset: AssetId, window: Interval, author: str = "") -> Constraint:
    """Return the hold against legionella: the whole tank at 60 degrees through a window, once a week, for safety."""
    return Constraint(
        quantity=Quantity.TEMPERATURE,
        scope=(asset,),
        relation=Relation.AT_LEAST,
        value=HOLD_MC,
        window=window,
        priority=Priority.SAFETY,
        author=author,
    )
