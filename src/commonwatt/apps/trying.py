"""Plans that somebody only wants to see, made in a process of their own, so that the app goes on answering."""

import asyncio
import os
import signal
from collections.abc import Callable, Hashable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection

from commonwatt.apps.proving import AGAIN_S, Busy
from commonwatt.flows.constraint_to_command import Outlook
from commonwatt.flows.what_if import Course, course
from commonwatt.model import CommonwattError, InvalidValue

MOST_WAITING = 8
MOST_KEPT = 32

Step = Callable[[int], None]


class Trials:
    """Makes plans one after the other, each asker's in a process that ends with it; of the loop that asks."""

    def __init__(self) -> None:
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._kept: dict[Hashable, list[Course]] = {}

    async def courses(self, key: Hashable, outlooks: Sequence[Outlook], on_step: Step = lambda _: None) -> list[Course]:
        """Return how a day would go by the plans for some outlooks; cancelled, it ends the process at once.

        Args:
            key: Says what is asked: who asks the same again is answered at once.
            outlooks: What each plan may look at.
            on_step: Told how many are made, from zero on, once it is this asker's turn.

        Raises:
            Busy: Too much is asked at once; says when to come again.
            InvalidValue: An outlook cannot be planned for; says why.
        """
        if self._waiting >= MOST_WAITING:
            raise Busy("so many trials wait at once, ask again", AGAIN_S, waiting=self._waiting)
        self._waiting += 1
        try:
            async with self._turn:
                if key not in self._kept:
                    self._kept[key] = await _made(outlooks, on_step)
                while len(self._kept) > MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                return self._kept[key]
        finally:
            self._waiting -= 1


async def _made(outlooks: Sequence[Outlook], on_step: Step) -> list[Course]:
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, list(outlooks)), daemon=True)
    process.start()
    there.close()
    found = list[Course]()
    try:
        while len(found) < len(outlooks):
            on_step(len(found))
            told = await asyncio.to_thread(_next, here)
            if isinstance(told, str):
                raise InvalidValue(told)
            found.append(told)
    finally:
        # Whoever waits in a thread for it hears the line end.
        process.kill()
        await asyncio.shield(asyncio.to_thread(process.join))
        here.close()
    on_step(len(found))
    return found


def _next(line: Connection) -> Course | str:
    try:
        told: Course | str = line.recv()
    except EOFError:
        return "a trial runs to its end, this one was ended from outside"
    return told


def _work(line: Connection, outlooks: Sequence[Outlook]) -> None:
    os.nice(10)
    # Whoever ends the app from a terminal ends it; this process goes with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for one in outlooks:
        try:
            line.send(course(one))
        except CommonwattError as error:
            line.send(str(error))
            return
