"""One's own access, over HTTP: ways in, sessions, tokens, notices, guardians, addresses, and a no to a recovery."""

from dataclasses import dataclass
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Request, Response
from pydantic import Field

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.gate import AtGate, FromWhere, SomebodyThere, ceremony_of, keep_ceremony, keep_session
from commonwatt.apps.api.guard import allows
from commonwatt.apps.api.problems import missing
from commonwatt.apps.api.v1.signing_in import Asked, WalletAddress
from commonwatt.flows.entrance import enrolling, placing, recovering, telling
from commonwatt.flows.entrance import sitting as sittings
from commonwatt.flows.entrance.enrolling import Enrolled
from commonwatt.flows.entrance.records import Credential, Session, Token, Way
from commonwatt.identity.access import Action, Scope
from commonwatt.identity.signing_in.recovery import Recovery, Stand

router = APIRouter(prefix="/me", tags=["my access"])
_SELF = allows(Action.MANAGE_SELF)


@dataclass(frozen=True, kw_only=True)
class WayShown:
    """A way in, without its secrets; times in seconds since 1970."""

    id: str
    way: Way
    label: str
    made_s: int
    used_s: int | None
    left: int | None
    """Of printed codes, how many are good still."""


@dataclass(frozen=True, kw_only=True)
class SessionShown:
    """Where somebody is signed in; ``here`` is the one that asks."""

    id: str
    way: Way
    device: str
    address: str
    made_s: int
    seen_s: int
    here: bool


@dataclass(frozen=True, kw_only=True)
class TokenShown:
    """A program's token, without its secret."""

    id: str
    label: str
    scopes: tuple[str, ...]
    made_s: int
    until_s: int
    seen_s: int | None


@dataclass(frozen=True, kw_only=True)
class TokenMade:
    """A new token, with its secret: shown once, kept nowhere."""

    secret: str
    token: TokenShown


@dataclass(frozen=True, kw_only=True)
class TokenWanted:
    """What a token is to be called, what for, and for how long in seconds, up to a year."""

    label: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    lasts_s: Annotated[int, Field(strict=True, ge=1, le=sittings.LONGEST_TOKEN_S)]


@dataclass(frozen=True, kw_only=True)
class PasswordBegun:
    """A secret for an authenticator app, the same as the URI that it reads from a picture, and that picture (SVG)."""

    secret: str
    uri: str
    picture: str


@dataclass(frozen=True, kw_only=True)
class PasswordWanted:
    """A new password, and the code that the new authenticator shows."""

    password: str
    code: str


@dataclass(frozen=True, kw_only=True)
class PasskeyMade:
    """The answer of `navigator.credentials.create`, and what to call it."""

    answer: dict[str, Any]
    label: str = "passkey"


@dataclass(frozen=True, kw_only=True)
class WalletSigned:
    """The message as it was given, the wallet's signature, and what to call it."""

    message: str
    signature: str
    label: str = "wallet"


@dataclass(frozen=True, kw_only=True)
class CodesPrinted:
    """New printed codes: shown once, kept nowhere."""

    codes: list[str]


@dataclass(frozen=True, kw_only=True)
class Names:
    """People by name."""

    names: list[str]


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where letters go."""

    addresses: list[str]


@dataclass(frozen=True, kw_only=True)
class NoticeShown:
    """What happened to one's own access."""

    id: str
    at_s: int
    what: str
    text: str
    about: str


@dataclass(frozen=True, kw_only=True)
class RecoveryShown:
    """A recovery: of whom, how far it is, and from when on it can be finished."""

    id: str
    person: str
    begun_s: int
    ripe_s: int
    agreed: bool
    stand: Stand


