"""Who sits there in the tests of API and pages: told by a header, in place of sessions and tokens."""

from starlette.requests import HTTPConnection

from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.model import AccountId

HEADER = "x-test-seat"


class ToldSeats:
    """Implements `guard.Seating` and `held.Held`: the header holds a role, and after a colon the account.

    Once it is ``over``, nobody sits there any more by what they opened.
    """

    over = False

    def held(self, connection: HTTPConnection) -> "ToldSeats":
        return self

    def still(self, *, used: bool = False) -> bool:
        return not self.over

    def need_fresh(self) -> None:
        """Let them: who is told by a header came in just now."""

    async def seat(self, connection: HTTPConnection) -> Seat:
        role, _, account = connection.headers.get(HEADER, "public").partition(":")
        if role == Role.PUBLIC:
            return PUBLIC
        return Seat(person=account or role, role=Role(role), account=AccountId(account) if account else None)


def sits(role: Role, account: str = "") -> dict[str, str]:
    """Return the header by which somebody sits there."""
    return {HEADER: f"{role.value}:{account}" if account else role.value}
