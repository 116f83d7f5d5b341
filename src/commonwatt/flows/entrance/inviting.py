"""Ask somebody to join, and let them in once: an invitation opens a session that is good to set up a way in."""

from collections.abc import Sequence
from dataclasses import replace

from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.placing import add_person, give, new_place, refuse_auditor_from_app, refuse_taken
from commonwatt.flows.entrance.records import NOBODY, Invited, Person, Where
from commonwatt.identity.keys import RequestSigner
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.invitations import (
    GOOD_FOR_S,
    Invitation,
    new_id,
    read_invitation,
    write_invitation,
)
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, Refused

MOST_OPEN = 1_000


def invite(
    hall: Hall,
    by: str,
    seat: Seat | None,
    role: Role,
    account: AccountId | None,
    zones: Sequence[str],
    signer: RequestSigner,
) -> tuple[str, Invited]:
    """Return an invitation as text for a link, and what is kept of it.

    Args:
        hall: The entrance.
        by: Who invites, for the trail: a person's id, or a word for who holds the machine.
        seat: In which role they do; None for who holds the machine.
        role: As what somebody is invited.
        account: For which account.
        zones: About which zones.
        signer: The operator's key.

    Raises:
        Refused: A member invites to anything but their own household, the account is somebody else's or none of the
            community's, or an auditor is invited from the app.
        InvalidValue: Nobody is invited to be that.
    """
    refuse_auditor_from_app(role, by)
    place = new_place(hall, role, account, zones)
    own = seat is not None and seat.role is Role.MEMBER
    if seat is not None and own and (role is not Role.MEMBER or account != seat.account):
        raise Refused("a member invites into their own household", account=account, role=role.value)
    if not own:
        refuse_taken(hall, account)
    open_ = [one for one in hall.people.invitations.all() if one.used_by is None and one.until_s > hall.now_s()]
    if len(open_) >= MOST_OPEN:
        raise Refused(f"{MOST_OPEN} invitations are open at most")
    invitation = Invitation(
        id=new_id(),
        community=hall.community,
        role=role,
        account=account,
        zones=place.zones,
        until_s=hall.now_s() + GOOD_FOR_S,
    )
    kept = Invited(
        id=invitation.id,
        by=by,
        role=role,
        account=account,
        zones=place.zones,
        made_s=hall.now_s(),
        until_s=invitation.until_s,
    )
    with hall.people.together():
        hall.people.invitations.put(kept)
        told = {"invitation": kept.id, "role": role.value, "account": account or "", "by": by}
        hall.note(Happened.INVITED, NOBODY, None, **told)
    return write_invitation(invitation, signer), kept


def look(hall: Hall, text: str) -> Invited:
    """Return what an invitation is for.

    Raises:
        Refused: It is forged, of another community, too old, used, or was taken back.
    """
    invitation = read_invitation(text, hall.community, hall.operator, hall.now_s())
    kept = hall.people.invitations.get(invitation.id)
    if kept is None or kept.revoked or kept.used_by is not None:
        raise Refused("an invitation is good once")
    return kept


def accept(hall: Hall, text: str, name: str, where: Where, person: Person | None = None) -> Person:
    """Return who joined: a new person under a name, or one who sits there already and has one role more.

    Args:
        hall: The entrance.
        text: The invitation.
        name: Under which they will sign in; ignored for who is known.
        where: From where.
        person: Who sits there already.

    Raises:
        Refused: As by `look`, the name is somebody's, or since then the account is.
    """
    hall.knock(where)
    with hall.people.together():
        kept = look(hall, text)
        place = new_place(hall, kept.role, kept.account, kept.zones)
        inviter = hall.people.persons.get(kept.by)
        within = {one.account for one in inviter.places if one.ended_s is None} if inviter else set()
        let_by = kept.account if kept.account in within else None
        if person is None:
            fresh = add_person(hall, name, (), kept.by)
            joined = give(hall, fresh.name, place, kept.by, let_by=let_by)
        else:
            joined = give(hall, person.name, place, kept.by, let_by=let_by)
        hall.people.invitations.put(replace(kept, used_by=joined.id))
        hall.note(Happened.INVITATION_USED, joined.id, where, invitation=kept.id)
        hall.welcome(where)
    return joined


def revoke(hall: Hall, id: str, by: str, *, of: str | None) -> bool:
    """Take back an invitation that nobody used yet; tell whether there was such.

    Args:
        hall: The entrance.
        id: Which.
        by: Who takes it back, for the trail.
        of: Whose it must be: a person's id; None for anybody's.
    """
    kept = hall.people.invitations.get(id)
    if kept is None or kept.used_by is not None or (of is not None and kept.by != of):
        return False
    with hall.people.together():
        hall.people.invitations.put(replace(kept, revoked=True))
        hall.note(Happened.INVITATION_REVOKED, NOBODY, None, invitation=id, by=by)
    return True
