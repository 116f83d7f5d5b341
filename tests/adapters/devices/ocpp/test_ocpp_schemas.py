"""The fast checks find what the official schemas' own validator finds, no more and no less."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from commonwatt.adapters.devices.ocpp import schemas

SEED: list[tuple[str, str, dict[str, Any]]] = [
    ("1.6", "MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": [
        {"timestamp": "2026-01-01T12:00:00Z", "sampledValue": [{"value": "1", "unit": "Wh", "context": "Trigger"}]}]}),
    ("1.6", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": {
            "duration": 60, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]}}}),
    ("2.0.1", "TransactionEvent", {"eventType": "Started", "timestamp": "2026-01-01T12:00:00Z",
        "triggerReason": "CablePluggedIn", "seqNo": 0, "transactionInfo": {"transactionId": "a"},
        "evse": {"id": 1}, "idToken": {"idToken": "x", "type": "Central"}}),
    ("2.1", "SetChargingProfile", {"evseId": 1, "chargingProfile": {
        "id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute",
        "chargingSchedule": [{"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [
            {"startPeriod": 0, "setpoint": -3000.5, "operationMode": "CentralSetpoint"}]}]}}),
]  # fmt: skip
ANY = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**6), st.text(max_size=60), st.just([]), st.just({}),
                st.decimals(-10, 10, places=2).map(float))  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def spoilt(payload: dict[str, Any], path: tuple[Any, ...], value: Any, add: str | None) -> Any:
    copy: Any = json.loads(json.dumps(payload))
    if not path:
        return value
    at = copy
    for key in path[:-1]:
        at = at[key]
    if add is None:
        at[path[-1]] = value
    elif isinstance(at, dict):
        at.pop(path[-1])
        at[add] = value
    return copy


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_the_fast_checks_agree_with_the_official_validator(data: st.DataObject) -> None:
    version, action, payload = data.draw(st.sampled_from(SEED))
    path = data.draw(st.sampled_from(places(payload)))
    told = spoilt(payload, path, data.draw(ANY), data.draw(st.one_of(st.none(), st.text(max_size=8))))
    found = schemas.check(version, action, told)
    assert found is not None
    official = schemas.schema(version, action + ("" if version == "1.6" else "Request"))
    exact = json.loads(json.dumps(told), parse_float=Decimal)
    errors = list(Draft4Validator(official).iter_errors(exact))
    assert bool(found) == bool(errors)
    ours, theirs = {one.keyword for one in found}, {str(error.validator) for error in errors}
    assert ours - {"enum"} == theirs - {"enum"}
    assert ("enum" in theirs) == ("enum" in ours) or "type" in ours, "what has the wrong type is no known value either"


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_every_message_of_every_version_has_a_check_that_refuses_what_is_no_object(version: str) -> None:
    names = [name for its, name in schemas._names() if its == version]
    assert len(names) > 70
    for name in names:
        answer = name.endswith("Response")
        action = name.removesuffix("Response").removesuffix("Request")
        found = schemas.check(version, action, [], answer=answer)
        assert found is not None, name
        assert found[0].keyword == "type"
    assert schemas.check(version, "../../etc/passwd", {}) is None


def test_a_number_too_large_to_be_divided_is_a_finding_and_no_exception() -> None:
    for limit in (1e40, 1e300, -1e40, float("inf"), float("nan"), 10**31, 10**5000, Decimal("1E+999999")):
        answer = {"status": "Accepted", "connectorId": 1, "chargingSchedule": {
            "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}}  # fmt: skip
        found = schemas.check("1.6", "GetCompositeSchedule", answer, answer=True)
        assert found is not None
        assert [one.keyword for one in found] == ["multipleOf"]
