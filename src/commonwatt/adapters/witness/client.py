"""Fetch from a log or a witness over HTTP, with a bound on every answer's bytes and time."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx
import msgspec

from commonwatt.adapters.witness.translate import Posted, read_leaves
from commonwatt.identity.caller import sign_call
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.ledger.tile_format import TILE_WIDTH, tile_path
from commonwatt.model import Corrupt, Refused

WITHIN_S = 60
"""An answer that is not there as a whole by then is given up, however eagerly it drips."""
_STEP_S = 10
_MOST_NOTE_BYTES = 64_000
_MOST_TRUST_BYTES = 64_000
_MOST_LEAVES_BYTES = 32_000_000
_MOST_WORDS = 300


class HttpDoor:
    """One connection's end: GET and POST, bounded.

    Args:
        url: Where the other side listens, ``http://host:port``.
        within_s: Time for a whole answer, s.

    Raises:
        Refused: It is no such address.
    """

    def __init__(self, url: str, within_s: float = WITHIN_S) -> None:
        self.url, self._within_s = url.rstrip("/"), within_s
        if not self.url.startswith(("http://", "https://")):
            raise Refused("a log or witness is reached at http:// or https://", found=url)
        # A loop of its own, kept: only there can a whole answer, head and body, be given one deadline.
        self._runner = asyncio.Runner()
        self._client: httpx.AsyncClient | None = None

    def get(self, target: str, most_bytes: int, authorization: str = "") -> bytes:
        """Return the body of a 200 answer.

        Args:
            target: Path and query, from its slash on.
            most_bytes: A longer answer is refused, unread.
            authorization: The header of that name, where there is one.

        Raises:
            Refused: The other side cannot be reached, is too slow, answers too much, or says no; ``status`` tells
                its number where there is one.
        """
        headers = {"Authorization": authorization} if authorization else {}
        return self._runner.run(self._fetch("GET", target, most_bytes, headers, None))

    def post(self, target: str, body: bytes) -> bytes:
        """Send a JSON body and return that of a 200 answer; errors as in `get`."""
        return self._runner.run(self._fetch("POST", target, 1_000_000, {"Content-Type": "application/json"}, body))

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._runner.run(self._client.aclose())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _fetch(
        self, method: str, target: str, most_bytes: int, headers: dict[str, str], body: bytes | None
    ) -> bytes:
        if self._client is None:
            # No redirects and no surroundings' proxies: what was named is asked, and nobody else.
            self._client = httpx.AsyncClient(timeout=_STEP_S, follow_redirects=False, trust_env=False)
        # A compressed answer could be short on the line and without end in memory.
        headers |= {"Accept-Encoding": "identity"}
        try:
            async with (
                asyncio.timeout(self._within_s),
                self._client.stream(method, self.url + target, headers=headers, content=body) as answer,
            ):
                status, content = answer.status_code, bytearray()
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise Refused("an answer comes uncompressed", url=self.url + target)
                async for chunk in answer.aiter_raw():
                    content += chunk
                    if len(content) > most_bytes:
                        raise Refused("an answer is not endless", url=self.url + target, most_bytes=most_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, OSError) as error:
            found = str(error) or type(error).__name__
            raise Refused("could not be reached", url=self.url + target, found=found) from error
        if status != httpx.codes.OK:
            said = bytes(content[:_MOST_WORDS]).decode(errors="replace")
            raise Refused("said no", url=self.url + target, status=status, found=said.strip())
        return bytes(content)


class RemoteLog:
    """Implements `commonwatt.flows.witness.Log` over HTTP, as one registered witness.

    Args:
        door: To the log.
        origin: The log's name.
        key: The witness's secp256k1 key, which opens the leaves to it.
        now_s: Tells the time, seconds since 1970.
    """

    def __init__(self, door: HttpDoor, origin: str, key: SigningKey, now_s: Callable[[], int]) -> None:
        self._door, self._origin, self._key, self._now_s = door, origin, key, now_s

    def checkpoint(self) -> str:
        """Return the latest signed note."""
        return fetch_note(self._door)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile of exactly so many hashes; no bytes where the log says that it has none."""
        try:
            return self._door.get(f"/{tile_path(level, index, width)}", TILE_WIDTH * HASH_BYTES)
        except Refused as refused:
            if refused.found.get("status") == httpx.codes.NOT_FOUND:
                return b""
            raise

    def leaves(self, first: int, limit: int) -> list[LeafRow]:
        """Return leaves from a position on, as many as the log gives at once.

        Raises:
            Corrupt: What came is no leaves.
        """
        target = f"/leaves?from={first}&limit={limit}"
        header = sign_call(self._key, self._origin, target, self._now_s())
        return read_leaves(self._door.get(target, _MOST_LEAVES_BYTES, header))

    def hand_in(self, size: int, line: str, typed: str) -> None:
        """Hand in a cosignature.

        Raises:
            Refused: The log does not take it.
        """
        self._door.post("/cosignature", msgspec.json.encode(Posted(size=size, line=line, typed=typed)))


def fetch_note(door: HttpDoor) -> str:
    """Return the latest note that a log or a witness shows.

    Raises:
        Corrupt: What came is no text.
        Refused: As `HttpDoor.get`.
    """
    try:
        return door.get("/checkpoint", _MOST_NOTE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise Corrupt(f"a note is text, {door.url} shows something else") from error


def fetch_trust(door: HttpDoor) -> bytes:
    """Return the community's public keys as a log tells them of itself."""
    return door.get("/community.pub", _MOST_TRUST_BYTES)
