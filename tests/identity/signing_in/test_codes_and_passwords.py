"""Codes follow their standard and are good once; passwords are long, and compared whether or not there is one."""

from base64 import b32decode, b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonwatt.identity.signing_in.codes import new_printed_codes, new_totp_secret, printed_hash, totp_step
from commonwatt.identity.signing_in.passwords import Passwords, check_new
from commonwatt.identity.signing_in.recovery import DELAY_S, OPEN_S, Recovery, Stand, agree, stand
from commonwatt.model import Refused

RFC_SECRET = b32encode(b"12345678901234567890").decode()
QUICK = Passwords(passes=1, memory_kib=8, lanes=1)


@pytest.mark.parametrize(
    ("at_s", "code"),
    [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (2_000_000_000, "279037")],
)
def test_codes_are_those_of_rfc_6238(at_s: int, code: str) -> None:
    assert totp_step(RFC_SECRET, code, at_s, -1) == at_s // 30
    assert totp_step(RFC_SECRET, f" {code[:3]} {code[3:]}", at_s, -1) == at_s // 30
    assert totp_step(RFC_SECRET, code, at_s, at_s // 30) is None
    assert totp_step(RFC_SECRET, code, at_s + 30, -1) == at_s // 30
    assert totp_step(RFC_SECRET, code, at_s + 60, -1) is None


@pytest.mark.parametrize(
    "text", ["", "28708", "2870822", "28708x", "\u0662\u0668\u0667\u0660\u0668\u0662", "\U0001f511"]
)
def test_what_only_looks_like_a_code_is_none(text: str) -> None:
    assert totp_step(RFC_SECRET, "287082", 59, -1) == 1
    assert totp_step(RFC_SECRET, text, 59, -1) is None


def test_a_fresh_secret_is_160_bits() -> None:
    assert len(b32decode(new_totp_secret())) == 20 and new_totp_secret() != new_totp_secret()


def test_printed_codes_differ_and_are_read_as_people_write_them() -> None:
    codes = new_printed_codes()
    assert len(set(codes)) == 10 and all(len(code) == 23 for code in codes)
    assert printed_hash(codes[0]) == printed_hash(f"  {codes[0].lower().replace('-', ' ')} ") != printed_hash(codes[1])


def test_a_password_holds_and_no_other_does() -> None:
    stored = QUICK.hash("correct horse battery")
    assert stored.startswith("$argon2id$") and "correct" not in stored
    assert QUICK.holds(stored, "correct horse battery")
    for wrong in ("correct horse batterY", "", "correct horse battery" * 100):
        assert not QUICK.holds(stored, wrong)
    assert not QUICK.holds(None, "correct horse battery") and not QUICK.holds("damaged", "correct horse battery")
    assert QUICK.outdated(stored) is False and Passwords(passes=2, memory_kib=8, lanes=1).outdated(stored)


def test_a_letter_written_in_two_ways_is_one_letter() -> None:
    assert QUICK.holds(QUICK.hash("Zu\u0308rich am See"), "Z\u00fcrich am See")


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "anna is my name", "x" * 257, "abababababab"])
def test_an_easy_password_is_not_taken(password: str) -> None:
    with pytest.raises(Refused):
        check_new(password, "anna")


def test_a_long_one_is_taken_whatever_it_is_made_of() -> None:
    check_new("correct horse battery", "anna")


@given(
    st.integers(0, DELAY_S + OPEN_S + 10),
    st.sampled_from([None, "second"]),
    st.booleans(),
    st.sampled_from([None, Stand.VETOED, Stand.FINISHED]),
)
def test_a_recovery_is_open_after_its_delay_with_a_second_person_and_all_told_and_never_else(
    passed_s: int, agreed_by: str | None, all_told: bool, ended: Stand | None
) -> None:
    recovery = Recovery(
        id="r",
        person="anna",
        begun_by="olga",
        begun_s=100,
        secret_hash="",
        veto_hash="",
        agreed_by=agreed_by,
        ended=ended,
    )
    found = stand(recovery, 100 + passed_s, all_told=all_told)
    within = DELAY_S <= passed_s < DELAY_S + OPEN_S
    assert (found is Stand.OPEN) == (ended is None and agreed_by is not None and all_told and within)


@pytest.mark.parametrize("by", ["anna", "olga"])
@pytest.mark.parametrize("guardians", [frozenset(), frozenset({"anna", "olga"})])
def test_neither_its_member_nor_who_began_it_is_the_second(by: str, guardians: frozenset[str]) -> None:
    recovery = Recovery(id="r", person="anna", begun_by="olga", begun_s=0, secret_hash="", veto_hash="")
    with pytest.raises(Refused):
        agree(recovery, by, guardians, independent=True)
