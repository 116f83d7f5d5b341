"""Feeds for a demonstration: the prices that its street recorded, played by a publisher's twin on this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

from commonwatt.apps import door_card
from commonwatt.apps.feed_terms import FILE
from commonwatt.apps.scenes import live_scene
from commonwatt.model import SLOT_SECONDS, Corrupt, Refused
from commonwatt.simulator.feeds.formats import Recording
from commonwatt.simulator.feeds.twin import Twin
from commonwatt.simulator.recorded import Series, known_until
from commonwatt.simulator.street import MICRO_PER_PENNY

MARK = "# Written by the demonstration as long as it runs; write a file of your own in its place.\n"
_HALF_S = 2 * SLOT_SECONDS
_FEED = """
[[feed]]
name = "{name}"
source = "octopus"
place = "{name}"
address = "{address}"
settings = {{ product = "AGILE", tariff = "{tariff}" }}
"""


@contextmanager
def played_feeds(street: Path, folder: Path, system_s: Callable[[], float]) -> Iterator[None]:
    """Play a street's recorded prices to the feeds of its live run, as long as the block lasts.

    A `feeds.toml` that somebody wrote stays as it is. What is played is not told to the log: the street itself tells
    the same prices. Carbon and weather of its days were not recorded, so there are none.

    Args:
        street: Its folder.
        folder: The live run's, with its door open.
        system_s: The system's clock, seconds since 1970.
    """
    path = folder / FILE
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        yield
        return
    recorded = live_scene(street).recorded
    now_s = partial(_now_s, folder, system_s)
    with _twin(recorded.import_price, now_s) as bought, _twin(recorded.export_price, now_s) as sold:
        feeds = [
            _FEED.format(name="bought", address=bought.address, tariff="BOUGHT"),
            _FEED.format(name="sold", address=sold.address, tariff="SOLD"),
        ]
        path.write_text(MARK + "".join(feeds), encoding="utf-8")
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                path.unlink()


def _twin(prices: Series, now_s: Callable[[], int]) -> Twin:
    """Play a price as Octopus publishes it: pence for each half-hour, tomorrow's from 16:00 on."""
    pence = tuple(str(Decimal(price) / MICRO_PER_PENNY) for price in prices.values[::2])
    recording = Recording(start_s=prices.start_s, step_s=_HALF_S, values=pence, until_s=known_until)
    return Twin({"octopus": {"price": recording}}, now_s)


def _now_s(folder: Path, system_s: Callable[[], float]) -> int:
    """Return the log's time; before the street has opened its door nothing is published."""
    try:
        return door_card.read(folder).now_s(system_s())
    except (Refused, Corrupt):
        return 0
