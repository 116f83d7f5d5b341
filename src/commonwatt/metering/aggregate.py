"""Sums over the meters of one home."""

from commonwatt.model import Reading


def home_load_wh(connection: Reading, behind: list[Reading]) -> int:
    """Return what a home used itself, in Wh: what came in, plus what its assets gave, less what they took."""
    net = connection.import_wh - connection.export_wh
    return max(0, net + sum(meter.export_wh - meter.import_wh for meter in behind))
