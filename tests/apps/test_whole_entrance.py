"""The whole app behind its entrance: nobody sees a home before they came in, and then their own."""

import asyncio
import time

import httpx
import pyotp
import pytest
from lived import LivedStreet

from commonwatt.apps.api.armour import SESSION
from commonwatt.apps.community import Community
from commonwatt.apps.opening import Way, app_of
from commonwatt.apps.persons import add
from commonwatt.identity.seat import Role

ORIGIN = "https://sun.example"


@pytest.mark.row("W8")
def test_nobody_sees_a_home_before_they_came_in_and_then_their_own(lived_copy: LivedStreet) -> None:
    folder = lived_copy.folder
    first = add(folder, "anna", Role.MEMBER, "member-01", [], "")

    async def visit() -> list[int]:
        community = Community(folder, lambda: lived_copy.end_s, lambda: None)
        app = app_of(community, Way(), ORIGIN)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as browser,
        ):
            first_look = await browser.get("/api/v1/homes/member-01")
            assert first_look.headers["ratelimit-policy"].startswith('"unknown"')
            seen = [first_look.status_code]
            told = {"name": "anna", "code": first.code}
            seen.append((await browser.post("/api/v1/sign-in/printed-code", json=told)).status_code)
            seen.append((await browser.get("/api/v1/homes/member-01")).status_code)
            own = {"Origin": ORIGIN}
            begun = (await browser.post("/api/v1/me/ways/password/begin", headers=own)).json()
            body = {"password": "correct horse battery", "code": pyotp.TOTP(begun["secret"]).at(int(time.time()))}
            seen.append((await browser.post("/api/v1/me/ways/password", json=body, headers=own)).status_code)
            assert browser.cookies.get(SESSION)
            seen += [(await browser.get(f"/api/v1/homes/member-0{number}")).status_code for number in (1, 2)]
            here = await browser.get("/api/v1/sign-in")
            assert here.headers["ratelimit-policy"].startswith('"known"')
            elsewhere = await browser.delete("/api/v1/sign-in", headers={"Origin": "https://evil.test"})
            seen.append(elsewhere.status_code)
        return seen

    assert asyncio.run(visit()) == [403, 200, 403, 200, 200, 404, 403]
