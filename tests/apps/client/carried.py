"""Carries what a client asks to a whole application in the same thread, and makes clients of one street."""

import httpx
from lived import LivedStreet
from visited import FirstLook, Visited

from commonwatt.client import Client
from commonwatt.flows.entrance import sitting
from commonwatt.identity.access import Scope
from commonwatt.identity.keys import RequestSigner
from commonwatt.identity.seat import Role
from doorway import HERE, SITE


class Carried(httpx.BaseTransport):
    """Carries what a client asks to an application in this thread, and may lose answers on the way back."""

    def __init__(self, street: Visited) -> None:
        self._street, self._carries = street, FirstLook(street.app)
        self.lose = 0
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, and return what is answered."""

        async def ask() -> httpx.Response:
            content = request.read()
            there = httpx.Request(request.method, request.url, headers=request.headers, content=content)
            answered = await self._carries.handle_async_request(there)
            return httpx.Response(answered.status_code, headers=answered.headers, content=await answered.aread())

        self.asked.append(request)
        answered = self._street.runner.run(ask())
        if self.lose:
            self.lose -= 1
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return answered


class Caller:
    """Makes clients of one street."""

    def __init__(self, street: Visited, lived: LivedStreet) -> None:
        self.street, self.lived = street, lived
        self.carried = Carried(street)

    def client(self, role: Role | None = None, key: RequestSigner | None = None, *scopes: Scope) -> Client:
        """Return a client with a token of somebody's in a role; of the public where none is told."""
        token = ""
        if role is not None:
            person = self.street.hall.people.persons.find(role.value)
            assert person is not None
            here = sitting.sit(self.street.hall, self.street.sits(person), HERE)
            assert here is not None
            wanted = frozenset(scopes or (Scope.READ,))
            token, _ = sitting.make_token(self.street.hall, here, "script", wanted, 600, HERE)
        return Client(SITE.origin, token=token, key=key, transport=self.carried, pause=lambda _: None)
