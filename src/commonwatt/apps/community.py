"""A community as its app sees it: the log followed as it grows, what was told of it, and a way to ask for more."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from commonwatt.adapters.door.client import knock
from commonwatt.adapters.stores.answered import Answered
from commonwatt.adapters.stores.chronicle import Chronicle
from commonwatt.apps.feed_terms import open_outside
from commonwatt.apps.foresight import Book, Foresight
from commonwatt.apps.proving import Prover
from commonwatt.apps.trying import Trials
from commonwatt.apps.wiring import keep_key, open_issued, open_key, open_log, open_past, open_positions
from commonwatt.flows.chronicle import Chapter, Chronicler
from commonwatt.flows.desk import Desk
from commonwatt.flows.intake import read_head
from commonwatt.flows.ports import LogStore
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.bodies import read_body
from commonwatt.flows.rulebook.lacking import lacking
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import GRID, AccountId, InvalidValue, KeyId, Kind, Outcome, Refused, Request

if TYPE_CHECKING:
    from commonwatt.apps.chaining import ChainKeeper

LOOK_EVERY_S = 0.05
"""Between two looks at whether the log has grown: what a reading waits at most before pages know of it."""
SEEN_WITHIN_S = 10.0
"""How long what was answered may take to come back by way of the log, before who asked is told all the same."""
RETRY_S = 1.0
"""Between two tries to read a log that could not be read."""
TRIES = 5
_KEPT_AS = {GRID: "dso"}
"""Keys that lie in a folder under the name of their holder's role, not of the account for which they sign."""

