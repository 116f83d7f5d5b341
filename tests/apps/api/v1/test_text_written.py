"""What is written under an idempotency key is text of whole characters, however its bytes came."""

import json

from fastapi.testclient import TestClient
from seats import sits

from commonwatt.identity.seat import Role

PATH = "/api/v1/accounts/member-01/constraints"
HEADERS = {**sits(Role.MEMBER, "member-01"), "Idempotency-Key": "half", "Content-Type": "application/json"}
RULE = "text is made of whole characters, was half of a surrogate pair"


def says(client: TestClient, content: bytes, kind: str = "application/json") -> tuple[int, str]:
    answered = client.post(PATH, content=content, headers=HEADERS | {"Content-Type": kind})
    return answered.status_code, answered.json()["detail"]


def test_half_a_character_is_refused_as_an_escape_and_as_bytes(client: TestClient) -> None:
    for half in (json.dumps({"text": "\ud800"}).encode(), b'{"text": "\xed\xa0\x80"}', b'{"\\udfff": 1}'):
        assert says(client, half) == (422, RULE)


def test_a_whole_pair_passes_and_what_is_no_json_is_told_by_the_route_itself(client: TestClient) -> None:
    _, said = says(client, json.dumps({"text": "\U0001f31e"}).encode())
    assert RULE not in said and "character" not in said
    assert says(client, b"{")[1].startswith("a request has the shape that the API tells")
    assert says(client, b"\xff", "text/plain")[0] == 422
