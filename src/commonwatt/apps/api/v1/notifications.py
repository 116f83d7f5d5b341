"""Where and how somebody is told what happens, over HTTP: channels, programs' webhooks, wishes, and what was told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from starlette.requests import HTTPConnection

from commonwatt.adapters.notices.outward import check_url
from commonwatt.adapters.notices.web_push import check_subscription
from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.gate import AtGate, FromWhere, SomebodyThere
from commonwatt.apps.api.guard import There, allows
from commonwatt.apps.api.problems import Problem, missing
from commonwatt.apps.noticing import Noticing
from commonwatt.apps.web.words import LANGUAGES, language_of
from commonwatt.flows.entrance import sitting as sittings
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import ENROLLING, Where
from commonwatt.flows.entrance.sitting import Sitting
from commonwatt.flows.notices import channels, telling
from commonwatt.flows.notices.records import CHOSEN, Channel, Fate, Topic, Way, Wishes
from commonwatt.identity.access import Action
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import InvalidValue, Refused, zone_of

router = APIRouter(prefix="/me", tags=["notifications"])
_SELF = allows(Action.MANAGE_SELF)
_HEAR = allows(Action.HEAR_NOTICES)
MOST_TOLD = 50
_Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]
_Label = Annotated[str, Field(min_length=1, max_length=100, examples=["phone"])]
_Url = Annotated[str, Field(max_length=2_048, examples=["https://hooks.example/commonwatt"])]


@dataclass(frozen=True, kw_only=True)
class ChannelShown:
    """Where somebody is told, without secrets; times in seconds since 1970, ``wrong`` says why the last try failed."""

    id: str
    way: Way
    label: str
    address: str
    made_s: int
    last_s: int | None
    wrong: str


@dataclass(frozen=True, kw_only=True)
class Offered:
    """By which ways this community tells people: a browser's subscribing key, whose mail and which homes."""

    push_key: str
    mail: bool
    addresses: list[str]
    homes: list[str]


@dataclass(frozen=True, kw_only=True)
class BrowserWanted:
    """What a browser's push subscription says, and what to call it."""

    endpoint: _Url
    p256dh: Annotated[str, Field(max_length=200)]
    auth: Annotated[str, Field(max_length=100)]
    label: _Label = "browser"


@dataclass(frozen=True, kw_only=True)
class MailWanted:
    """To which of one's own addresses; see ``PUT /me/addresses``."""

    address: Annotated[str, Field(max_length=254, examples=["anna@sun.example"])]


@dataclass(frozen=True, kw_only=True)
class HomeWanted:
    """Whose home: one of those that are offered."""

    account: Annotated[str, Field(max_length=100, examples=["member-05"])]


@dataclass(frozen=True, kw_only=True)
class WebhookWanted:
    """Where a program listens, over HTTPS and at a public address, and what to call it."""

    url: _Url
    label: _Label = "program"


@dataclass(frozen=True, kw_only=True)
class WebhookMade:
    """A program's channel, with the secret by which it knows that it was us: shown once."""

    secret: str
    channel: ChannelShown


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """From when until when nothing comes, as a clock on the wall shows it."""

    begin: _Clock
    end: _Clock


@dataclass(frozen=True, kw_only=True)
class WishesTold:
    """How somebody wants to be told; an empty zone is the community's. What is urgent comes through quiet hours."""

    language: Annotated[str, Field(examples=["en"])] = "en"
    zone: Annotated[str, Field(max_length=64, examples=["Europe/London"])] = ""
    quiet: Quiet | None = None
    off: list[Topic] = field(default_factory=list)
    through: list[Topic] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class FateShown:
    """What became of a notice on one channel."""

    channel: str
    fate: Fate
    tries: int
    wrong: str


@dataclass(frozen=True, kw_only=True)
class ToldShown:
    """What somebody was told; `facts` as programs get them."""

    id: str
    topic: Topic
    account: str | None
    at_s: int
    noted_s: int
    facts: dict[str, str | int]
    fates: Sequence[FateShown]


async def noticing_of(connection: HTTPConnection) -> Noticing:
    """Return what tells people.

    Raises:
        Problem: Nobody is told of anything here.
    """
    found: Noticing | None = getattr(connection.app.state, "noticing", None)
    if found is None or found.ways is None:
        raise Problem(HTTPStatus.CONFLICT, "nobody is told of anything here")
    return found


Tells = Annotated[Noticing, Depends(noticing_of)]


