"""Signed meter values are believed only by the pinned key, over the raw text, once, and in whole Wh."""

import base64
import json
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp.ocmf import Notary, SignedRecord, signed_records, span
from commonwatt.model import InvalidValue, Refused

KEYS = {
    "ECDSA-secp256k1-SHA256": ec.generate_private_key(ec.SECP256K1()),
    "ECDSA-secp256r1-SHA256": ec.generate_private_key(ec.SECP256R1()),
    "ECDSA-secp384r1-SHA256": ec.generate_private_key(ec.SECP384R1()),
    "ECDSA-secp192r1-SHA256": ec.generate_private_key(ec.SECP192R1()),
    "ECDSA-secp521r1-SHA256": ec.generate_private_key(ec.SECP521R1()),
    "ECDSA-brainpoolP256r1-SHA256": ec.generate_private_key(ec.BrainpoolP256R1()),
}
ANY = "ECDSA-secp256r1-SHA256"
# Recorded by S.A.F.E. e.V., Transparenzsoftware test resources (Apache-2.0): VW_OCMF_load.xml, OCMF_Test_Data_00.xml.
LEM = (
    'OCMF|{"FV":"1.0","GI":"LEM DCBM","GS":"1211751603","GV":"v1","PG":"T144","MV":"LEM","MS":"1211751603",'
    '"MF":"MU-0.1.4.0_SU-0.0.8.0","IS":true,"IL":"HEARSAY","IF":["RFID_RELATED","OCPP_AUTH_TLS","ISO15118_NONE",'
    '"PLMN_NONE"],"IT":"ISO14443","ID":"5EEFE0C7F64B050E9FB95C","CT":"EVSEID","CI":"458877","RD":'
    '[{"TM":"2021-10-06T13:13:56,000+0200 R","TX":"B","RV":57.584,"RI":"1-0:1.8.0","RU":"kWh","RT":"DC","EF":"",'
    '"ST":"G","UC":{"UN":"No_Comp","UI":2,"UR":0}},{"RV":4.405,"RI":"1-0:2.8.0","RU":"kWh","ST":"G"},'
    '{"TM":"2021-10-06T13:15:13,000+0200 R","TX":"E","RV":58.685,"RI":"1-0:1.8.0","RU":"kWh","ST":"G"},'
    '{"RV":4.405,"RI":"1-0:2.8.0","RU":"kWh","ST":"G"}]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045022100E1C80E7115294'
    "A3A4D10CFF8B94E959F941415E19A0913A0538312E585E1A37702200A2BE1B235C152CFC7555064A96533F192A8A1D4E0484C68FD46574947"
    'A3D9BA"}'
)
LEM_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D03010703420004CE6FD2090A85FDE4A69B58EF00FDE362833AD8C70F8E8027CAAC655C0B"
    "B02F6B1A44558C78B386FF0BC3A4BBE6C81A4F8133134DB05DAE91E2AA309C07A5128B"
)
NANO = (
    'OCMF|{"FV" : "1.0","GI" : "Nano CH-10311C","GS" : "060643","GV" : "v017","PG" : "T199","MV" : "DZG",'
    '"MM" : "DVH4013","MS" : "1DZG0033016824","IS" : true,"IL" : "VERIFIED","IF" : ["RFID_NONE","OCPP_NONE",'
    '"ISO15118_NONE","PLMN_NONE"],"IT" : "EMAID","ID" : "04ab076a345b85","CT" : "CBIDC","CI" : "CI","RD" : '
    '[{"TM" : "2021-10-26T10:21:22,000+0200 I","TX" : "E","RV" : "       9.038","RI" : "01-00:01.08.00.FF",'
    '"RU" : "kWh","RT" : "AC","EF" : "","ST" : "G"},{"TM" : "2021-10-26T10:21:22,000+0200 I","TX" : "E",'
    '"RV" : "      30","RI" : "01-00:00.08.06.FF","RU" : "sec","RT" : "AC","EF" : "","ST" : "G"}]}'
    '|{"SA" : "ECDSA-secp256k1-SHA256","SD" : "3045022016FD6DF51EE338CC56F6035670172653C93A77F263B7B24DD5DC84EF7C4A98AB'
    '022100ADE8D7D9EC4EFFE2B3C0781C108B9DF2688776F81AE94D9230C92ED570C9693C"}'
)
NANO_KEY = (
    "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEqHEykfqZhspgok6zCQh/329B38xine8ujzT8p5Nh7lek47cYeZj507aN6E4/QirF1b7Q57ln4VGfK6h0d0"
    "GOQA=="
)


