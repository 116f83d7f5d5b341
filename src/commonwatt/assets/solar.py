"""How sun and wind behave: they give what the weather gives, or less where somebody may turn them down."""

from commonwatt.model import AssetId, Envelope, Forecast


def envelope(asset: AssetId, zone: str, forecast: Forecast, *, curtailable: bool) -> Envelope:
    """Return a roof's or a turbine's envelope; generation flows from asset to grid, so it is negative.

    Args:
        asset: Whose envelope.
        zone: Where.
        forecast: What the weather will give.
        curtailable: True where its inverter takes a limit: then any power from that down to none.
    """
    made_w = tuple(-power_w for power_w in forecast.power_w)
    return Envelope(asset=asset, zone=zone, lo_w=made_w, hi_w=tuple(0 if curtailable else made for made in made_w))


def step(available_w: int, limit_w: int | None, seconds: int) -> int:
    """Return the exported Wh under a limit on export, None for none; what the weather does not give is not made."""
    made_w = available_w if limit_w is None else min(available_w, max(0, limit_w))
    return made_w * seconds // 3600
