"""What a gateway does for its home by itself: its own rules kept over restarts, and its owner's Home Assistant."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from commonwatt.adapters.devices.driver import Doors
from commonwatt.adapters.devices.mqtt.client import Login, broker
from commonwatt.adapters.devices.mqtt.discovery import Shown
from commonwatt.adapters.devices.mqtt.homeassistant import HomeAssistant
from commonwatt.adapters.devices.mqtt.translate import named
from commonwatt.adapters.stores.keyfile import load_secret, save_secret
from commonwatt.adapters.uplink.translate import place
from commonwatt.flows.gateway.letters import Orders
from commonwatt.flows.gateway.rules import Heard, LocalRules, Rules, Wish
from commonwatt.flows.keeper import Keeper, Kept
from commonwatt.model import Asset, AssetId, CommonwattError, GatewayId, InvalidValue, Verb, instant

HEARD = "heard.json"
UNTIL_TAKEN_BACK = timedelta(days=365)
"""An owner's wish stands until it is taken back; this bounds what was forgotten."""


class HomeTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[home_assistant]`` of `gateway.toml` says: the broker that Home Assistant listens to, and as whom.

    Args:
        broker: ``mqtt://host:port``, or ``mqtts``.
        user: For the broker.
        password: A file with its password, mode 0600.
        ca: A file with who vouches for the broker's certificate.
        prefix: Home Assistant's discovery prefix.
    """

    broker: Annotated[str, Meta(max_length=300)]
    user: str = ""
    password: Path | None = None
    ca: Path | None = None
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+\Z", max_length=60)] = "homeassistant"


class Household:
    """A gateway's own rules, with what they heard kept in its folder. Implements the wishes of Home Assistant.

    Args:
        folder: The gateway's.
        rules: How it is set up.
        clock: Its own.
        alarm: Is told in words what cannot be kept.
    """

    def __init__(self, folder: Path, rules: Rules, clock: Callable[[], datetime], alarm: Callable[[str], None]) -> None:
        self._path, self._clock, self._alarm = folder / HEARD, clock, alarm
        self.local = LocalRules(rules, _kept(self._path))
        self._home: HomeAssistant | None = None

    async def settle(self, keeper: Keeper, now: datetime) -> None:
        """Set every device's limits by the gateway's own rules."""
        await self.local.settle(keeper, now)

    def hear(self, orders: Orders) -> None:
        """Take in how the meter stands and what is demanded, as the operator's signed orders say."""
        if orders.supply is not None:
            self.local.meter(orders.supply, instant(orders.told_s))
        try:
            demands = tuple(one.demand() for one in orders.demands)
        except InvalidValue as error:
            self._alarm(f"a DEMAND makes no sense: {error}")
        else:
            self.local.heard = replace(self.local.heard, demands=demands)
        self._keep()

    async def wish(self, asset: AssetId, verb: Verb, power_w: int) -> None:
        """Let an asset do what its owner wants until that is taken back."""
        self._wish(Wish(asset=asset, until=self._until(), verb=verb, power_w=abs(power_w) or None))

    async def as_planned(self, asset: AssetId) -> None:
        """Take a wish back."""
        self.local.unwish(asset)
        self._keep()

    async def schedules_off(self, asset: AssetId, off: bool) -> None:
        """Let no schedule hold an asset, or let them again."""
        if off:
            self._wish(Wish(asset=asset, until=self._until()))
        else:
            await self.as_planned(asset)

    async def open_home(
        self, terms: HomeTerms, number: GatewayId, assets: Mapping[AssetId, Asset], doors: Doors
    ) -> None:
        """Show the gateway's assets in Home Assistant, from now on and whenever its broker is there.

        Raises:
            InvalidValue: The broker's address or a file makes no sense.
        """
        where = place(terms.broker, "mqtt", "mqtts")
        login = Login(
            host=where.host,
            port=where.port,
            status_topic=f"commonwatt/{named(number)}/home/status",
            user=terms.user,
            password_file=_beside(doors, terms.password),
            tls=where.scheme == "mqtts",
            ca_file=_beside(doors, terms.ca),
        )
        login.check()
        through = await doors.shared(("mqtt", login), lambda: broker(login))
        self._home = HomeAssistant(through, assets, self, terms.prefix)
        await self._home.start()

    async def show(self, keeper: Keeper) -> None:
        """Show how every asset fares; what cannot be shown now is shown when the broker is there."""
        if self._home is None:
            return
        for name, kept in keeper.kept.items():
            before = self._home.shown(name)
            now = self._shown(kept, before)
            try:
                if now != before:
                    await self._home.show(name, now)
            except CommonwattError:
                continue

    def _shown(self, kept: Kept, before: Shown) -> Shown:
        state, sent, wish = kept.state, kept.sent, self.local.heard.wishes.get(kept.asset.id)
        return Shown(
            power_w=state.power_w if state else None,
            import_wh=state.import_wh if state else None,
            export_wh=state.export_wh if state else None,
            level_wh=state.level_wh if state else None,
            reachable=state is not None,
            instruction=f"{sent.band.lo_w} to {sent.band.hi_w} W" if sent else "free",
            reason=sent.reason if sent else "",
            wish=wish.verb if wish else None,
            target_w=before.target_w,
            schedules_off=wish is not None and wish.verb is None,
            refused=before.refused,
        )

    def _wish(self, wish: Wish) -> None:
        self.local.wish(wish)
        self._keep()

    def _until(self) -> datetime:
        return self._clock() + UNTIL_TAKEN_BACK

    def _keep(self) -> None:
        try:
            save_secret(self._path, msgspec.json.encode(self.local.heard))
        except OSError as error:
            self._alarm(f"the disk refuses: {error}")


def _kept(path: Path) -> Heard | None:
    """Return what was heard before; a file that makes no sense is as none, since every word is said again."""
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(load_secret(path), type=Heard)
    except (msgspec.MsgspecError, ValueError):
        return None


def _beside(doors: Doors, path: Path | None) -> Path | None:
    return path if path is None or doors.folder is None else doors.folder / path
