"""Somebody's channels: added, removed, tried, and the secrets by which programs know that it was us."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace

from commonwatt.flows.entrance.ports import People
from commonwatt.flows.entrance.sitting import Sitting
from commonwatt.flows.notices.deriving import Happening
from commonwatt.flows.notices.records import Channel, Parcel, Topic, Watch, Way
from commonwatt.flows.notices.telling import begun, post
from commonwatt.model import InvalidValue, Refused

MOST_CHANNELS = 20
TRIAL_EVERY_S = 30
SECRET_PREFIX = "whsec_"  # noqa: S105  as Standard Webhooks writes them
OLD_SECRET_FOR_S = 86_400
"""How long what is sent is signed with the secret before, too, so that programs can change over."""
_SECRET_BYTES = 32
_LONGEST_LABEL = 100
_LONGEST_ADDRESS = 2_048


def add(
    people: People,
    sitting: Sitting,
    way: Way,
    address: str,
    label: str,
    keys: Sequence[str],
    *,
    now_s: int,
    log_s: int,
) -> Channel:
    """Keep a new channel and return it; whose address it is, and whether it may be one, its way has judged already.

    Args:
        people: The store.
        sitting: Who sits there; a program's channel ends with its token.
        way: How.
        address: Where.
        label: As they call it.
        keys: Of a browser; a program's secret is made here.
        now_s: By the system's clock.
        log_s: By the log's: of what was before nothing is told to whom it is the first.

    Raises:
        Refused: They have it already, or very many.
        InvalidValue: Label or address are too long, or empty.
    """
    person = sitting.person.id
    if not 0 < len(label) <= _LONGEST_LABEL or not label.isprintable() or not 0 < len(address) <= _LONGEST_ADDRESS:
        raise InvalidValue(f"a channel has a label of {_LONGEST_LABEL} letters at most, was {label[:120]!r}")
    channel = Channel(
        id=secrets.token_hex(16),
        person=person,
        way=way,
        label=label,
        address=address,
        made_s=now_s,
        secrets=tuple(keys) or ((new_secret(),) if way is Way.WEBHOOK else ()),
        token=sitting.token.hash if sitting.token else "",
    )
    if people.channels.find(channel.lookup) is not None:
        raise Refused("each place is told once", way=way.value, label=label)
    if len(people.channels.of(person)) >= MOST_CHANNELS:
        raise Refused(f"a person has {MOST_CHANNELS} channels at most")
    with people.together():
        people.channels.put(channel)
        if begun(people, person) is None:
            people.watches.put(Watch(person=person, begun_s=log_s))
    return channel


def of(people: People, sitting: Sitting) -> list[Channel]:
    """Return the channels of who sits there; to a program, those that it made itself."""
    every = people.channels.of(sitting.person.id)
    return [one for one in every if sitting.token is None or one.token == sitting.token.hash]


def one_of(people: People, sitting: Sitting, id: str) -> Channel | None:
    """Return one of them; None where there is none such, or it is another's."""
    return next((one for one in of(people, sitting) if one.id == id), None)


def remove(people: People, channel: Channel) -> None:
    """Tell nobody there any more, also not what is on its way."""
    with people.together():
        for parcel in people.parcels.of(channel.person):
            if parcel.channel == channel.id:
                people.parcels.drop(parcel.id)
        people.channels.drop(channel.id)


def rotate(people: People, channel: Channel, now_s: int) -> Channel:
    """Return a program's channel with a new secret; the one before is good for a day more.

    Raises:
        Refused: It is no program's.
    """
    if channel.way is not Way.WEBHOOK:
        raise Refused("a program's channel has a secret", way=channel.way.value)
    changed = replace(channel, secrets=(new_secret(), channel.secrets[0]), rotated_s=now_s)
    people.channels.put(changed)
    return changed


def good_secrets(channel: Channel, now_s: int) -> tuple[str, ...]:
    """Return the secrets with which what goes to a program is signed now, the newest first."""
    return channel.secrets[: 2 if now_s < channel.rotated_s + OLD_SECRET_FOR_S else 1]


def trial(people: People, channel: Channel, now_s: int) -> list[Parcel]:
    """Return a notice that only shows that it arrives.

    Raises:
        Refused: Another one was sent just now.
    """
    last = [one.noted_s for one in people.told.of(channel.person) if one.topic is Topic.TRIAL]
    if last and now_s < max(last) + TRIAL_EVERY_S:
        raise Refused(f"one is sent to try it every {TRIAL_EVERY_S} seconds at most")
    one = Happening(topic=Topic.TRIAL, key="", at_s=now_s, facts={"label": channel.label})
    return post(people, channel.person, secrets.token_hex(16), one, [channel], now_s)


def new_secret() -> str:
    """Return a new secret, as Standard Webhooks writes them."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
