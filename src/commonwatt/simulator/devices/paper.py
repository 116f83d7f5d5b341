"""A device without a wire: the port straight on the physics, for tests and for days on paper."""

from collections.abc import Callable
from datetime import datetime

from commonwatt.flexibility.fitting import fitted, hold_w
from commonwatt.model import Ack, Band, Caps, Command, DeviceState, epoch
from commonwatt.simulator.plant import Plant


class PaperDevice:
    """Implements the `Device` port on a `Plant`.

    Args:
        plant: What it is.
        clock: Of whoever reads it.
        caps: What it can be told; without, what its asset's limits say.
    """

    def __init__(self, plant: Plant, clock: Callable[[], datetime], caps: Caps | None = None) -> None:
        self._plant, self._clock = plant, clock
        asset = plant.asset
        self._caps = caps or Caps(
            max_import_w=asset.max_import_w,
            max_export_w=asset.max_export_w,
            min_import_w=asset.min_import_w,
            lease_s=60,
            balances=True,
        )

    @property
    def caps(self) -> Caps:
        """What it can be told."""
        return self._caps

    async def read(self) -> DeviceState:
        """Return what it shows now."""
        plant = self._plant
        return DeviceState(
            at=self._clock(),
            power_w=plant.power_w,
            import_wh=plant.import_wh,
            export_wh=plant.export_wh,
            level_wh=plant.level_wh if plant.asset.stores else None,
        )

    async def apply(self, command: Command) -> Ack:
        """Hold a band until the command expires or the lease is over."""
        left_s = epoch(command.expires) - epoch(self._clock())
        if left_s <= 0:
            return Ack(command=command.id, asset=command.asset, taken=None, why="command has expired")
        taken, why = fitted(self._caps, command.band)
        if taken is not None:
            held = taken if not self._caps.setpoint else _point(taken)
            self._plant.ask(held, self._plant.now_s + min(left_s, self._caps.lease_s or left_s))
        return Ack(command=command.id, asset=command.asset, taken=taken, why=why)

    async def release(self) -> None:
        """Go to the safe default."""
        self._plant.release()

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def _point(band: Band) -> Band:
    """Return the one power of a band that a set-point device holds; with a line to hold it keeps all of it."""
    if band.balance_w is not None:
        return band
    power_w = hold_w(band)
    return Band(lo_w=power_w, hi_w=power_w)
