"""Load and solar as envelopes that cannot be shifted: their bounds meet at the forecast."""

from commonwatt.model import AssetId, Envelope, Forecast


def load(asset: AssetId, zone: str, forecast: Forecast) -> Envelope:
    """Return a load's envelope from its forecast."""
    return Envelope(asset=asset, zone=zone, lo_w=forecast.power_w, hi_w=forecast.power_w)


def solar(asset: AssetId, zone: str, forecast: Forecast) -> Envelope:
    """Return a roof's envelope from its forecast; generation flows from asset to grid, so it is negative."""
    made_w = tuple(-power_w for power_w in forecast.power_w)
    return Envelope(asset=asset, zone=zone, lo_w=made_w, hi_w=made_w)
