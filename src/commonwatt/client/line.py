"""The line to a community's API: asks again where that is safe, keeps what has not changed, and says no as a rule."""

import random
import secrets
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from commonwatt.model import Corrupt, InvalidValue, Refused, Unreachable

T = TypeVar("T")
PREFIX = "/api/v1"
WITHIN_S = 30.0
TRIES = 5
"""How often the same is asked at most, where asking again is safe."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
MOST_KEPT = 256
"""Answers that are kept with their tag; who was asked for longest ago is forgotten first."""
_NOT_NOW = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class AnswerIsNo(Refused):
    """The API said no, and which rule, about what, and what was found.

    Args:
        rule: The rule in words.
        status: Of HTTP.
        thing: What it is about; empty where that is plain.
        **found: What was found, by name.
    """

    def __init__(self, rule: str, *, status: HTTPStatus, thing: str = "", **found: object) -> None:
        self.status, self.thing = status, thing
        super().__init__(rule, **({"thing": thing} if thing and thing not in found.values() else {}), **found)


class Line:
    """One community's API at one address; of one thread at a time.

    Args:
        url: Where the app is, such as `https://localhost:8443`.
        token: A program's token; the public asks without one.
        ca: The authority to believe beside those of this machine: a site's own lies in its folder's tls/.
        within_s: How long to wait for an answer.
        transport: Carries requests in place of a socket.
        pause: Waits some seconds.

    Raises:
        Refused: The address is none, or a token would be sent in the open to another machine.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        ca: Path | None = None,
        within_s: float = WITHIN_S,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        where = urlsplit(url)
        if where.scheme not in ("http", "https") or not where.hostname:
            raise Refused("an app is at an address like https://localhost:8443", found=url)
        if token and where.scheme == "http" and where.hostname not in _HERE:
            raise Refused("a token goes over TLS, or to this machine", found=url)
        headers = {"Accept": "application/json", "User-Agent": "commonwatt-client"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        else:  # a session's cookie, where one signs in, is taken from this site alone
            headers["Origin"] = f"{where.scheme}://{where.netloc}"
        self._pause = pause
        self._kept: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._http = httpx.Client(
            base_url=url.rstrip("/"), headers=headers, timeout=within_s, transport=transport, verify=_trusting(ca)
        )

    def call(
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        query: Mapping[str, Any] | None = None,
        told: object = None,
        key: str | None = None,
    ) -> T:
        """Ask, and return the answer in its shape.

        Args:
            method: Of HTTP.
            path: Below the API's, with its parts quoted, see `part`.
            shape: Of the answer; `bytes` for it as it came, None where there is none.
            query: By name; None is left out.
            told: What is sent as JSON.
            key: The idempotency key, under which a write may be asked for again.

        Raises:
            AnswerIsNo: Which rule says so.
            Unreachable: There was no answer; what was asked may have been done all the same, unless it only read.
            Corrupt: The answer is none of this API's.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        content: bytes | None = None
        if told is not None:
            content = msgspec.json.encode(told)
            headers["Content-Type"] = "application/json"
        answered = self._ask(method, path, _query(query), content, headers, again=method == "GET" or key is not None)
        return _decoded(answered, shape)

    def hand_in(self, path: str, content: bytes, media_type: str, shape: type[T]) -> T:
        """Hand in signed requests; the same bytes again get the first outcome, so they may be sent again.

        Raises:
            AnswerIsNo, Unreachable, Corrupt: As in `call`.
        """
        return _decoded(self._ask("POST", path, {}, content, {"Content-Type": media_type}, again=True), shape)

    def pieces(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        """Yield a long answer piece by piece; it is not asked for again once it has begun.

        Raises:
            AnswerIsNo, Unreachable: As in `call`.
        """
        try:
            with self._http.stream("GET", PREFIX + path, params=_query(query)) as answered:
                if answered.is_error:
                    answered.read()
                    raise problem(answered)
                yield from answered.iter_bytes()
        except httpx.TransportError as error:
            raise _unreachable(error) from error

    def lines(self, path: str, within_s: float) -> Iterator[str]:
        """Yield the lines of an answer that does not end by itself.

        Args:
            path: Below the API's.
            within_s: How long the line may be silent.

        Raises:
            AnswerIsNo, Unreachable: As in `call`.
        """
        quiet = httpx.Timeout(WITHIN_S, read=within_s)
        asked = {"Accept": "text/event-stream"}
        try:
            with self._http.stream("GET", PREFIX + path, headers=asked, timeout=quiet) as answered:
                if answered.is_error:
                    answered.read()
                    raise problem(answered)
                yield from answered.iter_lines()
        except httpx.TransportError as error:
            raise _unreachable(error) from error

    def wait(self, tried: int, least_s: float = 0.0) -> None:
        """Wait before the next try: longer each time, and not in step with others."""
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**tried)
        self._pause(max(least_s, longest_s * random.uniform(0.5, 1)))  # noqa: S311  nobody gains by guessing it

    def close(self) -> None:
        """Let go of the sockets."""
        self._http.close()

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        content: bytes | None,
        headers: dict[str, str],
        *,
        again: bool,
    ) -> httpx.Response:
        asked = self._http.build_request(method, PREFIX + path, params=query, content=content, headers=headers)
        kept = self._kept.get(str(asked.url)) if method == "GET" else None
        if kept is not None:
            asked.headers["If-None-Match"] = kept[0]
        for tried in range(TRIES):
            last = tried == TRIES - 1 or not again
            try:
                answered = self._http.send(asked)
            except httpx.ConnectError as error:  # nothing was sent, so even what is not asked twice may be
                if tried == TRIES - 1:
                    raise _unreachable(error) from error
                self.wait(tried)
                continue
            except httpx.TransportError as error:
                if last:
                    raise _unreachable(error) from error
                self.wait(tried)
                continue
            if answered.status_code not in _NOT_NOW or last:
                return self._keep(asked, answered)
            self.wait(tried, _asked_to_wait_s(answered))
        raise AssertionError("the last try returns or raises")

    def _keep(self, asked: httpx.Request, answered: httpx.Response) -> httpx.Response:
        """Return an answer, as it was kept where it has not changed; keep it for the next time where it has a tag."""
        url = str(asked.url)
        if answered.status_code == HTTPStatus.NOT_MODIFIED:
            self._kept.move_to_end(url)
            return httpx.Response(HTTPStatus.OK, content=self._kept[url][1], request=asked)
        if answered.is_error:
            raise problem(answered)
        if asked.method == "GET" and (tag := answered.headers.get("ETag")):
            self._kept[url] = tag, answered.content
            self._kept.move_to_end(url)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return answered


def part(value: object) -> str:
    """Return a value as one part of a path, whatever is in it.

    Raises:
        InvalidValue: It is nothing, or a dot that would lead elsewhere.
    """
    if (told := str(value)) in ("", ".", ".."):
        raise InvalidValue(f"what is asked for has a name, was {told!r}")
    return quote(told, safe="")


def new_key() -> str:
    """Return an idempotency key that nobody has used."""
    return secrets.token_urlsafe(18)


def problem(answered: httpx.Response) -> Exception:
    """Return an answer that is no as an error: the API's own by its rule, anybody else's by its status."""
    # Here, and not above: the shape is the API's own, which takes a second to load.
    from commonwatt.apps.api.problems import PROBLEM, ProblemBody  # noqa: PLC0415

    try:
        status = HTTPStatus(answered.status_code)
        if not answered.headers.get("Content-Type", "").startswith(PROBLEM):
            return AnswerIsNo("an app answers with a rule where it says no", status=status, says=status.phrase)
        told = msgspec.json.decode(answered.content, type=ProblemBody)
    except (msgspec.MsgspecError, ValueError) as error:
        return Corrupt(f"an answer cannot be read: status {answered.status_code}, {error}")
    found = {name: value for name, value in told.found.items() if name not in ("rule", "status", "thing")}
    return AnswerIsNo(told.rule, status=status, thing=told.thing, **found)


def _decoded(answered: httpx.Response, shape: type[T]) -> T:
    if shape is bytes:
        return answered.content  # type: ignore[return-value]  # the shape is bytes
    if shape is type(None):
        return None
    try:
        return msgspec.json.decode(answered.content, type=shape)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"an answer has another shape than the API's: {error}") from error


def _query(told: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (told or {}).items() if value is not None}


def _trusting(ca: Path | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    trusting = ssl.create_default_context()
    try:
        trusting.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Refused("an authority's certificate is a file of PEM", file=ca, found=error) from error
    return trusting


def _asked_to_wait_s(answered: httpx.Response) -> float:
    told = answered.headers.get("Retry-After", "")
    return min(float(told), 60.0) if told.isascii() and told.isdigit() else 0.0


def _unreachable(error: httpx.TransportError) -> Unreachable:
    return Unreachable(f"the app gave no answer: {error or type(error).__name__}")
