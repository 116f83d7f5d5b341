"""Which publishers there are: where each is, on which terms, how it is asked, and how its answers are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from commonwatt.adapters.feeds.electricity_maps import translate as electricity_maps
from commonwatt.adapters.feeds.entsoe import translate as entsoe
from commonwatt.adapters.feeds.gb_carbon import translate as gb_carbon
from commonwatt.adapters.feeds.met_norway import translate as met_norway
from commonwatt.adapters.feeds.octopus import translate as octopus
from commonwatt.adapters.feeds.open_meteo import translate as open_meteo
from commonwatt.adapters.feeds.reading import About, Question
from commonwatt.flows.feeds.series import Issue, Topic, What
from commonwatt.model import Interval, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlace:
    """Where a publisher wants its token, and whether it answers without one."""

    where: Literal["header", "query"]
    name: str
    needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One publisher.

    Args:
        title: What people call it, for wherever its numbers are shown.
        address: Where it publishes.
        licence: On which terms, as far as its own pages say.
        least_s: How often it may be asked at most.
        settings: What a configuration tells of one of its feeds.
        topics: What such a feed is of, at a place in the community's words.
        question: What is asked for a window.
        issues: Reads an answer.
        token: Where a token goes; None where it knows none.
        contact: Whether it wants to know whom to write to.
        read: With which HTTP statuses it says something in its own format, be it that there is nothing.
    """

    title: str
    address: str
    licence: str
    least_s: int
    settings: type[msgspec.Struct]
    topics: Callable[[Any, str], tuple[Topic, ...]]
    question: Callable[[Any, Interval], Question]
    issues: Callable[[bytes, About, Any], list[Issue]]
    token: TokenPlace | None = None
    contact: bool = False
    read: frozenset[int] = frozenset({200})

    def read_settings(self, told: Mapping[str, object]) -> msgspec.Struct:
        """Return the settings that a configuration tells.

        Raises:
            InvalidValue: One is missing, unknown, or makes no sense.
        """
        try:
            return msgspec.convert(told, self.settings)
        except msgspec.ValidationError as error:
            raise InvalidValue(f"a feed's settings are its source's, was {error}") from error


SOURCES: dict[str, Source] = {
    "open_meteo": Source(
        title="Open-Meteo",
        address="https://api.open-meteo.com",
        licence="CC BY 4.0; without a token for non-commercial use only",
        least_s=900,
        settings=open_meteo.Settings,
        topics=lambda _, place: tuple(Topic(what, place) for what in (What.TEMPERATURE, What.CLOUD, What.RADIATION)),
        question=open_meteo.question,
        issues=lambda content, about, _: open_meteo.issues(content, about),
        token=TokenPlace(where="query", name="apikey", needed=False),
        read=frozenset({200, 400}),
    ),
    "met_norway": Source(
        title="MET Norway",
        address="https://api.met.no",
        licence="CC BY 4.0 or NLOD 2.0",
        least_s=600,
        settings=met_norway.Settings,
        topics=lambda _, place: tuple(Topic(what, place) for what in (What.TEMPERATURE, What.CLOUD)),
        question=met_norway.question,
        issues=lambda content, about, _: met_norway.issues(content, about),
        contact=True,
        read=frozenset({200, 203}),  # 203 says that this version is to go
    ),
    "entsoe": Source(
        title="ENTSO-E",
        address="https://web-api.tp.entsoe.eu",
        licence="terms of the ENTSO-E transparency platform",
        least_s=600,
        settings=entsoe.Settings,
        topics=lambda _, place: (Topic(What.PRICE, place),),
        question=entsoe.question,
        issues=entsoe.issues,
        token=TokenPlace(where="query", name="securityToken", needed=True),
        read=frozenset({200, 400}),  # that there is nothing yet came with 400 for years, and comes with 200 now
    ),
    "octopus": Source(
        title="Octopus Energy",
        address="https://api.octopus.energy",
        licence="terms of Octopus Energy's API",
        least_s=600,
        settings=octopus.Settings,
        topics=lambda _, place: (Topic(What.PRICE, place),),
        question=octopus.question,
        issues=octopus.issues,
    ),
    "gb_carbon": Source(
        title="Carbon Intensity API (NESO)",
        address="https://api.carbonintensity.org.uk",
        licence="CC BY 4.0, National Energy System Operator",
        least_s=900,
        settings=gb_carbon.Settings,
        topics=lambda settings, place: (
            (Topic(What.CARBON, place), Topic(What.CARBON, place, measured=True))
            if settings.region is None
            else (Topic(What.CARBON, place),)
        ),
        question=gb_carbon.question,
        issues=lambda content, about, _: gb_carbon.issues(content, about),
    ),
    "electricity_maps": Source(
        title="Electricity Maps",
        address="https://api.electricitymaps.com",
        licence="terms of Electricity Maps, by contract",
        least_s=900,
        settings=electricity_maps.Settings,
        topics=lambda settings, place: (Topic(What.CARBON, place, measured=settings.tells == "history"),),
        question=electricity_maps.question,
        issues=electricity_maps.issues,
        token=TokenPlace(where="header", name="auth-token", needed=True),
    ),
}
