"""An address that was mistyped is refused before anything is sent to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.keys import SigningKey
from commonwatt.identity.signing_in.wallet import read_address, with_checksum
from commonwatt.model import InvalidValue

pytestmark = pytest.mark.row("E11")

EIP_55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
)
"""The test cases of EIP-55."""


@pytest.mark.parametrize("address", EIP_55)
def test_the_standard_s_addresses_are_read_and_shown_so(address: str) -> None:
    assert read_address(address) == address.lower()
    assert with_checksum(address.lower()) == address


@given(st.binary(min_size=20, max_size=20), st.data())
def test_a_letter_in_the_wrong_case_is_refused_by_the_rule(raw: bytes, data: st.DataObject) -> None:
    right = with_checksum("0x" + raw.hex())
    letters = [place for place, sign in enumerate(right) if sign.isalpha() and place > 1]
    if not letters:
        return
    place = data.draw(st.sampled_from(letters))
    wrong = right[:place] + right[place].swapcase() + right[place + 1 :]
    if wrong[2:] in (wrong[2:].lower(), wrong[2:].upper()):
        assert read_address(wrong) == right.lower(), "one case throughout has no checksum"
        return
    with pytest.raises(InvalidValue, match="EIP-55"):
        read_address(wrong)


@pytest.mark.parametrize("wrong", ["", "0x", EIP_55[0][:-1], EIP_55[0] + "0", "1x" + EIP_55[0][2:], "0X" + "00" * 20])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidValue, match="0x and 40 hex digits"):
        read_address(wrong)


def test_a_key_signs_the_example_of_eip_155_as_the_standard_says() -> None:
    key = SigningKey(b"\x46" * 32)
    assert with_checksum(key.id) == "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
    digest = bytes.fromhex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53")
    assert key.sign_digest(digest) == (
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )
