"""What a home's exchange with the grid stands for in carbon, as somebody published it, and what it would have been."""

from collections.abc import Mapping
from dataclasses import dataclass

from commonwatt.adapters.feeds.sources import SOURCES
from commonwatt.apps.community import Community
from commonwatt.apps.feed_terms import Outside
from commonwatt.flows.feeds.known import Value
from commonwatt.flows.feeds.series import Topic, What
from commonwatt.model import SLOT_SECONDS, Corrupt, Interval, instant, round_div

_MICRO_PER_MILLI = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon:
    """What the grid's mean carbon makes of a home's energy over some slots, mg of CO2 equivalents.

    What is drawn counts, and what is given counts against it. Only slots of which somebody published the carbon are in
    it, ``slots`` of ``of_slots``, and of those ``measured_slots`` are what it came to rather than what was forecast.

    Args:
        place: Whose grid, in the community's words.
        emitted_mg: By what the meter at the connection told.
        alone_mg: Without what the battery did.
        slots: Of how many the carbon is known.
        of_slots: Of how many the energy is known.
        measured_slots: Of how many the carbon was measured.
        source: Who published the latest of it; empty where nobody did.
        licence: On which terms.
        heard_s: When that was heard; None where nobody published any.
    """

    place: str
    emitted_mg: int
    alone_mg: int
    slots: int
    of_slots: int
    measured_slots: int
    source: str
    licence: str
    heard_s: int | None


def carbon(
    community: Community, from_s: int, to_s: int, net_wh: Mapping[int, int], alone_wh: Mapping[int, int]
) -> Carbon | None:
    """Return what a home's exchange came to in carbon; None where no feed tells the grid's carbon, or cannot be read.

    Args:
        community: With its feeds.
        from_s: Start of the first slot.
        to_s: End of the last.
        net_wh: What the home drew from the grid by slot, below zero what it gave.
        alone_wh: The same without its battery.
    """
    outside = community.outside
    if outside is None or outside.carbon_place is None:
        return None
    try:
        told = _published(outside, outside.carbon_place, from_s, to_s, community.now_s())
    except (Corrupt, OSError):
        return None  # a broken archive is said where feeds are asked; a home is more than its carbon
    shared = sorted(net_wh.keys() & alone_wh.keys() & told.keys())
    last = max((told[slot_s].issue for slot_s in shared), key=lambda issue: issue.heard_s if issue else 0, default=None)
    return Carbon(
        place=outside.carbon_place,
        emitted_mg=_carbon_mg(net_wh, told, shared),
        alone_mg=_carbon_mg(alone_wh, told, shared),
        slots=len(shared),
        of_slots=len(net_wh.keys() & alone_wh.keys()),
        measured_slots=sum(
            issue is not None and issue.topic.measured for issue in (told[slot_s].issue for slot_s in shared)
        ),
        source="" if last is None else SOURCES[last.source].title,
        licence="" if last is None else last.licence,
        heard_s=None if last is None else last.heard_s,
    )


def _published(outside: Outside, place: str, from_s: int, to_s: int, as_of_s: int) -> dict[int, Value]:
    """Return what somebody published of each slot's carbon: what it came to, else what was forecast; nothing usual."""
    if to_s - from_s < SLOT_SECONDS:
        return {}
    span, found = Interval(instant(from_s), instant(to_s)), {}
    for topic in (Topic(What.CARBON, place), Topic(What.CARBON, place, measured=True)):
        for one in outside.known(topic, span, as_of_s, usual=False):
            if one.value is not None:
                found[one.slot_s] = one
    return found


def _carbon_mg(energy_wh: Mapping[int, int], told: Mapping[int, Value], slots: list[int]) -> int:
    values = ((energy_wh[slot_s], told[slot_s].value) for slot_s in slots)
    return round_div(sum(wh * value for wh, value in values if value is not None), _MICRO_PER_MILLI)
