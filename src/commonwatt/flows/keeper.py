"""Keeps devices at what they were told: one band each, merged by authority, renewed in time, let go at the end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from commonwatt.flexibility.dispatch import Authority, Limit, merge, renew_at, standing
from commonwatt.flexibility.droop import act, change_w
from commonwatt.flexibility.fitting import balancing_w, hold_w
from commonwatt.flows.device_ports import Device, Pushing
from commonwatt.model import Ack, Asset, AssetId, Band, Command, CommonwattError, DeviceState, InvalidValue, Unreachable

ANSWER_WITHIN_S = 10.0
"""A device that says nothing for so long is taken for unreachable, whatever its adapter thinks."""
FREQUENCY_LASTS_S = 2
"""A frequency that was measured longer ago moves nothing."""
PLAUSIBLE_MHZ = (45_000, 65_000)
"""Outside of this no grid runs: the bus is dead, or the measurement is."""
OFF_NOMINAL_MHZ = 5_000
"""Nor so far from what a curve takes for nominal."""
HEARD_WITHIN_S = 0.4
FOLLOWED_WITHIN_S = 0.9
"""What `Keeper.follow` takes at most, whoever gives no answer."""


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
    hears: bool | None = None
    """Whether it measures the grid's frequency; None where it was never read."""
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class Keeper:
    """The gateway's hand on its devices. Nothing happens by itself: whoever owns it calls `tick` and `read`.

    Args:
        devices: Each asset with its device.
        line: Which of them is the connection point's meter; without one no line can be held by us.
        rules: Called first at every tick, to set limits by what stands then; see `gateway.rules`.
    """

    def __init__(
        self,
        devices: Mapping[AssetId, tuple[Asset, Device]],
        line: AssetId | None = None,
        rules: "Callable[[Keeper, datetime], Awaitable[None]] | None" = None,
    ) -> None:
        self._kept = {name: Kept(asset, device) for name, (asset, device) in devices.items()}
        self._line, self._rules = line, rules
        self._asked: dict[AssetId, asyncio.Task[None]] = {}
        self._following: set[asyncio.Task[None]] = set()

    @property
    def kept(self) -> Mapping[AssetId, Kept]:
        """Each device with what is known of it."""
        return self._kept

    @property
    def line(self) -> AssetId | None:
        """The connection point's meter, if there is one."""
        return self._line

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

    def exchange(self, asset: AssetId, device: Device) -> Device:
        """Put another device in the place of an asset's, and return the old one, for its owner to close.

        What stands is told to the new one at the next tick.
        """
        kept = self._kept[asset]
        old, kept.device = kept.device, device
        kept.sent = kept.told_at = kept.ack = kept.state = None
        kept.trouble = ""
        return old

    async def tick(self, now: datetime) -> None:
        """Write what has to be written: what is new, what changed, what is due again; release what nothing holds.

        Devices that hold a line go last, when the others do what they shall. What each answered stands in `kept`.
        """
        if self._rules is not None:
            await self._rules(self, now)
        if any(_armed(kept, now) for kept in self._kept.values()):
            await self._hear(now)
        holding = {name for name, kept in self._kept.items() if _line_held(kept, now)}
        await asyncio.gather(*(self._keep(kept, now) for name, kept in self._kept.items() if name not in holding))
        for name in holding:
            await self._keep(self._kept[name], now)

    async def follow(self, now: datetime) -> None:
        """Move what is armed with the grid's frequency, whichever device measures it (row M4); every second or oftener.

        It returns within `FOLLOWED_WITHIN_S`: a device that is slow to answer holds up neither the others nor the next
        call, which leaves it out until it has answered.
        """
        armed = [kept for kept in self._kept.values() if _armed(kept, now)]
        if not armed:
            return
        await self._hear(now)
        begun = {asyncio.create_task(self._keep(kept, now)) for kept in armed if not kept.busy.locked()}
        self._following |= begun
        for task in begun:
            task.add_done_callback(self._following.discard)
        if begun:
            await asyncio.wait(begun, timeout=FOLLOWED_WITHIN_S - HEARD_WITHIN_S)

    async def read(self, *, fresh: bool = False) -> dict[AssetId, DeviceState]:
        """Read all devices at once; who gives no answer, or one that cannot be true, is left out.

        Args:
            fresh: Wait for what was measured after this call, where a device tells by itself.
        """
        await self.look(self._kept, fresh=fresh)
        return {name: kept.state for name, kept in self._kept.items() if kept.state is not None}

    async def look(self, names: Iterable[AssetId], *, fresh: bool = False) -> None:
        """Read some devices at once; what they show stands in `kept`."""
        await asyncio.gather(*(_read(self._kept[name], fresh=fresh) for name in names))

    def frequency_mhz(self, now: datetime, nominal_mhz: int) -> int | None:
        """Return the grid's frequency by whichever devices measure it: one grid, one frequency.

        Of several the middle one is taken, of two the one that moves less: a broken meter alone moves nothing much.

        Args:
            now: What was measured `FREQUENCY_LASTS_S` before is too old.
            nominal_mhz: Of the curve that asks.

        Returns:
            None where none is measured, or none that a living grid could have.
        """
        shown = [kept.state for kept in self._kept.values() if kept.state is not None]
        heard = sorted(
            state.frequency_mhz
            for state in shown
            if state.frequency_mhz is not None
            and abs((now - state.at).total_seconds()) <= FREQUENCY_LASTS_S
            and PLAUSIBLE_MHZ[0] <= state.frequency_mhz <= PLAUSIBLE_MHZ[1]
            and abs(state.frequency_mhz - nominal_mhz) <= OFF_NOMINAL_MHZ
        )
        middle = heard[(len(heard) - 1) // 2 : len(heard) // 2 + 1]
        return min(middle, default=None, key=lambda one: abs(one - nominal_mhz))

    async def close(self) -> None:
        """Let every device go to its safe default, as far as it can be reached, and close."""
        for task in (*self._following, *self._asked.values()):
            task.cancel()
        for kept in self._kept.values():
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    if kept.sent is not None:
                        await kept.device.release()
                    await kept.device.close()
            except (CommonwattError, OSError, TimeoutError):
                continue

    async def _keep(self, kept: Kept, now: datetime) -> None:
        async with kept.busy:
            wanted = wanted_of(kept, now)
            if wanted is None:
                await self._release(kept)
                return
            line_w = await self._line_w(kept) if wanted.band.balance_w is not None else None
            await self._tell(kept, wanted, now, line_w)

    async def _tell(self, kept: Kept, wanted: Command, now: datetime, line_w: int | None) -> None:
        told = self._moved(kept, wanted, now, line_w)
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
        if _holds_by_us(kept, wanted.band) and line_w is None:
            ack = replace(ack, why=ack.why or "no meter shows the line that it shall hold")
        elif ack.taken == told.band:
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

    async def _hear(self, now: datetime) -> None:
        """Ask whoever measures the frequency, and wait a moment; who is late is heard the next time."""
        for name, kept in self._kept.items():
            fresh = kept.state is not None and kept.state.at == now
            if kept.hears is not False and not fresh and (name not in self._asked or self._asked[name].done()):
                self._asked[name] = asyncio.create_task(_read(kept))
        waiting = [task for task in self._asked.values() if not task.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=HEARD_WITHIN_S)

    def _moved(self, kept: Kept, wanted: Command, now: datetime, line_w: int | None) -> Command:
        """Return a command with its band narrowed to one power where it is us who follow frequency or line.

        Where the line is not known nothing is drawn or supplied on a guess.
        """
        does_w, own_w = 0, kept.state and kept.state.power_w
        holds = _holds_by_us(kept, wanted.band)
        if holds:
            known = line_w is not None and own_w is not None
            does_w = balancing_w(wanted.band, line_w or 0, own_w or 0) if known else hold_w(wanted.band)
        moves = False
        if wanted.droop is not None and now < wanted.droop.until and not kept.device.caps.droops:
            heard_mhz = self.frequency_mhz(now, wanted.droop.curve.nominal_mhz)
            if heard_mhz is not None and change_w(wanted.droop.curve, heard_mhz):
                moves = True
                does_w = act(wanted, now, heard_mhz, does_w, kept.asset.min_import_w)
        return replace(wanted, band=Band(lo_w=does_w, hi_w=does_w)) if holds or moves else wanted


def wanted_of(kept: Kept, now: datetime) -> Command | None:
    """Return what a device shall do now: its command within all that stands, or None where nothing holds it.

    A command that has run out is not obeyed; limits alone hold a device too.
    """
    command = kept.command if kept.command is not None and now < kept.command.expires else None
    limits = list(kept.limits.values())
    off = any(limit.authority is Authority.OWNER and limit.at(now) == Band(lo_w=0, hi_w=0) for limit in limits)
    bands = standing(limits, now, off=off)
    outranking = [pair for pair in bands if pair[0] < Authority.PLAN]
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
    armed = None if command is None or off else command.droop
    droop_band = None
    if armed is not None and command is not None and command.droop_band is not None:
        droop_band = merge([(Authority.SAFETY, own), *outranking, (Authority.PLAN, command.droop_band)])
    return Command(
        id=command.id if command else f"{kept.asset.id} limits",
        asset=kept.asset.id,
        band=band,
        expires=min(ends, default=now + timedelta(seconds=ANSWER_WITHIN_S * 6)),
        reason=command.reason if command else "; ".join(limit.reason for limit in limits),
        droop=armed,
        droop_band=droop_band,
    )


def commanded(kept: Kept, now: datetime) -> bool:
    """Tell whether a device has a command that has not run out."""
    return kept.command is not None and now < kept.command.expires


def _holds_by_us(kept: Kept, band: Band) -> bool:
    return band.balance_w is not None and not kept.device.caps.balances


def _line_held(kept: Kept, now: datetime) -> bool:
    wanted = wanted_of(kept, now)
    return wanted is not None and wanted.band.balance_w is not None


def _armed(kept: Kept, now: datetime) -> bool:
    return commanded(kept, now) and kept.command is not None and kept.command.droop is not None


async def _read(kept: Kept, *, fresh: bool = False) -> None:
    within_s = getattr(kept.device, "fresh_within_s", 0) if fresh else 0  # some meters speak every 10 s
    try:
        async with asyncio.timeout(max(ANSWER_WITHIN_S, within_s + 1)):
            if fresh and isinstance(kept.device, Pushing):
                await kept.device.fresh()
            kept.state = await kept.device.read()
    except (Unreachable, InvalidValue, OSError, TimeoutError) as error:
        kept.state, kept.trouble = None, str(error) or "no answer in time"
    else:
        kept.hears = kept.hears or kept.state.frequency_mhz is not None
