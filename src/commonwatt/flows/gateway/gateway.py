"""A gateway: keeps its devices at what it is told, reads them at every slot's end, and signs what comes of both."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from commonwatt.flows.gateway import counters
from commonwatt.flows.gateway.pen import Felt, Pen
from commonwatt.flows.gateway.ports import Outbox
from commonwatt.flows.keeper import Keeper
from commonwatt.flows.rulebook.bodies import AckItem
from commonwatt.identity.keys import RequestSigner
from commonwatt.metering import counting
from commonwatt.metering.batch import Item
from commonwatt.metering.check import ROUNDING_WH
from commonwatt.metering.counting import Count
from commonwatt.metering.parting import Exchange, Shown
from commonwatt.metering.personal import PersonalItem
from commonwatt.model import (
    SLOT_SECONDS,
    Asset,
    AssetId,
    Command,
    DeviceState,
    GatewayId,
    InvalidValue,
    epoch,
)
from commonwatt.tokens.channel import Payer

_LOG = logging.getLogger(__name__)
READ_WITHIN_S = 60
"""What is read so long after a slot's end still counts as its end: 7 % of a slot's energy at most is of the next."""
TICK_WITHIN_S = 1.0
"""A device that takes longer to answer is waited for no more in a tick; it goes on by itself."""
MOST_ACKS = 64
"""As many answers as one request may have."""
LONGEST_ID = 100
"""A command's name in the log; what is named longer could not be answered."""
MOST_DECICELSIUS = 1_000
"""As `PersonalItem` has it."""
MOST_WORDS = 400
"""As many as an answer in the log may have."""
WHOLE_OUTBOX = 1_000_000
"""Requests: more than years without network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What has to be known of a meter to read it: where its counters begin again at 0, and what they leave out."""

    rollover_wh: int | None = None
    resolution_wh: int = ROUNDING_WH


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a gateway is, and where.

    Args:
        community: For whose log it signs.
        number: On its case.
        secret: From which blinds and salts are drawn.
        timezone: The community's, by which days are alike.
        latitude_e7_deg: Where it stands, in ten-millionths of a degree; for its owner alone.
        longitude_e7_deg: Likewise.
    """

    community: str
    number: GatewayId
    secret: bytes
    timezone: str = "UTC"
    latitude_e7_deg: int | None = None
    longitude_e7_deg: int | None = None


class Memory(msgspec.Struct, kw_only=True):
    """All that a gateway must not forget.

    ``answered`` tells which commands were answered in the slot ``answered_s``, so that none is answered twice;
    ``payer`` what it owes and has signed, where it pays through a channel.
    """

    seq: int = 0
    counts: dict[AssetId, Count] = {}
    answered_s: int = 0
    answered: list[str] = []
    closed_s: int = 0
    payer: Payer | None = None


class Gateway:
    """One member's gateway. Whoever owns it says when: `tell` what comes in, `close_slot` at every slot's end.

    Args:
        identity: Who it is.
        assets: All behind it, in the order of their registration, which numbers their meters.
        keeper: Holds the devices of those that have one.
        key: Its own.
        outbox: Its memory.
        meters: What is special about a meter.
        pays: Where it pays through a channel: returns its book after a slot, given the book before, what all meters
            told, and the slot's start; see `commonwatt.flows.gateway.paying`.
    """

    def __init__(
        self,
        identity: Identity,
        assets: Sequence[Asset],
        keeper: Keeper,
        key: RequestSigner,
        outbox: Outbox,
        meters: Mapping[AssetId, Counter] | None = None,
        pays: Callable[[Payer | None, Sequence[Item], int], Payer] | None = None,
    ) -> None:
        self._identity, self._keeper, self._outbox = identity, keeper, outbox
        self._assets = {asset.id: asset for asset in assets}
        self._meters, self._pays = meters or {}, pays
        self._zone = ZoneInfo(identity.timezone)
        self._kept = outbox.memory()
        self._memory = _memory(self._kept)
        self._pen = Pen(identity.community, identity.number, key, identity.secret, self._memory.seq)

    @property
    def keeper(self) -> Keeper:
        """Its hand on the devices."""
        return self._keeper

    @property
    def seq(self) -> int:
        """The last number that was used."""
        return self._memory.seq

    @property
    def closed_s(self) -> int:
        """The start of the last slot that was read and signed; 0 where none was."""
        return self._memory.closed_s

    @property
    def payer(self) -> Payer | None:
        """What it owes through its channel, and the voucher that stands for it; None where it has none."""
        return self._memory.payer

    def paid(self, total: int) -> None:
        """Take in that the till has answered for a voucher of a total.

        Raises:
            OSError: The disk refuses; it is as before.
        """
        if self._memory.payer is not None:
            with self._whole():
                self._memory.payer = self._memory.payer.answered(total)
                self._save()

    async def meet(self, at_s: int) -> None:
        """Begin to count what is read for the first time, at a slot's start; nothing is told of the time before."""
        if all(name in self._memory.counts for name in self._keeper.kept):
            return
        states = await self._keeper.read(fresh=True)
        with self._whole():
            for name in self._keeper.kept:
                shown = self._shown(name, states.get(name), at_s)
                if shown is None or name in self._memory.counts:
                    continue
                try:
                    self._begin(name, shown)
                except InvalidValue as error:
                    _LOG.error("%s: it cannot be counted yet: %s", name, error)
            self._save()

    async def tell(self, commands: Sequence[Command], slot_s: int, now: datetime, *, whole: bool = True) -> None:
        """Do what is told for a slot, and sign what devices answered to what was not answered in it before.

        Args:
            commands: Each until it expires.
            slot_s: The slot's start.
            now: By the gateway's clock.
            whole: That this is all: devices that are not named are let go.
        """
        refused = dict[str, str]()
        if whole:
            for name in self._keeper.kept.keys() - {command.asset for command in commands}:
                self._keeper.forget(name)
        for command in commands:
            if len(command.id) > LONGEST_ID:
                _LOG.error("a command's name has %d characters at most, was %r", LONGEST_ID, command.id)
            elif command.asset not in self._assets:
                refused[command.id] = "no such asset here"
            elif command.expires <= now:
                refused[command.id] = "command has expired"
            elif command.asset not in self._keeper.kept:
                refused[command.id] = "no device of it is connected here"
            else:
                self._keeper.tell(command)
        await self._keeper.tick(now)
        self._answer([command for command in commands if len(command.id) <= LONGEST_ID], refused, slot_s)

    async def tick(self, now: datetime) -> None:
        """Keep the devices at what stands; to be called every second or so. One that is slow holds up no other."""
        await self._keeper.tick(now, TICK_WITHIN_S)

    async def close_slot(self, slot_s: int, states: Mapping[AssetId, DeviceState] | None = None) -> None:
        """Read every meter at a slot's end, and sign what that tells. Asked again for a slot, it does nothing.

        Args:
            slot_s: The slot's start.
            states: What meters showed at its end, where that was read before.
        """
        if slot_s <= self._memory.closed_s:
            return
        if states is None:
            states = await self._keeper.read(fresh=True)
        items = list[Item]()
        with self._whole():
            for name in [name for name in self._assets if name in self._keeper.kept]:
                try:
                    items += self._close(name, states.get(name), slot_s)
                except InvalidValue as error:
                    # One meter's nonsense must not keep the others' readings from being told.
                    _LOG.error("%s: nothing is told of the slot from %d: %s", name, slot_s, error)
            self._memory.closed_s = slot_s
            if self._pays is not None:
                self._memory.payer = self._pays(self._memory.payer, items, slot_s)
            self._save(self._pen.readings(items, slot_s, self._felt(states)))

    def _close(self, name: AssetId, state: DeviceState | None, slot_s: int) -> Sequence[Item]:
        """Take in what one meter showed at a slot's end, and return what is told of it.

        Raises:
            InvalidValue: It showed what cannot be; nothing of it is taken in.
        """
        asset, end_s = self._assets[name], slot_s + SLOT_SECONDS
        shown = self._shown(name, state, end_s)
        count = self._memory.counts.get(name)
        if count is None:
            if shown is not None:
                self._begin(name, shown)
            return ()
        stored = asset.stores and state is not None and _read_at(state, end_s)
        level_wh = state.level_wh if state is not None and stored else None
        told = counters.tell(count, asset, slot_s, None if shown is None else [shown], level_wh, self._zone)
        self._memory.counts[name] = told.count
        return told.items

    def announce(self, asset: AssetId, exchange: Exchange) -> None:
        """Take in that a meter was set back or exchanged, before a value from after it is read.

        Raises:
            InvalidValue: Nothing was read of it yet, or it lies before the last value that was believed.
        """
        count = self._memory.counts.get(asset)
        if count is None:
            raise InvalidValue(f"a meter is exchanged that was read before, was {asset}")
        self._memory.counts[asset] = counting.announce(count, exchange)
        self._save()

    def renumber(self, next_seq: int) -> int:
        """Sign everything that waits again, under numbers from one on; return how many requests that were.

        For when the log knows another number to come than this gateway: an older memory came back with its disk, or
        something that was signed before will never be taken. What cannot be read any more is put aside.

        Raises:
            OSError: The disk refuses; everything is as before.
        """
        waiting, renewed, spoilt = self._outbox.waiting(WHOLE_OUTBOX), [], []
        with self._whole():
            self._pen.seq = next_seq - 1
            for place, wire in waiting:
                seq = self._pen.seq
                try:
                    renewed.append((place, self._pen.again(wire)))
                except InvalidValue as error:  # its bytes changed on the disk
                    self._pen.seq = seq
                    spoilt.append((place, str(error)))
            self._save(renewed=renewed)
        if spoilt:
            self._outbox.put_aside(spoilt)
        return len(renewed)

    def _shown(self, name: AssetId, state: DeviceState | None, at_s: int) -> Shown | None:
        """Return what a device's counters show at a slot's end; None where nothing is known of that moment.

        One way alone is enough, for a meter that never counted the other.
        """
        if state is None or not _read_at(state, at_s) or (state.import_wh is None and state.export_wh is None):
            return None
        count = self._memory.counts.get(name)
        if count is not None and (
            (state.import_wh is None and count.shown.import_wh > 0)
            or (state.export_wh is None and count.shown.export_wh > 0)
        ):
            return None  # half a reading: the other counter has not gone back to nothing
        return Shown(at_s=at_s, import_wh=state.import_wh or 0, export_wh=state.export_wh or 0)

    def _begin(self, name: AssetId, shown: Shown) -> None:
        meter = self._meters.get(name, Counter())
        place = list(self._assets).index(name)
        self._memory.counts[name] = counting.begin(place, shown, meter.rollover_wh, meter.resolution_wh)

    def _answer(self, commands: Sequence[Command], refused: Mapping[str, str], slot_s: int) -> None:
        if slot_s < self._memory.answered_s:
            return  # orders that came late: what they told was answered in their time, or will be in its own
        with self._whole():
            if slot_s != self._memory.answered_s:
                self._memory.answered_s, self._memory.answered = slot_s, []
            acks = []
            for command in commands:
                if command.id not in self._memory.answered:
                    self._memory.answered.append(command.id)
                    acks.append(self._ack(command, refused.get(command.id)))
            if acks:
                parts = [acks[first : first + MOST_ACKS] for first in range(0, len(acks), MOST_ACKS)]
                self._save([self._pen.acks(slot_s, part) for part in parts])

    def _ack(self, command: Command, refused: str | None) -> AckItem:
        """Return what became of a command; what a device answered to another one is no answer to this."""
        if refused is not None:
            return AckItem(command=command.id, asset=command.asset, why=refused[:MOST_WORDS])
        kept = self._keeper.kept[command.asset]
        if kept.command is not None and kept.command.id != command.id:
            return AckItem(command=command.id, asset=command.asset, why="superseded by another command")
        ack = kept.ack if kept.ack is not None and kept.ack.command == command.id else None
        if ack is None or ack.taken is None:
            why = ack.why if ack else "no answer yet"
            return AckItem(command=command.id, asset=command.asset, why=why[:MOST_WORDS])
        band, why = ack.taken, ack.why[:MOST_WORDS]
        return AckItem(command=command.id, asset=command.asset, lo_w=band.lo_w, hi_w=band.hi_w, why=why)

    def _felt(self, states: Mapping[AssetId, DeviceState]) -> Felt | None:
        place = (self._identity.latitude_e7_deg, self._identity.longitude_e7_deg)
        inside = _first(state.indoor_decicelsius for state in states.values())
        outside = _first(state.outdoor_decicelsius for state in states.values())
        if (inside, outside, *place) == (None, None, None, None):
            return None
        felt = PersonalItem(
            indoor_decicelsius=inside,
            outdoor_decicelsius=outside,
            latitude_e7_deg=place[0],
            longitude_e7_deg=place[1],
        )
        return lambda slot_s: felt if slot_s == self._memory.closed_s else PersonalItem()

    def _save(self, wires: Sequence[bytes] = (), renewed: Sequence[tuple[int, bytes]] | None = None) -> None:
        """Keep memory and signed requests; where the disk refuses, what was done since is as if it had not been."""
        with self._whole():
            self._memory.seq = self._pen.seq
            memory = msgspec.json.encode(self._memory)
            if renewed is None:
                self._outbox.keep(memory, wires)
            else:
                self._outbox.renew(memory, renewed)
            self._kept = memory

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Do something wholly or not at all: a number or a slot that was not kept was never used."""
        try:
            yield
        except BaseException:
            self._memory = _memory(self._kept)
            self._pen.seq = self._memory.seq
            raise


def _memory(kept: bytes | None) -> Memory:
    return Memory() if kept is None else msgspec.json.decode(kept, type=Memory)


def _read_at(state: DeviceState, at_s: int) -> bool:
    """Tell whether a state was read near enough to a moment to be booked as of it."""
    return abs(epoch(state.at) - at_s) <= READ_WITHIN_S


def _first(values: Iterable[int | None]) -> int | None:
    """Return the first temperature that can be; a thermometer's nonsense must not keep readings from being told."""
    return next((value for value in values if value is not None and abs(value) <= MOST_DECICELSIUS), None)
