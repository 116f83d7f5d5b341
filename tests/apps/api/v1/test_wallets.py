import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.apps.wiring import open_key, open_log
from commonwatt.flows.desk import Desk
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook.tokens import wallet_bodies
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, Commodity, Kind

ME, OTHER = "member-01", "member-02"
MINE = sits(Role.MEMBER, ME)


@pytest.mark.row("E11")
def test_a_wallet_is_the_sum_of_its_history(client: TestClient) -> None:
    held = client.get(f"/api/v1/accounts/{ME}/wallet", headers=MINE).json()
    entries, cursor = [], ""
    while True:
        told = client.get(f"/api/v1/accounts/{ME}/entries?limit=40&cursor={cursor}", headers=MINE).json()
        entries += told["items"]
        if told["next"] is None:
            break
        cursor = told["next"]
    assert len(entries) > 40 and len({one["number"] for one in entries}) == len(entries)
    for commodity, name in (
        (Commodity.ERGON, "ergon_micro"),
        (Commodity.WATT, "watt_wh"),
        (Commodity.TSL, "tsl_micro"),
    ):
        assert held[name] == sum(one["amount"] for one in entries if one["commodity"] == commodity)


@pytest.mark.parametrize("what", ["proof", "held"])
def test_an_address_to_which_nothing_was_sent_is_none_of_the_accounts(client: TestClient, what: str) -> None:
    answer = client.get(f"/api/v1/accounts/{ME}/withdrawals/0x{0xA1:040x}/{what}", headers=MINE)
    assert (answer.status_code, answer.json()["rule"]) == (404, "what is claimed was sent out to an address before")


def test_an_auditor_sees_entries_and_gives_nothing(client: TestClient) -> None:
    audits = sits(Role.AUDITOR, "auditor")
    assert client.get(f"/api/v1/accounts/{ME}/entries", headers=audits).status_code == 200
    give = {"what": "give", "target": OTHER, "commodity": "ergon_micro", "amount": 1}
    assert client.post(f"/api/v1/accounts/{ME}/transfers", json=give, headers=audits).status_code == 403


def test_what_is_given_is_the_others_at_once(open_client: TestClient) -> None:
    before = open_client.get(f"/api/v1/accounts/{OTHER}/wallet", headers=sits(Role.MEMBER, OTHER)).json()
    give = {"what": "give", "target": OTHER, "commodity": "ergon_micro", "amount": 1_500_000}
    assert open_client.post(f"/api/v1/accounts/{ME}/transfers", json=give, headers=MINE).status_code == 201
    after = open_client.get(f"/api/v1/accounts/{OTHER}/wallet", headers=sits(Role.MEMBER, OTHER)).json()
    assert after["ergon_micro"] == before["ergon_micro"] + 1_500_000
    last = open_client.get(f"/api/v1/accounts/{OTHER}/entries?limit=1", headers=sits(Role.MEMBER, OTHER)).json()
    assert (last["items"][0]["amount"], last["items"][0]["other"]) == (1_500_000, ME)


def test_what_is_not_backed_says_how_much_was_asked_and_how_much_is_there(open_client: TestClient) -> None:
    free = open_client.get(f"/api/v1/accounts/{ME}/wallet", headers=MINE).json()["free_ergon_micro"]
    give = {"what": "give", "target": OTHER, "commodity": "ergon_micro", "amount": free + 1}
    answer = open_client.post(f"/api/v1/accounts/{ME}/transfers", json=give, headers=MINE)
    found = answer.json()["found"]
    assert (answer.status_code, found["outcome"], found["token"]) == (409, "NOT_BACKED", "ERGON")
    assert (found["asked_micro"], found["backed_micro"]) == (free + 1, free)
    assert f"asked_micro {free + 1}, backed_micro {free}" in answer.json()["detail"]


def test_what_a_wallet_signed_itself_is_handed_in_by_anybody_and_twice_is_once(
    open_client: TestClient, lived_copy: LivedStreet
) -> None:
    with open_log(lived_copy.folder) as log:
        state = resume(log, community_of(log)).state
    desk = Desk(state)
    give = wallet_bodies.Give(target=OTHER, commodity=Commodity.ERGON, amount=7)
    desk.write(open_key(lived_copy.folder, ME), AccountId(ME), Kind.TRANSFER, give)
    first = open_client.post("/api/v1/requests", content=desk.wires[0])
    assert first.status_code == 201 and first.json()["outcome"] == "BOOKED"
    forged = desk.wires[0].replace(b'"amount":7', b'"amount":8')
    assert open_client.post("/api/v1/requests", content=forged).status_code in (409, 422)
    assert open_client.post("/api/v1/requests", content=b"nonsense").status_code == 422
    assert open_client.post("/api/v1/requests", content=b"x" * (2**20 + 1)).status_code == 413
