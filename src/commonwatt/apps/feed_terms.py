"""What a community's `feeds.toml` says: who is asked for prices, carbon and weather, and what of it the log is told."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from commonwatt.adapters.feeds.sources import SOURCES
from commonwatt.adapters.stores.feed_archive import FeedArchive
from commonwatt.flows.feeds.known import Value, known
from commonwatt.flows.feeds.series import Topic, What
from commonwatt.flows.feeds.telling import Event, Price
from commonwatt.market.contracts import Direction
from commonwatt.model import AccountId, Interval, InvalidValue, epoch

FILE, FOLDER = "feeds.toml", "feeds"
MOST_FEEDS = 64
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=400)]
_Level = Annotated[int, Meta(ge=-(10**9), le=10**9)]


class FeedEntry(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One feed: its source, what place its series are of in the community's words, and the source's own settings.

    ``token`` names a file, from where the configuration lies, that its owner alone may read.
    """

    name: _Name
    source: _Text
    place: _Name
    settings: dict[str, object] = {}
    address: _Text | None = None
    token: _Text | None = None
    contact: _Text | None = None
    every_s: Annotated[int, Meta(ge=1, le=86_400)] | None = None
    within_s: Annotated[float, Meta(gt=0, le=120)] = 20.0


class PriceEntry(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How a price of the community follows from a published one, see `telling.Price`."""

    place: _Name
    permille: Annotated[int, Meta(ge=0, le=10_000)] = 1_000
    plus_micro_per_kwh: _Level = 0


class EventEntry(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """When published values make an event, see `telling.Event`; levels in the quantity's unit."""

    name: _Name
    what: What
    place: _Name
    direction: Direction
    above: _Level | None = None
    below: _Level | None = None
    zone: _Name | None = None


class TellEntry(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What the log is told, signed by an oracle whose key lies in the folder under its account's name."""

    oracle: _Name = "oracle"
    bought: PriceEntry | None = None
    sold: PriceEntry | None = None
    event: list[EventEntry] = []


class Terms(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The whole file. ``carbon`` is the place whose carbon homes see; the only one there is where it is left out."""

    feed: Annotated[list[FeedEntry], Meta(max_length=MOST_FEEDS)]
    carbon: _Name | None = None
    tell: TellEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tells:
    """What an oracle tells of feeds."""

    oracle: AccountId
    prices: tuple[Price, Price] | None
    events: tuple[Event, ...]


class Outside:
    """What a community's feeds said so far: read by pages, plans and forecasts; asks nobody.

    Args:
        terms: Of its configuration.
        archive: What was heard.
    """

    def __init__(self, terms: Terms, archive: FeedArchive) -> None:
        self.terms, self.archive = terms, archive
        self.order = _order(terms)
        self.carbon_place = _carbon_place(terms, self.order)
        self.tells = _tells(terms, self.order)

    def known(self, topic: Topic, window: Interval, as_of_s: int, *, usual: bool = True) -> list[Value]:
        """Return what was known of a topic at a time, see `flows.feeds.known`."""
        return known(self.archive, topic, self.order.get(topic, ()), window, as_of_s, usual=usual)

    def outdoor_mc(self, window: Interval) -> dict[int, int]:
        """Return how warm it was forecast to be at a window's start, thousandths of a degree by slot.

        Of the one place that temperatures are told of; nothing where there are several, or none.
        """
        places = [topic for topic in self.order if topic.what is What.TEMPERATURE and not topic.measured]
        told = self.known(places[0], window, epoch(window.start), usual=False) if len(places) == 1 else ()
        return {one.slot_s: one.value for one in told if one.value is not None}

    def close(self) -> None:
        """Let go of the archive."""
        self.archive.close()


def open_outside(folder: Path) -> Outside | None:
    """Open what a community's feeds said; None where it has no feeds.

    Raises:
        InvalidValue: Its configuration makes no sense.
        Refused: The archive is of another format.
        Corrupt: It is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    terms = read_terms(path)
    archive = FeedArchive(folder / FOLDER)
    try:
        return Outside(terms, archive)
    except InvalidValue:
        archive.close()
        raise


def read_terms(path: Path) -> Terms:
    """Read a feeds configuration.

    Raises:
        InvalidValue: It is no TOML, or says no such thing; says which field.
    """
    try:
        terms = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Terms)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidValue(f"{path} does not say what is to be asked of whom: {error}") from error
    names = [entry.name for entry in terms.feed]
    if len(set(names)) != len(names):
        raise InvalidValue(f"feeds have distinct names, was {', '.join(names)}")
    for entry in terms.feed:
        if entry.source not in SOURCES:
            raise InvalidValue(f"feed {entry.name} is of {', '.join(SOURCES)}, was {entry.source}")
        SOURCES[entry.source].read_settings(entry.settings)
    return terms


def topics_of(entry: FeedEntry) -> tuple[Topic, ...]:
    """Return what a feed is of."""
    known = SOURCES[entry.source]
    return known.topics(known.read_settings(entry.settings), entry.place)


def _order(terms: Terms) -> dict[Topic, tuple[str, ...]]:
    """Return who is listened to about each topic, in the order of the file."""
    found: dict[Topic, tuple[str, ...]] = {}
    for entry in terms.feed:
        for topic in topics_of(entry):
            before = found.get(topic, ())
            if entry.source in before:
                raise InvalidValue(f"{entry.source} tells of {topic} in one feed, was {entry.name} too")
            found[topic] = (*before, entry.source)
    return found


def _carbon_place(terms: Terms, order: Mapping[Topic, tuple[str, ...]]) -> str | None:
    places = {topic.place for topic in order if topic.what is What.CARBON}
    if terms.carbon is None:
        return next(iter(places)) if len(places) == 1 else None
    if terms.carbon not in places:
        raise InvalidValue(f"the carbon that homes see is of a feed, was of {terms.carbon}")
    return terms.carbon


def _tells(terms: Terms, order: Mapping[Topic, tuple[str, ...]]) -> Tells | None:
    told = terms.tell
    if told is None:
        return None
    if (told.bought is None) is not (told.sold is None):
        raise InvalidValue("the log is told both prices, what is bought and what is sold for, or none")
    prices = None
    if told.bought is not None and told.sold is not None:
        prices = _price(told.bought, order), _price(told.sold, order)
    events = []
    for one in told.event:
        topic = _known_topic(Topic(one.what, one.place), order)
        events.append(
            Event(name=one.name, topic=topic, direction=one.direction, above=one.above, below=one.below, zone=one.zone)
        )
    return Tells(oracle=AccountId(told.oracle), prices=prices, events=tuple(events))


def _price(entry: PriceEntry, order: Mapping[Topic, tuple[str, ...]]) -> Price:
    topic = _known_topic(Topic(What.PRICE, entry.place), order)
    return Price(topic=topic, permille=entry.permille, plus_micro_per_kwh=entry.plus_micro_per_kwh)


def _known_topic(topic: Topic, order: Mapping[Topic, tuple[str, ...]]) -> Topic:
    if topic not in order:
        raise InvalidValue(f"what the log is told is of a feed, was {topic}")
    return topic
