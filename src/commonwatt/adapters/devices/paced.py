"""A device that may only be asked now and then: between two questions its last reading is the answer."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from commonwatt.flexibility.fitting import fitted
from commonwatt.model import (
    METERS_ONLY,
    Ack,
    Caps,
    Command,
    DeviceState,
    InvalidValue,
    Nameplate,
    Unreachable,
    epoch,
)

IDENTITY_EVERY = timedelta(days=1)
IDENTITY_AGAIN = timedelta(hours=1)
"""How long to wait after it was not told."""


class TooOften(Unreachable):
    """The cloud says that it was asked too often: it is left alone for a while."""


class Behind(Protocol):
    """Who asks for one device.

    Args:
        nameplate_is_asked: Whether it costs a question to learn who it is; that takes the turn of a reading.
    """

    nameplate_is_asked: bool

    async def read(self) -> DeviceState:
        """Return what it shows.

        Raises:
            Unreachable: The cloud has no answer; `TooOften` where it complains.
            InvalidValue: The answer makes no sense.
        """

    async def nameplate(self) -> Nameplate:
        """Return what the cloud says that it is, once it was read.

        Raises:
            Unreachable: As above.
            InvalidValue: As above.
        """


class PacedReader:
    """Implements the ports `Device` and `Identified` on a cloud that is asked now and then; it takes no commands.

    Between two questions the last reading is the answer, with the time at which it was read. A cloud that gives no
    answer is forgiven until the last reading is stale. Who it is, is asked once a day where that costs a question.

    Args:
        behind: Asks the cloud.
        clock: By which readings are stamped.
        every_s: Least time between two questions, answered or not, also across a restart.
        stale_s: A reading as old as this is none.
        rest_s: How long a cloud is left alone that says that it was asked too often.
        asked: A file whose time tells when it was asked last.
    """

    def __init__(
        self,
        behind: Behind,
        clock: Callable[[], datetime],
        *,
        every_s: int,
        stale_s: int,
        rest_s: int,
        asked: Path | None = None,
    ) -> None:
        self._behind, self._clock, self._asked = behind, clock, asked
        self._every, self._stale, self._rest = (timedelta(seconds=s) for s in (every_s, stale_s, rest_s))
        self._last: DeviceState | None = None
        self._ask_again = self._remembered()
        self._seen: datetime | None = None
        self._trouble: Unreachable | InvalidValue | None = None
        self._nameplate: Nameplate | None = None
        self._identify_again: datetime | None = None
        self._one_by_one = asyncio.Lock()

    @property
    def caps(self) -> Caps:
        """Say that it only measures."""
        return METERS_ONLY

    async def read(self) -> DeviceState:
        """Return what the cloud says, or said when it was asked last."""
        async with self._one_by_one:
            now = self._clock()
            if self._seen is not None and now < self._seen:
                # The clock was put back: nobody knows how old the last reading is, nor when it was asked.
                self._last, self._ask_again = None, min(now + self._every, self._ask_again or now)
                self._identify_again = None
            self._seen = now
            if self._ask_again is None or now >= self._ask_again:
                self._ask_again = now + self._every
                self._remember(now)
                try:
                    self._last, self._trouble = replace(await self._behind.read(), at=now), None
                except TooOften as error:
                    self._trouble, self._ask_again = error, now + self._rest
                except (Unreachable, InvalidValue) as error:
                    self._trouble = error
            if isinstance(self._trouble, InvalidValue):
                raise self._trouble
            if self._last is not None and now - self._last.at < self._stale:
                return self._last
            left_s = (self._ask_again - now).total_seconds()
            raise self._trouble or Unreachable(f"the cloud's last reading is stale; it is asked again in {left_s:g} s")

    async def identity(self) -> Nameplate:
        """Return what the cloud says that it is, or said when it was asked last.

        Raises:
            Unreachable: It has not been read yet, or the cloud does not say.
            InvalidValue: The answer makes no sense.
        """
        async with self._one_by_one:
            now = self._clock()
            if self._last is None or isinstance(self._trouble, TooOften):
                raise self._trouble or Unreachable("the cloud has given no reading yet")
            asked = self._behind.nameplate_is_asked
            if not asked or self._identify_again is None or now >= self._identify_again:
                self._identify_again = now + IDENTITY_AGAIN
                if asked:
                    self._ask_again = (self._ask_again or now) + self._every
                    self._remember(now)
                try:
                    self._nameplate = await self._behind.nameplate()
                except TooOften as error:
                    self._trouble, self._ask_again = error, now + self._rest
                    raise
                self._identify_again = now + IDENTITY_EVERY
            if self._nameplate is None:
                raise Unreachable("the cloud has not said who it is; it is asked again within the hour")
            return self._nameplate

    async def apply(self, command: Command) -> Ack:
        """Say that it takes no commands."""
        taken, why = fitted(METERS_ONLY, command.band)
        return Ack(command=command.id, asset=command.asset, taken=taken, why=why)

    async def release(self) -> None:
        """Do nothing: it holds nothing."""

    async def close(self) -> None:
        """Do nothing: others may still ask; the connection goes with the process's doors."""

    def _remembered(self) -> datetime | None:
        """Return when it may be asked again, as an earlier life of this process left it."""
        try:
            asked = None if self._asked is None else datetime.fromtimestamp(self._asked.stat().st_mtime, UTC)
        except OSError:
            return None
        return asked + self._every if asked is not None and asked <= self._clock() else None

    def _remember(self, now: datetime) -> None:
        """Note that it is asked now; a disk that refuses costs a question more after a restart, and nothing else."""
        if self._asked is not None:
            with suppress(OSError):
                self._asked.touch(mode=0o600)
                os.utime(self._asked, (epoch(now), epoch(now)))
