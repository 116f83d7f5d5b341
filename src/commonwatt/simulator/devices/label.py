"""What a simulated device says of itself, until a test makes another one of it."""

from commonwatt.model import Nameplate
from commonwatt.simulator.plant import Plant


def label_of(plant: Plant) -> Nameplate:
    """Return the nameplate of a plant's device; its serial number is its asset's name."""
    return Nameplate(make="commonwatt", model="simulated", serial=str(plant.asset.id), firmware="1.2.3")
