"""Our assets in Home Assistant: shown there by themselves, and its owner's wishes brought back."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Protocol

import msgspec

from commonwatt.adapters.devices.mqtt.client import OFFLINE, ONLINE, Broker, Message
from commonwatt.adapters.devices.mqtt.discovery import (
    Shown,
    Topics,
    described,
    state_message,
    switched,
    target,
    wished,
    wished_w,
)
from commonwatt.model import Asset, AssetId, CommonwattError, Unreachable, Verb


class Wishes(Protocol):
    """What an owner can ask of assets at home; whoever keeps them implements it. Each may raise `Refused`."""

    async def wish(self, asset: AssetId, verb: Verb, power_w: int) -> None:
        """Do this until it is taken back; power in W, import positive."""

    async def as_planned(self, asset: AssetId) -> None:
        """Take a wish back."""

    async def schedules_off(self, asset: AssetId, off: bool) -> None:
        """Let no schedule hold an asset, or let them again."""


class HomeAssistant:
    """Shows assets in Home Assistant through a broker.

    Descriptions and states are retained, and sent again after each connection and whenever Home Assistant says that
    it came up: either may have forgotten. Commands that a broker retained are ghosts and not obeyed.

    Args:
        broker: The connection.
        assets: Which are shown.
        wishes: Where commands go.
        prefix: Home Assistant's discovery prefix.
    """

    def __init__(
        self, broker: Broker, assets: Mapping[AssetId, Asset], wishes: Wishes, prefix: str = "homeassistant"
    ) -> None:
        self._broker, self._assets, self._wishes, self._prefix = broker, assets, wishes, prefix
        self._shown = {name: Shown() for name in assets}
        self._one_by_one = asyncio.Lock()

    async def start(self) -> None:
        """Describe everything, and listen."""
        await self._broker.listen(f"{self._prefix}/status", self._came_up)
        for asset in self._assets.values():
            await self._broker.listen(f"{Topics(asset.gateway, asset.id).base}/+/set", self._asked)
        await self._broker.greet(self.republish)

    def shown(self, asset: AssetId) -> Shown:
        """Return what is shown of an asset."""
        return self._shown[asset]

    async def show(self, asset: AssetId, shown: Shown) -> None:
        """Show an asset as it is now; the owner's target stays as it was set here.

        Raises:
            Unreachable: There is no broker; it is shown when there is one again.
        """
        kept = self._shown[asset]
        self._shown[asset] = replace(shown, target_w=shown.target_w or kept.target_w)
        await self._publish_state(self._assets[asset])

    async def republish(self) -> None:
        """Send everything again.

        Raises:
            Unreachable: There is no broker.
        """
        for asset in self._assets.values():
            topics = Topics(asset.gateway, asset.id)
            description = msgspec.json.encode(described(asset, self._broker.status_topic, version("commonwatt")))
            await self._broker.publish(topics.discovery(self._prefix), description, retain=True)
            await self._publish_state(asset)

    async def forget(self, asset: AssetId) -> None:
        """Take an asset out of Home Assistant.

        Raises:
            Unreachable: There is no broker.
        """
        one = self._assets[asset]
        await self._broker.publish(Topics(one.gateway, one.id).discovery(self._prefix), b"", retain=True)

    async def close(self) -> None:
        """Listen no more. That we are gone is said by the connection's end."""
        self._broker.leave(self._came_up)
        self._broker.leave(self._asked)
        self._broker.ungreet(self.republish)

    async def _publish_state(self, asset: Asset) -> None:
        base, shown = Topics(asset.gateway, asset.id).base, self._shown[asset.id]
        await self._broker.publish(f"{base}/available", ONLINE if shown.reachable else OFFLINE, retain=True)
        await self._broker.publish(f"{base}/state", state_message(asset, shown), retain=True)

    def _came_up(self, message: Message) -> None:
        if message.payload == ONLINE and not message.retained:
            self._broker.soon(self._quietly_republish())

    async def _quietly_republish(self) -> None:
        try:
            await self.republish()
        except Unreachable:
            return  # done when the connection stands again

    def _asked(self, message: Message) -> None:
        if not message.retained:
            self._broker.soon(self._obey(message))

    async def _obey(self, message: Message) -> None:
        """Pass a command on, and show what became of it: also a refusal is an answer."""
        base, what, _ = message.topic.rsplit("/", 2)
        asset = next(one for one in self._assets.values() if Topics(one.gateway, one.id).base == base)
        async with self._one_by_one:
            try:
                self._shown[asset.id] = replace(await self._done(asset, what, message.payload), refused="")
            except CommonwattError as error:
                self._shown[asset.id] = replace(self._shown[asset.id], refused=str(error))
            try:
                await self._publish_state(asset)
            except Unreachable:
                return  # shown when the connection stands again

    async def _done(self, asset: Asset, what: str, payload: bytes) -> Shown:
        shown = self._shown[asset.id]
        if what == "wish":
            verb = wished(payload, asset)
            if verb is None:
                await self._wishes.as_planned(asset.id)
            else:
                await self._wishes.wish(asset.id, verb, wished_w(verb, shown.target_w))
            return replace(shown, wish=verb)
        if what == "target":
            target_w = target(payload, asset)
            if shown.wish is not None:
                await self._wishes.wish(asset.id, shown.wish, wished_w(shown.wish, target_w))
            return replace(shown, target_w=target_w)
        if what == "schedules_off":
            off = switched(payload)
            await self._wishes.schedules_off(asset.id, off)
            return replace(shown, schedules_off=off)
        return shown
