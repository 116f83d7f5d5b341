"""Keeps devices at what they were told: one band each, merged by authority, renewed in time, let go at the end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from commonwatt.flexibility.dispatch import Authority, Limit, merge, renew_at, standing
from commonwatt.flexibility.droop import act
from commonwatt.flexibility.fitting import balancing_w
from commonwatt.flows.device_ports import Device, Pushing
from commonwatt.model import Ack, Asset, AssetId, Band, Command, CommonwattError, DeviceState, InvalidValue, Unreachable

ANSWER_WITHIN_S = 10.0
"""A device that says nothing for so long is taken for unreachable, whatever its adapter thinks."""


@dataclass(slots=True)
class Kept:
    """One device: what it shall do, what it was told last, and how it fares."""

    asset: Asset
    device: Device
    command: Command | None = None
    limits: dict[str, Limit] = field(default_factory=dict)
    sent: Command | None = None
    told_at: datetime | None = None
    ack: Ack | None = None
    state: DeviceState | None = None
    trouble: str = ""


class Keeper:
    """The gateway's hand on its devices. Nothing happens by itself: whoever owns it calls `tick` and `read`.

    Args:
        devices: Each asset with its device.
        line: Which of them is the connection point's meter; without one no line can be held by us.
    """

    def __init__(self, devices: Mapping[AssetId, tuple[Asset, Device]], line: AssetId | None = None) -> None:
        self._kept = {name: Kept(asset, device) for name, (asset, device) in devices.items()}
        self._line = line

    @property
    def kept(self) -> Mapping[AssetId, Kept]:
        """Each device with what is known of it."""
        return self._kept

    def tell(self, command: Command) -> None:
        """Take a command; it reaches its device at the next tick.

        Raises:
            InvalidValue: There is no such asset here.
        """
        if command.asset not in self._kept:
            raise InvalidValue(f"no such asset here, was {command.asset}")
        self._kept[command.asset].command = command

    def limit(self, asset: AssetId, name: str, limit: Limit | None) -> None:
        """Set what somebody beside the plan allows an asset, under a name by which it is changed or taken back."""
        limits = self._kept[asset].limits
        if limit is None:
            limits.pop(name, None)
        else:
            limits[name] = limit

    def forget(self, asset: AssetId) -> None:
        """Take back an asset's command; its device is let go at the next tick, unless limits hold it."""
        self._kept[asset].command = None

    async def tick(self, now: datetime) -> None:
        """Write what has to be written: what is new, what changed, what is due again; release what nothing holds.

        Devices that hold a line go last, when the others do what they shall. What each answered stands in `kept`.
        """
        holding = [kept for kept in self._kept.values() if _line_held(kept, now)]
        others = [kept for kept in self._kept.values() if kept not in holding]
        await asyncio.gather(*(self._keep(kept, now, None) for kept in others))
        for kept in holding:
            await self._keep(kept, now, await self._line_w(kept))

    async def read(self, *, fresh: bool = False) -> dict[AssetId, DeviceState]:
        """Read all devices at once; who gives no answer, or one that cannot be true, is left out.

        Args:
            fresh: Wait for what was measured after this call, where a device tells by itself.
        """
        await asyncio.gather(*(_read(kept, fresh=fresh) for kept in self._kept.values()))
        return {name: kept.state for name, kept in self._kept.items() if kept.state is not None}

    async def close(self) -> None:
        """Let every device go to its safe default, as far as it can be reached, and close."""
        for kept in self._kept.values():
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    if kept.sent is not None:
                        await kept.device.release()
                    await kept.device.close()
            except (CommonwattError, OSError, TimeoutError):
                continue

    async def _keep(self, kept: Kept, now: datetime, line_w: int | None) -> None:
        wanted = wanted_of(kept, now)
        if wanted is None:
            await self._release(kept)
            return
        told = _moved(kept, wanted, now, line_w)
        if kept.sent is not None and kept.told_at is not None:
            same = (kept.sent.id, kept.sent.band) == (told.id, told.band)
            if same and now < renew_at(kept.sent, kept.told_at):
                return
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                ack = await kept.device.apply(told)
        except (CommonwattError, OSError, TimeoutError) as error:
            kept.trouble = str(error) or "no answer in time"
            kept.ack = Ack(command=told.id, asset=told.asset, taken=None, why=kept.trouble)
            kept.sent = kept.told_at = None  # tried again at the next tick
            return
        if ack.taken == told.band:
            ack = replace(ack, taken=wanted.band)  # moved inside all of it, by us
        kept.ack, kept.trouble = ack, ""
        kept.sent, kept.told_at = told, now

    async def _release(self, kept: Kept) -> None:
        if kept.sent is None:
            return
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await kept.device.release()
        except (CommonwattError, OSError, TimeoutError) as error:
            kept.trouble = str(error) or "no answer in time"
        else:
            kept.sent = kept.told_at = None

    async def _line_w(self, kept: Kept) -> int | None:
        """Return what the connection point exchanges just now, and learn what the device itself does."""
        if self._line is None or kept.device.caps.balances:
            return None
        line = self._kept[self._line]
        await asyncio.gather(_read(line, fresh=True), _read(kept))
        return None if line.state is None or kept.state is None else line.state.power_w


