"""The signed form is RFC 8785's, and nothing that has two forms can be signed."""

from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.model import AccountId, CommunityId, InvalidValue, KeyId, Kind, Request, canonical_json

NAMES = st.text(st.characters(codec="ascii"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_form_equals_the_reference_implementation(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_fast_encoder_that_reads_requests_writes_the_same_form(value: dict[str, Any]) -> None:
    assert msgspec.json.encode(value, order="sorted") == canonical_json(value)


@pytest.mark.parametrize("value", [1.0, 2**53, -(2**53), {"é": 1}, {1: 2}, "\ud800", b"x", {"a": [float("nan")]}])
def test_what_has_no_single_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue):
        canonical_json(value)


def test_the_wire_form_is_canonical_too_and_the_signature_is_not_signed() -> None:
    request = Request(
        community=CommunityId("street"),
        kind=Kind.CONSENT,
        author=KeyId("0x00"),
        seq=1,
        on_behalf_of=AccountId("member-01"),
        body={"standing": True, "asset": "car-01"},
        signature="ab" * 64,
    )
    assert b"signature" not in request.signed_bytes()
    assert request.wire_bytes() == canonical_json(
        {
            "author": "0x00",
            "body": {"asset": "car-01", "standing": True},
            "community": "street",
            "kind": "consent",
            "on_behalf_of": "member-01",
            "seq": 1,
            "signature": "ab" * 64,
        }
    )
