"""Seats for anybody who looks at a rehearsal: its keys follow from a published seed, so there is nothing to guard."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.requests import HTTPConnection

from commonwatt.apps.api.armour import Armour
from commonwatt.apps.api.held import FREE, Held
from commonwatt.apps.publishing import TRUST
from commonwatt.flows.evidence import read_trust
from commonwatt.flows.rulebook import State
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.identity.signing_in.recovery import Recovery
from commonwatt.model import GRID, AccountId, AssetKind, Refused

COOKIE = "commonwatt-rehearsal"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Implements `guard.Seating` for a community that only plays: a cookie tells which chair somebody took.

    Args:
        seats: What can be taken; the first is whose everybody is at first.
        origin: Where the site is, as browsers write it.
    """

    seats: Sequence[Seat]
    origin: str
    _by_name: dict[str, Seat] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {_name(seat): seat for seat in self.seats})

    async def seat(self, connection: HTTPConnection) -> Seat:
        """Return the seat that was taken."""
        return self.seat_now(connection)

    def seat_now(self, connection: HTTPConnection) -> Seat:
        """Return the same at once."""
        return self._by_name.get(connection.cookies.get(COOKIE, ""), self.seats[0])

    def held(self, connection: HTTPConnection) -> Held:
        """Return nothing that could end: anybody may take any seat."""
        return FREE

    def held_now(self, connection: HTTPConnection) -> Held:
        """Return the same."""
        return FREE

    def recoveries_now(self, connection: HTTPConnection) -> list[Recovery]:
        """Return none: nobody comes in here, so nobody lost their way."""
        return []

    def caller(self, connection: HTTPConnection) -> str:
        """Return whose asks are counted together: a seat's, since nobody else is known here."""
        return f"seat {_name(self.seat_now(connection))}"

    def ways(self) -> list[tuple[Seat, str]]:
        """Return every seat, and the path under which it is taken."""
        return [(seat, f"/sit/{_name(seat)}") for seat in self.seats]

    def install(self, app: FastAPI) -> None:
        """Let an application know who sits where, with the armour that every answer wears."""
        app.state.seating = self

        @app.get("/sit/{name}", include_in_schema=False)
        async def sit(name: str) -> RedirectResponse:
            answer = RedirectResponse("/", 303)
            if name in self._by_name:
                answer.set_cookie(COOKIE, name, httponly=True, samesite="strict", path="/")
            return answer

        app.add_middleware(Armour, origins=(self.origin,), https=False)


def rehearsal(folder: Path, host: str, origin: str, state: State) -> Rehearsal:
    """Return the seats of a rehearsal: a member with a car first, then everybody else, and each role.

    Raises:
        Refused: The community is real, or others than this machine could take a seat.
    """
    if not read_trust((folder / TRUST).read_bytes()).rehearsal:
        raise Refused("seats are for anybody where a community only plays; here people sign in", folder=folder)
    if host not in _LOOPBACK:
        raise Refused("who may take any seat is on this machine", host=host)
    cars = {asset.owner for asset in state.assets.values() if asset.kind is AssetKind.VEHICLE}
    members = sorted(state.members(), key=lambda account: (account not in cars, account))
    joined = (Role.TSO, Role.UTILITY, Role.AGGREGATOR, Role.INSTALLER)
    # Nobody sits at an account that there is not.
    there = [role for role in joined if state.keys.has_role(account_of(role), role.value)]
    roles = [Role.OPERATOR, Role.DSO, *there, Role.AUDITOR]
    return Rehearsal(
        [
            *(Seat(person=account, role=Role.MEMBER, account=account) for account in members),
            *(Seat(person=role.value, role=role, account=account_of(role)) for role in roles),
            PUBLIC,
        ],
        origin,
    )


def account_of(role: Role) -> AccountId:
    """Return for whom a role signs: who runs the wires speaks as the grid."""
    return GRID if role is Role.DSO else AccountId(role.value)


def _name(seat: Seat) -> str:
    return seat.person or seat.role.value
