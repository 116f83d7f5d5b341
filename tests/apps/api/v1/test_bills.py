import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.apps.billing import bill_of
from commonwatt.identity.seat import Role

ME, OTHER = "member-01", "member-02"
MINE = sits(Role.MEMBER, ME)
MONTH = "2018-11"


@pytest.mark.row("E11")
def test_a_months_bill_is_the_one_that_a_replay_of_the_log_makes(client: TestClient, lived: LivedStreet) -> None:
    assert client.get(f"/api/v1/accounts/{ME}/bills", headers=MINE).json() == [MONTH]
    told = client.get(f"/api/v1/accounts/{ME}/bills/{MONTH}", headers=MINE).json()
    made, _ = bill_of(lived.folder, ME, (None, None), {})
    assert (told["from_s"], told["to_s"], told["import_wh"]) == (made.from_s, made.to_s, made.import_wh)
    assert [(one["label"], one["amount_micro"], tuple(one["entries"])) for one in told["lines"]] == [
        (one.label, one.amount_micro, one.entries) for one in made.lines
    ]
    assert len(told["lines"]) > 2


def test_it_comes_as_pdf_and_for_nobody_else(client: TestClient) -> None:
    paper = client.get(f"/api/v1/accounts/{ME}/bills/{MONTH}.pdf", headers=MINE)
    assert paper.content.startswith(b"%PDF") and paper.headers["content-type"] == "application/pdf"
    assert paper.headers["content-disposition"] == f'attachment; filename="bill-{ME}-{MONTH}.pdf"'
    for path in (f"{MONTH}.pdf", MONTH):
        assert client.get(f"/api/v1/accounts/{OTHER}/bills/{path}", headers=MINE).status_code == 404


@pytest.mark.parametrize(("month", "status"), [("2018-10", 403), ("2018-12", 403), ("2018-13", 422), ("November", 422)])
def test_there_is_no_bill_of_a_month_that_was_not_lived(client: TestClient, month: str, status: int) -> None:
    assert client.get(f"/api/v1/accounts/{ME}/bills/{month}", headers=MINE).status_code == status


@pytest.mark.row("E11")
def test_what_is_set_aside_for_somebody_stands_with_both_until_it_is_taken(
    open_client: TestClient, lived_copy: LivedStreet
) -> None:
    aside = {
        "what": "reserve",
        "target": OTHER,
        "commodity": "ergon_micro",
        "amount": 2_000_000,
        "until_s": lived_copy.end_s + 9_000,
    }
    name = open_client.post(f"/api/v1/accounts/{ME}/transfers", json=aside, headers=MINE).json()["position"]
    theirs = sits(Role.MEMBER, OTHER)
    for account, headers, incoming in ((ME, MINE, False), (OTHER, theirs, True)):
        (one,) = open_client.get(f"/api/v1/accounts/{account}/dealings", headers=headers).json()["waiting"]
        assert (one["transfer"], one["amount"], one["incoming"]) == (str(name), 2_000_000, incoming)
    taken = {"what": "post", "transfer": str(name)}
    assert open_client.post(f"/api/v1/accounts/{OTHER}/transfers", json=taken, headers=theirs).status_code == 201
    after = open_client.get(f"/api/v1/accounts/{OTHER}/dealings", headers=theirs).json()
    assert after["waiting"] == [] and after["known"][0] == ME
    (last,) = open_client.get(f"/api/v1/accounts/{OTHER}/entries?limit=1", headers=theirs).json()["items"]
    assert last["label"] == "Given by others"