def _moved(kept: Kept, wanted: Command, now: datetime, line_w: int | None) -> Command:
    """Return a command with its band narrowed to one power where it is us who follow frequency or line."""
    does_w, shown = 0, kept.state
    if wanted.droop is not None and kept.device.caps.droops:
        return wanted
    if wanted.droop is not None and shown is not None and shown.frequency_mhz is not None:
        does_w = act(wanted, now, shown.frequency_mhz, 0, kept.asset.min_import_w)
    elif wanted.band.balance_w is not None and line_w is not None and not kept.device.caps.balances:
        does_w = balancing_w(wanted.band, line_w, (shown and shown.power_w) or 0)
    else:
        return wanted
    return replace(wanted, band=Band(lo_w=does_w, hi_w=does_w))


def wanted_of(kept: Kept, now: datetime) -> Command | None:
    """Return what a device shall do now: its command within all that stands, or None where nothing holds it.

    A command that has run out is not obeyed; limits alone hold a device too.
    """
    command = kept.command if kept.command is not None and now < kept.command.expires else None
    limits = list(kept.limits.values())
    off = any(limit.authority is Authority.OWNER and limit.band.lo_w == limit.band.hi_w == 0 for limit in limits)
    bands = standing(limits, now)
    if command is not None and not off:
        bands.append((Authority.PLAN, command.band))
    if not bands:
        return None
    own = Band(lo_w=-kept.asset.max_export_w, hi_w=kept.asset.max_import_w)
    ends = [limit.expires for limit in limits if limit.expires is not None and limit.expires > now]
    lease_s = kept.device.caps.lease_s
    if lease_s is not None:
        ends.append(now + timedelta(seconds=lease_s))
    if command is not None:
        ends.append(command.expires)
    band = merge([(Authority.SAFETY, own), *bands])
    return Command(
        id=command.id if command else f"{kept.asset.id} limits",
        asset=kept.asset.id,
        band=band,
        expires=min(ends, default=now + timedelta(seconds=ANSWER_WITHIN_S * 6)),
        reason=command.reason if command else "; ".join(limit.reason for limit in limits),
        droop=command.droop if command else None,
        droop_band=command.droop_band if command else None,
    )


def _line_held(kept: Kept, now: datetime) -> bool:
    command = kept.command
    return command is not None and now < command.expires and command.band.balance_w is not None


async def _read(kept: Kept, *, fresh: bool = False) -> None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            if fresh and isinstance(kept.device, Pushing):
                await kept.device.fresh()
            kept.state = await kept.device.read()
    except (Unreachable, InvalidValue, OSError, TimeoutError) as error:
        kept.state, kept.trouble = None, str(error) or "no answer in time"
