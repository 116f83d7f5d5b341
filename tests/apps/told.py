"""A street's whole app, with somebody in a home, a program that listens, a mail server and a push service."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI
from lived import LivedStreet, open_door

from commonwatt.apps.api.app import make_app
from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.community import Community
from commonwatt.apps.entering import open_gate
from commonwatt.apps.notice_ways import terms_of
from commonwatt.apps.noticing import Noticing
from commonwatt.apps.web.words import Place
from commonwatt.flows.entrance import placing, sitting
from commonwatt.flows.entrance import records as known
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Person
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId
from doorway import HERE
from servers.listener import Listener, listening
from servers.smtp import PostOffice, post_office

ORIGIN = "https://sun.example"
ME = AccountId("member-01")
HOME = '[[home_assistant]]\naccount = "{account}"\nbroker = "mqtt://127.0.0.1:{port}"\n'


@dataclass
class Clock:
    """The system's clock, which a test may put forward."""

    ahead_s: int = 0

    def __call__(self) -> int:
        return int(time.time()) + self.ahead_s

    def passes(self, seconds: int) -> None:
        self.ahead_s += seconds


@dataclass
class Opened:
    """An app that runs as long as its block, asked in its loop."""

    app: FastAPI
    community: Community
    hall: Hall
    noticing: Noticing
    clock: Clock

    def person(self, name: str, account: str = ME, addresses: tuple[str, ...] = ()) -> Person:
        """Return somebody, who is added where they are not there."""
        found = self.hall.people.persons.find(name)
        if found is None:
            place = placing.new_place(self.hall, Role.MEMBER, AccountId(account))
            found = placing.add_person(self.hall, name, [place], "test")
            if addresses:
                placing.set_addresses(self.hall, found, addresses, HERE)
        return self.hall.people.persons.get(found.id) or found

    def sits(self, person: Person, way: known.Way = known.Way.PASSKEY) -> str:
        return sitting.sign_in(self.hall, person, way, HERE)

    async def ask(
        self, method: str, path: str, secret: str = "", told: object = None, token: str = "", language: str = "en"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {"Origin": ORIGIN, "Cookie": f"{SESSION}={secret}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN) as client:
            spoken = {"Accept-Language": language}
            return await client.request(method, f"/api/v1/me{path}", headers=headers | spoken, json=told)


@dataclass
class Outside:
    """Who is told: programs and push services, and mail addresses."""

    listener: Listener
    office: PostOffice

    def posted(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.listener.posted if one.line == f"POST {path} HTTP/1.1"]

    def types(self, path: str = "/hook") -> list[str]:
        return [str(one["type"]) for one in self.posted(path)]


@asynccontextmanager
async def outside(folder: Path, mqtt_port: int | None) -> AsyncIterator[Outside]:
    """Listen outside, and tell a community's folder of it."""
    async with listening(folder / "outside") as listener, post_office(folder / "outside") as office:
        (folder / "notices.toml").write_text(
            'allowed_hosts = ["localhost"]\n'
            'ca = "outside/authority.pem"\n'
            "[mail]\n"
            'host = "localhost"\n'
            f"port = {office.port}\n"
            'sender = "post@sun.example"\n'
            'ca = "outside/authority.pem"\n' + ("" if mqtt_port is None else HOME.format(account=ME, port=mqtt_port))
        )
        yield Outside(listener, office)


@asynccontextmanager
async def opened(street: LivedStreet, port: int | None, clock: Clock | None = None) -> AsyncIterator[Opened]:
    """Run a street's app, over a door where one is open."""
    clock = clock or Clock()
    door = None if port is None else ("127.0.0.1", port)
    community = Community(street.folder, lambda: max(street.end_s, community.told_s), lambda: door)
    community.catch_up()
    gate = open_gate(street.folder, ORIGIN, community.state)
    gate = replace(gate, hall=replace(gate.hall, now_s=clock))
    place = Place(name=community.name, zone=ZoneInfo(community.state.charter.timezone), currency="GBP")
    noticing = Noticing(gate.hall, community, place, ORIGIN, terms_of(street.folder))
    # Without pages, of which a process can show one app's alone.
    app = make_app(lambda: community, gate, [noticing.run])
    gate.install(app)
    app.state.noticing = noticing
    async with app.router.lifespan_context(app):
        await until(lambda: noticing.ways is not None)
        yield Opened(app, community, gate.hall, noticing, clock)
    gate.hall.people.close()


@asynccontextmanager
async def told_street(street: LivedStreet, mqtt_port: int | None = None) -> AsyncIterator[tuple[Outside, int]]:
    """Open what an app needs around it: its door, and who is told."""
    async with AsyncExitStack() as doors:
        there = await doors.enter_async_context(outside(street.folder, mqtt_port))
        yield there, await doors.enter_async_context(open_door(street))


async def until(true: Callable[[], object]) -> None:
    """Wait for something."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)
