import csv
import io
import json

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.apps.api.v1.audits import _cell
from commonwatt.identity.seat import Role

AUDITS, MINE = sits(Role.AUDITOR, "auditor"), sits(Role.MEMBER, "member-01")


@pytest.mark.row("X12")
def test_an_auditor_lays_two_accounts_side_by_side_and_the_sums_are_those_of_the_entries(client: TestClient) -> None:
    asked = "/api/v1/comparisons?left=member-01&right=member-02"
    told = client.get(asked, headers=AUDITS).json()
    entries = _entries(client, "?account=member-02")
    for one in told["rows"]:
        mine = [e for e in entries if (e["memo"], e["commodity"]) == (one["memo"], one["commodity"])]
        assert one["right"] == sum(e["amount"] * (1 if e["target"] == "member-02" else -1) for e in mine), one
    assert any(one["left"] != one["right"] for one in told["rows"])
    assert client.get(asked, headers=MINE).status_code == 404
    assert client.get(f"{asked}&left_from_s=10&left_to_s=9", headers=AUDITS).status_code == 422


@pytest.mark.row("X12")
def test_an_export_holds_every_entry_once_and_tells_the_roots_that_it_stands_under(
    client: TestClient, lived: LivedStreet
) -> None:
    answer = client.get("/api/v1/exports/entries.jsonl", headers=AUDITS)
    under, *entries = map(json.loads, answer.text.splitlines())
    assert (under["size"], under["state_root"]) == (lived.size, lived.state_root)
    assert [one["number"] for one in entries] == list(range(under["entries"] - 1, -1, -1))
    table = client.get("/api/v1/exports/entries.csv", headers=AUDITS).text
    head, _, rest = table.partition("\r\n")
    assert json.loads(head.removeprefix("# ")) == under
    rows = list(csv.DictReader(io.StringIO(rest)))
    assert [{name: str(value) for name, value in one.items()} for one in entries] == rows


def test_trades_and_requests_are_taken_along_without_what_is_their_owners(client: TestClient) -> None:
    under, *leaves = map(json.loads, client.get("/api/v1/exports/leaves.jsonl", headers=AUDITS).text.splitlines())
    assert len(leaves) == under["size"] and all("body" not in one for one in leaves)
    _, *trades = map(json.loads, client.get("/api/v1/exports/trades.jsonl", headers=AUDITS).text.splitlines())
    assert trades and {"seller", "buyer", "energy_wh"} <= trades[0].keys()


def test_others_take_along_only_what_is_theirs(client: TestClient) -> None:
    for what in ("entries", "trades", "leaves"):
        assert client.get(f"/api/v1/exports/{what}.csv", headers=MINE).status_code == 403
    assert client.get("/api/v1/exports/entries.csv?account=member-02", headers=MINE).status_code == 404
    assert client.get("/api/v1/exports/entries.csv?account=member-01", headers=MINE).status_code == 200
    assert client.get("/api/v1/exports/everything.csv", headers=AUDITS).status_code == 422


def test_no_cell_is_run_as_a_formula() -> None:
    assert [_cell(told) for told in ("=1+1", "@x", -3, "solar")] == ["'=1+1", "'@x", -3, "solar"]


def _entries(client: TestClient, narrowed: str) -> list[dict[str, object]]:
    _, *entries = client.get(f"/api/v1/exports/entries.jsonl{narrowed}", headers=AUDITS).text.splitlines()
    return [json.loads(one) for one in entries]
