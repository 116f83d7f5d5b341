from functools import partial

import pytest
from fastapi.testclient import TestClient
from lived import LivedStreet
from seats import sits

from commonwatt.apps.community import Community
from commonwatt.apps.views.devices import Telling, _telling, claims_for
from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity import trust_bodies
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, AssetId, AssetKind, Kind, Outcome

MINE, OPERATES, WIRES = sits(Role.MEMBER, "member-01"), sits(Role.OPERATOR, "operator"), sits(Role.DSO, "dso")
CLAIM = {"number": "HEPEK-9001", "name": "cellar-01", "kind": "battery", "most_w": 3_000, "capacity_wh": 10_000}


def test_a_member_sees_how_their_devices_fare_and_what_each_said_last(client: TestClient, lived: LivedStreet) -> None:
    told = client.get("/api/v1/devices", headers=MINE).json()
    assert {one["owner"] for one in told} == {"member-01"}
    assert {one["telling"] for one in told} == {"healthy"}
    assert all(one["last_slot_s"] == lived.end_s - 900 and one["import_wh"] is not None for one in told)
    steered = [one for one in told if one["last_word"]]
    assert steered, "the street's plan asked something of a store"
    for one in steered:
        leaf = client.get(f"/api/v1/leaves/{one['last_word']['position']}", headers=sits(Role.AUDITOR, "auditor"))
        assert leaf.json()["kind"] == "ack"


def test_who_runs_the_service_sees_that_devices_live_and_not_what_a_home_draws(client: TestClient) -> None:
    told = client.get("/api/v1/devices", headers=OPERATES).json()
    assert len({one["owner"] for one in told}) > 1
    assert all(one["import_wh"] is None and one["last_word"] is None for one in told)
    assert client.get("/api/v1/devices", headers=WIRES).json() == [], "zones, not homes"
    assert client.get("/api/v1/devices").status_code == 403


def test_silence_and_doubt_are_told_by_the_logs_time() -> None:
    assert _telling(None, None, 10_000) is Telling.NEW
    assert _telling(9_000, None, 10_000) is Telling.HEALTHY
    assert _telling(9_000, None, 13_000) is Telling.SILENT
    assert _telling(9_000, 9_500, 10_000) is Telling.DOUBTED


def test_every_driver_admits_what_is_missing(client: TestClient) -> None:
    told = client.get("/api/v1/drivers").json()
    assert len(told) > 3 and all(one["trouble"] or one["done"] for one in told)
    assert any(one["missing"] for one in told)


@pytest.mark.row("H1")
def test_who_holds_a_gateways_number_claims_what_is_behind_it_and_nobody_else_does(open_client: TestClient) -> None:
    path = "/api/v1/accounts/member-01/devices"
    early = open_client.post(path, headers=MINE, json=CLAIM)
    assert early.json()["rule"] == "a device is claimed by the number of a gateway that is registered and free"

    community: Community = open_client.app.state.community  # type: ignore[attr-defined]
    public = SigningKey.from_seed(b"of this test", "gateway").public.hex()
    body = bodies.RegisterGateway(gateway=str(CLAIM["number"]), public=public, alg="secp256k1")
    assert open_client.portal
    done = open_client.portal.call(partial(community.send, AccountId("operator"), Kind.REGISTER, body))
    assert done.outcome is Outcome.BOOKED

    assert open_client.post(path, headers=MINE, json={**CLAIM, "most_w": -1}).status_code == 422
    assert open_client.post(path, headers=sits(Role.MEMBER, "member-02"), json=CLAIM).status_code == 404
    assert open_client.post(path, headers=MINE, json=CLAIM).status_code == 201
    claimed = next(
        one for one in open_client.get("/api/v1/devices", headers=MINE).json() if one["asset"] == "cellar-01"
    )
    assert (claimed["telling"], claimed["gateway"]) == ("new", "HEPEK-9001")
    pump = {"number": CLAIM["number"], "name": "warmth-01", "kind": "heat pump", "most_w": 3_000, "least_w": 900}
    assert open_client.post(path, headers=MINE, json={**pump, "least_w": -1}).status_code == 422
    assert open_client.post(path, headers=MINE, json=pump).status_code == 201
    asset = community.state.assets[AssetId("warmth-01")]
    assert (asset.kind, asset.min_import_w, asset.max_export_w) == (AssetKind.HEAT_PUMP, 900, 0)
    other = "/api/v1/accounts/member-02/devices"
    late = open_client.post(other, headers=sits(Role.MEMBER, "member-02"), json={**CLAIM, "name": "mine-02"})
    assert late.json()["rule"] == early.json()["rule"], "that it is somebody's is not told"


@pytest.mark.row("H1")
def test_an_installer_claims_a_device_for_who_lets_them_register_things_and_for_nobody_else(
    open_client: TestClient,
) -> None:
    community: Community = open_client.app.state.community  # type: ignore[attr-defined]
    fitter = SigningKey.from_seed(b"of this test", "fitter").public.hex()
    gateway = SigningKey.from_seed(b"of this test", "second gateway").public.hex()
    joins = bodies.RegisterKey(public=fitter, alg="secp256k1", role="installer", account="fix")
    grant = trust_bodies.Grant(to=fitter, kinds=("register",), until_s=community.now_s() + 3_600)
    assert open_client.portal
    for account, kind, body in (
        ("operator", Kind.REGISTER, joins),
        ("operator", Kind.REGISTER, bodies.RegisterGateway(gateway="HEPEK-9002", public=gateway, alg="secp256k1")),
        ("member-03", Kind.DELEGATE, grant),
    ):
        done = open_client.portal.call(partial(community.send, AccountId(account), kind, body))
        assert done.outcome is Outcome.BOOKED, kind
    fits, claim = sits(Role.INSTALLER, "fix"), {**CLAIM, "number": "HEPEK-9002", "name": "cellar-03"}
    seat = Seat(person="fix", role=Role.INSTALLER, account=AccountId("fix"))
    assert claims_for(community, seat) == ["member-03"]
    assert open_client.post("/api/v1/accounts/member-02/devices", headers=fits, json=claim).status_code == 404
    assert open_client.post("/api/v1/accounts/member-03/devices", headers=fits, json=claim).status_code == 201
    theirs = open_client.get("/api/v1/devices", headers=sits(Role.MEMBER, "member-03")).json()
    assert "cellar-03" in {one["asset"] for one in theirs}
