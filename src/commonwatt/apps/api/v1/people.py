"""People and their roles, over HTTP: invitations, roles given and ended, recoveries begun and agreed to, the trail."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from commonwatt.apps.api.answers import answer
from commonwatt.apps.api.gate import AtGate, SomebodyThere
from commonwatt.apps.api.guard import allows
from commonwatt.apps.api.problems import missing
from commonwatt.apps.api.v1.myself import RecoveryShown, recovery_shown
from commonwatt.flows.entrance import inviting, placing, recovering
from commonwatt.flows.entrance import sitting as sittings
from commonwatt.flows.entrance.records import Invited, Person
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId

router = APIRouter(prefix="/people", tags=["people"])
MOST_EVENTS = 500


@dataclass(frozen=True, kw_only=True)
class PlaceShown:
    """A role that somebody has or had."""

    place: int
    role: Role
    account: AccountId | None
    zones: tuple[str, ...]
    since_s: int
    ended_s: int | None


@dataclass(frozen=True, kw_only=True)
class PersonShown:
    """A person, with their roles."""

    name: str
    made_s: int
    places: list[PlaceShown]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """As what somebody is to be here."""

    role: Role
    account: AccountId | None = None
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InvitationShown:
    """An invitation that was written."""

    id: str
    role: Role
    account: AccountId | None
    zones: tuple[str, ...]
    made_s: int
    until_s: int
    used: bool
    revoked: bool


@dataclass(frozen=True, kw_only=True)
class InvitationMade:
    """A new invitation: its text for a link is shown once."""

    text: str
    invitation: InvitationShown


@dataclass(frozen=True, kw_only=True)
class RecoveryBegun:
    """A recovery that was begun, and its secret, to be handed to the member in person: shown once."""

    secret: str
    recovery: RecoveryShown


@dataclass(frozen=True, kw_only=True)
class EventShown:
    """An event of the trail: what it tells is none where that was erased."""

    number: int
    at_s: int
    what: str
    hash: str
    tells: dict[str, str] | None


@router.get("", response_model=list[PersonShown], summary="Who is here", **allows(Action.MANAGE_PEOPLE))
async def people(request: Request, gate: AtGate) -> Response:
    """With their roles, and nothing of how they come in."""
    return answer(request, [_person(one) for one in gate.hall.people.persons.all()])


@router.post(
    "/{name}/places", response_model=PersonShown, summary="Give somebody a role", **allows(Action.MANAGE_PEOPLE)
)
async def give(request: Request, gate: AtGate, here: SomebodyThere, name: str, told: Wanted) -> Response:
    """In no account that is somebody's."""
    sittings.need_fresh(gate.hall, here)
    place = placing.new_place(gate.hall, told.role, told.account, told.zones)
    return answer(request, _person(placing.give(gate.hall, name, place, here.person.id)))


@router.delete(
    "/{name}/places/{place}", response_model=PersonShown, summary="End a role", **allows(Action.MANAGE_PEOPLE)
)
async def end(request: Request, gate: AtGate, here: SomebodyThere, name: str, place: int) -> Response:
    """Sessions and tokens in it end with it."""
    sittings.need_fresh(gate.hall, here)
    return answer(request, _person(placing.end(gate.hall, name, place, here.person.id)))


