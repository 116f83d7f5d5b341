"""Watches devices: every device is wrapped, what happens to it is noted, and in quarantine it is not believed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from commonwatt.flows import inventory
from commonwatt.flows.device_ports import Clocked, Device, Identified, Pushing
from commonwatt.flows.inventory import Change, Health, Meter, Note, Record, Rules
from commonwatt.flows.inventory_ports import Counts, Deed, Order, Shelf
from commonwatt.metering.parting import Exchange
from commonwatt.model import (
    SLOT_SECONDS,
    Ack,
    Asset,
    AssetId,
    Caps,
    Command,
    DeviceState,
    InvalidValue,
    Unreachable,
    epoch,
)

KEPT_EVERY_S = 60
"""How often it is kept when devices were seen last; what is written down is kept at once."""

IDENTITY_EVERY_S = 3600
IDENTITY_WITHIN_S = 3.0
MOST_WORDS = 300


def nobody(note: Note) -> None:
    """Tell nobody."""


class Inventory:
    """All devices of a gateway, and what is known of them. It has one owner, the gateway's program.

    Args:
        shelf: Where it is kept.
        clock: What time it is.
        told: Called with every note: for the log.
    """

    def __init__(self, shelf: Shelf, clock: Callable[[], datetime], told: Callable[[Note], None] = nobody) -> None:
        self._shelf, self._clock, self._told = shelf, clock, told
        self._records = {record.number: inventory.woken(record) for record in shelf.records()}
        self._unkept = set[int]()
        self._notes = list[Note]()
        self._carried_out = set[int]()
        self._kept_s = epoch(clock())
        self.trouble = ""

    @property
    def records(self) -> Mapping[int, Record]:
        """Every device that ever was here, by number."""
        return self._records

    def live(self, asset: AssetId) -> Record | None:
        """Return the device that an asset has now."""
        return next((r for r in self._records.values() if r.asset == asset and r.ended_as is None), None)

    def retired(self, asset: AssetId) -> set[str]:
        """Return the serial numbers of devices that an asset had before."""
        ended = (r for r in self._records.values() if r.asset == asset and r.ended_as is Health.REPLACED)
        return {record.nameplate.serial for record in ended if record.nameplate.serial}

    def watch(
        self,
        asset: Asset,
        device: Device,
        driver: str,
        url: str,
        rules: Rules | None = None,
        meter: Meter | None = None,
    ) -> "Watched":
        """Return an asset's device under watch; one that was not here yet is put here.

        Args:
            asset: With its registered limits.
            device: Its device, opened.
            driver: Its driver's name.
            url: Where it is.
            rules: By which it is judged; without, the usual ones.
            meter: How its counters go.
        """
        known, now_s = self.live(asset.id), epoch(self._clock())
        if known is None:
            known = self._begin(asset.id, driver, url, now_s)
        else:
            self.note(inventory.moved(known, driver, url, now_s))
        return Watched(device, self, known.number, asset, self._clock, rules or Rules(), meter or Meter())

    def note(self, change: Change) -> Record:
        """Take in what became of a device, and return what is known of it now."""
        record, notes = change
        self._records[record.number] = record
        self._unkept.add(record.number)
        self._notes += notes
        for note in notes:
            self._told(note)
        if notes or epoch(self._clock()) - self._kept_s >= KEPT_EVERY_S:
            self.keep()
        return record

    def keep(self) -> None:
        """Keep what is not kept yet. Where the disk refuses, `trouble` says so, and it is tried again later."""
        self._kept_s = epoch(self._clock())
        if not (self._unkept or self._carried_out):
            return
        records = [self._records[number] for number in sorted(self._unkept)]
        try:
            self._shelf.keep(records, self._notes, sorted(self._carried_out))
        except OSError as error:  # devices are read and held on: their counters are the gateway's own business
            self.trouble = str(error)
            return
        self._unkept.clear()
        self._carried_out.clear()
        self._notes, self.trouble = [], ""

    def take_orders(self, counts: Counts) -> list[Order]:
        """Carry out what people ordered since; to be called before devices are opened, and before a slot is closed.

        Returns:
            What was carried out. A replaced device answers nothing any more: the new one has to be opened.
        """
        taken = []
        for place, order in self._shelf.orders():
            if place in self._carried_out:
                continue
            self._carry_out(order, counts)
            self._carried_out.add(place)
            taken.append(order)
        if taken:
            self.keep()
        return taken

    def _carry_out(self, order: Order, counts: Counts) -> None:
        record, at_s = self.live(order.asset), epoch(self._clock())
        if order.exchange is not None and (record is not None or order.deed is Deed.REPLACE):
            _announce(counts, order.asset, order.exchange)
        if record is not None:
            if order.deed is Deed.RELEASE:
                self.note(inventory.released(record, at_s, order.by))
            elif order.deed is Deed.RESET and order.exchange is not None:
                record = self.note(inventory.set_back(record, order.exchange, at_s, order.by))
                self.note(inventory.released(record, at_s, order.by))
            elif order.deed is Deed.REMOVE:
                self.note(inventory.ended(record, at_s, Health.REMOVED, f"removed by {order.by}"))
            elif order.deed is Deed.REPLACE:
                words = f"replaced by {order.by}: {_exchanged(order.exchange)}"
                self.note(inventory.ended(record, at_s, Health.REPLACED, words))
        if order.deed is Deed.REPLACE:
            fresh = self._begin(order.asset, order.driver, order.url, at_s)
            fresh = replace(fresh, nameplate=order.nameplate)
            self.note(Change(fresh))

    def _begin(self, asset: AssetId, driver: str, url: str, at_s: int) -> Record:
        number = max(self._records, default=0) + 1
        return self.note(
            inventory.begun(Record(number=number, asset=asset, driver=driver, url=url, added_s=at_s))
        )  # fmt: skip


class Watched:
    """Implements the `Device` port around any device: notes what happens to it, and enforces its quarantine.

    What it was told while it was believed is let go of when it is believed no more. A driver that raises what it must
    not is its own device's trouble, never the gateway's.

    Args:
        device: The device.
        records: Where it is noted.
        number: The device's, there.
        asset: With its registered limits.
        clock: What time it is.
        rules: By which it is judged.
        meter: How its counters go.
    """

    def __init__(
        self,
        device: Device,
        records: Inventory,
        number: int,
        asset: Asset,
        clock: Callable[[], datetime],
        rules: Rules,
        meter: Meter,
    ) -> None:
        self._device, self._records, self._number = device, records, number
        self._asset, self._clock, self._rules, self._meter = asset, clock, rules, meter
        self._holds = True  # nobody knows what it was told before we began
        self._identity_s: int | None = None

    @property
    def record(self) -> Record:
        """What is known of it."""
        return self._records.records[self._number]

    @property
    def caps(self) -> Caps:
        """What it can be told."""
        return self._device.caps

    async def read(self) -> DeviceState:
        """Return what it shows now.

        Raises:
            Unreachable: It gave no answer, or none in time.
            InvalidValue: What it said cannot be true, it is in quarantine, or it was replaced.
        """
        self._refuse_ended()
        if self._identity_due():
            await self._identify()
        try:
            state = await self._device.read()
        except asyncio.CancelledError:
            self._unanswered("no answer in time")
            raise
        except (Unreachable, OSError, TimeoutError) as error:
            self._unanswered(_words(error))
            raise Unreachable(_words(error)) from error
        except Exception as error:
            self._records.note(inventory.babbled(self.record, self._now_s(), _words(error), self._rules))
            await self._let_go()
            raise InvalidValue(_words(error)) from error
        if isinstance(self._device, Clocked):
            ahead_s = self._device.clock_ahead_s
            self._records.note(inventory.ticked(self.record, ahead_s, self._now_s(), self._rules))
        self._records.note(inventory.showed(self.record, self._asset, state, self._now_s(), self._rules, self._meter))
        if self.record.quarantined_s is not None:
            await self._let_go()
            raise InvalidValue(self._quarantine())
        return state

    async def apply(self, command: Command) -> Ack:
        """Make it hold a band; in quarantine it is let go to its safe default instead, and after its end left alone.

        Raises:
            Unreachable: It gave no answer, or none in time.
        """
        if self.record.ended_as is not None:
            return Ack(command=command.id, asset=command.asset, taken=None, why=self.record.trouble[:MOST_WORDS])
        if self.record.quarantined_s is not None:
            await self._let_go()
            return Ack(command=command.id, asset=command.asset, taken=None, why=self._quarantine())
        self._holds = True
        try:
            ack = await self._device.apply(command)
        except asyncio.CancelledError:
            self._unanswered("no answer in time")
            raise
        except (Unreachable, OSError, TimeoutError) as error:
            self._unanswered(_words(error))
            raise Unreachable(_words(error)) from error
        except Exception as error:
            self._records.note(inventory.babbled(self.record, self._now_s(), _words(error), self._rules))
            return Ack(command=command.id, asset=command.asset, taken=None, why=_words(error))
        self._records.note(inventory.answered(self.record, self._now_s()))
        return ack

    async def fresh(self) -> None:
        """Wait until a device that pushes has told what it measured after this call; others tell when asked.

        Raises:
            Unreachable: It told nothing in time.
        """
        if not isinstance(self._device, Pushing) or self.record.ended_as is not None:
            return
        try:
            await self._device.fresh()
        except Exception as error:  # whether it is silent, the reading that follows tells
            raise Unreachable(_words(error)) from error

    async def release(self) -> None:
        """Let it go to its safe default, in quarantine too.

        Raises:
            Unreachable: It gave no answer.
        """
        try:
            await self._device.release()
        except (Unreachable, OSError, TimeoutError) as error:
            self._unanswered(_words(error))
            raise Unreachable(_words(error)) from error
        except Exception as error:
            raise Unreachable(_words(error)) from error
        self._holds = False

    async def close(self) -> None:
        """Let go of the connection, and keep what is known."""
        self._records.keep()
        await self._device.close()

    async def _let_go(self) -> None:
        """Release what it holds, once; where it cannot be reached it lets go by itself when its lease is over."""
        if not self._holds or not self.caps.takes_commands:
            return
        try:
            await self._device.release()
        except Exception:
            return
        self._holds = False

    def _identity_due(self) -> bool:
        record = self.record
        if not isinstance(self._device, Identified):
            return False
        again = record.failures > 0 or record.stranger != ""
        return again or self._identity_s is None or self._now_s() - self._identity_s >= IDENTITY_EVERY_S

    async def _identify(self) -> None:
        assert isinstance(self._device, Identified)
        try:
            async with asyncio.timeout(IDENTITY_WITHIN_S):
                nameplate = await self._device.identity()
        except Exception:
            self._identity_s = None  # whether it answers at all, its reading will tell; who it is, is asked again
            return
        self._identity_s = self._now_s()
        retired = self._records.retired(self._asset.id)
        self._records.note(inventory.named(self.record, nameplate, retired, self._now_s(), self._rules))

    def _refuse_ended(self) -> None:
        if self.record.ended_as is not None:
            self._records.note(inventory.spoke_again(self.record, self._now_s()))
            _refuse(f"{self._asset.id} has another device now: {self.record.trouble}")

    def _unanswered(self, why: str) -> None:
        if self.record.ended_as is None:
            self._records.note(inventory.unanswered(self.record, self._now_s(), why, self._rules))

    def _quarantine(self) -> str:
        return f"in quarantine, not believed: {self.record.trouble}"[:MOST_WORDS]

    def _now_s(self) -> int:
        return epoch(self._clock())


def _announce(counts: Counts, asset: AssetId, exchange: Exchange) -> None:
    """Tell the gateway's counts of an exchange; where the old meter was read after it, from that reading on."""
    try:
        counts.announce(asset, exchange)
    except InvalidValue:
        read_s = counts.closed_s + SLOT_SECONDS
        if exchange.at_s >= read_s:
            return  # nothing was ever counted of it: it begins with the new device
        try:
            counts.announce(asset, replace(exchange, at_s=read_s, last=None))
        except InvalidValue:
            return


def _exchanged(exchange: Exchange | None) -> str:
    if exchange is None:
        return "nothing is known of its counters"
    last = (
        "nobody read it last" if exchange.last is None else f"it ended at {exchange.last[0]} and {exchange.last[1]} Wh"
    )
    return f"{last}, the new one began at {exchange.first[0]} and {exchange.first[1]} Wh"


def _words(error: BaseException) -> str:
    if isinstance(error, Unreachable | InvalidValue):
        return (str(error) or "no answer")[:MOST_WORDS]
    said = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else "")
    return f"{type(error).__name__}: {said}"[:MOST_WORDS]


def _refuse(why: str) -> NoReturn:
    raise InvalidValue(why[:MOST_WORDS])


def alarms(records: Sequence[Record]) -> list[Record]:
    """Return the devices that somebody should look after."""
    return [record for record in records if record.alarmed]
