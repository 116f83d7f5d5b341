"""A wallet's message is read by its grammar alone, and whose signature it is follows from the signature."""

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.keys import CURVE_ORDER, SigningKey, signed_digest
from commonwatt.identity.signing_in.site import Site
from commonwatt.identity.signing_in.wallet import check_wallet, read_message, with_checksum, write_message
from commonwatt.model import InvalidValue, Refused

SITE = Site(name="sun street", origin="https://sun.example:8443", chain_id=137)
WALLET = PrivateKey(b"\x07" * 32)
WHO = SigningKey(WALLET.secret).id
NOW_S = 1_790_000_000
MESSAGE = write_message(SITE, WHO, "a1b2c3d4e5f6", NOW_S)
FULL = f"""https://sun.example:8443 wants you to sign in with your Ethereum account:
{with_checksum(WHO)}

Any words: (with) reserved? letters!

URI: https://sun.example:8443/sign-in?a=%20b
Version: 1
Chain ID: 137
Nonce: a1b2c3d4e5f6
Issued At: 2026-09-21T14:13:20.5+00:00
Expiration Time: 2026-09-21T14:20:00Z
Not Before: 2026-09-21T14:13:00Z
Request ID: 4711
Resources:
- ipfs://something/
- https://sun.example/terms"""


def signed(message: str, wallet: PrivateKey = WALLET, v: int = 27) -> str:
    compact = wallet.sign_recoverable(signed_digest(message.encode()), hasher=None)
    return "0x" + compact[:64].hex() + bytes([v + compact[64]]).hex()


def test_checksums_are_those_of_eip_55() -> None:
    for address in ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"):
        assert with_checksum(address.lower()) == address


def test_every_field_of_the_grammar_is_read() -> None:
    told = read_message(FULL)
    assert (told.scheme, told.domain, told.address, told.chain_id) == ("https", "sun.example:8443", WHO, 137)
    assert told.statement == "Any words: (with) reserved? letters!"
    assert (told.issued_s, told.expires_s, told.not_before_s) == (NOW_S, NOW_S + 400, NOW_S - 20)
    bare = FULL.replace("Any words: (with) reserved? letters!\n", "").split("\nExpiration")[0]
    assert read_message(bare).statement is None and read_message(bare).expires_s is None


@pytest.mark.parametrize("message", [MESSAGE, FULL])
@pytest.mark.parametrize("v", [27, 0])
def test_who_signed_is_who_comes_in(message: str, v: int) -> None:
    assert check_wallet(SITE, "a1b2c3d4e5f6", message, signed(message, v=v), NOW_S + 1) == WHO


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (with_checksum(WHO), WHO),
        ("Version: 1", "Version: 1.0"),
        ("Version: 1", "version: 1"),
        ("Nonce: a1b2c3d4e5f6", "Nonce: short"),
        ("Nonce: a1b2c3d4e5f6", "Nonce: a1b2c3d4e5f6 "),
        ("\n", "\r\n"),
        ("Ethereum account", "Bitcoin account"),
        ("2026-09-21T", "2026-09-21 "),
        ("2026-09-21T", "2026-13-21T"),
        ("Chain ID: 137\n", ""),
        ("letters!", "lettérs"),
        ("letters!", "letters!\nURI: https://evil.test"),
        ("- ipfs", "-ipfs"),
    ],
)
def test_another_form_is_no_message(was: str, becomes: str) -> None:
    assert was in FULL
    with pytest.raises(InvalidValue):
        read_message(FULL.replace(was, becomes))


@given(st.integers(0, len(FULL) - 1), st.characters(min_codepoint=1, max_codepoint=0x17F))
def test_a_message_that_was_changed_anywhere_lets_nobody_in(place: int, letter: str) -> None:
    changed = FULL[:place] + letter + FULL[place + 1 :]
    if changed != FULL:
        with pytest.raises((Refused, InvalidValue)):
            check_wallet(SITE, "a1b2c3d4e5f6", changed, signed(FULL), NOW_S + 1)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        read_message(text)


@given(st.text("0123456789abcdefABCDEFx", max_size=140) | st.binary(min_size=65, max_size=65).map(bytes.hex))
def test_any_signature_is_anothers_or_none(signature: str) -> None:
    with pytest.raises((Refused, InvalidValue)):
        check_wallet(SITE, "a1b2c3d4e5f6", MESSAGE, signature, NOW_S)


def test_the_higher_twin_of_a_signature_is_refused() -> None:
    plain = signed(MESSAGE)
    s, v = CURVE_ORDER - int(plain[66:130], 16), 55 - int(plain[130:], 16)
    with pytest.raises(InvalidValue, match="lower"):
        check_wallet(SITE, "a1b2c3d4e5f6", MESSAGE, plain[:66] + f"{s:064x}{v:02x}", NOW_S)


@pytest.mark.parametrize("now_s", [NOW_S - 61, NOW_S + 600, NOW_S + 10**6])
def test_a_message_is_good_for_minutes(now_s: int) -> None:
    with pytest.raises(Refused):
        check_wallet(SITE, "a1b2c3d4e5f6", MESSAGE, signed(MESSAGE), now_s)
    with pytest.raises(Refused):
        check_wallet(SITE, "a1b2c3d4e5f6", FULL, signed(FULL), NOW_S + 400)


@pytest.mark.parametrize(
    "origin",
    ["", "sun.example", "http://sun.example", "https://sun.example/", "https://sun.example:443", "https://Sun.example"],
)
def test_a_site_is_an_origin_as_browsers_write_it(origin: str) -> None:
    with pytest.raises(InvalidValue):
        Site(name="x", origin=origin)


def test_a_bare_address_takes_no_passkeys() -> None:
    assert Site(name="x", origin="https://localhost:8443").takes_passkeys
    assert not Site(name="x", origin="https://192.0.2.1:8443").takes_passkeys
    assert not Site(name="x", origin="https://[2001:db8::1]").takes_passkeys
