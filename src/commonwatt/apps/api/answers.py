"""Answers as bytes: our own nouns as JSON, an ETag over them, and pages that go on where the last ended."""

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Query, Request, Response

from commonwatt.apps.community import Community
from commonwatt.identity.seat import Seat
from commonwatt.model import InvalidValue

T = TypeVar("T")
MOST_A_PAGE = 500
FRESH_S = 5
_MOST_KEPT = 20_000
_JSON = msgspec.json.Encoder()
_CURSOR = r"b(?:0|[1-9a-f][0-9a-f]{0,14})"
Cursor = Annotated[
    str | None, Query(pattern=f"^(?:{_CURSOR})?$", description="What the page before gave as `next`; none: the first.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of many, the newest first.

    Args:
        as_of_s: As of when, by the log's time, seconds since 1970.
        items: At most as many as were asked for.
        next: Asks for those after them as ``cursor``; None where these are the last.
    """

    as_of_s: int
    items: Sequence[T]
    next: str | None


def page(as_of_s: int, items: Sequence[T], limit: int, place: int | None) -> Page[T]:
    """Return a page.

    Args:
        as_of_s: As of when.
        items: What was found, of at most `limit`.
        limit: How many were asked for.
        place: Of the last item; what comes next lies before it.
    """
    more = len(items) >= limit and place is not None
    return Page(as_of_s=as_of_s, items=items, next=write_cursor(place) if more and place is not None else None)


def write_cursor(place: int) -> str:
    """Return a place as a cursor; what is in it is nobody's business but ours."""
    return f"b{place:x}"


def read_cursor(cursor: str | None) -> int | None:
    """Return the place before which a page begins; None from the newest on.

    Raises:
        InvalidValue: It is no cursor of ours.
    """
    if not cursor:
        return None
    if not re.fullmatch(_CURSOR, cursor):
        raise InvalidValue(f"a cursor is what the page before gave as next, was {cursor[:40]!r}")
    return int(cursor[1:], 16)


def answer(request: Request, value: object, *, private: bool = True, status: int = 200) -> Response:
    """Return a value as JSON; 304 where who asks has just this already.

    Args:
        request: What was asked.
        value: A dataclass, a struct, or what is made of them.
        private: Whether nobody in between may keep it.
        status: Of HTTP.
    """
    content = _JSON.encode(value)
    return _answer(request, content, _tag(content), private=private, status=status)


class Kept:
    """Answers that were made already, as long as the log has not grown: of many who look, the first one pays.

    What depends on the time alone, as what comes next, is at most `FRESH_S` old in them.

    Args:
        now_s: A steady clock; the log's own may run fast.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._as_of = (-1, -1)
        self._made: dict[Hashable, tuple[bytes, str]] = {}

    def answer(
        self,
        request: Request,
        community: Community,
        seat: Seat | None,
        make: Callable[[], object],
    ) -> Response:
        """Return what `make` returns as JSON, made anew only where it has to be.

        Args:
            request: What was asked: its path tells answers apart. What a query says beside is nobody's question: a
                route that has parameters there is not answered from here.
            community: With whose log they grow old.
            seat: For whom it is; None where everybody is answered alike.
            make: Makes the value; it is not asked where the same was made already for the same seat.
        """
        as_of = community.size, int(self._now_s() // FRESH_S)
        if as_of != self._as_of or len(self._made) >= _MOST_KEPT:
            self._as_of, self._made = as_of, {}
        key = seat, request.url.path
        made = self._made.get(key)
        if made is None:
            content = _JSON.encode(make())
            made = self._made[key] = content, _tag(content)
        return _answer(request, *made, private=seat is not None)


def _answer(request: Request, content: bytes, tag: str, *, private: bool, status: int = 200) -> Response:
    headers = {"ETag": tag, "Cache-Control": "private, no-cache" if private else "public, no-cache"}
    if private:
        headers["Vary"] = "Cookie, Authorization"
    if request.method in ("GET", "HEAD") and _matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, status_code=status, media_type="application/json", headers=headers)


def _tag(content: bytes) -> str:
    return f'"{blake2b(content, digest_size=12).hexdigest()}"'


def _matches(asked: str, tag: str) -> bool:
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in asked.split(","))
