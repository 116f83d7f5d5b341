"""Words lead to the keys that every other wallet finds by them, and mistaken words to none."""

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatt.identity.keystore import Words
from commonwatt.identity.mnemonic import COUNTS, key_of, new_words, path
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import InvalidValue, Refused

pytestmark = pytest.mark.row("E11")

ABANDON = "abandon " * 11 + "about"
JUNK = "test " * 11 + "junk"


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        # Known to everybody: the words that BIP-39's own vectors begin with, and those of development chains.
        (ABANDON, 0, "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"),
        (JUNK, 0, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        (JUNK, 1, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        (JUNK.upper().replace(" ", "\n  "), 2, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    ],
)
def test_known_words_lead_to_known_addresses(text: str, number: int, expected: str) -> None:
    assert with_checksum(key_of(Words(text, path(number))).id) == expected


def test_a_passphrase_and_a_path_lead_to_other_keys_as_another_library_finds_them() -> None:
    Account.enable_unaudited_hdwallet_features()
    plain = key_of(Words(ABANDON, path()))
    guarded = key_of(Words(ABANDON, "m/44'/60'/3'/0/5"), "TREZOR")
    found = Account.from_mnemonic(ABANDON, "TREZOR", "m/44'/60'/3'/0/5")
    assert guarded.id == found.address.lower() != plain.id


@pytest.mark.parametrize("count", COUNTS)
def test_new_words_are_as_many_as_asked_for_and_lead_to_a_key(count: int) -> None:
    one, other = new_words(count), new_words(count)
    assert len(one.split()) == count and one != other
    assert key_of(Words(one, path())).id == key_of(Words(one, path())).id != key_of(Words(other, path())).id


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 11), st.sampled_from(["zoo", "ability", "zebra", "lemon"]))
def test_a_mistaken_word_is_found_by_the_checksum_and_no_word_is_repeated(place: int, wrong: str) -> None:
    text = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    words = text.split()
    spoiled = [*words[:place], wrong, *words[place + 1 :]]
    try:
        key_of(Words(" ".join(spoiled), path()))
    except Refused as error:
        assert not set(spoiled) & set(str(error).split()) - {"is", "a", "of"}
        assert error.__cause__ is None, "what caused it repeats the words"
    else:
        # One in sixteen mistakes passes a checksum of four bits; then it is another key.
        assert key_of(Words(" ".join(spoiled), path())).id != key_of(Words(" ".join(words), path())).id


@pytest.mark.parametrize("text", ["", "abandon " * 12, "abandon about", "not words that anybody wrote down " * 2])
def test_what_are_no_words_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="12 to 24 words of BIP-39"):
        key_of(Words(text, path()))


@pytest.mark.parametrize("wrong", ["", "m", "44'/60'", "m/x", "m/2147483648", "m/44h/60", "m//1", f"m{'/1' * 11}"])
def test_what_is_no_path_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidValue, match="a path is like m/44'/60'/0'/0/0"):
        key_of(Words(JUNK, wrong))


def test_another_count_of_words_is_refused() -> None:
    with pytest.raises(InvalidValue, match="12, 15, 18, 21, 24 words, was 13"):
        new_words(13)
