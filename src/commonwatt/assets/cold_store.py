"""How a freezer or a cold room behaves: a well wrapped body of goods that an on/off compressor cools."""

from collections.abc import Sequence

from commonwatt.assets import heat
from commonwatt.assets.battery import StoreStep
from commonwatt.assets.heat import Pump
from commonwatt.assets.thermal import Body
from commonwatt.model import SLOT_SECONDS, AssetId, Envelope, InvalidValue

FROZEN_MC = (-28_000, -15_000)
"""Goods stay frozen at minus 18 and endure minus 15 for a while. Source: Council Directive 89/108/EEC."""
ZERO_MC = -18_000


def envelope(
    asset: AssetId,
    zone: str,
    goods: Body,
    compressor: Pump,
    *,
    inside_mc: int,
    room_mc: Sequence[int],
    opened_wh: Sequence[int],
    safe_mc: tuple[int, int] = FROZEN_MC,
    running: int = 0,
) -> Envelope:
    """Return what a compressor can do: cool ahead, as far as the goods hold it.

    Args:
        asset: Whose envelope.
        zone: Where.
        goods: Goods and air with what their walls let through.
        compressor: A `Pump` that cools.
        inside_mc: Temperature now.
        room_mc: n values: temperature around it.
        opened_wh: n values: heat that comes in with goods and through doors.
        safe_mc: What the goods endure. That they usually lie at minus 18 is comfort: `heat.comfort`.
        running: As in `Envelope`.

    Raises:
        InvalidValue: The compressor heats.
    """
    if not compressor.cools:
        raise InvalidValue(f"a cold store has a machine that cools, was {compressor}")
    return heat.envelope(
        asset, zone, goods, compressor, indoor_mc=inside_mc, outdoor_mc=room_mc, free_wh=opened_wh,
        safe_mc=safe_mc, zero_mc=ZERO_MC, running=running,
    )  # fmt: skip


def step(
    goods: Body,
    compressor: Pump,
    level_wh: int,
    power_w: int,
    seconds: int = SLOT_SECONDS,
    *,
    room_mc: int,
    opened_wh: int = 0,
) -> StoreStep:
    """Run the compressor for a while; levels are Wh of cold below minus 18 degrees."""
    return heat.step(
        goods, compressor, level_wh, power_w, seconds, outdoor_mc=room_mc, free_wh=opened_wh, zero_mc=ZERO_MC
    )
