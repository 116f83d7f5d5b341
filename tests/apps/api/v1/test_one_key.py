"""One idempotency key is one request, however many ask under it at once."""

import asyncio
from collections.abc import Sequence

import httpx
from fastapi.testclient import TestClient
from lived import LivedStreet, open_door
from seats import ToldSeats, sits

from commonwatt.apps.api.app import make_app
from commonwatt.apps.community import Community
from commonwatt.identity.seat import Role

ME, OTHER = "member-01", "member-02"
MINE = sits(Role.MEMBER, ME)
GIFT = {"what": "give", "target": OTHER, "commodity": "ergon_micro", "amount": 10}


async def asked_at_once(lived: LivedStreet, keys: Sequence[str]) -> list[httpx.Response]:
    async with open_door(lived) as port:
        app = make_app(lambda: Community(lived.folder, lambda: lived.end_s, lambda: ("127.0.0.1", port)), ToldSeats())
        through = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=through, base_url="http://t") as web:
            return await asyncio.gather(
                *(
                    web.post(
                        f"/api/v1/accounts/{ME}/transfers",
                        json=GIFT,
                        headers={**MINE, **({"Idempotency-Key": key} if key else {})},
                    )
                    for key in keys
                )
            )


def test_a_transfer_asked_twice_at_once_under_one_key_is_paid_once(lived_copy: LivedStreet) -> None:
    told = asyncio.run(asked_at_once(lived_copy, ["", "K", "K", "L"]))
    assert [one.status_code for one in told] == [201] * 4
    _, first, again, other = (one.json() for one in told)
    assert first == again, "the second is answered as the first"
    assert len({one.json()["position"] for one in told}) == 3 and other["position"] != first["position"]


def test_a_malformed_body_does_not_take_its_key(open_client: TestClient) -> None:
    headers = {**MINE, "Idempotency-Key": "mended"}
    path = f"/api/v1/accounts/{ME}/transfers"
    told = open_client.post(path, json={**GIFT, "amount": "ten"}, headers=headers)
    assert (told.status_code, told.json()["thing"]) == (422, "$.amount")
    assert told.json()["found"] == {"kind": "transfer", "says": "Expected `int`, got `str`"}
    assert open_client.post(path, json=GIFT, headers=headers).status_code == 201


def test_another_request_under_a_used_key_is_told_which_header_is_wrong(open_client: TestClient) -> None:
    headers = {**MINE, "Idempotency-Key": "used"}
    path = f"/api/v1/accounts/{ME}/transfers"
    assert open_client.post(path, json=GIFT, headers=headers).status_code == 201
    told = open_client.post(path, json={**GIFT, "amount": 11}, headers=headers)
    assert (told.status_code, told.json()["thing"]) == (422, "Idempotency-Key")
    assert told.json()["found"] == {"key": "used"}
