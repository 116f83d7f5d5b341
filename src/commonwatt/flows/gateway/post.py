"""A gateway's post: what it signed goes up in bursts until it is answered, and letters are read with a pinned key."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime

from commonwatt.flows.gateway.clocks import TimeTold
from commonwatt.flows.gateway.gateway import Gateway
from commonwatt.flows.gateway.letters import (
    MOST_BURST_BYTES,
    MOST_REQUESTS,
    Answers,
    Orders,
    ask_time,
    digest,
    open_letter,
    pack,
)
from commonwatt.flows.gateway.ports import Clock, Outbox, Uplink
from commonwatt.identity.keys import VerifyingKey
from commonwatt.model import GatewayId, InvalidValue, Outcome, Unreachable, instant

ANSWERED_WITHIN_S = 30.0
"""A burst that nobody has answered for so long is sent again; a repeat gets its first outcome."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
MOST_VAIN = 3
"""How often in a row everything is signed again in vain."""
NEVER_TAKEN = frozenset({Outcome.MALFORMED, Outcome.BAD_SIGNATURE, Outcome.WRONG_COMMUNITY})
"""What no repetition cures."""


class Post:
    """Sends what waits in an outbox, one burst at a time and in order, and reads what comes.

    Args:
        gateway: Whose.
        outbox: What waits.
        uplink: The line.
        community: Whose letters are read.
        number: The gateway's.
        operator: The community's key, pinned.
        clock: By which it waits.
        alarm: Told in words what a person should know.
        last: The number of the last orders that were taken.
    """

    def __init__(
        self,
        gateway: Gateway,
        outbox: Outbox,
        uplink: Uplink,
        community: str,
        number: GatewayId,
        operator: VerifyingKey,
        clock: Clock,
        alarm: Callable[[str], None],
        last: int = 0,
    ) -> None:
        self._gateway, self._outbox, self._uplink = gateway, outbox, uplink
        self._community, self._number, self._operator = community, number, operator
        self._clock, self._alarm = clock, alarm
        self._awaited: tuple[str, asyncio.Future[Answers]] | None = None
        self.last = last
        self.heard_at: datetime | None = None
        self.time: TimeTold | None = None
        self._asked_s = 0.0
        self.trouble = ""

    def hear(self, wire: bytes) -> Orders | None:
        """Take in a letter; return orders that are new, and None for everything else."""
        try:
            letter = open_letter(wire, self._operator, self._community, self._number)
        except InvalidValue as error:
            self._alarm(f"a letter was not believed: {error}")
            return None
        self.heard_at = self._clock.now()
        if isinstance(letter, Answers):
            if self._awaited is not None and letter.burst == self._awaited[0] and not self._awaited[1].done():
                # Just asked for, so it is no old letter that somebody kept: its time is now.
                steady_s = self._clock.steady_s()
                self.time = TimeTold(letter.told_s, steady_s, steady_s - self._asked_s)
                self._awaited[1].set_result(letter)
            return None
        if letter.number <= self.last or self.heard_at >= instant(letter.until_s):
            return None  # said before, or too late to be obeyed
        self.last = letter.number
        return letter

    async def send_all(self) -> int:
        """Send what waits until nothing does; return how many requests were answered.

        Raises:
            Unreachable: The line is not open, or no answer came; what was not answered waits on.
            OSError: The disk did not take it that something was answered; it is sent again.
        """
        count = vain = 0
        while waiting := _burst(self._outbox.waiting(MOST_REQUESTS)):
            answers = await self._ask(pack([wire for _, wire in waiting]))
            if len(answers.outcomes) != len(waiting):
                raise Unreachable(f"{len(waiting)} requests are answered one by one, found {len(answers.outcomes)}")
            settled = self._settle([place for place, _ in waiting], answers)
            count, vain = count + settled, 0 if settled else vain + 1
            if vain > MOST_VAIN:
                self.trouble = "the log takes none of this gateway's numbers: does another sign with the same key?"
                raise Unreachable(self.trouble)
        self.trouble = ""
        return count

    async def ask_time(self) -> None:
        """Ask the community what time it is; the answer stands in `time`.

        Raises:
            Unreachable: The line is not open, or no answer came.
        """
        await self._ask(ask_time(secrets.token_bytes(32)))

    def wait_s(self, failed: int) -> float:
        """Return how long to wait after so many failures in a row."""
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failed, 16))

    async def _ask(self, burst: bytes) -> Answers:
        answered: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        self._awaited, self._asked_s = (digest(burst), answered), self._clock.steady_s()
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                await self._uplink.send(burst)
                return await answered
        except TimeoutError as error:
            raise Unreachable("the community gave no answer in time") from error
        finally:
            self._awaited = None

    def _settle(self, places: list[int], answers: Answers) -> int:
        """Do with each request as it was answered.

        Raises:
            Unreachable: The community does not know the key: everything waits until it does.
        """
        # A log that expects a number beyond all that were used here saw others under those of a lost memory.
        lost = answers.next_seq > self._gateway.seq + 1
        seen = Outcome.WRONG_SEQUENCE if lost else Outcome.BOOKED
        found = [seen if outcome is Outcome.SEEN_BEFORE else outcome for outcome in answers.outcomes]
        by_place = list(zip(places, found, strict=True))
        done = [place for place, outcome in by_place if outcome.admitted]
        never = [(place, outcome.value) for place, outcome in by_place if outcome in NEVER_TAKEN]
        if done:
            self._outbox.done(done)
        if never:
            self._outbox.put_aside(never)
            self._alarm(f"{len(never)} requests were put aside that nobody takes: {never[0][1]}")
        if any(outcome is Outcome.UNKNOWN_KEY for _, outcome in by_place):
            self.trouble = f"the community knows no gateway {self._number} with this key: register it"
            raise Unreachable(self.trouble)
        if any(outcome is Outcome.WRONG_SEQUENCE for _, outcome in by_place):
            # One before was put aside, or an older memory came back with the disk: the number was never given to this.
            renumbered = self._gateway.renumber(answers.next_seq)
            self._alarm(f"{renumbered} requests were signed again, under numbers from {answers.next_seq} on")
        return len(done) + len(never)


def _burst(waiting: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return as many of what waits as fit into a burst: one at least."""
    size, fitting = 0, list[tuple[int, bytes]]()
    for place, wire in waiting:
        size += len(wire) + 4
        if fitting and size > MOST_BURST_BYTES // 2:
            break
        fitting.append((place, wire))
    return fitting
