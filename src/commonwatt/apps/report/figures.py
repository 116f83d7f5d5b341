"""The charts of a day: plain Plotly figures that read on light and on dark, their legends left to the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from commonwatt.apps.report.words import WallClock, kilo, pence_per_kwh, pounds
from commonwatt.flows.summary import DiaryEntry, Summary
from commonwatt.model import MICRO, SLOT_SECONDS

# Mid tones with a contrast above 3 to white and to near-black; orange is before, green is after or among neighbours.
GREY, ORANGE, BLUE, GREEN = "#7f8894", "#d9622b", "#2f86d8", "#1f9d62"
FAINT_GREY = "rgba(127,136,148,0.28)"
CLEAR = "rgba(0,0,0,0)"
TICK_HOURS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One line of a chart's legend; ``shape`` is line, dots or box, ``width`` of a line in CSS pixels."""

    name: str
    colour: str
    shape: str = "line"
    width: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure as Plotly's JSON, with what the page puts around it; ``height`` in CSS pixels."""

    name: str
    label: str
    height: int
    marks: tuple[Mark, ...]
    figure: dict[str, Any]


def charts(summary: Summary) -> dict[str, Chart]:
    """Return every chart of the page by its name."""
    drawn = (power(summary), prices(summary), bills(summary), doings(summary))
    return {chart.name: chart for chart in drawn}


def power(summary: Summary) -> Chart:
    """Draw the four curves of power at the feeder in kW."""
    curves = (
        (summary.demand_w, Mark(name="demand alone", colour=GREY, shape="dots")),
        (summary.unmanaged_w, Mark(name="with unmanaged cars", colour=ORANGE)),
        (summary.smart_w, Mark(name="smart charging", colour=BLUE, width=4)),
        (summary.discharging_w, Mark(name="smart charging and discharging", colour=GREEN)),
    )
    slots = _slots(summary)
    figure = _figure(xaxis=_clock_axis(summary, slots), yaxis={"rangemode": "tozero"}, hovermode="x unified")
    # Smart charging is drawn broad below the last curve, as the two are the same for much of a day.
    for curve_w, mark in curves:
        kw = [watts / 1000 for watts in curve_w]
        figure.add_scatter(x=slots, y=kw, hovertemplate="%{y:.2f} kW", **_step(mark))
    peaks = "; ".join(f"{mark.name} {kilo(max(curve_w), 1)} kW" for curve_w, mark in curves)
    return Chart(
        name="power",
        label=f"Line chart of power at the feeder per quarter-hour. Highest import: {peaks}.",
        height=340,
        marks=tuple(mark for _, mark in curves),
        figure=figure.to_plotly_json(),
    )


def prices(summary: Summary) -> Chart:
    """Draw import, export and neighbours' price in p/kWh above bars of the kWh traded."""
    lines: tuple[tuple[Sequence[int | None], Mark], ...] = (
        (summary.import_price, Mark(name="import", colour=ORANGE)),
        (summary.export_price, Mark(name="export", colour=GREY)),
        (summary.local_price, Mark(name="neighbours", colour=BLUE)),
    )
    bars = Mark(name="traded", colour=GREEN, shape="box")
    slots = _slots(summary)
    figure = _figure(
        xaxis={**_clock_axis(summary, slots), "anchor": "y2"},
        yaxis={"domain": [0.4, 1], "rangemode": "tozero"},
        yaxis2={"domain": [0, 0.28], "rangemode": "tozero", "nticks": 4},
        hovermode="x unified",
        hoversubplots="axis",
        bargap=0.15,
        annotations=[_heading("p/kWh", 1), _heading("kWh traded per quarter-hour", 0.28)],
        margin={"t": 28},
    )
    for line, mark in lines:
        pence = [None if price is None else pence_per_kwh(price) for price in line]
        figure.add_scatter(x=slots, y=pence, hovertemplate="%{y:.1f} p/kWh", **_step(mark))
    # A price between two slots without trade is a step without width: a dot keeps it visible.
    figure.data[-1].update(mode="lines+markers", marker={"size": 4})
    kwh = [traded / 1000 for traded in summary.traded_wh]
    figure.add_bar(x=slots, y=kwh, yaxis="y2", name=bars.name, marker_color=GREEN, hovertemplate="%{y:.2f} kWh")
    return Chart(
        name="prices",
        label=(
            "Chart of prices per quarter-hour with bars of the energy traded among neighbours: import"
            f" {_range(summary.import_price)}, export {_range(summary.export_price)}, neighbours"
            f" {_range(summary.local_price)}, {kilo(sum(summary.traded_wh), 1)} kWh traded in all."
        ),
        height=420,
        marks=(*(mark for _, mark in lines), bars),
        figure=figure.to_plotly_json(),
    )


def bills(summary: Summary) -> Chart:
    """Draw each member's bill before and after in pounds."""
    before, after = (Mark(name=name, colour=c, shape="box") for name, c in (("before", ORANGE), ("after", GREEN)))
    members = [escape(bill.member) for bill in summary.bills]
    figure = _figure(
        xaxis={"tickprefix": "£", "nticks": 7, "zeroline": True},
        yaxis={"type": "category", "autorange": "reversed", "showgrid": False, "automargin": True, "dtick": 1},
        hovermode="y unified",
        barmode="group",
        bargap=0.3,
    )
    for mark, micros in (
        (before, [bill.before_micro for bill in summary.bills]),
        (after, [bill.after_micro for bill in summary.bills]),
    ):
        figure.add_bar(
            x=[micro / MICRO for micro in micros],
            y=members,
            orientation="h",
            name=mark.name,
            marker_color=mark.colour,
            customdata=[pounds(micro) for micro in micros],
            hovertemplate="%{customdata}",
        )
    return Chart(
        name="bills",
        label="Bar chart of each member's bill before and after; the table above holds the same figures.",
        height=60 + 34 * len(members),
        marks=(before, after),
        figure=figure.to_plotly_json(),
    )


