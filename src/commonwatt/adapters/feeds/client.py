"""Asks a publisher over HTTP: no more than it allows, nothing twice, within time and size; its token is told nobody."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import msgspec

from commonwatt.adapters.feeds.reading import About
from commonwatt.adapters.feeds.sources import SOURCES, TokenPlace
from commonwatt.flows.feeds.ports import Answer, Seen, Throttled
from commonwatt.flows.feeds.series import Topic
from commonwatt.model import Interval, InvalidValue, Unreachable

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MOST_BYTES = 4_000_000
"""Of an answer, unpacked: none of those that are read here comes near."""
LONGEST_WAIT_S = 86_400
USUAL_WAIT_S = 900
"""How long a publisher is left alone that was asked too often and does not say."""
OUR_NAME = "commonwatt/0.1"


class HttpFeed:
    """Implements `Feed` for one entry of a community's configuration.

    Args:
        name: In the configuration.
        source: One of `SOURCES`.
        place: What its series are of, in the community's words.
        settings: As its source takes them.
        ticks_s: A clock that is never set, for the time that an answer may take.
        address: Where the publisher is, where it is another place than its own.
        token: Where one is needed; it goes into the request on its way out, and nowhere else.
        contact: To whom the publisher may write: an address of mail or of a page.
        every_s: How often it is asked at most.
        within_s: How long an answer may take, from the first byte of the question to the last of the answer.

    Raises:
        InvalidValue: A setting makes no sense, a token or contact is missing, or would go over the wire in the clear.
    """

    def __init__(
        self,
        name: str,
        source: str,
        place: str,
        settings: msgspec.Struct,
        ticks_s: Callable[[], float],
        *,
        address: str | None = None,
        token: str | None = None,
        contact: str | None = None,
        every_s: int | None = None,
        within_s: float = 20.0,
    ) -> None:
        known = SOURCES[source]
        self.name, self.source, self.licence = name, source, known.licence
        self.topics: tuple[Topic, ...] = known.topics(settings, place)
        self.every_s = known.least_s if every_s is None else every_s
        base = (address or known.address).rstrip("/")
        host = urlsplit(base).hostname
        if not host or not (base.startswith("https://") or (base.startswith("http://") and host in LOOPBACK)):
            raise InvalidValue(f"a publisher is asked over https, was {base!r}")
        self.near = host in LOOPBACK
        if self.every_s < known.least_s and not self.near:
            raise InvalidValue(f"{source} is asked every {known.least_s} s at most, was {self.every_s}")
        if known.token is None and token is not None:
            raise InvalidValue(f"{source} knows no tokens, was given one")
        if known.token is not None and known.token.needed and token is None:
            raise InvalidValue(f"{source} answers those with a token only; name its file")
        if known.contact and not contact:
            raise InvalidValue(f"{source} wants to know whom to write to; name a contact")
        if not all(character.isascii() and character.isprintable() for character in contact or ""):
            raise InvalidValue(f"a contact is plain text, was {contact!r}")
        self._known, self._settings, self._place, self._ticks_s = known, settings, place, ticks_s
        self._within_s, self._token = within_s, token
        way = httpx.HTTPTransport(trust_env=False)
        self._client = httpx.Client(
            base_url=base,
            headers={"user-agent": f"{OUR_NAME} {contact}" if contact else OUR_NAME, "accept-encoding": "gzip"},
            timeout=within_s,
            follow_redirects=False,
            transport=way if token is None or known.token is None else _Sealed(way, known.token, token),
        )

    def fetch(self, window: Interval, now_s: int, seen: Seen) -> Answer:
        """Ask for what is published about a window; see `Feed`."""
        question = self._known.question(self._settings, window)
        named = sha256(f"{question.path}?{sorted(question.query.items())}".encode()).hexdigest()
        headers = {}
        if seen.question == named:
            headers = {"if-none-match": seen.etag} if seen.etag else {}
            headers |= {"if-modified-since": seen.modified} if seen.modified else {}
        try:
            answer, content = self._ask(question.path, dict(question.query), headers)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise Unreachable(
                f"{self.name} gave no answer: {self._plain(str(error)) or type(error).__name__}"
            ) from None
        fresh_s = _fresh_s(answer)
        if answer.status_code == httpx.codes.NOT_MODIFIED and headers:
            return Answer(issues=(), seen=seen, fresh_s=fresh_s)
        self._check(answer)
        about = About(place=self._place, source=self.source, licence=self.licence, heard_s=now_s)
        try:
            issues = tuple(self._known.issues(content, about, self._settings))
        except InvalidValue as error:
            raise InvalidValue(self._plain(str(error))) from None
        kept = Seen(named, answer.headers.get("etag", "")[:200], answer.headers.get("last-modified", "")[:60])
        return Answer(issues=tuple(replace(one, heard_s=now_s) for one in issues), seen=kept, fresh_s=fresh_s)

    def _ask(self, path: str, query: dict[str, str], headers: dict[str, str]) -> tuple[httpx.Response, bytes]:
        """Return an answer and what it holds, unpacked; reading ends where it takes too long or grows too large."""
        until_s = self._ticks_s() + self._within_s
        content = bytearray()
        with self._client.stream("GET", path, params=query, headers=headers) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise InvalidValue(f"an answer of {self.name} has {MOST_BYTES} bytes at most, was more")
                if self._ticks_s() > until_s:
                    raise Unreachable(f"{self.name} did not end its answer within {self._within_s:g} s")
        return answer, bytes(content)

    def _check(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            wait_s = _after_s(answer)
            raise Throttled(f"{self.name} asks to be left alone for {wait_s} s (HTTP {status})", wait_s)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Unreachable(f"{self.name} lets us in no more (HTTP {status}): see its token and contact")
        if status not in self._known.read:
            raise Unreachable(f"{self.name} answers HTTP {status}")

    def _plain(self, text: str) -> str:
        return text[:200] if self._token is None else text.replace(self._token, "***")[:200]

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Sealed(httpx.BaseTransport):
    """Puts a token into each request on its way out: what is logged and raised above holds the request without it."""

    def __init__(self, way: httpx.BaseTransport, place: TokenPlace, token: str) -> None:
        self._way, self._place, self._token = way, place, token

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, headers = request.url, request.headers.copy()
        if self._place.where == "query":
            url = url.copy_merge_params({self._place.name: self._token})
        else:
            headers[self._place.name] = self._token
        sealed = httpx.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        return self._way.handle_request(sealed)

    def close(self) -> None:
        self._way.close()


def _fresh_s(answer: httpx.Response) -> int:
    """Return for how long an answer holds: by its own two clocks, so that ours may be another; a day at most."""
    expires, date = (_moment(answer.headers.get(name)) for name in ("expires", "date"))
    control = answer.headers.get("cache-control", "")
    for word in control.split(","):
        name, _, value = word.strip().partition("=")
        if name.lower() == "max-age" and value.isdigit():
            return min(int(value[:9]), LONGEST_WAIT_S)
    if expires is None or date is None:
        return 0
    return max(0, min(int((expires - date).total_seconds()), LONGEST_WAIT_S))


def _after_s(answer: httpx.Response) -> int:
    told, date = answer.headers.get("retry-after", ""), _moment(answer.headers.get("date"))
    if told.isdigit():
        return max(1, min(int(told[:9]), LONGEST_WAIT_S))
    until = _moment(told)
    if until is None or date is None:
        return USUAL_WAIT_S
    return max(1, min(int((until - date).total_seconds()), LONGEST_WAIT_S))


def _moment(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and found.tzinfo is not None else None
