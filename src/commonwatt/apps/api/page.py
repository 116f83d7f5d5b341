"""Who stands behind a log, on one page that loads nothing: a bar per witness against how far the log has come."""

from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from commonwatt.flows.publish import Standing, Watching

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class _Bar:
    witness: Watching
    percent: float
    ago: str


def witnesses_page(standing: Standing, now_s: int) -> str:
    """Return the page as HTML.

    Args:
        standing: As of now.
        now_s: The time, seconds since 1970.
    """
    pages = Environment(
        loader=PackageLoader("commonwatt.apps.api", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    size = standing.size or 0
    bars = [_Bar(one, _percent(one.last_size or 0, size), _ago(one.last_time_s, now_s)) for one in standing.witnesses]
    return pages.get_template("witnesses.html.j2").render(
        s=standing,
        bars=bars,
        final_percent=_percent(standing.final_size or 0, size),
        closed=f"{datetime.fromtimestamp(standing.slot_s, UTC):%d %B %Y %H:%M} UTC" if standing.slot_s else "",
        verdict=_verdict(standing),
    )


def _verdict(standing: Standing) -> str:
    if standing.size is None:
        return "The log has signed no checkpoint yet."
    if not standing.total_weight:
        return "Nobody watches this log: nothing of it is final, only its operator answers for it."
    if standing.final_size is None:
        return "Nothing is final yet: two thirds of the witnesses' weight have cosigned no checkpoint."
    if standing.final_size == standing.size:
        return f"All {standing.size:,} leaves of the latest checkpoint are final."
    return f"{standing.final_size:,} of the {standing.size:,} leaves of the latest checkpoint are final."


def _percent(part: int, whole: int) -> float:
    return round(100 * min(part, whole) / whole, 2) if whole else 0.0


def _ago(then_s: int | None, now_s: int) -> str:
    if then_s is None:
        return "never"
    passed_s = max(0, now_s - then_s)
    for unit_s, name in ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes")):
        if passed_s >= 2 * unit_s:
            return f"{passed_s // unit_s} {name} ago"
    return "just now" if passed_s < _MINUTE_S else "a minute ago"
