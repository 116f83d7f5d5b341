"""A browser for tests of the entrance: asks an application in this thread, keeps cookies, tells where it is from."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI

from commonwatt.apps.api.gate import Gate
from commonwatt.apps.api.problems import explain_problems
from commonwatt.apps.api.v1 import myself, people, signing_in
from doorway import SITE

API = "/api/v1"


def entrance(gate: Gate) -> FastAPI:
    """Return an application with the entrance's routes."""
    app = FastAPI()
    explain_problems(app)
    for router in (signing_in.router, myself.router, people.router):
        app.include_router(router, prefix=API)
    gate.install(app)
    return app


class Browser:
    """One browser.

    Args:
        app: What it asks.
        origin: Of the page that it shows.
        agent: What it says that it is.
    """

    def __init__(self, app: FastAPI, origin: str = SITE.origin, agent: str = "a browser") -> None:
        self.app, self.origin, self.agent = app, origin, agent
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, told: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._ask(method, path, told, headers or {}))

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, told: object = None) -> httpx.Response:
        return self.ask("POST", path, told)

    async def _ask(self, method: str, path: str, told: object, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=("192.0.2.9", 1))
        own: dict[str, Any] = {"User-Agent": self.agent}
        if method not in ("GET", "HEAD"):
            own["Origin"] = self.origin
        async with httpx.AsyncClient(transport=transport, base_url=SITE.origin, cookies=self.cookies) as client:
            found = await client.request(method, API + path, json=told, headers=own | headers)
            self.cookies = client.cookies
            return found