def doings(summary: Summary) -> Chart:
    """Draw what every asset was told over the day: a row per asset, a column per slot, colour by target power."""
    slots = _slots(summary)
    assets = sorted({entry.asset for entry in summary.diary})
    kw: dict[str, list[float | None]] = {asset: [None] * len(slots) for asset in assets}
    told = {asset: [""] * len(slots) for asset in assets}
    clock = WallClock(ZoneInfo(summary.timezone))
    for entry in summary.diary:
        first, end = ((s - summary.start_s) // SLOT_SECONDS for s in (entry.start_s, entry.end_s))
        for index in range(max(0, first), min(end, len(slots))):
            kw[entry.asset][index] = entry.power_w / 1000
            told[entry.asset][index] = _told(entry, clock)
    top = max([abs(entry.power_w) / 1000 for entry in summary.diary], default=0) or 1
    figure = _figure(
        xaxis=_clock_axis(summary, slots),
        yaxis={"type": "category", "autorange": "reversed", "showgrid": False, "automargin": True, "dtick": 1},
    )
    figure.add_heatmap(
        x=slots,
        y=[escape(asset) for asset in assets],
        z=[kw[asset] for asset in assets],
        text=[told[asset] for asset in assets],
        hovertemplate="%{text}<extra></extra>",
        hoverongaps=False,
        colorscale=_either_way(),
        zmin=-top,
        zmax=top,
        ygap=4,
        showscale=False,
    )
    return Chart(
        name="doings",
        label=f"Chart of what {len(assets)} assets were told over the day; the diaries below hold the same in words.",
        height=70 + 26 * len(assets),
        marks=(
            Mark(name=f"charge, full colour at {top:.1f} kW", colour=BLUE, shape="box"),
            Mark(name="supply", colour=ORANGE, shape="box"),
            Mark(name="rest", colour=FAINT_GREY, shape="box"),
            Mark(name="empty: no instruction", colour=CLEAR, shape="box"),
        ),
        figure=figure.to_plotly_json(),
    )


def _figure(**layout: Any) -> go.Figure:
    axis = {"fixedrange": True, "gridcolor": FAINT_GREY, "zerolinecolor": GREY, "ticks": ""}
    axes: dict[str, Any] = {key: {**axis, **layout.pop(key)} for key in ("xaxis", "yaxis", "yaxis2") if key in layout}
    font = {"family": "system-ui, sans-serif", "size": 12, "color": GREY}
    whole: dict[str, Any] = {
        "template": "none",
        "showlegend": False,
        "dragmode": False,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": font,
        # The page gives hover boxes its own colour; here they only must not be clear.
        "hoverlabel": {"align": "left", "namelength": -1, "bgcolor": "white", "font": font},
        **layout,
        "margin": {"l": 36, "r": 10, "t": 10, "b": 30, **layout.get("margin", {})},
        **axes,
    }
    return go.Figure(layout=whole)


def _slots(summary: Summary) -> list[str]:
    return WallClock(ZoneInfo(summary.timezone)).slots(summary.start_s, len(summary.demand_w))


def _clock_axis(summary: Summary, slots: Sequence[str]) -> dict[str, Any]:
    """Return an axis of named slots with ticks where they begin: right on days when the clock is changed, too."""
    clock = WallClock(ZoneInfo(summary.timezone))
    begins = [clock.local(summary.start_s + index * SLOT_SECONDS) for index in range(len(slots) + 1)]
    ticks = [index for index, begin in enumerate(begins) if begin.hour % TICK_HOURS == 0 and begin.minute == 0]
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": slots,
        "range": [-0.5, len(slots) - 0.5],
        "tickvals": [index - 0.5 for index in ticks],
        "ticktext": [f"{begins[index]:%H:%M}" for index in ticks],
        "tickangle": 0,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": CLEAR,
        "showgrid": True,
        "zeroline": False,
    }


def _step(mark: Mark) -> dict[str, Any]:
    """Return a line that steps where slots meet: points stand mid-slot, so it goes level, up, level."""
    dash = "dot" if mark.shape == "dots" else "solid"
    line = {"color": mark.colour, "width": mark.width, "dash": dash, "shape": "hvh"}
    return {"mode": "lines", "name": mark.name, "line": line, "connectgaps": False}


def _heading(text: str, y: float) -> dict[str, Any]:
    place = {"xref": "paper", "yref": "paper", "x": 0, "xanchor": "left", "y": y, "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "yshift": 4, **place}


def _range(line: Sequence[int | None]) -> str:
    known = [pence_per_kwh(price) for price in line if price is not None]
    return f"{min(known):.1f} to {max(known):.1f} p/kWh" if known else "none"


def _told(entry: DiaryEntry, clock: WallClock) -> str:
    lines = (
        f"{entry.asset}, {clock.at(entry.start_s)} to {clock.at(entry.end_s)}",
        f"{entry.verb}, {kilo(entry.power_w)} kW",
        *wrap(entry.reason, 40),
    )
    # Plotly reads a little HTML in its texts; names and reasons are none.
    return "<br>".join(map(escape, lines))


def _either_way() -> list[tuple[float, str]]:
    """Return a colour scale from supply through rest to charge, with a jump so that a little is not taken for rest."""
    faint_orange, faint_blue = "rgba(217,98,43,0.45)", "rgba(47,134,216,0.45)"
    stops = (0.0, 0.497, 0.497, 0.503, 0.503, 1.0)
    colours = (ORANGE, faint_orange, FAINT_GREY, FAINT_GREY, faint_blue, BLUE)
    return list(zip(stops, colours, strict=True))