def public(method: str) -> str:
    der = (
        KEYS[method]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return der.hex()


def reading(wh: object, mark: str = "B", **other: object) -> dict[str, object]:
    start = {"TM": "2026-01-01T12:00:00,000+0000 S", "TX": mark, "RV": wh, "RI": "1-b:1.8.0", "RU": "Wh", "ST": "G"}
    return {**start, **other}


def signed(readings: list[dict[str, object]], method: str = ANY, **other: object) -> str:
    payload = json.dumps({"FV": "1.0", "PG": "T1", "MS": "m-1", "IS": True, "IL": "VERIFIED", "RD": readings, **other})
    made = KEYS[method].sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
    return f"OCMF|{payload}|" + json.dumps({"SA": method, "SD": made.hex()})


def verified(raw: str, method: str = ANY, **other: bool) -> SignedRecord:
    return Notary("m-1", public(method), **other).verify(raw)


@pytest.mark.row("E12")
@pytest.mark.parametrize("method", KEYS)
def test_a_record_signed_by_the_pinned_key_is_believed(method: str) -> None:
    record = verified(signed([reading(1_000), reading(4_500, "E")], method), method)
    assert span([record]) == (1_000, 4_500)
    assert (record.meter, record.context, record.page) == ("m-1", "T", 1)


def test_records_of_real_meters_hold() -> None:
    lem = Notary("1211751603", LEM_KEY).verify(LEM)
    assert span([lem]) == (57_584, 58_685)
    assert [r.register_wh for r in lem.readings if r.exports] == [4_405, 4_405]
    nano = Notary("1DZG0033016824", NANO_KEY).verify(NANO)
    assert [r.register_wh for r in nano.readings] == [9_038], "its seconds are no energy"


@pytest.mark.row("E12")
def test_one_changed_digit_breaks_the_signature() -> None:
    with pytest.raises(Refused, match="does not hold"):
        Notary("1211751603", LEM_KEY).verify(LEM.replace("58.685", "58.686"))


def test_the_signature_covers_the_very_text_and_not_what_it_means() -> None:
    with pytest.raises(Refused, match="does not hold"):
        Notary("1211751603", LEM_KEY).verify(LEM.replace('"PG":"T144"', '"PG": "T144"'))


def test_a_key_in_the_record_proves_nothing() -> None:
    forged = signed([reading(1)], "ECDSA-secp256r1-SHA256") + "|" + public("ECDSA-secp256r1-SHA256")
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    pinned = stranger.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Refused, match="does not hold"):
        Notary("m-1", pinned.hex()).verify(forged)
    with pytest.raises(Refused, match="cannot be checked"):
        Notary("m-1", public("ECDSA-secp256k1-SHA256")).verify(forged)


def test_a_pinned_key_is_a_key() -> None:
    with pytest.raises(InvalidValue, match="no public key"):
        Notary("m-1", "deadbeef")


@pytest.mark.parametrize("level", ["MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"])
def test_a_user_whom_the_station_doubts_is_refused(level: str) -> None:
    with pytest.raises(Refused, match=level):
        verified(signed([reading(1)], IL=level))


@pytest.mark.parametrize(
    ("words", "readings"),
    [
        ("another unit", [reading(1, RU="mOhm")]),
        ("another unit", [reading(1, RU="MJ")]),
        ("without a reading of energy", [reading(1, RI="1-0:16.7.0")]),
        ("without a reading of energy", [reading(1, RI="7-0:3.0.0")]),
        ("without a reading of energy", []),
        ("possible value", [reading(-1)]),
        ("possible value", [{k: v for k, v in reading(1).items() if k != "RV"}]),
        ("manipulated", [reading(1, ST="M")]),
        ("timed out", [reading(1, ST="T")]),
        ("status is unknown", [{k: v for k, v in reading(1).items() if k != "ST"}]),
        ("faulty", [reading(1, EF="E")]),
        ("falls", [reading(2), reading(1, "E")]),
        ("time zone", [reading(1, TM="2026-01-01T12:00:00,000 S")]),
        ("no whole Wh", [reading(0.2596, RU="kWh")]),
    ],
)
def test_what_cannot_be_billed_is_refused_in_words(words: str, readings: list[dict[str, object]]) -> None:
    with pytest.raises(Refused, match=words):
        verified(signed(readings))


def test_parts_of_a_wh_count_down_only_where_that_was_agreed() -> None:
    record = verified(signed([reading(259.6)]), rounds_down=True)
    assert record.readings[0].register_wh == 259


def test_another_meters_record_is_refused() -> None:
    with pytest.raises(Refused, match="another meter"):
        verified(signed([reading(1)], MS="m-2"))


def test_a_gateway_that_signs_itself_is_known_by_its_own_serial() -> None:
    payload = signed([reading(1)], MS=None, GS="m-1")
    assert verified(payload).meter == "m-1"


@pytest.mark.row("E12")
def test_a_page_is_taken_once_and_never_falls() -> None:
    notary = Notary("m-1", public(ANY), pages={"T": 4})
    with pytest.raises(Refused, match="seen before"):
        notary.verify(signed([reading(1)], PG="T4"))
    notary.verify(signed([reading(1)], PG="T5"))
    with pytest.raises(Refused, match="seen before"):
        notary.verify(signed([reading(1)], PG="T5"))
    notary.verify(signed([reading(1)], PG="F1"))
    assert notary.pages == {"T": 5, "F": 1}
    with pytest.raises(Refused, match="without a page"):
        notary.verify(signed([reading(1)], PG="x"))


