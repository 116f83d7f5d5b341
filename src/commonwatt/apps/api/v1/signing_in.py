"""Come in and leave, over HTTP: by passkey, wallet, password with code, organisation, printed code, invitation.

A way that asks the browser something first gives it a sealed note of what was asked (a cookie), which the second step
opens once. Whatever is wrong, the answer is the same 401; who fails often gets 429 with the seconds to wait.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.api.examples import PASSKEY
from commonwatt.apps.api.gate import (
    AtGate,
    FromWhere,
    Gate,
    SomebodyThere,
    ceremony_of,
    drop_session,
    keep_browser,
    keep_ceremony,
    keep_session,
)
from commonwatt.apps.api.guard import Seated, allows
from commonwatt.apps.api.problems import missing
from commonwatt.apps.api.returning import on_this_site
from commonwatt.flows.entrance import coming_in, enrolling, inviting, recovering
from commonwatt.flows.entrance import sitting as sittings
from commonwatt.flows.entrance.records import Person, Way, Where
from commonwatt.flows.entrance.sitting import Sitting
from commonwatt.identity.access import Action
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.secret import new_secret
from commonwatt.model import AccountId

router = APIRouter(prefix="/sign-in", tags=["signing in"])
_OPEN = allows(Action.SIGN_IN)
_SELF = allows(Action.MANAGE_SELF)
_Answered = Annotated[dict[str, Any], Body(openapi_examples=PASSKEY)]
BACK = "/api/v1/sign-in/organisation/back"


@dataclass(frozen=True, kw_only=True)
class SeatShown:
    """Who sits there: a person in one role, and which other roles they can take.

    Args:
        person: Their name; empty for the public.
        role: As what.
        account: For which account.
        zones: About which zones; empty for all.
        scopes: To what they are narrowed, see the guide; none where to nothing.
        place: The number of this role among theirs; none for the public.
        places: Their roles by number.
    """

    person: str
    role: Role
    account: AccountId | None
    zones: tuple[str, ...]
    scopes: tuple[str, ...] | None
    place: int | None = None
    places: dict[int, str]


@dataclass(frozen=True, kw_only=True)
class WithPassword:
    """A name, a password, and the six digits that the authenticator shows."""

    name: str
    password: str
    code: str


@dataclass(frozen=True, kw_only=True)
class WithPrintedCode:
    """A name, and one of the codes that were printed."""

    name: str
    code: str


@dataclass(frozen=True, kw_only=True)
class WalletAddress:
    """A wallet's address: 0x and 40 hex digits."""

    address: Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]


