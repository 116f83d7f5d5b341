"""Load as an envelope that cannot be shifted: its bounds meet at the forecast."""

from commonwatt.model import AssetId, Envelope, Forecast


def load(asset: AssetId, zone: str, forecast: Forecast) -> Envelope:
    """Return a load's envelope from its forecast."""
    return Envelope(asset=asset, zone=zone, lo_w=forecast.power_w, hi_w=forecast.power_w)
