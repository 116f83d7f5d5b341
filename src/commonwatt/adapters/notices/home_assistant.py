"""Tell a home's Home Assistant, over the MQTT broker that it listens to: an event that its automations can act on."""

from collections.abc import Mapping
from functools import partial

import msgspec

from commonwatt.adapters.devices.mqtt.client import Broker
from commonwatt.adapters.devices.mqtt.discovery import MADE_BY
from commonwatt.adapters.devices.mqtt.translate import named
from commonwatt.flows.notices.ports import Letter, Undelivered
from commonwatt.flows.notices.records import Channel, Topic
from commonwatt.model import AccountId, Unreachable


class HomeAssistant:
    """Implements `commonwatt.flows.notices.ports.Carrier` for homes whose broker the operator was told.

    Args:
        brokers: By account: the connection, and Home Assistant's discovery prefix there.
    """

    def __init__(self, brokers: Mapping[AccountId, tuple[Broker, str]]) -> None:
        self._brokers = brokers

    @property
    def accounts(self) -> frozenset[AccountId]:
        """Whose homes can be told."""
        return frozenset(self._brokers)

    async def start(self) -> None:
        """Describe each home's event to its Home Assistant, now and whenever the broker is found again."""
        for account in self._brokers:
            await self._brokers[account][0].greet(partial(self.describe, account))

    async def describe(self, account: AccountId) -> None:
        """Tell a Home Assistant what comes.

        Raises:
            Unreachable: There is no broker.
        """
        broker, prefix = self._brokers[account]
        told = msgspec.json.encode(described(account, broker.status_topic))
        await broker.publish(f"{prefix}/event/commonwatt_{named(account)}/config", told, retain=True)

    async def carry(self, channel: Channel, letter: Letter) -> None:
        """Publish a letter; on return the broker has it.

        Raises:
            Undelivered: It does not, or the operator knows no broker of this home any more.
        """
        known = self._brokers.get(AccountId(channel.address))
        if known is None:
            raise Undelivered("nobody set up a broker for this home")
        told = {
            "event_type": letter.topic.value,
            "id": letter.id,
            "title": letter.title,
            "text": letter.text,
            "href": letter.href,
            "at_s": letter.at_s,
            "facts": dict(letter.facts),
        }
        try:
            # Never retained: a notice that comes again with each restart of Home Assistant is none.
            await known[0].publish(_topic(AccountId(channel.address)), msgspec.json.encode(told))
        except Unreachable as error:
            raise Undelivered("the broker of this home did not take it") from error


def described(account: AccountId, status_topic: str) -> dict[str, object]:
    """Return the discovery message of a home's event.

    Source: Home Assistant documentation, MQTT event (2023.8 and later).
    """
    name = f"commonwatt_{named(account)}"
    return {
        "name": "Notices",
        "unique_id": f"{name}_notices",
        "state_topic": _topic(account),
        "event_types": [topic.value for topic in Topic],
        "icon": "mdi:bell-outline",
        "availability_topic": status_topic,
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {"identifiers": [name], "name": f"commonwatt {account}", "manufacturer": MADE_BY["name"]},
        "origin": MADE_BY,
    }


def _topic(account: AccountId) -> str:
    return f"commonwatt/notices/{named(account)}"
