"""Keeps devices at what they were told: one band each, merged by authority, renewed in time, let go at the end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from commonwatt.flexibility.dispatch import Authority, Limit, merge, renew_at, standing
from commonwatt.flexibility.droop import act, change_w
from commonwatt.flexibility.fitting import balancing_w, hold_w
from commonwatt.flows.device_ports import Device, Pushing
from commonwatt.flows.hearing import frequency_mhz
from commonwatt.model import Ack, Asset, AssetId, Band, Command, CommonwattError, DeviceState, InvalidValue

_LOG = logging.getLogger(__name__)
ANSWER_WITHIN_S = 10.0
"""A device that says nothing for so long is taken for unreachable, whatever its adapter thinks."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""A limit that ran out so long ago is dropped."""
SETTLED_WITHIN_S = 2.0
"""What a device that holds a line waits for the others at most."""
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
    may_hold: bool = False
    """Whether it may hold what we told it, be it that its answer was lost: then it has to be let go at the end."""
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    measuring: bool = False
    """Whether the line is being read for it."""


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
        self._begun: set[asyncio.Task[None]] = set()
        self._at_line = asyncio.Lock()

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
        """Set what somebody beside the plan allows an asset, under a name by which it is changed or taken back.

        Raises:
            InvalidValue: There is no such asset here.
        """
        if asset not in self._kept:
            raise InvalidValue(f"no such asset here, was {asset}")
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
        kept.trouble, kept.may_hold = "", False
        return old

    async def tick(self, now: datetime, within_s: float | None = None) -> None:
        """Write what has to be written: what is new, what changed, what is due again; release what nothing holds.

        Devices that hold a line go last, when the others do what they shall or have had `SETTLED_WITHIN_S` for it.
        What each answered stands in `kept`.

        Args:
            now: By whoever owns it.
            within_s: Wait no longer than this for them: who is slower is left to it, and out of the next ticks until it
                has answered or failed. None: until each has.
        """
        if self._rules is not None:
            await self._rules(self, now)
        if any(_armed(kept, now) for kept in self._kept.values()):
            await self._hear(now)
        patient = within_s is None
        ready = [kept for kept in self._kept.values() if patient or not kept.busy.locked()]
        holding = [kept for kept in ready if _line_held(kept, now)]
        begun = {self._begin(self._keep(kept, now)) for kept in ready if kept not in holding}
        if begun:
            await asyncio.wait(begun, timeout=min(SETTLED_WITHIN_S, within_s or SETTLED_WITHIN_S))
        last = {self._begin(self._keep(kept, now)) for kept in holding}
        if last:
            await asyncio.wait(last, timeout=within_s)
        if patient and begun:
            await asyncio.wait(begun)

    async def follow(self, now: datetime) -> None:
        """Move what is armed with the grid's frequency, whichever device measures it (row M4); every second or oftener.

        It returns within `FOLLOWED_WITHIN_S`: a device that is slow to answer holds up neither the others nor the next
        call, which leaves it out until it has answered.
        """
        armed = [kept for kept in self._kept.values() if _armed(kept, now)]
        if not armed:
            return
        await self._hear(now)
        begun = {self._begin(self._keep(kept, now)) for kept in armed if not kept.busy.locked()}
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

    async def glance(self, names: Collection[AssetId]) -> None:
        """Read some devices at once, and wait a moment; who is late shows what it did before, until it has answered."""
        for name in names:
            if name not in self._asked or self._asked[name].done():
                self._asked[name] = asyncio.create_task(_read(self._kept[name]))
        waiting = [self._asked[name] for name in names if not self._asked[name].done()]
        if waiting:
            await asyncio.wait(waiting, timeout=HEARD_WITHIN_S)

    def frequency_mhz(self, now: datetime, nominal_mhz: int) -> int | None:
        """Return the grid's frequency by whichever devices measure it; see `hearing.frequency_mhz`."""
        return frequency_mhz((kept.state for kept in self._kept.values()), now, nominal_mhz)

    async def close(self) -> None:
        """Let every device go to its safe default, as far as it can be reached, and close."""
        for task in (*self._begun, *self._asked.values()):
            task.cancel()
        await asyncio.gather(*(_close(kept) for kept in self._kept.values()))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task

    async def _keep(self, kept: Kept, now: datetime) -> None:
        async with kept.busy:
            _tidy(kept, now)
            wanted = wanted_of(kept, now)
            if wanted is None:
                await self._release(kept)
                return
            if not _holds_by_us(kept, wanted.band):
                await self._tell(kept, wanted, now, None)
                return
            await self._narrow(kept, wanted, now)
        if not kept.measuring:
            kept.measuring = True
            try:
                await self._balance(kept, now)
            finally:
                kept.measuring = False

    async def _balance(self, kept: Kept, now: datetime) -> None:
        """Bring the line to where it shall be; while its meter is waited for, the device takes whatever else comes."""
        async with self._at_line:  # two that answer the same deviation at once would answer it twice
            line_w = await self._line_w(kept)
            async with kept.busy:
                wanted = wanted_of(kept, now)
                if wanted is not None and _holds_by_us(kept, wanted.band):
                    await self._tell(kept, wanted, now, line_w)

    async def _narrow(self, kept: Kept, wanted: Command, now: datetime) -> None:
        """Bring what a device does within what stands, before a meter is waited for that may be slow.

        What we told it before goes on as far as it may. One that this program told nothing yet is left as it is: where
        a gateway was killed and came back, it does what it was told before, and a word too many would interrupt that.
        """
        if kept.sent is None:
            return
        did_w, allowed = kept.sent.band.lo_w, wanted.droop_band or wanted.band
        power_w = hold_w(allowed, did_w)
        if power_w != did_w:
            steady = replace(wanted, band=Band(lo_w=power_w, hi_w=power_w), droop=None, droop_band=None)
            await self._tell(kept, steady, now, None)

    async def _tell(self, kept: Kept, wanted: Command, now: datetime, line_w: int | None) -> None:
        told = self._moved(kept, wanted, now, line_w)
        if kept.sent is not None and (kept.sent.id, kept.sent.band) == (told.id, told.band) and not _due(kept, now):
            return
        held, kept.may_hold = kept.may_hold, True
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                ack = await kept.device.apply(told)
        except Exception as error:  # one driver's mistake must not stop what the others are told
            _trouble(kept, error)
            kept.ack = Ack(command=told.id, asset=told.asset, taken=None, why=kept.trouble)
            kept.sent = kept.told_at = None  # tried again at the next tick
            return
        if ack.taken is None:
            kept.ack, kept.trouble, kept.may_hold = ack, "", held
            kept.sent = kept.told_at = None  # what it still holds is no longer allowed: let go, and told again
            await self._release(kept)
            return
        if _holds_by_us(kept, wanted.band) and line_w is None:
            ack = replace(ack, why=ack.why or "no meter shows the line that it shall hold")
        elif ack.taken == told.band:
            ack = replace(ack, taken=wanted.band)  # moved inside all of it, by us
        kept.ack, kept.trouble = ack, ""
        lease_s = kept.device.caps.lease_s  # it may be known only now
        ends = [told.expires] if lease_s is None else [told.expires, now + timedelta(seconds=lease_s)]
        kept.sent, kept.told_at = replace(told, expires=min(ends)), now

    async def _release(self, kept: Kept) -> None:
        if not kept.may_hold:
            return
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await kept.device.release()
        except Exception as error:  # as above
            _trouble(kept, error)
        else:
            kept.sent = kept.told_at = None
            kept.may_hold = False

    async def _line_w(self, kept: Kept) -> int | None:
        """Return what the connection point exchanges just now, and learn what the device itself does."""
        if self._line is None or kept.device.caps.balances:
            return None
        line = self._kept[self._line]
        await asyncio.gather(_read(line, fresh=True), _read(kept))
        return None if line.state is None or kept.state is None else line.state.power_w

    async def _hear(self, now: datetime) -> None:
        """Ask whoever measures the frequency, and wait a moment; who is late is heard the next time."""
        fresh = {name for name, kept in self._kept.items() if kept.state is not None and kept.state.at == now}
        await self.glance([name for name, kept in self._kept.items() if kept.hears is not False and name not in fresh])

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