@router.get("/invitations", response_model=list[InvitationShown], summary="Invitations", **allows(Action.INVITE))
async def invitations(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """All, for who invites for the community; else one's own."""
    every = lets(here.seat, Action.INVITE, Relation.COMMUNITY)
    found = [one for one in gate.hall.people.invitations.all() if every or one.by == here.person.id]
    return answer(request, [_invitation(one) for one in found])


@router.post(
    "/invitations",
    response_model=InvitationMade,
    status_code=201,
    summary="Invite somebody",
    **allows(Action.INVITE),
)
async def invite(request: Request, gate: AtGate, here: SomebodyThere, told: Wanted) -> Response:
    """A member into their own household, who runs the community as anything that is nobody's."""
    if gate.signer is None:
        raise missing("the operator's key is here, which signs invitations", "key")
    sittings.need_fresh(gate.hall, here)
    text, kept = inviting.invite(gate.hall, here.person.id, here.seat, told.role, told.account, told.zones, gate.signer)
    return answer(request, InvitationMade(text=text, invitation=_invitation(kept)), status=201)


@router.delete("/invitations/{id}", status_code=204, summary="Take back an invitation", **allows(Action.INVITE))
async def revoke_invitation(gate: AtGate, here: SomebodyThere, id: str) -> Response:
    """That nobody used."""
    every = lets(here.seat, Action.INVITE, Relation.COMMUNITY)
    if not inviting.revoke(gate.hall, id, here.person.id, of=None if every else here.person.id):
        raise missing("there is such an invitation", id)
    return Response(status_code=204)


@router.post(
    "/{name}/recovery",
    response_model=RecoveryBegun,
    status_code=201,
    summary="Begin a recovery",
    **allows(Action.BEGIN_RECOVERY),
)
async def begin_recovery(request: Request, gate: AtGate, here: SomebodyThere, name: str) -> Response:
    """It takes a week, a second person, and no word from the member: see the guide."""
    sittings.need_fresh(gate.hall, here)
    begun, secret = recovering.begin(gate.hall, name, here.person.id)
    told = recovery_shown(begun, placing.known(gate.hall, name).name, recovering.standing(gate.hall, begun))
    return answer(request, RecoveryBegun(secret=secret, recovery=told), status=201)


@router.get("/recoveries", response_model=list[RecoveryShown], summary="Recoveries", **allows(Action.AGREE_RECOVERY))
async def recoveries(request: Request, gate: AtGate, here: SomebodyThere) -> Response:
    """Under way: all for who may agree in nobody's stead, else those for whose member one is a guardian."""
    hall, every = gate.hall, lets(here.seat, Action.AGREE_RECOVERY, Relation.OTHER)
    found = list[RecoveryShown]()
    for one in recovering.all_under_way(hall):
        person = hall.people.persons.get(one.person)
        if person is not None and (every or here.person.id in person.guardians):
            found.append(recovery_shown(one, person.name, recovering.standing(hall, one)))
    return answer(request, found)


@router.post("/recoveries/{id}/agree", status_code=204, summary="Agree to a recovery", **allows(Action.AGREE_RECOVERY))
async def agree(gate: AtGate, here: SomebodyThere, id: str) -> Response:
    """As the second person."""
    sittings.need_fresh(gate.hall, here)
    recovering.second(gate.hall, id, here.person)
    return Response(status_code=204)


@router.get("/trail", response_model=list[EventShown], summary="What happened here", **allows(Action.SEE_TRAIL))
async def trail(
    request: Request,
    gate: AtGate,
    after: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 100,
) -> Response:
    """Events from a number on, in order. Each is hashed with the one before; the log holds the last hash."""
    found = list[EventShown]()
    for event, told in gate.hall.people.trail(after):
        if len(found) == limit:
            break
        tells = None if told is None else dict(told)
        found.append(
            EventShown(number=event.number, at_s=event.at_s, what=event.what.value, hash=event.hash, tells=tells)
        )
    return answer(request, found)


def _person(one: Person) -> PersonShown:
    return PersonShown(
        name=one.name,
        made_s=one.made_s,
        places=[
            PlaceShown(
                place=number,
                role=place.role,
                account=place.account,
                zones=place.zones,
                since_s=place.since_s,
                ended_s=place.ended_s,
            )
            for number, place in enumerate(one.places)
        ],
    )


def _invitation(one: Invited) -> InvitationShown:
    return InvitationShown(
        id=one.id,
        role=one.role,
        account=one.account,
        zones=one.zones,
        made_s=one.made_s,
        until_s=one.until_s,
        used=one.used_by is not None,
        revoked=one.revoked,
    )
