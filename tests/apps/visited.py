"""A whole application on a lived street, asked in this thread: with entrance and armour, every role at hand."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from lived import LivedStreet, open_door

from commonwatt.apps.api.app import make_app
from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.api.gate import Gate
from commonwatt.apps.community import Community
from commonwatt.flows.entrance import placing, sitting
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Person, Way
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId
from doorway import HERE, OPERATOR, SITE, doorway


class FirstLook(httpx.AsyncBaseTransport):
    """Asks an application without a socket; of an answer without end, the first piece."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked, seen, told = [await request.aread()], asyncio.Event(), dict[str, Any]()
        body = bytearray()

        async def receive() -> dict[str, Any]:
            if asked:
                return {"type": "http.request", "body": asked.pop(), "more_body": False}
            await seen.wait()
            return {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told.update(message)
            else:
                body.extend(message.get("body", b""))
                seen.set()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "root_path": "",
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": (HERE.address, 1),
            "server": (request.url.host, 443),
        }
        await self._app(scope, receive, send)
        return httpx.Response(
            told["status"], headers=told["headers"], stream=httpx.ByteStream(bytes(body)), request=request
        )


@dataclass(frozen=True)
class Visited:
    """An application that runs as long as its block."""

    app: FastAPI
    hall: Hall
    runner: asyncio.Runner

    def ask(self, method: str, url: str, secret: str = "", **told: Any) -> httpx.Response:
        """Return what is answered.

        Args:
            method: Of HTTP.
            url: Path and query, or the whole address.
            secret: Of a session; the public where there is none.
            told: For httpx: json, content, headers.
        """
        headers = dict(told.pop("headers", None) or {})
        if secret:
            # A browser that follows nobody else's links: it says whose page it shows.
            headers = {"Origin": SITE.origin, "Cookie": f"{SESSION}={secret}", **headers}

        async def visit() -> httpx.Response:
            async with httpx.AsyncClient(transport=FirstLook(self.app), base_url=SITE.origin) as client:
                return await client.request(method, url, headers=headers, **told)

        return self.runner.run(visit())

    def joins(self, name: str, role: Role, account: str | None = None) -> Person:
        """Return a new person in a role."""
        of = AccountId(account) if account else None
        return placing.add_person(self.hall, name, [placing.new_place(self.hall, role, of)], "test")

    def sits(self, person: Person) -> str:
        """Return the secret of a new session."""
        return sitting.sign_in(self.hall, person, Way.DEMO, HERE)


@contextmanager
def visited(street: LivedStreet, *, door: bool) -> Iterator[Visited]:
    """Run the application of a street: with its door open, or so that nothing can be asked for."""
    hall = doorway(street.folder)
    ports = list[int]()
    app = make_app(
        lambda: Community(street.folder, lambda: street.end_s, lambda: ("127.0.0.1", ports[0]) if ports else None),
        gate := Gate(hall=hall, signer=OPERATOR),
    )
    gate.install(app)
    with asyncio.Runner() as runner:
        opened, living = open_door(street), app.router.lifespan_context(app)
        if door:
            ports.append(runner.run(opened.__aenter__()))
        runner.run(living.__aenter__())
        try:
            yield Visited(app, hall, runner)
        finally:
            runner.run(living.__aexit__(None, None, None))
            if door:
                runner.run(opened.__aexit__(None, None, None))
            hall.people.close()
