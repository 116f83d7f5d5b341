"""Carry what is on its way: when it is due, outside quiet hours, again after failures, until taken or given up."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from zoneinfo import ZoneInfo

from commonwatt.flows.entrance.ports import People
from commonwatt.flows.notices import channels
from commonwatt.flows.notices.ports import Carrier, Gone, Letter, Undelivered
from commonwatt.flows.notices.records import Channel, Fate, Parcel, Told, Way, Wishes
from commonwatt.flows.notices.telling import wishes_of
from commonwatt.flows.notices.timing import held_until_s, next_try_s
from commonwatt.model import CommonwattError, zone_of

LOOK_EVERY_S = 5.0
AT_ONCE = 32
"""Channels that are told at the same time."""
LEAVES_WITHIN_S = 20.0
"""How long what is being carried may take to arrive once the app is to end."""

_LOG = logging.getLogger(__name__)

Write = Callable[[Told, Parcel, Wishes], Letter]
_Ready = tuple[Carrier, Channel, Told, Wishes]


class Postman:
    """Carries parcels; of one loop, whose thread the store is of.

    A parcel is kept before it leaves, and its fate once it arrived: killed in between, it is carried once more, under
    the same id.

    Args:
        people: The store.
        carriers: By way; what has none waits until there is one.
        write: Puts a notice into words.
        zone: The community's, for who has told none of their own.
        now_s: The system's clock, seconds since 1970.
        log_s: The log's.
    """

    def __init__(
        self,
        people: People,
        carriers: Mapping[Way, Carrier],
        write: Write,
        zone: ZoneInfo,
        now_s: Callable[[], int],
        log_s: Callable[[], int],
    ) -> None:
        self._people, self._carriers, self._write, self._zone = people, carriers, write, zone
        self._now_s, self._log_s = now_s, log_s
        self._waiting = {one.id: one for one in people.parcels.all() if one.fate is Fate.WAITING}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._stirred = asyncio.Event()
        self._hands = asyncio.Semaphore(AT_ONCE)

    def take(self, parcels: Iterable[Parcel]) -> None:
        """Take parcels that were kept just now."""
        self._waiting |= {one.id: one for one in parcels}
        self._stirred.set()

    async def run(self) -> None:
        """Carry until cancelled; what is under way by then is given some time to arrive."""
        try:
            while True:
                self._stirred.clear()
                self._begin()
                # Not `wait_for`, which before Python 3.12 loses a cancellation that comes with what it waits for.
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._stirred.wait()
        finally:
            if self._under_way:
                _, late = await asyncio.wait(self._under_way.values(), timeout=LEAVES_WITHIN_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def round(self) -> None:
        """Carry all that is due now, and return when it arrived or did not."""
        while True:
            self._begin()
            if not self._under_way:
                return
            await asyncio.gather(*self._under_way.values())

    def _begin(self) -> None:
        """Begin to carry what is due: to each channel one at a time, so that a slow one holds up itself alone."""
        for parcel in list(self._waiting.values()):
            if parcel.channel not in self._under_way and (ready := self._ready(parcel)) is not None:
                task = asyncio.ensure_future(self._carry(parcel, *ready))
                self._under_way[parcel.channel] = task
                task.add_done_callback(partial(self._done, parcel.channel))

    def _done(self, channel: str, _: "asyncio.Task[None]") -> None:
        self._under_way.pop(channel, None)
        self._stirred.set()

    def _ready(self, parcel: Parcel) -> _Ready | None:
        """Return what it takes to carry a parcel, where it is to leave now; let go of one that is of no use."""
        people, now_s = self._people, self._now_s()
        if parcel.due_s > now_s:
            return None
        channel, told = people.channels.get(parcel.channel), people.told.get(parcel.told)
        if people.parcels.get(parcel.id) is None or channel is None or told is None:
            self._waiting.pop(parcel.id, None)  # its channel or its person is gone
            people.parcels.drop(parcel.id)
            return None
        wishes, carrier = wishes_of(people, parcel.person), self._carriers.get(channel.way)
        if carrier is None or held_until_s(wishes, told.topic, self._zone_of(wishes), now_s) > now_s:
            return None
        if told.until_s is not None and self._log_s() >= told.until_s:
            self._settle(replace(parcel, fate=Fate.GIVEN_UP, wrong="it was too late"))
            return None
        return carrier, channel, told, wishes

    async def _carry(self, parcel: Parcel, carrier: Carrier, channel: Channel, told: Told, wishes: Wishes) -> None:
        async with self._hands:
            try:
                await carrier.carry(channel, self._write(told, parcel, wishes))
            except Gone:
                channels.remove(self._people, channel)
                self._waiting.pop(parcel.id, None)
            except (CommonwattError, OSError) as error:
                self._failed(parcel, channel, error)
            except Exception as error:  # one notice that cannot be carried must not be tried without end
                _LOG.exception("a notice could not be carried: way %s, topic %s", channel.way.value, told.topic.value)
                self._failed(parcel, channel, error)
            else:
                self._settle(replace(parcel, fate=Fate.SENT, wrong=""), channel)

    def _failed(self, parcel: Parcel, channel: Channel, error: Exception) -> None:
        asked_s = error.after_s if isinstance(error, Undelivered) else 0
        why = str(error) if isinstance(error, CommonwattError) else "it could not be reached"
        tries = parcel.tries + 1
        due_s = next_try_s(tries, self._now_s(), asked_s)
        fate = Fate.GIVEN_UP if due_s is None else Fate.WAITING
        later = parcel.due_s if due_s is None else due_s
        self._settle(replace(parcel, tries=tries, due_s=later, fate=fate, wrong=why[:200]), channel)

    def _settle(self, parcel: Parcel, channel: Channel | None = None) -> None:
        """Keep what became of a parcel; one whose channel was removed meanwhile is nobody's any more."""
        people = self._people
        if parcel.fate is Fate.WAITING:
            self._waiting[parcel.id] = parcel
        else:
            self._waiting.pop(parcel.id, None)
        if people.parcels.get(parcel.id) is None:
            self._waiting.pop(parcel.id, None)
            return
        with people.together():
            people.parcels.put(parcel)
            if channel is not None and (known := people.channels.get(channel.id)) is not None:
                people.channels.put(replace(known, last_s=self._now_s(), wrong=parcel.wrong))

    def _zone_of(self, wishes: Wishes) -> ZoneInfo:
        return zone_of(wishes.zone) if wishes.zone else self._zone
