"""Tell people what happened: once each, on every channel that is to hear of it, kept before anything leaves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from commonwatt.flows.entrance.ports import People
from commonwatt.flows.entrance.records import Person
from commonwatt.flows.notices.deriving import Happening
from commonwatt.flows.notices.records import OF_ACCESS, Channel, Fate, Parcel, Told, Watch, Way, Wishes
from commonwatt.model import AccountId

KEPT_S = 90 * 86_400
"""How long what was told is kept: nothing older comes up again."""


def tell(
    people: People,
    person: Person,
    happenings: Iterable[Happening],
    now_s: int,
) -> list[Parcel]:
    """Keep what a person is told, and return what is to leave for it; nothing of what they were told before.

    Args:
        people: The store.
        person: Who.
        happenings: What happened to them, or to one of their accounts.
        now_s: By the system's clock.
    """
    wishes, made = wishes_of(people, person.id), list[Parcel]()
    channels = people.channels.of(person.id)
    for one in happenings:
        id = sha256(f"{person.id} {one.topic.value} {one.key}".encode()).hexdigest()[:32]
        where = [channel for channel in channels if hears(people, person, channel, one, now_s)]
        if one.topic in wishes.off or not where or people.told.get(id) is not None:
            continue
        made += post(people, person.id, id, one, where, now_s)
    return made


def post(people: People, person: str, id: str, one: Happening, where: Sequence[Channel], now_s: int) -> list[Parcel]:
    """Keep a notice with a parcel for each channel, both or neither; return the parcels."""
    told = Told(
        id=id,
        person=person,
        topic=one.topic,
        account=one.account,
        at_s=one.at_s,
        noted_s=now_s,
        facts=dict(one.facts),
        until_s=one.until_s,
    )
    parcels = [
        Parcel(id=f"{id}-{channel.id[:12]}", person=person, told=id, channel=channel.id, due_s=now_s)
        for channel in where
    ]
    with people.together():
        people.told.put(told)
        for parcel in parcels:
            people.parcels.put(parcel)
    return parcels


def hears(people: People, person: Person, channel: Channel, one: Happening, now_s: int) -> bool:
    """Tell whether a channel is to hear of something."""
    if channel.way is Way.MAIL and (one.lettered or channel.address not in person.addresses):
        return False  # the entrance writes about it itself, to every address
    if one.topic in OF_ACCESS and one.at_s <= channel.made_s:
        return False  # nobody is told there of the sign-in by which they set it up
    account = channel_account(people, person, channel, now_s)
    if account is None:
        return not channel.token
    return one.topic not in OF_ACCESS and one.account in (None, account)


def channel_account(people: People, person: Person, channel: Channel, now_s: int) -> AccountId | None:
    """Return of which account alone a channel hears; None for all of its person's, or for none where its token ended.

    A program hears of what its token's role is about. Home Assistant stands in a home, where others listen as well.
    """
    if channel.way is Way.HOME_ASSISTANT:
        return AccountId(channel.address)
    token = people.tokens.get(channel.token) if channel.token else None
    seat = person.seat(token.place) if token is not None and now_s < token.until_s else None
    return None if seat is None else seat.account


def begun(people: People, person: str) -> Watch | None:
    """Return what is remembered of somebody; None where they have never had a channel."""
    return people.watches.get(person)


def turn(people: People, watch: Watch, now_holds: Mapping[str, Happening]) -> list[Happening]:
    """Return what began to hold since somebody was looked after last, and remember what holds now.

    Args:
        people: The store.
        watch: What is remembered of them.
        now_holds: What holds now, by name.
    """
    holding = frozenset(now_holds)
    if holding == watch.holding:
        return []
    people.watches.put(replace(watch, holding=holding))
    return [] if watch.holding is None else [now_holds[name] for name in sorted(holding - watch.holding)]


def wishes_of(people: People, person: str) -> Wishes:
    """Return how somebody wants to be told."""
    return people.wishes.get(person) or Wishes(person=person)


def fates_of(people: People, person: str, most: int) -> list[tuple[Told, list[Parcel]]]:
    """Return what somebody was told last, the newest first, and what became of it on each channel."""
    parcels: dict[str, list[Parcel]] = {}
    for parcel in people.parcels.of(person):
        parcels.setdefault(parcel.told, []).append(parcel)
    newest = sorted(people.told.of(person), key=lambda one: -one.noted_s)[:most]
    return [(one, parcels.get(one.id, [])) for one in newest]


def tidy(people: People, now_s: int) -> None:
    """Let go of what was told long ago and is no longer on its way."""
    with people.together():
        for one in people.told.all():
            if one.noted_s < now_s - KEPT_S:
                people.told.drop(one.id)
        for parcel in people.parcels.all():
            if parcel.fate is not Fate.WAITING and parcel.due_s < now_s - KEPT_S:
                people.parcels.drop(parcel.id)