def test_a_refused_record_uses_up_no_page() -> None:
    notary = Notary("m-1", public(ANY))
    with pytest.raises(Refused):
        notary.verify(signed([reading(1, ST="M")], PG="T7"))
    notary.verify(signed([reading(1)], PG="T7"))


@given(st.integers(0, 10**9))
def test_kilowatt_hours_become_watt_hours_exactly(wh: int) -> None:
    kwh = Decimal(wh) / 1000
    raw = signed([reading("KWH", RU="kWh")]).partition("|")[2].rpartition("|")[0].replace('"KWH"', f"{kwh:f}")
    made = KEYS[ANY].sign(raw.encode(), ec.ECDSA(hashes.SHA256()))
    record = verified(f"OCMF|{raw}|" + json.dumps({"SA": ANY, "SD": made.hex()}))
    assert record.readings[0].register_wh == wh


def test_records_are_found_in_messages_of_every_version() -> None:
    data = base64.b64encode(LEM.encode()).decode()
    wrapped = {"signedMeterData": data, "encodingMethod": "OCMF", "signingMethod": "", "publicKey": "theirs"}
    values = [LEM, LEM.encode().hex(), json.dumps(wrapped)]
    for value in values:
        sample = {"value": value, "format": "SignedData", "context": "Transaction.End"}
        stop = {"transactionId": 1, "transactionData": [{"timestamp": "x", "sampledValue": [{"value": "1"}, sample]}]}
        assert signed_records(stop) == [LEM]
    event = {"meterValue": [{"sampledValue": [{"value": 1.0, "signedMeterValue": wrapped}]}]}
    assert signed_records(event) == [LEM]
    pythonic = {"meter_value": [{"sampled_value": [{"signed_meter_value": {
        "signed_meter_data": data, "encoding_method": "ocmf"}}]}]}  # fmt: skip
    assert signed_records(pythonic) == [LEM]
    assert signed_records({"meterValue": [{"sampledValue": [{"value": "12"}]}]}) == []


@pytest.mark.parametrize(
    "value", ["", "{", '{"encodingMethod": "EDL", "signedMeterData": ""}', "zz", base64.b64encode(b"EDL|").decode()]
)
def test_what_calls_itself_signed_and_is_no_ocmf_is_refused(value: str) -> None:
    with pytest.raises(Refused, match="signed value"):
        signed_records({"value": value, "format": "SignedData"})


@given(st.text(max_size=200) | st.text(max_size=60).map(lambda text: "OCMF|" + text))
def test_garbage_is_refused_and_nothing_else(text: str) -> None:
    notary = Notary("m-1", public(ANY))
    with pytest.raises(Refused):
        notary.verify(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["RD", "PG", "TM", "RV", "RI"]), inner),
    max_leaves=8,
)


@given(JSON, JSON)
def test_any_json_in_its_place_is_refused_and_nothing_else(payload: object, signature: object) -> None:
    with pytest.raises(Refused):
        Notary("m-1", public(ANY)).verify(f"OCMF|{json.dumps(payload)}|{json.dumps(signature)}")


TWO = "1-b:98.8.0"


@pytest.mark.row("E12")
def test_begin_and_end_are_those_of_one_register() -> None:
    total = [reading(100_000), reading(112_000, "E")]
    assert span([verified(signed(total))]) == (100_000, 112_000)
    apart = [verified(signed(total[:1])), verified(signed(total[1:], PG="T2"))]
    assert span(apart) == (100_000, 112_000)
    one_ends = [reading(100_000), reading(5_000, RI=TWO), reading(15_000, "E", RI=TWO)]
    assert span([verified(signed(one_ends))]) == (5_000, 15_000)


@pytest.mark.parametrize("swapped", [False, True])
def test_two_registers_that_both_begin_and_end_are_refused(swapped: bool) -> None:
    first, last = [reading(100_000), reading(5_000, RI=TWO)], [reading(15_000, "E", RI=TWO), reading(112_000, "E")]
    record = verified(signed([*reversed(first), *last] if swapped else [*first, *last]))
    with pytest.raises(Refused, match="ambiguous") as refused:
        span([record])
    assert "98.8.0" in str(refused.value)


def test_two_registers_that_tell_the_same_are_no_question() -> None:
    both = [reading(100), reading(100, RI=TWO), reading(900, "E"), reading(900, "E", RI=TWO)]
    assert span([verified(signed(both))]) == (100, 900)


def test_what_does_not_begin_and_end_in_one_register_has_no_span() -> None:
    assert span([verified(signed([reading(100), reading(15_000, "E", RI=TWO)]))]) is None
    assert span([]) is None


def test_a_register_that_falls_from_one_record_to_the_next_is_refused() -> None:
    records = [verified(signed([reading(900)])), verified(signed([reading(100, "E")], PG="T2"))]
    with pytest.raises(Refused, match="falls"):
        span(records)
