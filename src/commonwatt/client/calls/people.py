"""People and their roles, over HTTP; written by scripts/client.py, not by hand."""

from commonwatt.apps.api.v1.myself import RecoveryShown
from commonwatt.apps.api.v1.people import (
    EventShown,
    InvitationMade,
    InvitationShown,
    PersonShown,
    RecoveryBegun,
    Wanted,
)
from commonwatt.client.line import Line, part


class People:
    """People and their roles, over HTTP."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def people(self) -> list[PersonShown]:
        """Who is here.

        With their roles, and nothing of how they come in.
        """
        return self._line.call("GET", "/people", list[PersonShown])

    def give(self, name: str, told: Wanted) -> PersonShown:
        """Give somebody a role.

        In no account that is somebody's.
        """
        return self._line.call("POST", f"/people/{part(name)}/places", PersonShown, told=told)

    def end(self, name: str, place: int) -> PersonShown:
        """End a role.

        Sessions and tokens in it end with it.
        """
        return self._line.call("DELETE", f"/people/{part(name)}/places/{part(place)}", PersonShown)

    def invitations(self) -> list[InvitationShown]:
        """Invitations.

        All, for who invites for the community; else one's own.
        """
        return self._line.call("GET", "/people/invitations", list[InvitationShown])

    def invite(self, told: Wanted) -> InvitationMade:
        """Invite somebody.

        A member into their own household, who runs the community as anything that is nobody's.
        """
        return self._line.call("POST", "/people/invitations", InvitationMade, told=told)

    def revoke_invitation(self, id: str) -> None:
        """Take back an invitation.

        That nobody used.
        """
        return self._line.call("DELETE", f"/people/invitations/{part(id)}", type(None))

    def begin_recovery(self, name: str) -> RecoveryBegun:
        """Begin a recovery.

        It takes a week, a second person, and no word from the member: see the guide.
        """
        return self._line.call("POST", f"/people/{part(name)}/recovery", RecoveryBegun)

    def recoveries(self) -> list[RecoveryShown]:
        """Recoveries.

        Under way: all for who may agree in nobody's stead, else those for whose member one is a guardian.
        """
        return self._line.call("GET", "/people/recoveries", list[RecoveryShown])

    def agree(self, id: str) -> None:
        """Agree to a recovery.

        As the second person.
        """
        return self._line.call("POST", f"/people/recoveries/{part(id)}/agree", type(None))

    def trail(self, *, after: int = 0, limit: int = 100) -> list[EventShown]:
        """What happened here.

        Events from a number on, in order. Each is hashed with the one before; the log holds the last hash.
        """
        return self._line.call("GET", "/people/trail", list[EventShown], query={"after": after, "limit": limit})
