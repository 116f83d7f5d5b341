"""D12: how often 90 % bands hold what came, in every task."""

import numpy as np

from benchmarks.figure import Figure, figure
from benchmarks.forecasts import markets, next_slot, recorded, stays, yields
from benchmarks.forecasts.scoring import covered, homes, together

PROMISED = 90.0
LEAST, MOST = 88.0, 92.0


def d12() -> Figure:
    """D12: coverage of the 90 % band that is furthest from 90, over all tasks; goal 88 to 92."""
    found = {name: round(100 * share, 1) for name, share in _shares().items()}
    worst = max(found, key=lambda name: abs(found[name] - PROMISED))
    return figure(
        "D12",
        found[worst],
        f"%, {worst}",
        PROMISED,
        coverage=found,
        outside=sorted(name for name, share in found.items() if not LEAST <= share <= MOST),
    )


def _shares() -> dict[str, float]:
    quantiles, came = homes()
    found = {"D4": float(((came >= quantiles[0]) & (came <= quantiles[-1])).mean())}
    told, total = together(14)
    found["D8"] = covered(told[4:], total[4:], told[4:])
    roofs, yielded = yields.yields()
    light = roofs.sum(0) > 0.005 * roofs.sum(0).max()
    size = np.maximum(roofs.mean((1, 2)), 1)[:, None, None]
    scale = 0.5 * roofs + 0.2 * size
    rows = [np.where(light, roof, np.nan) for roof in yielded]
    found["D9"] = float(np.mean([covered(*three) for three in zip(roofs, rows, scale, strict=True)]))
    for market in markets.MARKETS:
        (real, _, _), _ = recorded.prices(market)
        alone = markets.alone(market)[markets.FIRST :]
        found[f"D5 {market}"] = covered(alone, real[markets.FIRST :], np.ones_like(alone))
    corrected, actual, _ = markets.carbon()
    known = ~np.isnan(corrected).any(1)
    found["D10"] = covered(corrected[known], actual[known], np.ones_like(corrected[known]))
    shortly, power = next_slot.ordered()
    found["D6"] = covered(shortly, power, np.ones_like(power))
    for place in stays.PLACES:
        found |= {f"D11 {place} {what}": row["coverage"] for what, row in stays.scores(place).items()}
    return found
