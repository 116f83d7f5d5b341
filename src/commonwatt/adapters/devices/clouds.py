"""What devices behind a maker's cloud share: a secret in a file, calls no more often than allowed, errors in words."""

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from commonwatt.flexibility.fitting import fitted
from commonwatt.model import METERS_ONLY, Ack, Caps, Command, DeviceState, InvalidValue, Unreachable

Measures = Literal["connection", "inverter", "battery"]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class TooOften(Unreachable):
    """The cloud says that it was asked too often: it is left alone for a while."""


class PacedReader:
    """Implements the `Device` port on a cloud that may only be asked now and then; it takes no commands.

    Between two questions the last reading is the answer, with the time at which it was read. A cloud that gives no
    answer is forgiven until the last reading is stale.

    Args:
        ask: Asks the cloud.
        close: Lets go of the connection.
        clock: By which readings are stamped.
        every_s: Least time between two questions, answered or not.
        stale_s: A reading as old as this is none.
        rest_s: How long a cloud is left alone that says that it was asked too often.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[DeviceState]],
        close: Callable[[], Awaitable[None]],
        clock: Callable[[], datetime],
        *,
        every_s: int,
        stale_s: int,
        rest_s: int,
    ) -> None:
        self._ask, self._close, self._clock = ask, close, clock
        self._every, self._stale, self._rest = (timedelta(seconds=s) for s in (every_s, stale_s, rest_s))
        self._last: DeviceState | None = None
        self._ask_again: datetime | None = None
        self._seen: datetime | None = None
        self._trouble: Unreachable | InvalidValue | None = None
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
            self._seen = now
            if self._ask_again is None or now >= self._ask_again:
                self._ask_again = now + self._every
                try:
                    self._last, self._trouble = replace(await self._ask(), at=now), None
                except TooOften as error:
                    self._trouble, self._ask_again = error, now + self._rest
                except (Unreachable, InvalidValue) as error:
                    self._trouble = error
            if isinstance(self._trouble, InvalidValue):
                raise self._trouble
            if self._last is not None and now - self._last.at < self._stale:
                return self._last
            raise self._trouble or Unreachable("the cloud's last reading is stale")

    async def apply(self, command: Command) -> Ack:
        """Say that it takes no commands."""
        taken, why = fitted(METERS_ONLY, command.band)
        return Ack(command=command.id, asset=command.asset, taken=taken, why=why)

    async def release(self) -> None:
        """Do nothing: it holds nothing."""

    async def close(self) -> None:
        """Let go of the connection."""
        await self._close()


class Cloud:
    """A maker's cloud over HTTPS: JSON there and back, a secret that is never told on.

    Args:
        base: Its address, ``https://``; plain HTTP goes to loopback only.
        secret: What must not appear in an error.
        within_s: How long it may take to answer.

    Raises:
        InvalidValue: The address would carry the secret in the clear.
    """

    def __init__(self, base: str, secret: str, within_s: float) -> None:
        try:
            url = urlsplit(base)
            host = url.hostname
        except ValueError as error:
            raise InvalidValue(f"a cloud's address is an address, was {base!r}") from error
        if not host or (url.scheme != "https" and not (url.scheme == "http" and host in LOOPBACK)):
            raise InvalidValue(f"a cloud is asked over https, so that its token stays secret, was {base!r}")
        self._base, self._secret, self._within_s = base.rstrip("/"), secret, within_s
        self._client: httpx.AsyncClient | None = None

    async def post(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Return the JSON object that answers; its numbers with a point are `Decimal`.

        Raises:
            TooOften: It says 429.
            Unreachable: It gave no answer, none in time, or says that it cannot.
            InvalidValue: Its answer is no JSON object.
        """
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._within_s)
        try:
            async with asyncio.timeout(self._within_s):
                answer = await self._client.post(self._base + path, headers=headers, json=body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise Unreachable(f"the cloud gave no answer: {self.without_secret(str(error)) or 'in time'}") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise TooOften("the cloud was asked too often (HTTP 429)")
        if answer.status_code != httpx.codes.OK:
            raise Unreachable(f"the cloud answers HTTP {answer.status_code}")
        try:
            found = json.loads(answer.content, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError) as error:
            raise InvalidValue("a cloud answers in JSON, was something else") from error
        if not isinstance(found, dict):
            raise InvalidValue("a cloud answers with a JSON object, was something else")
        return found

    def without_secret(self, text: str) -> str:
        """Return a text of the cloud's without the secret, which some clouds send back."""
        return text.replace(self._secret, "***")[:200]

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def secret_from(path: str) -> str:
    """Return the one line in a file that only its owner may read.

    Raises:
        InvalidValue: There is no such file, others may read it, or there is not just one word in it.
    """
    file = Path(path)
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise InvalidValue(f"a secret is readable by its owner alone (0600), was {mode:04o} for {file}")
        words = file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"a secret lies in a file of its own, was not to be read at {file}") from error
    if len(words) != 1 or not words[0].isprintable():
        raise InvalidValue(f"a secret's file holds one word, was {len(words)} in {file}")
    return words[0]


def whole(value: object, factor: int, name: str) -> int:
    """Return a number of the cloud's times a factor, whole: kW and kWh become W and Wh.

    Raises:
        InvalidValue: It is no number, or none of any home's.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        # Not in the cloud's words: some send the secret back.
        raise InvalidValue(f"{name} is a number, was {type(value).__name__}")
    exact = Decimal(value)
    if not exact.is_finite() or abs(exact) > 10**9:
        raise InvalidValue(f"{name} is a number of a home's, was {str(value)[:40]}")
    return int((exact * factor).to_integral_value())
