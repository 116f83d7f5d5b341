"""A member's calendar over HTTP: its secret address, and what stands there."""

from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from commonwatt.apps import feeds
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.guard import Seated, There, allows
from commonwatt.apps.api.problems import missing
from commonwatt.apps.views import alarms
from commonwatt.apps.web.feed import as_ics
from commonwatt.apps.web.words import Place, Words, language_of
from commonwatt.identity.access import Action

router = APIRouter(tags=["calendar"])


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMade:
    """Where one's calendar is from now on; shown once, kept nowhere."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedShown:
    """When the address of one's calendar was made, seconds since 1970; None where there is none."""

    made_s: int | None


@router.get("/me/feed", response_model=FeedShown, summary="My calendar's address", **allows(Action.MANAGE_SELF))
async def shown(request: Request, community: There, seat: Seated) -> Response:
    """Whether there is one; the address itself is not kept."""
    return answer(request, FeedShown(made_s=feeds.made_s(community, seat)))


@router.post("/me/feed", response_model=FeedMade, status_code=201, summary="Make a secret address for my calendar",
             **allows(Action.MANAGE_SELF))  # fmt: skip
async def make(request: Request, community: There, seat: Seated) -> Response:
    """The one before is good no more."""
    return answer(request, FeedMade(path=feeds.make(community, seat)), status=201)


@router.delete("/me/feed", status_code=204, summary="Revoke my calendar's address", **allows(Action.MANAGE_SELF))
async def revoke(community: There, seat: Seated) -> Response:
    """From the next look on there is nothing there."""
    if not feeds.revoke(community, seat):
        raise missing("there is such an address", "feed")
    return Response(status_code=204)


@router.get("/feeds/{secret}.ics", response_class=Response, summary="A calendar at its secret address",
            responses={200: {"content": {"text/calendar": {}}}}, **allows(Action.READ_FEED))  # fmt: skip
async def read(
    request: Request, community: There, secret: str, language: Annotated[str | None, Query(max_length=5)] = None
) -> Response:
    """Plans, departures, deadlines and visits of a member, in a language of the app; the address is the right."""
    account, diaries = feeds.read(community, secret)
    book = community.foresight.latest  # a calendar that waits for a day's book would wait for nothing, most days
    visits = [] if book is None else alarms.visits(community, account, book)
    place = Place(name=community.name, zone=ZoneInfo(community.state.charter.timezone))
    spoken = language_of(language, request.headers.get("accept-language", ""))
    # Whatever stands between must not keep it: a revoked address is empty at once.
    headers = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}
    content = as_ics(Words(spoken, place), diaries, visits)
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)