def _due(kept: Kept, now: datetime) -> bool:
    """Tell whether a device is to be told again what it was told; in a command's last second, always."""
    if kept.sent is None or kept.told_at is None or kept.sent.expires - kept.told_at < timedelta(seconds=1):
        return True
    return now >= renew_at(kept.sent, kept.told_at)


def _tidy(kept: Kept, now: datetime) -> None:
    """Forget limits that ran out long ago and leave nothing behind; not at once, since a clock may be set back."""
    for name, limit in list(kept.limits.items()):
        if limit.expires is not None and limit.failsafe is None and now - limit.expires >= FORGOTTEN_AFTER:
            del kept.limits[name]


def _trouble(kept: Kept, error: Exception) -> None:
    """Note what went wrong with a device; what no driver should raise is logged, once while it lasts."""
    words = str(error) or "no answer in time"
    if not isinstance(error, (CommonwattError, OSError, TimeoutError)):
        words = f"its driver failed: {type(error).__name__}: {error}"
        if words != kept.trouble:
            _LOG.error("%s: %s", kept.asset.id, words, exc_info=error)
    kept.trouble = words


async def _close(kept: Kept) -> None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            if kept.may_hold:
                await kept.device.release()
    except Exception as error:  # the connection is closed in any case
        _trouble(kept, error)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await kept.device.close()
    except Exception as error:  # nothing more can be done, and the others are closed too
        _trouble(kept, error)


async def _read(kept: Kept, *, fresh: bool = False) -> None:
    within_s = getattr(kept.device, "fresh_within_s", 0) if fresh else 0  # some meters speak every 10 s
    try:
        async with asyncio.timeout(max(ANSWER_WITHIN_S, within_s + 1)):
            if fresh and isinstance(kept.device, Pushing):
                await kept.device.fresh()
            kept.state = await kept.device.read()
    except Exception as error:  # one driver's mistake must not stop the others' readings
        kept.state = None
        _trouble(kept, error)
    else:
        kept.hears = kept.hears or kept.state.frequency_mhz is not None
