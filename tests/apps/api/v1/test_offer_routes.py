"""Offers over HTTP: weighed, made once under one key, and refused with the rule that says no."""

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.identity.seat import Role

PAYS, GIVES = sits(Role.OPERATOR, "operator"), sits(Role.MEMBER, "member-02")
AT = "/api/v1/accounts/operator/offers"


@pytest.mark.row("W5")
def test_an_offer_is_weighed_and_made_once_and_its_contracts_are_for_its_sides(
    open_client: TestClient, lived_copy: LivedStreet
) -> None:
    start_s = lived_copy.end_s + 7_200
    window = {"direction": "charge", "price_micro_per_kwh": 40_000, "start_s": start_s, "end_s": start_s + 3_600}
    told = {"windows": [window], "most_windows": 1, "until_s": start_s + 3_600, "accept_by_s": start_s - 900}
    told |= {"power_w": 2_000, "basis": "on_top", "most_micro_per_kwh": 40_000}
    poor = open_client.post(AT, json=told, headers=PAYS)
    assert (poor.status_code, poor.json()["rule"]) == (409, "an offer's budget is money that is free")
    give = {"what": "give", "target": "operator", "commodity": "ergon_micro", "amount": 1_000_000}
    assert open_client.post("/api/v1/accounts/member-02/transfers", json=give, headers=GIVES).status_code == 201
    weighed = open_client.post(f"{AT}/weighed", json=told, headers=PAYS).json()
    assert (weighed["may"], weighed["budget_micro"], weighed["start_s"]) == (True, 90_000, start_s)
    once = {**PAYS, "Idempotency-Key": "one offer"}
    first, again = (open_client.post(AT, json=told, headers=once) for _ in range(2))
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    name = str(first.json()["position"])
    (offer,) = open_client.get("/api/v1/flexibility", headers=PAYS).json()
    assert (offer["offer"], offer["closed"]) == (name, False)
    assert open_client.get("/api/v1/accounts/operator/contracts", headers=PAYS).json() == []
    assert open_client.get("/api/v1/accounts/operator/contracts", headers=GIVES).status_code == 404
    odd = open_client.post("/api/v1/accounts/member-02/contracts", json={"what": "offer"}, headers=GIVES)
    assert odd.status_code == 422
    assert open_client.post(f"{AT}/{name}/close", headers=GIVES).status_code in (403, 404)
    assert open_client.post(f"{AT}/{name}/close", headers=PAYS).status_code == 201