@dataclass(frozen=True, kw_only=True)
class WithWallet:
    """The message of EIP-4361 as it was given, and the wallet's signature, 65 bytes hex."""

    message: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class WithSecret:
    """What somebody was handed: an invitation, a recovery's secret, or what a letter says."""

    secret: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class TakePlace:
    """The number of the role to go on in."""

    place: Annotated[int, Field(strict=True, ge=0)]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a browser is to do: options for its passkeys, a message for a wallet, or a link to follow."""

    options: dict[str, Any] | None = None
    message: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class InvitedTo:
    """What an invitation is for."""

    role: Role
    account: AccountId | None
    zones: tuple[str, ...]
    until_s: int


@router.get("", response_model=SeatShown, summary="Who sits there", **_OPEN)
async def who(request: Request, gate: AtGate, seat: Seated) -> Response:
    """The public, where nobody is signed in."""
    return answer(request, shown(seat, gate.sitting(request)))


@router.post("/password", response_model=SeatShown, summary="Come in with name, password and code", **_OPEN)
async def password(request: Request, gate: AtGate, where: FromWhere, told: WithPassword) -> Response:
    """Wrong names, passwords and codes are answered alike, and as slowly."""
    person = await coming_in.with_password(gate.hall, told.name, told.password, told.code, where)
    return let_in(request, gate, person, Way.PASSWORD, where)


@router.post("/passkey/begin", response_model=Asked, summary="Ask for what a passkey is to sign", **_OPEN)
async def passkey_begin(request: Request, gate: AtGate) -> Response:
    """Options for `navigator.credentials.get`."""
    options, sealed = coming_in.begin_passkey(gate.hall)
    return keep_ceremony(answer(request, Asked(options=dict(options))), sealed)


@router.post("/passkey", response_model=SeatShown, summary="Come in with a passkey", **_OPEN)
async def passkey(request: Request, gate: AtGate, where: FromWhere, told: _Answered) -> Response:
    """The answer of `navigator.credentials.get`, as JSON."""
    person = coming_in.with_passkey(gate.hall, ceremony_of(request), told, where)
    return let_in(request, gate, person, Way.PASSKEY, where)


@router.post("/wallet/begin", response_model=Asked, summary="Ask for what a wallet is to sign", **_OPEN)
async def wallet_begin(request: Request, gate: AtGate, told: WalletAddress) -> Response:
    """A message of EIP-4361."""
    message, sealed = coming_in.begin_wallet(gate.hall, told.address)
    return keep_ceremony(answer(request, Asked(message=message)), sealed)


@router.post("/wallet", response_model=SeatShown, summary="Come in with a wallet", **_OPEN)
async def wallet(request: Request, gate: AtGate, where: FromWhere, told: WithWallet) -> Response:
    """The message as it was given, signed."""
    person = coming_in.with_wallet(gate.hall, ceremony_of(request), told.message, told.signature, where)
    return let_in(request, gate, person, Way.WALLET, where)


@router.post("/printed-code", response_model=SeatShown, summary="Come in with a printed code", **_OPEN)
async def printed_code(request: Request, gate: AtGate, where: FromWhere, told: WithPrintedCode) -> Response:
    """Good once, and good to set up a lasting way in."""
    person = coming_in.with_printed_code(gate.hall, told.name, told.code, where)
    return let_in(request, gate, person, Way.PRINTED_CODE, where)


@router.post("/recovery", response_model=SeatShown, summary="Come in at the end of a recovery", **_OPEN)
async def recovery(request: Request, gate: AtGate, where: FromWhere, told: WithSecret) -> Response:
    """Good once, after a week in which nobody said no, and good to set up a lasting way in."""
    person = recovering.with_recovery(gate.hall, told.secret, where)
    return let_in(request, gate, person, Way.RECOVERY, where)


@router.post("/recovery/veto", status_code=204, summary="Say no to a recovery, from its letter", **_OPEN)
async def veto(gate: AtGate, where: FromWhere, told: WithSecret) -> Response:
    """Nobody needs to be signed in for this."""
    recovering.veto_by_letter(gate.hall, told.secret, where)
    return Response(status_code=204)


@router.post("/invitation/look", response_model=InvitedTo, summary="What an invitation is for", **_OPEN)
async def invitation_look(request: Request, gate: AtGate, told: WithSecret) -> Response:
    """Before somebody says yes."""
    kept = inviting.look(gate.hall, told.secret)
    return answer(request, InvitedTo(role=kept.role, account=kept.account, zones=kept.zones, until_s=kept.until_s))


@router.post("/invitation", response_model=SeatShown, summary="Join by an invitation", **_OPEN)
async def invitation(request: Request, gate: AtGate, where: FromWhere, told: WithSecret) -> Response:
    """Good once: opens a session that is good to set up a way in; who is signed in has one role more."""
    here = gate.sitting(request)
    person = inviting.accept(gate.hall, told.secret, told.name, where, here.person if here else None)
    if here is not None:
        return answer(request, shown(here.seat, gate.sitting(request)))
    return let_in(request, gate, person, Way.INVITATION, where)


@router.get("/organisations", response_model=list[str], summary="Whose people may come in by their own", **_OPEN)
async def organisations(request: Request, gate: AtGate) -> Response:
    """Names for `POST /sign-in/organisation/{name}`."""
    return answer(request, sorted(gate.organisations), private=False)


@router.post("/organisation/{name}", response_model=Asked, summary="Leave for an organisation's sign-in", **_OPEN)
async def organisation(request: Request, gate: AtGate, name: str, next: str = "/", link: bool = False) -> Response:
    """A link to follow. With `link`, who is signed in sets it up as a way in."""
    known = gate.organisations.get(name)
    if known is None or gate.directories is None:
        raise missing("an organisation is one of those that are known", name)
    here = gate.sitting(request) if link else None
    if link and here is not None:
        sittings.need_fresh(gate.hall, here)
    back = f"{gate.hall.site.origin}{BACK}"
    linking = here.person.id if here else ""
    url, sealed = await coming_in.leave_for(gate.hall, gate.directories, known, back, on_this_site(next), linking)
    return keep_ceremony(answer(request, Asked(url=url)), sealed)


@router.get("/organisation/back", status_code=303, summary="Come back from an organisation", **_OPEN)
async def organisation_back(request: Request, gate: AtGate, where: FromWhere) -> Response:
    """Browsers come here by themselves, and go on to where somebody wanted to go."""
    if gate.directories is None:
        raise missing("an organisation is one of those that are known", "organisation")
    arrived = await coming_in.arrive(
        gate.hall, gate.directories, gate.organisations, ceremony_of(request), dict(request.query_params), where
    )
    response = RedirectResponse(on_this_site(arrived.after), status_code=303)
    if not arrived.linking:
        person = coming_in.with_organisation(gate.hall, arrived, where)
        secret, browser = open_session(request, gate, person, Way.ORGANISATION, where)
        return keep_browser(keep_session(response, secret), browser)
    here = gate.sitting(request)
    if here is None:
        raise missing("who comes back is still signed in", "session")
    done = enrolling.link_organisation(gate.hall, here, arrived, where)
    return keep_session(response, done.secret) if done.secret else response


@router.put("/place", response_model=SeatShown, summary="Go on in another role", **_SELF)
async def place(request: Request, gate: AtGate, here: SomebodyThere, told: TakePlace) -> Response:
    """The session's secret changes with it."""
    secret = sittings.take_place(gate.hall, here, told.place)
    found = sittings.sit(gate.hall, secret, Where(address=here.session.address if here.session else ""))
    assert found is not None
    return keep_session(answer(request, shown(found.seat, found)), secret)


