"""A chart over time with a table behind it; the charting library comes only with pages that have one."""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from nicegui import ui

from commonwatt.apps.web.context import Context
from commonwatt.apps.web.parts.behind import as_of, caption, table
from commonwatt.model import InvalidValue

_MOST_ROWS = 192
# As in app.css: the library measures texts by themselves, where nothing is inherited.
_LETTERS = "system-ui, sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve.

    Args:
        name: What it is.
        colour: Its meaning: solar, battery, grid, neighbours, car, house, accent.
        values: One a point in time, in the chart's unit; None where nothing is known.
        low: The lower edge of a band around it, as many values; empty for none.
        high: The upper edge.
        steps: Whether a value holds for a whole slot, as prices and metered energy do.
        dashed: Whether it is expected, not measured.
        edge: Whether it is the edge of a band, which the table names and the legend does not.
    """

    name: str
    colour: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    steps: bool = False
    dashed: bool = False
    edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a chart shows now.

    Args:
        times_s: The points in time, seconds since 1970, in order.
        lines: One or more curves over them.
        as_of_s: When the numbers were true.

    Raises:
        InvalidValue: A curve has more or fewer values than there are times.
    """

    times_s: Sequence[int]
    lines: Sequence[Line]
    as_of_s: int

    def __post_init__(self) -> None:
        n = len(self.times_s)
        for line in self.lines:
            if len(line.values) != n or len(line.low) != len(line.high) or len(line.low) not in (0, n):
                raise InvalidValue(f"a curve has one value a time, {n}, found {len(line.values)} in {line.name!r}")


def chart(
    context: Context,
    title: str,
    times_s: Sequence[int],
    lines: Sequence[Line],
    *,
    unit: str,
    as_of_s: int,
    write: Callable[[float], str] | None = None,
) -> ui.echart:
    """Put a chart on the page.

    Args:
        context: The page.
        title: What is shown.
        times_s: The points in time, seconds since 1970, in order.
        lines: One or more curves over them.
        unit: Of all values; shown with the axis and in the table's head.
        as_of_s: When the numbers were true.
        write: Writes a value for the table; with one digit after the point where none is given.

    Raises:
        InvalidValue: A curve has more or fewer values than there are times.
    """
    drawn = Drawn(times_s=times_s, lines=lines, as_of_s=as_of_s)
    picture, _ = _put(context, title, drawn, unit, write, "")
    return picture


def moving_chart(
    context: Context,
    title: str,
    draw: Callable[[], Drawn],
    topics: Collection[Hashable],
    *,
    unit: str,
    key: str,
) -> ui.echart:
    """Put a chart on the page that moves as the log grows, table and time with it.

    Args:
        context: The page.
        title: What is shown.
        draw: Returns what to show now.
        topics: What can move it.
        unit: Of all values.
        key: Of its time in the page's feeds, unique on the page.
    """
    now = draw()
    context.follow(key, lambda: {key: as_of(context.words, context.community.told_s)}, topics)
    picture, behind = _put(context, title, now, unit, None, key)

    async def again() -> None:
        told = draw()
        if context.client.is_deleted:
            return
        picture.options.update(_options(context, told.times_s, told.lines, unit))
        picture.update()
        behind.set_content(_table(context, title, told, unit, None))

    context.live.watch(context.client.id, again, topics)
    return picture


def _put(
    context: Context, title: str, drawn: Drawn, unit: str, write: Callable[[float], str] | None, key: str
) -> tuple[ui.echart, ui.html]:
    """Put picture and table on the page."""
    with ui.element("figure").classes("card pictured charted"):
        told = caption(context.words, f"{title} ({unit})", drawn.as_of_s, key)
        context.put(told, early=False).classes("caption")
        with ui.element("div").classes("picture").props("aria-hidden=true"):
            options = _options(context, drawn.times_s, drawn.lines, unit)
            picture = ui.echart(options, renderer="svg").classes("chart")
        behind = context.put(_table(context, title, drawn, unit, write), early=False).classes("held")
    return picture, behind


def _table(context: Context, title: str, drawn: Drawn, unit: str, write: Callable[[float], str] | None) -> Markup:
    words = context.words
    written = write or (lambda value: words.number(value, 1))
    stride = -(-len(drawn.times_s) // _MOST_ROWS) or 1
    rows = [
        (words.instant(at_s), *(_cell(line.values[place], written) for line in drawn.lines))
        for place, at_s in list(enumerate(drawn.times_s))[::stride]
    ]
    head = (words.say("When"), *(f"{line.name} ({unit})" for line in drawn.lines))
    return table(words, title, head, rows)


def _cell(value: float | None, write: Callable[[float], str]) -> str:
    return "\N{EN DASH}" if value is None else write(value)


def _options(context: Context, times_s: Sequence[int], lines: Sequence[Line], unit: str) -> dict[str, Any]:
    labels = [context.words.clock(at_s) for at_s in times_s]
    series = [one for line in lines for one in (*_band(line), _curve(line))]
    quiet = {"color": "var(--ink-soft)", "fontFamily": _LETTERS}
    named = [line.name for line in lines if not line.edge]
    return {
        "animation": False,
        "textStyle": {"fontFamily": _LETTERS},
        "grid": {"left": 8, "right": 12, "top": 28, "bottom": 34, "containLabel": True},
        # One row, on a phone to be leafed through: a second one would stand on the times.
        "legend": {
            "type": "scroll",
            "data": named,
            "bottom": 0,
            "textStyle": quiet,
            "icon": "roundRect",
        },
        "tooltip": {"trigger": "axis", "confine": True, "className": "chart-tip"},
        "xAxis": {
            "type": "category",
            "data": labels,
            "boundaryGap": False,
            "axisLabel": {**quiet, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": "var(--line)"}},
        },
        "yAxis": {
            "type": "value",
            "name": unit,
            "nameTextStyle": quiet,
            "axisLabel": quiet,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
        },
        "series": series,
    }


def _curve(line: Line) -> dict[str, Any]:
    colour = f"var(--{line.colour})"
    return {
        "name": line.name,
        "type": "line",
        "data": list(line.values),
        "showSymbol": False,
        "step": "end" if line.steps else False,
        "lineStyle": {"color": colour, "width": 2, "type": "dashed" if line.dashed else "solid"},
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
    }


def _band(line: Line) -> list[dict[str, Any]]:
    """Return a band as two stacked curves: an unseen lower edge, and the filled difference above it."""
    if not line.low:
        return []
    heights = [
        None if low is None or high is None else high - low for low, high in zip(line.low, line.high, strict=True)
    ]
    unseen = {"type": "line", "stack": line.name, "showSymbol": False, "silent": True, "lineStyle": {"opacity": 0}}
    unseen |= {"stackStrategy": "all"}  # also below zero the difference stands on the lower edge
    filled = {"color": f"var(--{line.colour})", "opacity": 0.18}
    tip = {"show": False}
    return [
        {**unseen, "data": list(line.low), "tooltip": tip, "emphasis": {"disabled": True}},
        {**unseen, "data": heights, "areaStyle": filled, "tooltip": tip, "emphasis": {"disabled": True}},
    ]