Hear = Callable[[Chapter], None]
_log = logging.getLogger(__name__)
Note = Callable[[Seat, Happened, Mapping[str, str]], None]
"""Takes down who did what from their seat, and by which session or token."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A request on its way to the door, as whoever looks on sees it.

    Args:
        trace: What the door is told of the way that it is part of, as a ``traceparent``; empty for nothing.
        done: Told what became of it; None where nobody knows.
    """

    trace: str = ""
    done: Callable[[Outcome | None], None] = lambda outcome: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a request, and where it stands in the log; None where it was not admitted.

    Where it was not backed, ``lacks`` tells what it asked for and what stood behind it, see `rulebook.lacking`.
    """

    outcome: Outcome
    position: int | None = None
    lacks: Mapping[str, int | str] = field(default_factory=dict)


class Community:
    """One community's log, followed from a folder; of the loop that runs `follow`.

    Between two awaits nothing here changes, so whatever a view reads belongs together.

    Args:
        folder: The community's, with the log, its master key, and the keys of members who left theirs here.
        now_s: Tells the log's time, seconds since 1970; in a simulated street that of the street.
        door: Where the community's door is: host and port; None where nothing can be asked for.

    Raises:
        Refused: There is no log, or no key to it.
        Corrupt: The log is damaged.
        InvalidValue: The configuration of its feeds makes no sense.
    """

    def __init__(self, folder: Path, now_s: Callable[[], int], door: Callable[[], tuple[str, int] | None]) -> None:
        self.folder, self.now_s, self.door = folder, now_s, door
        self._doors = ExitStack()
        self._log = self._doors.enter_context(open_log(folder))
        self._chronicler = Chronicler(self._log, self._log.whole_from)
        self.chronicle = self._doors.enter_context(Chronicle())
        self.outside = open_outside(folder)
        """What the community's feeds said; None where it has none."""
        if self.outside is not None:
            self._doors.callback(self.outside.close)
        self._hearing: list[Hear] = []
        self._keys: dict[AccountId, SigningKey | None] = {}
        self.reading_key = False
        """Whether a key from elsewhere is being opened: one at a time, for each may take much memory and a second."""
        self._signing: dict[KeyId, asyncio.Lock] = {}
        self._grown = asyncio.Condition()
        self._rooted = (-1, "")
        self.prover = Prover(folder)
        """Proves from the log run again, in a process of its own."""
        self._doors.callback(self.prover.close)
        self.passing: Callable[[], Passed] = Passed
        """Asked once for every request that is passed on; who looks on puts something else here."""
        self.note: Note = lambda seat, what, details: None
        """Told of what people do here before it is done; where people sign in, their entrance takes it down."""
        self.trials = Trials()
        """Makes plans that somebody only wants to see, in a process of their own."""

        self.answered = Answered(folder)
        self.foresight = Foresight(open_past(folder), folder, open_issued(folder), self.answered.of)
        self.positions = open_positions(folder)
        """Where homes stand, as their owners stated; whom they are shown to is `views.mapping`'s."""
        self.chain: ChainKeeper | None = None
        """Keeps its chain; None where it has none, or nobody here keeps it."""
        self.broken: BaseException | None = None
        """Why the log is not followed now; what is shown stays as it was."""
        self.on_standing: Callable[[], None] = lambda: None
        """Called whenever that begins or ends; who shows it puts something else here."""

    @property
    def name(self) -> str:
        """The community's name."""
        return self.state.community

    @property
    def log(self) -> LogStore:
        """The log itself, to be read beside its writer: for proofs, leaf by leaf."""
        return self._log

    @property
    def state(self) -> State:
        """What holds, as of the last leaf that was told."""
        return self._chronicler.state

    @property
    def size(self) -> int:
        """Leaves that were told."""
        return self._chronicler.size

    @property
    def begins_s(self) -> int:
        """The log's time of the first leaf that is told here; of what was before only the sums are known."""
        first = self.chronicle.leaf(self._chronicler.begins)
        return self.told_s if first is None else first.stamped_s

    @property
    def told_s(self) -> int:
        """The log's time of the last leaf that was told, seconds since 1970: as of when everything here is."""
        return self._chronicler.now_s

    @property
    def log_root(self) -> str:
        """The log root over the leaves that were told, 64 hex digits."""
        return self._chronicler.root.hex()

    @property
    def state_root(self) -> str:
        """The state root as of them, 64 hex digits; made once for as many leaves."""
        if self._rooted[0] != self.size:
            self._rooted = self.size, self.state.root().hex()
        return self._rooted[1]

    def catch_up(self) -> None:
        """Run and tell all that the log has by now: before anybody looks, so that the first page is whole."""
        while chapter := self._chronicler.step():
            self._hear(chapter)

    async def follow(self) -> None:
        """Go on following until cancelled; a log that cannot be read for now is tried again.

        Raises:
            Corrupt: The log contradicts itself.
        """
        try:
            while True:
                try:
                    chapter = self._chronicler.step()
                except (sqlite3.Error, OSError) as error:
                    self._stand(error)
                    await asyncio.sleep(RETRY_S)
                    continue
                self._stand(None)
                if chapter is None:
                    await asyncio.sleep(LOOK_EVERY_S)
                    continue
                self._hear(chapter)
                async with self._grown:
                    self._grown.notify_all()
                await asyncio.sleep(0)
        except Exception as error:
            self._stand(error)
            raise

    def on_chapter(self, hear: Hear) -> Callable[[], None]:
        """Have something told of every chapter from now on, on this loop; call what is returned to end it."""
        self._hearing.append(hear)

        def end() -> None:
            if hear in self._hearing:
                self._hearing.remove(hear)

        return end

    async def book(self) -> Book:
        """Return what is foreseen today; the first who asks on a local day waits some seconds."""
        return await self.foresight.book(self.state, self.chronicle, self.told_s, self.outside)

    async def keep_forecasts(self) -> None:
        """Make the book of each day as it begins, so that nobody waits for it; until cancelled."""
        await self.foresight.keep_warm(lambda: self.state, self.chronicle, lambda: self.told_s, self.outside)

    def holds_key(self, account: AccountId) -> bool:
        """Tell whether an account's own key is kept here, so that the app can sign for it."""
        return self._key(account) is not None

    def keep_key(self, account: AccountId, key: SigningKey) -> None:
        """Keep an account's own key here, to sign with it from now on; see `wiring.keep_key`."""
        keep_key(self.folder, _KEPT_AS.get(account, account), key)
        self._keys.pop(account, None)

    def key_of(self, account: AccountId) -> SigningKey:
        """Return an account's own key that is kept here.

        Raises:
            Refused: It is not.
        """
        key = self._key(account)
        if key is None:
            raise Refused(
                "this community does not keep the account's key: it signs with its own wallet", account=account
            )
        return key

    async def send(
        self,
        account: AccountId,
        kind: Kind,
        body: msgspec.Struct,
        items: bytes = b"",
        *,
        on_signed: Callable[[bytes], None] = lambda _: None,
    ) -> Done:
        """Sign a request with an account's key that is kept here, and send it; returns once the log told of it.

        Args:
            account: Whose key signs, for whom.
            kind: Of the request.
            body: Of the request.
            items: The packed records of a batch.
            on_signed: Told the request before it is sent, so that whoever hears no outcome can send the same again.

        Raises:
            Refused: The key is not kept here, or no door is open.
            OSError: The line to the door broke; the request may stand in the log.
        """
        key = self.key_of(account)
        done = Done(outcome=Outcome.WRONG_SEQUENCE)
        async with self._signing.setdefault(key.id, asyncio.Lock()):
            for _ in range(TRIES):
                desk = Desk(self.state)
                desk.write(key, account, kind, body, items)
                on_signed(desk.wires[0])
                done = await self.pass_on(desk.wires[0])
                if done.outcome not in (Outcome.WRONG_SEQUENCE, Outcome.SEEN_BEFORE):
                    break  # else somebody signed with the same key elsewhere: number it anew
                await asyncio.sleep(LOOK_EVERY_S)
        return done

    async def pass_on(self, wire: bytes) -> Done:
        """Send a request that somebody signed, and wait until the log told of it.

        Raises:
            Refused: No door is open.
            InvalidValue: The bytes are no request.
            OSError: The line to the door broke; the request may stand in the log, and may be sent again as it is.
        """
        read_head(wire.partition(b"\n")[0])
        return (await self.pass_on_all([wire]))[0]

    async def pass_on_all(self, wires: Sequence[bytes]) -> list[Done]:
        """Send requests that somebody signed, and wait until the log told of all that it admitted.

        Returns:
            What became of each, in order; bytes that are no request are `MALFORMED`.

        Raises:
            Refused: No door is open, or it takes nothing more.
            OSError: The line to the door broke; requests may stand in the log, and may be sent again as they are.
        """
        door = self.door()
        if door is None:
            raise Refused("requests go through the community's open door, and there is none", community=self.name)
        passed, outcomes = [self.passing() for _ in wires], list[Outcome]()
        try:
            knocked, _ = await asyncio.to_thread(partial(knock, *door, wires, trace=passed[0].trace))
            heads = [
                read_head(wire.partition(b"\n")[0]) if outcome.admitted else None
                for wire, outcome in zip(wires, knocked, strict=True)
            ]
            read = sorted((head for head in heads if head is not None), key=lambda head: head.seq)
            await self._seen({head.author: head.seq for head in read})
            outcomes = knocked
        finally:
            for one, outcome in zip_longest(passed, outcomes):
                one.done(outcome)
        return [
            Done(
                outcome=outcome,
                position=self.chronicle.position(head.author, head.seq) if head else None,
                lacks=self._lacks(head) if head and outcome is Outcome.NOT_BACKED else {},
            )
            for head, outcome in zip(heads, outcomes, strict=True)
        ]

    def _lacks(self, head: Request) -> Mapping[str, int | str]:
        return lacking(self.state, head.on_behalf_of, read_body(head.kind, head.body))

    async def _seen(self, last: Mapping[KeyId, int]) -> None:
        """Wait until the log told of a request of each key, and no longer than `SEEN_WITHIN_S`."""
        with suppress(TimeoutError):
            async with self._grown, asyncio.timeout(SEEN_WITHIN_S):
                await self._grown.wait_for(
                    lambda: all(self.state.keys.next_seq(author) > seq for author, seq in last.items())
                )

    def close(self) -> None:
        """Let go of the log."""
        self._doors.close()

    def _hear(self, chapter: Chapter) -> None:
        self.chronicle.add(chapter)
        for hear in list(self._hearing):
            try:
                hear(chapter)
            except Exception:  # One listener's trouble is no other's, and the log is followed all the same.
                _log.exception("a change of the log could not be told to one who hears of it")

    def _stand(self, error: Exception | None) -> None:
        """Note why the log is not followed, or that it is again; says so once."""
        before, self.broken = self.broken, error
        if (before is None) == (error is None):
            return
        if error is None:
            _log.warning("the log is followed again from leaf %s", self.size)
        else:
            _log.error("the log is not followed, numbers stand still at leaf %s: %s", self.size, error)
        self.on_standing()

    def _key(self, account: AccountId) -> SigningKey | None:
        """Return an account's own key, where the folder keeps it under its name and the log knows it as such."""
        if self._keys.get(account) is None:
            try:
                key = open_key(self.folder, _KEPT_AS.get(account, account))
            except (Refused, InvalidValue):
                return None
            record = self.state.keys.get(key.id)
            self._keys[account] = key if record is not None and record.account == account else None
        return self._keys[account]
