"""Figures as people read them: pounds, pence, kW, kWh, per cent and the street's clock."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from commonwatt.model import MICRO, SLOT_SECONDS, instant, round_div


@dataclass(frozen=True, slots=True)
class WallClock:
    """Tells a street's local time from seconds since 1970."""

    zone: ZoneInfo

    def local(self, epoch_s: int) -> datetime:
        """Return the aware local time."""
        return instant(epoch_s).astimezone(self.zone)

    def at(self, epoch_s: int) -> str:
        """Return a time of day, such as 17:30."""
        return f"{self.local(epoch_s):%H:%M}"

    def slots(self, start_s: int, count: int) -> list[str]:
        """Return one name per slot, such as 17:30 to 17:45, no two alike even where the clock is put back."""
        names: list[str] = []
        for slot_s in range(start_s, start_s + count * SLOT_SECONDS, SLOT_SECONDS):
            name = f"{self.at(slot_s)} to {self.at(slot_s + SLOT_SECONDS)}"
            names.append(f"{name} {self.local(slot_s):%Z}" if name in names else name)
        return names

    def span(self, start_s: int, end_s: int) -> str:
        """Return a stretch of time with its days, such as 05:00 on Wednesday 14 November 2018 to 05:00 on ..."""
        first, last = self.local(start_s), self.local(end_s)
        year = "" if last.year == first.year else f" {last.year}"
        return f"{first:%H:%M} on {date(first)} to {last:%H:%M} on {last.day} {last:%B}{year}"


def date(moment: datetime) -> str:
    """Return a date in full, such as Wednesday 14 November 2018."""
    return f"{moment:%A} {moment.day} {moment:%B} {moment.year}"


def pounds(micro: int) -> str:
    """Return money in pounds and whole pence."""
    pence = round_div(100 * micro, MICRO)
    whole, rest = divmod(abs(pence), 100)
    return f"{'-' if pence < 0 else ''}£{whole:,}.{rest:02}"


def pence_per_kwh(micro_per_kwh: float) -> float:
    """Return a price in pence."""
    return round(100 * micro_per_kwh / MICRO, 4)


def kilo(value: int, digits: int = 2) -> str:
    """Return W in kW, or Wh in kWh, without the unit; never a negative zero."""
    return f"{value / 1000:z,.{digits}f}"


def percent(share: float) -> str:
    """Return a share of 1 in per cent."""
    return f"{100 * share:z.1f} %"