@router.get("/ways", response_model=list[WayShown], summary="My ways in", **_SELF)
async def ways(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """All of them, without secrets."""
    return answer(request, [_way(one) for one in gate.hall.ways_of(here.person.id)])


@router.delete("/ways/{id}", status_code=204, summary="Take away a way in", **_SELF)
async def remove_way(gate: AtGate, where: FromWhere, here: SomebodyThere, id: str) -> Response:
    """The last one by which somebody comes in every day stays."""
    if not enrolling.remove(gate.hall, here, id, where):
        raise missing("there is such a way in", id)
    return Response(status_code=204)


@router.post("/ways/password/begin", response_model=PasswordBegun, summary="Begin to set a password", **_SELF)
async def password_begin(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """A password comes with an authenticator app."""
    secret, uri, sealed = enrolling.begin_password(gate.hall, here)
    return keep_ceremony(answer(request, PasswordBegun(secret=secret, uri=uri, picture=_picture(uri))), sealed)


def _picture(uri: str) -> str:
    """Return a URI as a QR code: SVG, dark on light whatever the page's colours, since cameras want that."""
    return str(segno.make(uri, error="m").svg_inline(scale=5, dark="#000", light="#fff", border=4))


@router.post("/ways/password", response_model=WayShown, summary="Set a password", **_SELF)
async def password(
    request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, told: PasswordWanted
) -> Response:
    """In place of one that there was."""
    done = await enrolling.finish_password(gate.hall, here, ceremony_of(request), told.password, told.code, where)
    return _enrolled(request, done)


@router.post("/ways/passkey/begin", response_model=Asked, summary="Begin to make a passkey", **_SELF)
async def passkey_begin(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """Options for `navigator.credentials.create`."""
    options, sealed = enrolling.begin_passkey(gate.hall, here)
    return keep_ceremony(answer(request, Asked(options=dict(options))), sealed)


@router.post("/ways/passkey", response_model=WayShown, summary="Keep a passkey", **_SELF)
async def passkey(request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, told: PasskeyMade) -> Response:
    """That the browser just made."""
    done = enrolling.finish_passkey(gate.hall, here, ceremony_of(request), told.answer, told.label, where)
    return _enrolled(request, done)


@router.post("/ways/wallet/begin", response_model=Asked, summary="Begin to keep a wallet", **_SELF)
async def wallet_begin(request: Request, gate: AtGate, here: SomebodyThere, told: WalletAddress) -> Response:
    """A message that it is to sign."""
    message, sealed = enrolling.begin_wallet(gate.hall, here, told.address)
    return keep_ceremony(answer(request, Asked(message=message)), sealed)


@router.post("/ways/wallet", response_model=WayShown, summary="Keep a wallet", **_SELF)
async def wallet(request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, told: WalletSigned) -> Response:
    """Whose holder signed."""
    done = enrolling.finish_wallet(
        gate.hall, here, ceremony_of(request), told.message, told.signature, told.label, where
    )
    return _enrolled(request, done)


@router.post("/ways/printed-codes", response_model=CodesPrinted, summary="Print codes", **_SELF)
async def printed_codes(request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere) -> Response:
    """Ten, each good once; those from before are good no more."""
    return answer(request, CodesPrinted(codes=enrolling.print_codes(gate.hall, here, where)))


@router.get("/sessions", response_model=list[SessionShown], summary="Where I am signed in", **_SELF)
async def sessions(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """The last used first."""
    return answer(request, [_session(one, here.session) for one in sittings.sessions_of(gate.hall, here)])


@router.delete("/sessions/{id}", status_code=204, summary="End a session", **_SELF)
async def revoke_session(gate: AtGate, where: FromWhere, here: SomebodyThere, id: str) -> Response:
    """One's own."""
    if not sittings.revoke_sessions(gate.hall, here, [id], where):
        raise missing("there is such a session", id)
    return Response(status_code=204)


@router.get("/tokens", response_model=list[TokenShown], summary="My programs' tokens", **_SELF)
async def tokens(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """Without secrets."""
    return answer(request, [_token(one) for one in sittings.tokens_of(gate.hall, here)])


@router.post("/tokens", response_model=TokenMade, status_code=201, summary="Make a token", **_SELF)
async def make_token(
    request: Request, gate: AtGate, where: FromWhere, here: SomebodyThere, told: TokenWanted
) -> Response:
    """Its secret is shown once."""
    secret, made = sittings.make_token(gate.hall, here, told.label, frozenset(told.scopes), told.lasts_s, where)
    return answer(request, TokenMade(secret=secret, token=_token(made)), status=201)


@router.delete("/tokens/{id}", status_code=204, summary="Revoke a token", **_SELF)
async def revoke_token(gate: AtGate, where: FromWhere, here: SomebodyThere, id: str) -> Response:
    """One's own."""
    if not sittings.revoke_token(gate.hall, here, id, where):
        raise missing("there is such a token", id)
    return Response(status_code=204)


@router.get("/notices", response_model=list[NoticeShown], summary="What happened to my access", **_SELF)
async def notices(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """What was not seen yet."""
    found = telling.notices_of(gate.hall, here.person)
    shown = [NoticeShown(id=n.id, at_s=n.at_s, what=n.what, text=n.text, about=n.about) for n in found]
    return answer(request, shown)


@router.delete("/notices/{id}", status_code=204, summary="Say that a notice was seen", **_SELF)
async def notice_seen(gate: AtGate, here: SomebodyThere, id: str) -> Response:
    """In one session, for all."""
    if not telling.seen(gate.hall, here.person, id):
        raise missing("there is such a notice", id)
    return Response(status_code=204)


@router.get("/guardians", response_model=Names, summary="Who may agree to a recovery", **_SELF)
async def chosen_guardians(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """Whom one chose, by name; where nobody, others agree as the community's rules say."""
    return answer(request, Names(names=placing.guardians_of(gate.hall, here.person)))


@router.put("/guardians", status_code=204, summary="Choose who may agree to a recovery", **_SELF)
async def guardians(gate: AtGate, where: FromWhere, here: SomebodyThere, told: Names) -> Response:
    """Where any are chosen, nobody else can in their place."""
    sittings.need_fresh(gate.hall, here, lasting_way=True)
    gate.hall.knock(where)  # else somebody could try which names there are
    placing.set_guardians(gate.hall, here.person, told.names, where)
    gate.hall.welcome(where)
    return Response(status_code=204)


@router.put("/addresses", status_code=204, summary="Set where letters go", **_SELF)
async def addresses(gate: AtGate, where: FromWhere, here: SomebodyThere, told: Addresses) -> Response:
    """Those to whom they went until now are told."""
    sittings.need_fresh(gate.hall, here, lasting_way=True)
    placing.set_addresses(gate.hall, here.person, told.addresses, where)
    return Response(status_code=204)


@router.get("/recoveries", response_model=list[RecoveryShown], summary="Recoveries of my access", **_SELF)
async def recoveries(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """All, also those that are over."""
    hall = gate.hall
    found = recovering.of(hall, here.person)
    return answer(request, [recovery_shown(one, here.person.name, recovering.standing(hall, one)) for one in found])


@router.delete("/recoveries/{id}", status_code=204, summary="Say no to a recovery", **_SELF)
async def veto(gate: AtGate, here: SomebodyThere, id: str) -> Response:
    """Of one's own access, from any session."""
    recovering.veto(gate.hall, here.person, id)
    return Response(status_code=204)


def recovery_shown(one: Recovery, name: str, stand: Stand) -> RecoveryShown:
    """Return a recovery as it is told."""
    return RecoveryShown(
        id=one.id, person=name, begun_s=one.begun_s, ripe_s=one.ripe_s, agreed=one.agreed_by is not None, stand=stand
    )


def _enrolled(request: Request, done: Enrolled) -> Response:
    told = answer(request, _way(done.credential))
    return keep_session(told, done.secret) if done.secret else told


def _way(one: Credential) -> WayShown:
    left = len(one.secrets) if one.way is Way.PRINTED_CODE else None
    return WayShown(id=one.id, way=one.way, label=one.label, made_s=one.made_s, used_s=one.used_s, left=left)


def _session(one: Session, here: Session | None) -> SessionShown:
    return SessionShown(
        id=one.id,
        way=one.way,
        device=one.device,
        address=one.address,
        made_s=one.made_s,
        seen_s=one.seen_s,
        here=here is not None and one.hash == here.hash,
    )


def _token(one: Token) -> TokenShown:
    return TokenShown(
        id=one.id,
        label=one.label,
        scopes=tuple(sorted(one.scopes)),
        made_s=one.made_s,
        until_s=one.until_s,
        seen_s=one.seen_s,
    )
