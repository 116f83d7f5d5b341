"""What comes in as JSON is read once for all routes: text that nothing could keep stays outside."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from entrant import API, entrance

from commonwatt.apps.api.gate import Gate
from doorway import OPERATOR, SITE, doorway

HALF = "\ud800"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/sign-in/passkey", {"id": HALF, "rawId": HALF, "type": "public-key", "response": {}}),
        ("/sign-in/passkey", {HALF: "in a name"}),
        ("/sign-in/password", {"name": HALF, "password": "x", "code": "000000"}),
        ("/sign-in/password", {"name": "anna", "password": [HALF], "code": "000000"}),
        ("/sign-in/printed-code", {"name": "anna", "code": HALF}),
        ("/sign-in/recovery", {"secret": HALF}),
        ("/sign-in/invitation", {"secret": "x", "name": HALF}),
    ],
)
def test_half_a_character_is_refused_before_anything_is_looked_at(
    tmp_path: Path, path: str, told: dict[str, object]
) -> None:
    hall = doorway(tmp_path)
    transport = httpx.ASGITransport(entrance(Gate(hall=hall, signer=OPERATOR)))
    headers = {"Origin": SITE.origin, "Content-Type": "application/json"}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url=SITE.origin) as browser:
            return await browser.post(API + path, content=json.dumps(told), headers=headers)

    answered = asyncio.run(ask())
    assert answered.status_code == 422
    assert answered.json()["detail"] == "text is made of whole characters, was half of a surrogate pair"
    assert hall.people.head() is None
    hall.people.close()