@router.get("/notifications", response_model=list[ToldShown], summary="What I was told", **_SELF)
async def told(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """The newest first, and what became of it on each channel."""
    found = telling.fates_of(gate.hall.people, here.person.id, MOST_TOLD)
    return answer(
        request,
        [
            ToldShown(
                id=one.id,
                topic=one.topic,
                account=one.account,
                at_s=one.at_s,
                noted_s=one.noted_s,
                facts=one.facts,
                fates=[
                    FateShown(channel=each.channel, fate=each.fate, tries=each.tries, wrong=each.wrong)
                    for each in parcels
                ],
            )
            for one, parcels in found
        ],
    )


@router.get("/notifications/offered", response_model=Offered, summary="How I can be told here", **_SELF)
async def offered(request: Request, tells: Tells, here: SomebodyThere) -> Response:
    """Ways that are open here; programs and browsers always are."""
    assert tells.ways is not None
    homes = [str(one) for one in sorted(tells.ways.homes & _accounts(here))]
    mail = tells.ways.mail is not None
    shown = Offered(push_key=tells.ways.push_key, mail=mail, addresses=list(here.person.addresses), homes=homes)
    return answer(request, shown)


@router.get("/notifications/wishes", response_model=WishesTold, summary="How I want to be told", **_SELF)
async def wishes(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """Language, quiet hours, and of what."""
    known = gate.hall.people.wishes.get(here.person.id)
    return answer(request, _wishes(known or Wishes(person=here.person.id, language=_spoken(request))))


@router.put("/notifications/wishes", response_model=WishesTold, summary="Say how I want to be told", **_SELF)
async def set_wishes(request: Request, gate: AtGate, here: SomebodyThere, told: WishesTold) -> Response:
    """In place of what was wished before."""
    _need_lasting(here)
    if told.language not in LANGUAGES:
        raise InvalidValue(f"the app speaks {', '.join(LANGUAGES)}, was {told.language[:20]!r}")
    if told.zone:
        zone_of(told.zone)
    made = Wishes(
        person=here.person.id,
        language=told.language,
        zone=told.zone,
        quiet=None if told.quiet is None else (_minute(told.quiet.begin), _minute(told.quiet.end)),
        off=frozenset(told.off) & frozenset(CHOSEN),
        through=frozenset(told.through) & frozenset(CHOSEN),
    )
    gate.hall.people.wishes.put(made)
    return answer(request, _wishes(made))


@router.get("/channels", response_model=list[ChannelShown], summary="Where I am told", **_SELF)
async def all_channels(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """All channels, programs' too."""
    return answer(request, [_shown(one) for one in channels.of(gate.hall.people, here)])


@router.post("/channels/push", response_model=ChannelShown, status_code=201, summary="Be told in this browser", **_SELF)
async def add_browser(
    request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, community: There, _: Tells,
    told: BrowserWanted,
) -> Response:  # fmt: skip
    """That subscribed with the key that is offered."""
    keys = check_subscription(told.endpoint, told.p256dh, told.auth)
    made = _add(gate.hall, here, where, request, community.told_s, Way.WEB_PUSH, told.endpoint, told.label, keys)
    return answer(request, _shown(made), status=201)


@router.post("/channels/mail", response_model=ChannelShown, status_code=201, summary="Be told by mail", **_SELF)
async def add_mail(
    request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, community: There, tells: Tells,
    told: MailWanted,
) -> Response:  # fmt: skip
    """At an address where one's letters go already."""
    assert tells.ways is not None
    if tells.ways.mail is None:
        raise Refused("mail leaves where a mail server is set up")
    if told.address not in here.person.addresses:
        raise Refused("mail goes to one's own addresses for letters", address=told.address[:80])
    made = _add(gate.hall, here, where, request, community.told_s, Way.MAIL, told.address, told.address[:100])
    return answer(request, _shown(made), status=201)


@router.post("/channels/home-assistant", response_model=ChannelShown, status_code=201,
             summary="Be told in my Home Assistant", **_SELF)  # fmt: skip
async def add_home(
    request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, community: There, tells: Tells,
    told: HomeWanted,
) -> Response:  # fmt: skip
    """Of a home of one's own, whose broker the operator set up."""
    assert tells.ways is not None
    if told.account not in tells.ways.homes & _accounts(here):
        raise missing("there is such a home, with a broker", told.account)
    made = _add(gate.hall, here, where, request, community.told_s, Way.HOME_ASSISTANT, told.account, "Home Assistant")
    return answer(request, _shown(made), status=201)


@router.delete("/channels/{id}", status_code=204, summary="Be told no more somewhere", **_SELF)
async def remove(gate: AtGate, where: FromWhere, here: SomebodyThere, id: str) -> Response:
    """Also what is on its way there."""
    _remove(gate.hall, here, where, id)
    return Response(status_code=204)


@router.post("/channels/{id}/try", status_code=204, summary="Send me one now", **_SELF)
async def try_one(gate: AtGate, here: SomebodyThere, connection: Request, id: str) -> Response:
    """Whether it arrives is seen there, and in the list of channels."""
    channel = _one(gate.hall, here, id)
    (await noticing_of(connection)).try_now(channel)
    return Response(status_code=204)


@router.get("/webhooks", response_model=list[ChannelShown], summary="Where my programs are told", **_HEAR)
async def webhooks(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """To a program, those that it made itself."""
    found = channels.of(gate.hall.people, here)
    return answer(request, [_shown(one) for one in found if one.way is Way.WEBHOOK])


@router.post("/webhooks", response_model=WebhookMade, status_code=201, summary="Have a program told", **_HEAR)
async def add_webhook(
    request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, community: There, _: Tells,
    told: WebhookWanted,
) -> Response:  # fmt: skip
    """By signed posts, as Standard Webhooks has them; what a token made ends with it, and hears of its role alone."""
    check_url(told.url)
    _need_fresh(gate.hall, here)
    made = _add(gate.hall, here, where, request, community.told_s, Way.WEBHOOK, told.url, told.label)
    return answer(request, WebhookMade(secret=made.secrets[0], channel=_shown(made)), status=201)


@router.delete("/webhooks/{id}", status_code=204, summary="Have a program told no more", **_HEAR)
async def remove_webhook(gate: AtGate, where: FromWhere, here: SomebodyThere, id: str) -> Response:
    """Also of what is on its way."""
    if _one(gate.hall, here, id).way is not Way.WEBHOOK:
        raise missing("there is such a channel", id)
    _remove(gate.hall, here, where, id)
    return Response(status_code=204)


@router.post("/webhooks/{id}/secret", response_model=WebhookMade, summary="Make a new secret", **_HEAR)
async def rotate(request: Request, gate: AtGate, here: SomebodyThere, id: str) -> Response:
    """What is sent is signed with the one before, too, for a day."""
    _need_fresh(gate.hall, here)
    changed = channels.rotate(gate.hall.people, _one(gate.hall, here, id), gate.hall.now_s())
    return answer(request, WebhookMade(secret=changed.secrets[0], channel=_shown(changed)))


def _add(
    hall: Hall,
    here: Sitting,
    where: Where,
    request: Request,
    log_s: int,
    way: Way,
    address: str,
    label: str,
    keys: Sequence[str] = (),
) -> Channel:
    _need_lasting(here)
    with hall.people.together():
        if hall.people.wishes.get(here.person.id) is None:
            # Until they wish otherwise, they are told in the language in which they asked for it.
            hall.people.wishes.put(Wishes(person=here.person.id, language=_spoken(request)))
        made = channels.add(hall.people, here, way, address, label, keys, now_s=hall.now_s(), log_s=log_s)
        hall.note(Happened.CHANNEL_ADDED, here.person.id, where, way=way.value, label=label)
    return made


def _remove(hall: Hall, here: Sitting, where: Where, id: str) -> None:
    channel = _one(hall, here, id)
    with hall.people.together():
        channels.remove(hall.people, channel)
        hall.note(Happened.CHANNEL_REMOVED, here.person.id, where, way=channel.way.value, label=channel.label)


def _one(hall: Hall, here: Sitting, id: str) -> Channel:
    found = channels.one_of(hall.people, here, id)
    if found is None:
        raise missing("there is such a channel", id)
    return found


def _need_fresh(hall: Hall, here: Sitting) -> None:
    """Refuse a screen that was left open: a program that listens hears for ever. One with a token proved itself."""
    if here.token is None:
        sittings.need_fresh(hall, here, lasting_way=True)


def _need_lasting(here: Sitting) -> None:
    """Refuse who is only about to set up how they come in: a printed code on a desk opens no ear into a home."""
    if here.session is not None and here.session.way in ENROLLING:
        raise Refused("first a lasting way in is set up")


def _accounts(here: Sitting) -> frozenset[str]:
    person = here.person
    return frozenset(str(person.places[place].account) for place in person.standing())


def _spoken(request: Request) -> str:
    return language_of(request.cookies.get("cw_language"), request.headers.get("accept-language", ""))


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _wishes(one: Wishes) -> WishesTold:
    quiet = None
    if one.quiet is not None:
        begin, end = (f"{at // 60:02}:{at % 60:02}" for at in one.quiet)
        quiet = Quiet(begin=begin, end=end)
    return WishesTold(
        language=one.language, zone=one.zone, quiet=quiet, off=sorted(one.off), through=sorted(one.through)
    )


def _shown(one: Channel) -> ChannelShown:
    address = one.address if one.way is not Way.WEB_PUSH else ""
    return ChannelShown(
        id=one.id,
        way=one.way,
        label=one.label,
        address=address,
        made_s=one.made_s,
        last_s=one.last_s,
        wrong=one.wrong,
    )
