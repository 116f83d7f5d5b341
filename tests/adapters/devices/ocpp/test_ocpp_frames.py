"""Whatever arrives is a message or a refusal in the version's own words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.adapters.devices.ocpp import frames
from commonwatt.adapters.devices.ocpp.schemas import VERSIONS

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-1, 10), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=12,
)


@given(st.sampled_from(VERSIONS), st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_garbage_is_refused_and_nothing_else_happens(version: str, raw: bytes) -> None:
    try:
        frame = frames.parse(raw, version)
    except frames.BadFrame as bad:
        assert bad.code
        if bad.id is not None:
            assert json.loads(frames.error(bad.id, bad.code, bad.words))[0] == 4
    else:
        assert frame.kind in (2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("version", "raw", "id", "code"),
    [
        ("1.6", b"nonsense", "-1", "FormationViolation"),
        ("2.0.1", b"nonsense", "-1", "RpcFrameworkError"),
        ("2.0.1", b'[9,"a","Heartbeat",{}]', "a", "MessageTypeNotSupported"),
        ("1.6", b'[9,"a","Heartbeat",{}]', "a", "GenericError"),
        ("1.6", b'[2,"a","Heartbeat",[]]', "a", "FormationViolation"),
        ("2.1", b'[2,"a","Heartbeat",[]]', "a", "FormatViolation"),
        ("2.0.1", b'[6,"a","NotifyPeriodicEventStream",{}]', "a", "MessageTypeNotSupported"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_version(version: str, raw: bytes, id: str, code: str) -> None:
    with pytest.raises(frames.BadFrame) as caught:
        frames.parse(raw, version)
    assert (caught.value.id, caught.value.code) == (id, code)


@pytest.mark.parametrize("raw", [b"[3]", b'[4,7,"x"]', b'[3,"a"]', b'[6,"a","b",[]]'])
def test_nobody_answers_an_answer_or_what_wants_none(raw: bytes) -> None:
    with pytest.raises(frames.BadFrame) as caught:
        frames.parse(raw, "2.1")
    assert caught.value.id is None


def test_the_new_frames_of_ocpp_2_1_are_understood() -> None:
    assert frames.parse(b'[6,"a","NotifyPeriodicEventStream",{"id":1}]', "2.1").action == "NotifyPeriodicEventStream"
    assert frames.parse(b'[5,"a","FormatViolation","why",{}]', "2.1").payload == ("why", {})
    assert frames.parse(b'[4,"a"]', "1.6") == frames.Frame(4, "a", "GenericError", ("", None))
