"""A day on one page: everything inside one HTML file, for a phone first, opened anywhere and offline."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from commonwatt.apps.report import words
from commonwatt.apps.report.figures import charts
from commonwatt.flows.summary import DiaryEntry, Summary
from commonwatt.model import SLOT_SECONDS


def write_page(summary: Summary, path: Path) -> None:
    """Write a day's page, whole or not at all: who opens the path sees the old page or the new one.

    Args:
        summary: The day.
        path: The HTML file, replaced if it is there; about 5 MB, as the charts bring their own engine along.

    Raises:
        OSError: The folder is missing or cannot be written.
    """
    page = _render(summary)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o600)  # bills and diaries are between members and operator
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetDiary:
    """One asset's day; energy as measured, taken and given apart."""

    asset: str
    entries: list[DiaryEntry]

    @property
    def took_wh(self) -> int:
        """What went into the asset."""
        return sum(max(0, entry.measured_wh) for entry in self.entries)

    @property
    def gave_wh(self) -> int:
        """What came out of it."""
        return -sum(min(0, entry.measured_wh) for entry in self.entries)


def _render(summary: Summary) -> str:
    clock = words.WallClock(ZoneInfo(summary.timezone))
    pages = Environment(
        loader=PackageLoader("commonwatt.apps.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(pounds=words.pounds, kilo=words.kilo, percent=words.percent, clock=clock.at, way=_way)
    begin = clock.local(summary.start_s)
    return pages.get_template("page.html.j2").render(
        s=summary,
        title=f"{summary.community[:1].upper()}{summary.community[1:]}, {begin.day} {begin:%B} {begin.year}",
        span=clock.span(summary.start_s, summary.start_s + len(summary.demand_w) * SLOT_SECONDS),
        saved=_saved(summary.cost_before_micro, summary.cost_after_micro),
        mean_price=_mean_price(summary),
        diaries=_by_asset(summary.diary),
        set_aside=[_slot_named(line, clock) for line in summary.set_aside],
        charts=charts(summary),
        plotly=get_plotlyjs(),
    )


def _saved(before_micro: int, after_micro: int) -> str:
    """Return the saving in words, in per cent where there was a cost to take it from."""
    saved_micro = before_micro - after_micro
    word = "saved" if saved_micro >= 0 else "more"
    if before_micro <= 0:
        return f"{words.pounds(abs(saved_micro))} {word}"
    return f"{words.percent(abs(saved_micro) / before_micro)} {word}"


def _mean_price(summary: Summary) -> str:
    """Return what a kWh among neighbours cost on average, by energy."""
    traded = [(p, wh) for p, wh in zip(summary.local_price, summary.traded_wh, strict=True) if p is not None and wh]
    if not traded:
        return "none was traded"
    mean = sum(p * wh for p, wh in traded) / sum(wh for _, wh in traded)
    return f"mean {words.pence_per_kwh(mean):.1f} p/kWh"


def _by_asset(entries: list[DiaryEntry]) -> list[AssetDiary]:
    told: dict[str, list[DiaryEntry]] = {}
    for entry in entries:
        told.setdefault(entry.asset, []).append(entry)
    return [AssetDiary(asset=asset, entries=told[asset]) for asset in sorted(told)]


def _way(entry: DiaryEntry) -> str:
    return "charge" if entry.power_w > 0 else "supply" if entry.power_w < 0 else "rest"


def _slot_named(line: str, clock: words.WallClock) -> str:
    """Return a line about a reading with its slot, told in seconds since 1970, as a time of day."""
    found = re.fullmatch(r"(\S+) (\d+): (.*)", line, re.DOTALL)
    return f"{found[1]} at {clock.at(int(found[2]))}: {found[3]}" if found else line
