"""What a device can do, what it shows and what its nameplate says: nouns of the device port beside Command and Ack."""

from dataclasses import dataclass
from datetime import datetime

from commonwatt.model.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What a device can be told. Power in W at its AC meter, import positive.

    Args:
        max_import_w: The most that it draws.
        max_export_w: The most that it supplies; 0 for what only draws.
        min_import_w: The least that it draws if it draws at all (a car: 6 A).
        setpoint: Whether it holds a power; False for what only takes an upper limit (OCPP 1.6, OCPI, EEBus LPC).
        step_w: Its power is a multiple of this, as near to none as the band allows.
        lease_s: How long it holds what it was told without hearing more; None where it would hold it for ever.
        balances: Whether it holds its connection point by itself, with a meter of its own.
        droops: Whether it follows an armed curve by itself, with a frequency meter of its own.
    """

    max_import_w: int
    max_export_w: int = 0
    min_import_w: int = 0
    setpoint: bool = True
    step_w: int = 1
    lease_s: int | None = None
    balances: bool = False
    droops: bool = False

    def __post_init__(self) -> None:
        if min(self.max_import_w, self.max_export_w, self.min_import_w) < 0 or self.step_w < 1:
            raise InvalidValue(f"what a device can do is zero or more, in steps of one or more, was {self}")
        if self.min_import_w > self.max_import_w:
            raise InvalidValue(f"the least that a device draws is at most its most, was {self}")
        if self.lease_s is not None and self.lease_s < 1:
            raise InvalidValue(f"a lease lasts a second or more, was {self.lease_s} s")

    @property
    def takes_commands(self) -> bool:
        """Tell whether it can be told anything; a meter cannot."""
        return self.max_import_w > 0 or self.max_export_w > 0


METERS_ONLY = Caps(max_import_w=0)
"""What a pure meter can be told: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """What a device shows at one moment; None for what it does not measure.

    Args:
        at: When it was read, by the reader's clock: a device's own may be wrong.
        power_w: Import positive.
        import_wh: What its counter of imported energy stands at. It only rises, but for a reset or roll-over.
        export_wh: Likewise for what goes out.
        level_wh: Stored energy.
        connected: Whether there is something at its plug.
        frequency_mhz: Of the grid, 50 Hz being 50,000.
        indoor_decicelsius: Tenths of a degree.
        outdoor_decicelsius: Tenths of a degree.
    """

    at: datetime
    power_w: int | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    level_wh: int | None = None
    connected: bool | None = None
    frequency_mhz: int | None = None
    indoor_decicelsius: int | None = None
    outdoor_decicelsius: int | None = None

    def __post_init__(self) -> None:
        for counter in (self.import_wh, self.export_wh, self.level_wh):
            if counter is not None and counter < 0:
                raise InvalidValue(f"counters and levels are zero or more, was {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """What a device says of itself; empty for what it does not say."""

    make: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""

    def over(self, known: "Nameplate") -> "Nameplate":
        """Return what is said here, and what was known of the rest."""
        return Nameplate(
            make=self.make or known.make,
            model=self.model or known.model,
            serial=self.serial or known.serial,
            firmware=self.firmware or known.firmware,
        )

    def __str__(self) -> str:
        words = [self.make, self.model, self.firmware and f"firmware {self.firmware}"]
        return " ".join(word for word in words if word) or "no nameplate"


NO_NAMEPLATE = Nameplate()
"""Of what says nothing of itself."""
