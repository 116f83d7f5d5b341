import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.identity.seat import Role
from commonwatt.model import SLOT_SECONDS

ME, OTHER = "member-01", "member-02"
MINE = sits(Role.MEMBER, ME)


def bid(lived: LivedStreet, energy_wh: int = 40) -> dict[str, object]:
    slot_s = lived.end_s + SLOT_SECONDS
    return {"what": "slot", "side": "bid", "energy_wh": energy_wh, "price_micro_per_kwh": 100_000, "slot_s": slot_s}


@pytest.mark.row("M1")
def test_everybody_sees_every_trade_under_pseudonyms(client: TestClient) -> None:
    told = client.get("/api/v1/trades?limit=500").json()
    assert told["items"] and all(one["buyer"].startswith("member-") for one in told["items"])
    slots = [one["slot_s"] for one in told["items"]]
    assert slots == sorted(slots, reverse=True)
    own = client.get(f"/api/v1/trades?limit=500&account={ME}").json()["items"]
    assert own == [one for one in told["items"] if ME in (one["buyer"], one["seller"])]


def test_the_markets_tell_backed_and_unbacked_volume_and_as_of_when(client: TestClient) -> None:
    told = client.get("/api/v1/market").json()
    assert told["as_of_s"] > 0 and {"buying_wh", "backed_buying_wh"} <= set(told["market"])


@pytest.mark.row("H11")
def test_an_order_is_placed_seen_and_taken_back(open_client: TestClient, lived_copy: LivedStreet) -> None:
    placed = open_client.post(f"/api/v1/accounts/{ME}/orders", json=bid(lived_copy), headers=MINE)
    assert (placed.status_code, placed.json()["outcome"]) == (201, "BOOKED")
    name = str(placed.json()["position"])
    standing = open_client.get(f"/api/v1/accounts/{ME}/orders", headers=MINE).json()["orders"]
    assert name in [one["order"] for one in standing]
    gone = open_client.post(f"/api/v1/accounts/{ME}/orders/{name}/cancel", headers=MINE)
    assert gone.status_code == 201
    standing = open_client.get(f"/api/v1/accounts/{ME}/orders", headers=MINE).json()["orders"]
    assert name not in [one["order"] for one in standing]


def test_asked_twice_under_one_key_is_asked_once(open_client: TestClient, lived_copy: LivedStreet) -> None:
    headers = {**MINE, "Idempotency-Key": "once"}
    first, again = (
        open_client.post(f"/api/v1/accounts/{ME}/orders", json=bid(lived_copy), headers=headers) for _ in range(2)
    )
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    other = open_client.post(f"/api/v1/accounts/{ME}/orders", json=bid(lived_copy, 41), headers=headers)
    assert other.status_code == 422 and "one request" in other.json()["rule"]
    orders = open_client.get(f"/api/v1/accounts/{ME}/orders", headers=MINE).json()["orders"]
    assert [one["order"] for one in orders].count(str(first.json()["position"])) == 1


def test_the_logs_own_no_is_told_with_its_outcome(open_client: TestClient, lived_copy: LivedStreet) -> None:
    late = {**bid(lived_copy), "slot_s": lived_copy.end_s - SLOT_SECONDS}
    told = open_client.post(f"/api/v1/accounts/{ME}/orders", json=late, headers=MINE)
    assert told.status_code == 409 and told.json()["found"]["outcome"] == "TOO_LATE"


def test_nobody_orders_for_another(open_client: TestClient, lived_copy: LivedStreet) -> None:
    told = open_client.post(f"/api/v1/accounts/{OTHER}/orders", json=bid(lived_copy), headers=MINE)
    assert told.status_code == 404
    for role in (Role.OPERATOR, Role.AUDITOR, Role.PUBLIC):
        account = "" if role is Role.PUBLIC else role.value
        told = open_client.post(f"/api/v1/accounts/{ME}/orders", json=bid(lived_copy), headers=sits(role, account))
        assert told.status_code in (403, 404), role


@pytest.mark.parametrize(
    "body", [{}, {"what": "slot"}, {"what": "watt", "side": "bid", "energy_wh": -1}, {"what": "unknown"}, {"x": 2**70}]
)
def test_an_order_that_is_none_says_what_is_wrong(client: TestClient, body: dict[str, object]) -> None:
    told = client.post(f"/api/v1/accounts/{ME}/orders", json=body, headers=MINE)
    assert told.status_code == 422 and told.json()["rule"]


def test_pages_of_trades_hold_whole_slots_and_leave_none_out(client: TestClient) -> None:
    whole = client.get("/api/v1/trades?limit=500").json()["items"]
    paged, cursor = [], ""
    while True:
        told = client.get(f"/api/v1/trades?limit=3&cursor={cursor}").json()
        paged += told["items"]
        if told["next"] is None:
            break
        cursor = told["next"]
    assert paged == whole and len(whole) > 6


@pytest.mark.row("E4")
def test_depth_tells_what_is_backed_apart(open_client: TestClient, lived_copy: LivedStreet) -> None:
    before = open_client.get("/api/v1/market/depth").json()
    ask = {"what": "watt", "side": "ask", "energy_wh": 700, "price_micro_per_kwh": 999_000}
    assert open_client.post(f"/api/v1/accounts/{ME}/orders", json=ask, headers=MINE).status_code == 201
    held = open_client.get(f"/api/v1/accounts/{ME}/wallet", headers=MINE).json()["watt_wh"]
    after = open_client.get("/api/v1/market/depth").json()
    (added,) = [one for one in after["asks"] if one not in before["asks"]]
    assert added["price_micro_per_kwh"] == 999_000 and added["backed_wh"] + added["unbacked_wh"] == 700
    assert added["backed_wh"] <= held


def test_prices_of_a_slot_lie_between_what_the_grid_gives_and_takes(client: TestClient) -> None:
    whole = client.get("/api/v1/market/prices?limit=500").json()
    told = [one for one in whole["items"] if one["local_price"] is not None]
    assert told and all(one["export_price"] <= one["local_price"] <= one["import_price"] for one in told)
    assert whole["as_of_s"] > 0


def test_prices_come_a_page_at_a_time_the_newest_first_and_tell_what_was_traded(client: TestClient) -> None:
    whole = client.get("/api/v1/market/prices?limit=500").json()["items"]
    paged: list[dict[str, int]] = []
    cursor = ""
    while cursor is not None:
        told = client.get(f"/api/v1/market/prices?limit=50&cursor={cursor}").json()
        paged, cursor = paged + told["items"], told["next"]
    slots = [one["slot_s"] for one in paged]
    assert paged == whole and len(whole) > 50 and slots == sorted(set(slots), reverse=True)
    traded: dict[int, int] = {}
    for one in client.get("/api/v1/trades?limit=500").json()["items"]:
        traded[one["slot_s"]] = traded.get(one["slot_s"], 0) + one["energy_wh"]
    assert {one["slot_s"]: one["traded_wh"] for one in whole if one["traded_wh"]} == traded