@router.delete("", status_code=204, summary="Leave", **_SELF)
async def leave(gate: AtGate, where: FromWhere, here: SomebodyThere) -> Response:
    """Ends this session."""
    sittings.sign_out(gate.hall, here, where)
    return drop_session(Response(status_code=204))


def let_in(request: Request, gate: Gate, person: Person, way: Way, where: Where) -> Response:
    """Open a session in place of the one that the browser had, and answer with who sits there."""
    secret, browser = open_session(request, gate, person, way, where)
    found = sittings.sit(gate.hall, secret, where)
    assert found is not None
    return keep_browser(keep_session(answer(request, shown(found.seat, found)), secret), browser)


def open_session(request: Request, gate: Gate, person: Person, way: Way, where: Where) -> tuple[str, str]:
    """Open a session in place of the one that the browser had; return its secret, and by what the browser is known."""
    browser = new_secret()
    return sittings.sign_in(gate.hall, person, way, where, request.cookies.get(SESSION), browser=browser), browser


def shown(seat: Seat, here: Sitting | None) -> SeatShown:
    """Return who sits there, as it is told."""
    told = here.session or here.token if here else None
    places = {number: here.person.places[number] for number in here.person.standing()} if here else {}
    return SeatShown(
        person=seat.person,
        role=seat.role,
        account=seat.account,
        zones=seat.zones,
        scopes=seat.scopes,
        place=told.place if told else None,
        places={number: f"{one.role.value} {one.account or ''}".strip() for number, one in places.items()},
    )
