"""Reach a community's API: at an app's address with a token, or in this process over a folder, from any seat in it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from commonwatt.adapters.stores.keyfile import load_secret
from commonwatt.apps.api.app import make_app
from commonwatt.apps.api.held import FREE, Held
from commonwatt.apps.community import Community
from commonwatt.apps.folder_community import folder_community
from commonwatt.apps.persons import ORIGIN
from commonwatt.apps.rehearsal import account_of
from commonwatt.client import Client
from commonwatt.flows.rulebook import State
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.model import AccountId, Refused

OPERATOR = Role.OPERATOR.value
_NOWHERE = "http://localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a community is reached: by one of folder and app.

    Args:
        folder: The community's; who holds it holds its keys, and takes any seat.
        sits: As whom there: a role, or a member's account.
        app: Address of an app.
        token: A program's, for the app.
        token_file: Where it lies, in place of that.
        ca: The authority to believe beside this machine's.
    """

    folder: Path | None = None
    sits: str = OPERATOR
    app: str = ""
    token: str = ""
    token_file: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A community's API, who asks it, and where people reach it.

    Args:
        client: Asks it.
        sits: Who asks; None where the app knows.
        at: The app's address; as an app has it that is opened on a folder, where there is none.
    """

    client: Client
    sits: Seat | None
    at: str

    def whose(self, account: str | None) -> str:
        """Return an account as it was told, or who asks where it was not.

        Raises:
            Refused: Who asks has none.
        """
        own = account or (self.client.signing_in.who().account if self.sits is None else self.sits.account)
        if own is None:
            raise Refused("say which account: who asks has none")
        return own


@contextmanager
def reached(way: Way) -> Iterator[Reached]:
    """Reach a community as long as the block runs.

    Raises:
        Refused: Both or neither of folder and app are told, there is no log, nobody sits there by this name, or others
            may read the token's file.
        Corrupt: The log is damaged.
    """
    if (way.folder is None) == (not way.app):
        raise Refused("a community is reached by --folder, or by --app with a token")
    if way.folder is None:
        token = load_secret(way.token_file).decode("ascii", "replace").strip() if way.token_file else way.token
        with Client(way.app, token=token, ca=way.ca) as there:
            yield Reached(there, None, way.app)
        return
    community = folder_community(way.folder)
    try:
        community.catch_up()
        seat = seat_named(community.state, way.sits)
    except BaseException:
        community.close()
        raise
    with _inside(community, seat) as carried, Client(_NOWHERE, transport=carried) as here:
        yield Reached(here, seat, ORIGIN)


@contextmanager
def _inside(community: Community, seat: Seat) -> Iterator["_Inside"]:
    app = make_app(lambda: community, _OneSeat(seat))
    living = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        runner.run(living.__aenter__())
        try:
            yield _Inside(app, runner)
        finally:
            runner.run(living.__aexit__(None, None, None))


def seat_named(state: State, name: str) -> Seat:
    """Return the seat that a role or a member's account names.

    Raises:
        Refused: It names none.
    """
    if name == PUBLIC.role.value:
        return PUBLIC
    if name in list(Role):
        return Seat(person=name, role=Role(name), account=account_of(Role(name)))
    if AccountId(name) not in state.members():
        raise Refused("a seat is a role's or a member's", found=name, roles=", ".join(Role))
    return Seat(person=name, role=Role.MEMBER, account=AccountId(name))


@dataclass(frozen=True, slots=True)
class _OneSeat:
    """Implements `guard.Seating`: whoever asks from inside this process sits where its user said."""

    taken: Seat

    async def seat(self, connection: HTTPConnection) -> Seat:
        """Return the seat."""
        return self.taken

    def held(self, connection: HTTPConnection) -> Held:
        """Return nothing that could end: who asks holds the folder."""
        return FREE


class _Inside(httpx.BaseTransport):
    """Carries what a client asks to an application in this thread; its loop lives on while something is asked."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self._carries, self._runner = httpx.ASGITransport(app), runner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._runner.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        there = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answered = await self._carries.handle_async_request(there)
        return httpx.Response(answered.status_code, headers=answered.headers, content=await answered.aread())
