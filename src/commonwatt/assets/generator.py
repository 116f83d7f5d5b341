"""How a generator behaves: off, or on between its least and its most, for a while, at the price of its fuel."""

from dataclasses import dataclass

from commonwatt.model import AssetId, Envelope, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A generator by its data sheet.

    Args:
        most_w: Export, W.
        least_w: What it exports at least when on.
        fuel_micro_per_kwh: What an exported kWh costs in fuel.
        least_run: Slots that it stays on.
        least_rest: Slots that it stays off.
    """

    most_w: int
    least_w: int
    fuel_micro_per_kwh: int
    least_run: int = 1
    least_rest: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.least_w <= self.most_w:
            raise InvalidValue(f"a generator's least is at most its most, was {self.least_w} and {self.most_w} W")


def envelope(asset: AssetId, zone: str, generator: Generator, slots: int, *, running: int = 0) -> Envelope:
    """Return what a generator can do; `running` as in `Envelope`."""
    return Envelope(
        asset=asset,
        zone=zone,
        lo_w=(-generator.most_w,) * slots,
        hi_w=(0,) * slots,
        least_export_w=generator.least_w,
        least_run=generator.least_run,
        least_rest=generator.least_rest,
        running=running,
        supply_micro_per_kwh=generator.fuel_micro_per_kwh,
    )


def step(generator: Generator, power_w: int, seconds: int) -> int:
    """Return the exported Wh at a wanted power, import positive; below its least it stands still."""
    made_w = min(-power_w, generator.most_w)
    return made_w * seconds // 3600 if made_w >= max(1, generator.least_w) else 0
