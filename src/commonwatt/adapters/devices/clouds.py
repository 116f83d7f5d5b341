"""What devices behind a maker's cloud share: a secret in a file, calls no more often than allowed, errors in words."""

import asyncio
import hashlib
import json
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from commonwatt.adapters.devices.driver import DeviceSpec, Doors
from commonwatt.adapters.devices.paced import Behind, PacedReader, TooOften
from commonwatt.model import InvalidValue, Unreachable

Measures = Literal["connection", "inverter", "battery"]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Windows = tuple[tuple[int, float], ...]
"""How many questions a cloud allows in how many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often a cloud may be asked, as its maker documents it.

    Args:
        least_s: Least time between two questions for readings, so that a day's questions suffice.
        windows: How many questions of one secret it allows in how many seconds, of whatever device.
        rest_s: How long a cloud is left alone that says that it was asked too often.
    """

    least_s: int
    windows: Windows = ()
    rest_s: int = 3_600


class CloudSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What devices behind all clouds know.

    Args:
        serial: By which the cloud knows the device.
        measures: Which of the three things behind it the asset is.
        every_s: Least time between two questions.
        stale_s: When the last reading counts as none.
        within_s: How long the cloud may take.
        pause_s: Least time between two questions of one secret.
    """

    serial: str
    measures: Measures = "connection"
    every_s: int = 300
    stale_s: int = 900
    within_s: float = 5.0
    pause_s: float = 0.0


async def open_paced(
    spec: DeviceSpec,
    doors: Doors,
    settings: CloudSettings,
    secret_file: str,
    limits: Limits,
    behind: Callable[["Cloud", str], Behind],
) -> PacedReader:
    """Open a device behind a cloud; those of one secret share a connection and its limits.

    Args:
        spec: Of the device.
        doors: With the clock, and the folder that remembers across a restart when it was asked.
        settings: Of the device.
        secret_file: Where the secret lies, readable by its owner alone.
        limits: Of the cloud.
        behind: Makes the one that asks, from the cloud and the secret.

    Raises:
        InvalidValue: A setting makes no sense, or the secret cannot be read.
    """
    every_s, stale_s = settings.every_s, settings.stale_s
    if every_s < limits.least_s or stale_s <= every_s or settings.within_s <= 0 or settings.pause_s < 0:
        raise InvalidValue(f"every_s is {limits.least_s} or more and stale_s above it, was {every_s} and {stale_s}")
    secret = secret_from(secret_file)
    shared = (spec.driver, spec.url, hashlib.sha256(secret.encode()).digest())
    cloud = await doors.shared(
        shared, lambda: held(spec.url, secret, settings.within_s, settings.pause_s, limits.windows)
    )
    name = hashlib.sha256("\0".join((spec.url, secret, settings.serial, settings.measures)).encode()).hexdigest()[:16]
    return PacedReader(
        behind(cloud, secret),
        doors.clock,
        every_s=every_s,
        stale_s=stale_s,
        rest_s=limits.rest_s,
        asked=None if doors.folder is None else doors.folder / f"{spec.driver}-{name}.asked",
    )


class Cloud:
    """A maker's cloud over HTTPS: JSON there and back, a secret that is never told on, no question too many.

    Args:
        base: Its address, ``https://``; plain HTTP goes to loopback only.
        secret: What must not appear in an error.
        within_s: How long it may take to answer.
        pause_s: Least time between two questions.
        windows: How many questions it allows in how many seconds.

    Raises:
        InvalidValue: The address would carry the secret in the clear.
    """

    def __init__(self, base: str, secret: str, within_s: float, pause_s: float = 0.0, windows: Windows = ()) -> None:
        try:
            url = urlsplit(base)
            host = url.hostname
        except ValueError as error:
            raise InvalidValue(f"a cloud's address is an address, was {base!r}") from error
        if not host or (url.scheme != "https" and not (url.scheme == "http" and host in LOOPBACK)):
            raise InvalidValue(f"a cloud is asked over https, so that its token stays secret, was {base!r}")
        self._base, self._secret, self._within_s = base.rstrip("/"), secret, within_s
        self._pause_s, self._windows = pause_s, windows
        self._one_by_one = asyncio.Lock()
        self._asked: deque[float] = deque()
        self._client: httpx.AsyncClient | None = None

    async def post(self, path: str, headers: Callable[[], dict[str, str]], body: dict[str, Any]) -> dict[str, Any]:
        """Return the JSON object that answers a question with a body; see `get`."""
        return await self._ask("POST", path, headers, body=body)

    async def get(self, path: str, headers: Callable[[], dict[str, str]], query: dict[str, str]) -> dict[str, Any]:
        """Return the JSON object that answers; its numbers with a point are `Decimal`.

        Args:
            path: Of the address.
            headers: Makes them when it is this question's turn: some clouds sign the moment.
            query: What stands behind the path.

        Raises:
            TooOften: It says 429.
            Unreachable: It gave no answer, none in time, says that it cannot, or may not be asked again so soon.
            InvalidValue: Its answer is no JSON object.
        """
        return await self._ask("GET", path, headers, query=query)

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Callable[[], dict[str, str]],
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._within_s)
        try:
            async with self._one_by_one:
                await self._turn()
                async with asyncio.timeout(self._within_s):
                    answer = await self._client.request(
                        method, self._base + path, headers=headers(), json=body, params=query
                    )
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

    async def _turn(self) -> None:
        """Wait until the pause is over; a question that would be one too many is not asked.

        Raises:
            Unreachable: It would be.
        """
        now = asyncio.get_running_loop().time
        longest_s = max((seconds for _, seconds in self._windows), default=0.0)
        while self._asked and now() - self._asked[0] >= max(longest_s, self._pause_s):
            self._asked.popleft()
        for most, seconds in self._windows:
            if sum(now() - asked < seconds for asked in self._asked) >= most:
                raise Unreachable(f"the cloud allows {most} questions in {seconds:g} s, and they were asked")
        if self._asked:
            await asyncio.sleep(max(0.0, self._asked[-1] + self._pause_s - now()))
        self._asked.append(now())

    def without_secret(self, text: str) -> str:
        """Return a text of the cloud's without the secret, which some clouds send back."""
        return text.replace(self._secret, "***")[:200]

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


@asynccontextmanager
async def held(base: str, secret: str, within_s: float, pause_s: float, windows: Windows) -> AsyncIterator[Cloud]:
    """Hold a cloud's connection."""
    cloud = Cloud(base, secret, within_s, pause_s, windows)
    try:
        yield cloud
    finally:
        await cloud.close()


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
