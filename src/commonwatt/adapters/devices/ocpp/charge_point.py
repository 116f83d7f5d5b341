"""A real station as the charge point of the ledger's charging story: authorised there, begun and read here."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from commonwatt.adapters.devices.ocpp import profiles
from commonwatt.adapters.devices.ocpp.books import MOST_STORIES, Story
from commonwatt.adapters.devices.ocpp.counters import STEP_WH
from commonwatt.adapters.devices.ocpp.device import OcppDevice
from commonwatt.adapters.devices.ocpp.evse import Session
from commonwatt.adapters.devices.ocpp.ocmf import Notary, SignedRecord, proving, span
from commonwatt.adapters.devices.ocpp.tokens import same_token
from commonwatt.flows.charge_session import StationReading
from commonwatt.model import CommonwattError, Refused, epoch

ASK_AGAIN_S = 30
"""A station that did not begin, or end, what it was told to is told again after so long."""
LOOK_EVERY_S = 1.0
GUARD = "guard "


def token_of(session: str) -> str:
    """Return the token by which a session of the ledger is begun, named by its position in the log.

    It is as long as OCPP 1.6 allows, and what a station's meter signs as its user.
    """
    return f"CW{session}"[:20]


class ChargePoint:
    """Implements `flows.charge_session.Station` on one EVSE.

    The story asks and goes on; what it asks is told the station beside it, in the loop that this was made in. A
    session of the ledger is begun with a token of its own, by which the transaction is found again, also after we
    were restarted. More than it may take, or longer, no session runs: a guard stops it whether anybody asks or not,
    and OCPP 2.1 stations are told both limits.

    Args:
        device: Behind which the EVSE is.
        notary: Judges signed meter values by the pinned key of the station's meter; without, the station's own
            numbers are taken. With one, a session without records that hold is not read at all.
        tell: Called with a word on what went wrong, once each time.
    """

    def __init__(
        self, device: OcppDevice, notary: Notary | None = None, tell: Callable[[str], None] = lambda word: None
    ) -> None:
        self._device, self._notary, self._tell = device, notary, tell
        self._station, self._evse = device.station, device.evse
        self._stories = device.station.books.stories
        self._running: dict[str, asyncio.Task[None]] = {}
        self._said: set[tuple[str, str]] = set()
        if notary is not None:
            notary.pages |= self._station.books.pages.get(notary.meter, {})
        for session, story in self._stories.items():
            if story.evse == self._evse.number and not story.stopped:
                self._guard(session, story)

    def register_wh(self, now_s: int) -> int:
        """Return what its meter shows, which only ever rises even where the station's register starts anew."""
        return self._evse.imported.total_wh or 0

    def go_on_from(self, wh: int) -> None:
        """Take it that its meter shows so much at least: a sum may be forgotten here, what was billed of it not."""
        self._evse.imported.rise_to(wh)

    def begin(self, session: str, most_wh: int, until_s: int, now_s: int) -> None:
        """Have the station begin a transaction for a session; asked again, only one that did not begin is."""
        story = self._stories.get(session)
        if story is None:
            story = self._stories[session] = Story(self._evse.number, token_of(session), most_wh, until_s)
            if len(self._stories) > MOST_STORIES:
                over = (name for name, one in self._stories.items() if one.stopped)
                del self._stories[next(over, next(iter(self._stories)))]
            self._station.remember(self._station)
            self._guard(session, story)
        found = self._transaction(story)
        if found is None and not story.stopped and now_s < until_s and now_s - story.asked_s >= ASK_AGAIN_S:
            story.asked_s = now_s
            self._soon(f"begin {session}", self._start(story))

    def count(self, session: str, now_s: int) -> int | None:
        """Return what a session has taken; None while its station cannot be heard or its meter is doubted."""
        story = self._stories.get(session)
        if story is None or self._station.link is None or self._evse.doubt:
            return None
        found = self._transaction(story)
        return 0 if found is None else self._taken_wh(found)

    def stop(self, session: str, now_s: int) -> None:
        """Have the station end the transaction of a session."""
        story = self._stories.get(session)
        if story is None:
            return
        if not story.stopped:
            story.stopped, story.asked_s = True, 0
            self._station.remember(self._station)
        self._transaction(story)
        if self._runs(story) and now_s - story.asked_s >= ASK_AGAIN_S:
            story.asked_s = now_s
            self._soon(f"stop {session}", self._stop(story))

    def reading(self, session: str, now_s: int) -> StationReading | None:
        """Return the register at start and end of a session; where there is a notary, by signed records alone.

        A transaction that never began reads nothing: start and end are what the register shows now. Our sum of the
        register never starts anew, as the station's may with each transaction, and the reading ends where it stands.
        """
        story = self._stories.get(session)
        if story is None:
            return None
        found = self._transaction(story)
        if found is None:
            over = now_s >= story.until_s or story.stopped
            shows_wh = self.register_wh(now_s)
            return StationReading(shows_wh, shows_wh) if over and self._station.link is not None else None
        if not found.ended:
            return None
        end_wh = found.ended_total_wh if found.ended_total_wh is not None else self.register_wh(now_s)
        if self._notary is not None:
            return self._signed(self._notary, session, story, found, end_wh)
        if found.meter_start_wh is None or found.meter_stop_wh is None:
            return None
        return StationReading(end_wh - max(0, found.meter_stop_wh - found.meter_start_wh), end_wh)

    def over(self, session: str, now_s: int) -> bool:
        """Tell whether the transaction of a session has ended, by whoever pulled the plug or by the station."""
        story = self._stories.get(session)
        found = None if story is None else self._transaction(story)
        return found is not None and found.ended

    async def told(self) -> None:
        """Return when the station has answered what it was told, or had its time to."""
        told = [task for name, task in self._running.items() if not name.startswith(GUARD)]
        await asyncio.gather(*told, return_exceptions=True)

    async def close(self) -> None:
        """Guard no more."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()

    def _transaction(self, story: Story) -> Session | None:
        if story.transaction:
            return self._evse.find(story.transaction)
        found = next((one for one in self._evse.sessions if same_token(one.id_tag, story.token)), None)
        if found is not None:
            story.transaction = found.id
            self._station.remember(self._station)
        return found

    def _taken_wh(self, found: Session) -> int:
        if found.ended and found.meter_stop_wh is not None and found.meter_start_wh is not None:
            return max(0, found.meter_stop_wh - found.meter_start_wh)
        if found.began_total_wh is None:
            return 0
        return max(0, self.register_wh(0) - found.began_total_wh)

    async def _start(self, story: Story) -> None:
        wrong = await profiles.start_session(self._station, self._evse, story.token)
        if wrong:
            self._tell(f"station {self._station.id} does not begin: {wrong}")

    def _runs(self, story: Story) -> bool:
        """Tell whether a transaction of a session runs, be it a second one: some begin anew after a power cut."""
        current = self._evse.session
        return current is not None and same_token(current.id_tag, story.token)

    async def _stop(self, story: Story) -> None:
        if self._runs(story):
            wrong = await self._device.stop_session()
            if wrong:
                self._tell(f"station {self._station.id} does not stop: {wrong}")

    def _signed(self, notary: Notary, session: str, story: Story, found: Session, end_wh: int) -> StationReading | None:
        """Return the reading by the records of a transaction that hold, or None; what was once found stays."""
        if story.signed_wh is None and not self._judge(notary, session, story, found):
            return None
        assert story.signed_wh is not None
        began_wh = max(0, end_wh - story.signed_wh) if found.began_total_wh is None else found.began_total_wh
        if story.signed_wh > end_wh - began_wh + STEP_WH:
            self._say_once(session, f"its meter signed {story.signed_wh} Wh, its register rose by {end_wh - began_wh}")
            return None
        return StationReading(max(began_wh, end_wh - story.signed_wh), end_wh, tuple(story.records))

    def _judge(self, notary: Notary, session: str, story: Story, found: Session) -> bool:
        """Find what the records of a transaction say, use up their pages, and tell whether they say all."""
        fresh: dict[int, SignedRecord] = {}
        for raw in found.signed:
            try:
                record = notary.read(raw)
                if record.user and not same_token(record.user, story.token):
                    raise Refused("signed record of another user", meter=record.meter, found=record.user)
                if record.page <= notary.pages.get(record.context, -1):
                    raise Refused("signed record seen before or older", meter=record.meter, page=record.page)
            except Refused as refused:
                self._say_once(session, str(refused))
            else:
                fresh[record.page] = record
        records = [fresh[page] for page in sorted(fresh)]  # events may come in any order
        try:
            both = span(records)
            if both is None:
                self._say_once(session, "no signed record of its start and its end")
                return False
            for record in records:
                notary.note(record)
        except Refused as refused:
            self._say_once(session, str(refused))
            return False
        story.signed_wh = both[1] - both[0]
        story.records = [record.raw for record in proving(records)]
        self._station.books.pages[notary.meter] = notary.pages
        self._station.remember(self._station)
        return True

    def _say_once(self, session: str, words: str) -> None:
        if (session, words) not in self._said:
            self._said.add((session, words))
            self._tell(f"station {self._station.id}, session {session}: {words}")

    def _guard(self, session: str, story: Story) -> None:
        self._soon(f"{GUARD}{session}", self._watch(session, story))

    async def _watch(self, session: str, story: Story) -> None:
        """Stop a session at its limits, also while nobody of the ledger asks for it."""
        while True:
            found, now_s = self._transaction(story), epoch(self._device.clock())
            if found is not None and found.ended and not self._runs(story):
                story.stopped = True  # whatever begins under its token is none of it any more
                self._station.remember(self._station)
                return
            over = (
                now_s >= story.until_s
                or (found is not None and found.ended)
                or (found is not None and self._taken_wh(found) >= story.most_wh)
            )
            if over or story.stopped:
                self.stop(session, now_s)
                if found is None:
                    return
            await asyncio.sleep(LOOK_EVERY_S)

    def _soon(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        async def whole() -> None:
            try:
                await work
            except CommonwattError as error:
                self._tell(str(error))

        earlier = self._running.get(name)
        if earlier is not None and not earlier.done():
            work.close()
            return
        self._running[name] = task = asyncio.get_running_loop().create_task(whole())
        task.add_done_callback(lambda done: self._running.pop(name) if self._running.get(name) is done else None)
