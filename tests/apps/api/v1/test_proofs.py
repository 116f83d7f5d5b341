"""Proofs are checked here as anybody would: by hashing what they show."""

import json

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.flows.evidence import climbed, read_trust
from commonwatt.flows.verify import verify_file
from commonwatt.identity.seat import Role
from commonwatt.ledger.checkpoint import parse_vkey, read_note, verify_note
from commonwatt.ledger.merkle import merkle_root, salted, verify_inclusion
from commonwatt.metering.batch import decode_items, verify_item

MINE, OTHER, AUDITS = sits(Role.MEMBER, "member-01"), sits(Role.MEMBER, "member-02"), sits(Role.AUDITOR, "auditor")


def _hashes(words: list[str]) -> list[bytes]:
    return [bytes.fromhex(word) for word in words]


def test_everybody_gets_the_checkpoint_with_the_key_that_signed_it(client: TestClient, lived: LivedStreet) -> None:
    told = client.get("/api/v1/proofs/checkpoint").json()["checkpoint"]
    trust = read_trust(client.get("/api/v1/proofs/trust").content)
    assert told["vkey"] == trust.note
    verify_note(told["note"], dict([parse_vkey(told["vkey"])]))
    assert told["size"] <= lived.size and not told["final"], "nobody watches this street"


@pytest.mark.row("X6")
def test_a_reading_is_proven_out_of_its_batch_up_to_the_signed_log_root(client: TestClient, lived: LivedStreet) -> None:
    slot_s = lived.end_s - 900
    mine = client.get("/api/v1/assets", headers=MINE).json()
    name = next(one["asset"]["id"] for one in mine if one["last_slot_s"] == slot_s)
    path = f"/api/v1/proofs/readings/{name}/{slot_s}"
    told = client.get(path, headers=MINE).json()
    leaf, item, point = told["leaf"], told["item"], read_note(told["checkpoint"]["note"])
    body = json.loads(leaf["record"])["request"]["body"]
    record = bytes.fromhex(item["record"])
    assert verify_item(record, item["index"], item["count"], _hashes(item["path"]), bytes.fromhex(body["root"]))
    data = salted(bytes.fromhex(leaf["salt"]), leaf["record"].encode())
    assert data.hex() == leaf["data"]
    assert verify_inclusion(data, leaf["position"], point.size, _hashes(leaf["path"]), point.log_root)
    (shown,) = client.get(f"/api/v1/assets/{name}/readings?from_s={slot_s}", headers=MINE).json()
    assert (decode_items(record)[0].import_wh, slot_s) == (shown["import_wh"], shown["slot_s"])
    assert client.get(path, headers=OTHER).status_code == 404
    assert client.get(path, headers=AUDITS).status_code in (403, 404), "an auditor too needs the owner's word"


def test_a_leaf_of_anothers_is_proven_by_its_hash_alone(client: TestClient) -> None:
    (found,) = client.get("/api/v1/leaves?limit=1&kind=reading_batch", headers=AUDITS).json()["items"]
    told = client.get(f"/api/v1/proofs/leaves/{found['position']}", headers=AUDITS).json()
    leaf, point = told["leaf"], read_note(told["checkpoint"]["note"])
    assert leaf["record"] is None and leaf["salt"] is None
    data = bytes.fromhex(leaf["data"])
    assert verify_inclusion(data, leaf["position"], point.size, _hashes(leaf["path"]), point.log_root)
    assert client.get(f"/api/v1/proofs/leaves/{found['position']}", headers=OTHER).status_code == 404


def test_what_no_checkpoint_covers_yet_says_so(client: TestClient, lived: LivedStreet) -> None:
    answer = client.get(f"/api/v1/proofs/leaves/{lived.size - 1}", headers=AUDITS)
    assert answer.status_code == 403
    assert answer.json()["rule"] == "the next checkpoint covers it, the last one does not yet"


@pytest.mark.row("X6")
def test_an_entry_is_proven_up_to_the_signed_state_root_and_a_slot_by_a_file(
    client: TestClient, lived: LivedStreet
) -> None:
    entries = client.get("/api/v1/accounts/member-01/entries?limit=50", headers=MINE).json()["items"]
    one = next(one for one in entries if one["memo"] == "trade")
    path = f"/api/v1/proofs/entries/{one['number']}"
    answer = client.get(path, headers=MINE)
    entry, point = answer.json()["entry"], read_note(answer.json()["checkpoint"]["note"])
    assert climbed(entry["record"].encode(), entry["path"]).hex() == entry["sections"][0]
    assert merkle_root(_hashes(entry["sections"])) == point.state_root
    assert json.loads(entry["record"])["amount"] == abs(one["amount"])
    assert client.get(path, headers={**MINE, "If-None-Match": answer.headers["etag"]}).status_code == 304
    third = sits(Role.MEMBER, next(f"member-{n:02}" for n in range(2, 9) if f"member-{n:02}" != one["other"]))
    assert client.get(path, headers=third).status_code == 404

    # Slots in which more than trades and the grid was booked have no bundle; of the others, the file verifies.
    for slot_s in sorted({other["slot_s"] for other in entries if other["memo"] == "trade"}):
        file = client.get(f"/api/v1/proofs/evidence/member-01/{slot_s}", headers=MINE)
        if file.status_code == 200:
            break
    assert file.headers["content-disposition"] == 'attachment; filename="evidence.json"'
    report = verify_file(file.content, (lived.folder / "community.pub").read_text())
    assert report.ok
    assert client.get(f"/api/v1/proofs/evidence/member-01/{slot_s}", headers=OTHER).status_code == 404
