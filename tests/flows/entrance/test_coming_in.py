"""Each way in lets its owner in, and nobody else; what was wrong is told to nobody."""

import time
from dataclasses import replace
from statistics import median

import pytest
from coincurve import PrivateKey

from authenticator import Authenticator
from commonwatt.flows.entrance import coming_in, enrolling, placing, sitting
from commonwatt.flows.entrance.hall import Hall, NotLetIn, TooSoon
from commonwatt.flows.entrance.records import Person, Way, Where
from commonwatt.identity.keys import SigningKey, signed_digest
from commonwatt.identity.signing_in.passwords import Passwords
from commonwatt.identity.signing_in.secret import secret_hash
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import InvalidValue, Refused
from doorway import HERE, PASSWORD, SITE, THERE, Clock, come_in, joined, sits, with_password


@pytest.fixture
def anna(hall: Hall) -> Person:
    return joined(hall, "anna")


@pytest.mark.row("W8")
def test_a_password_with_its_code_lets_its_owner_in(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = with_password(hall, anna)
    clock.passes(30)
    assert come_in(hall, " Anna ", PASSWORD, codes.at(clock.now_s)).id == anna.id


def test_a_code_is_good_once(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = with_password(hall, anna)
    with pytest.raises(NotLetIn):
        come_in(hall, "anna", PASSWORD, codes.at(clock.now_s))  # used when the password was set
    clock.passes(30)
    come_in(hall, "anna", PASSWORD, codes.at(clock.now_s))
    with pytest.raises(NotLetIn):
        come_in(hall, "anna", PASSWORD, codes.at(clock.now_s))
    with pytest.raises(NotLetIn):
        come_in(hall, "anna", PASSWORD, codes.at(clock.now_s - 30))


def test_a_code_of_another_time_is_not_good(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = with_password(hall, anna)
    clock.passes(600)
    for wrong in (codes.at(clock.now_s - 60), codes.at(clock.now_s + 60), "", "000000x", "١٢٣٤٥٦"):
        with pytest.raises(NotLetIn):
            come_in(hall, "anna", PASSWORD, wrong)


def test_what_is_wrong_is_told_in_the_same_words(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = with_password(hall, anna)
    clock.passes(60)
    said = set()
    for name, password, code in (
        ("anna", "wrong " + PASSWORD, codes.at(clock.now_s)),
        ("anna", PASSWORD, "000000"),
        ("nobody", PASSWORD, codes.at(clock.now_s)),
        ("", "", ""),
    ):
        with pytest.raises(Refused) as refused:
            come_in(hall, name, password, code)
        said.add((type(refused.value), str(refused.value), tuple(refused.value.found)))
    assert len(said) == 1


def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has(hall: Hall, anna: Person) -> None:
    with_password(hall, anna)
    object.__setattr__(hall, "passwords", Passwords(passes=3, memory_kib=8_192, lanes=1))
    stored = hall.passwords.hash(PASSWORD)
    took = dict[str | None, list[float]]({stored: [], None: []})
    for _ in range(9):
        for known in took:
            began = time.process_time()
            assert not hall.passwords.holds(known, "wrong")
            took[known].append(time.process_time() - began)
    assert 0.5 < median(took[None]) / median(took[stored]) < 2


def test_who_fails_often_waits_whether_or_not_the_name_exists(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = with_password(hall, anna)
    clock.passes(60)
    waits = []
    for name in ("anna", "nobody"):
        for _ in range(5):
            with pytest.raises(NotLetIn):
                come_in(hall, name, "wrong", "000000")
        with pytest.raises(TooSoon) as soon:
            come_in(hall, name, PASSWORD, codes.at(clock.now_s))
        waits.append((soon.value.wait_s, str(soon.value)))
    assert waits[0] == waits[1]
    clock.passes(waits[0][0])
    assert come_in(hall, "anna", PASSWORD, codes.at(clock.now_s), THERE).id == anna.id


def test_strangers_who_fail_in_somebodys_name_keep_them_out_of_no_browser_that_is_theirs(
    hall: Hall, clock: Clock, anna: Person
) -> None:
    codes = with_password(hall, anna)
    sitting.sign_in(hall, anna, Way.PASSWORD, HERE, browser="known before")
    clock.passes(60)
    for _ in range(6):
        with pytest.raises(Refused):
            come_in(hall, "anna", "wrong", "000000", THERE)
    with pytest.raises(TooSoon):
        come_in(hall, "anna", PASSWORD, codes.at(clock.now_s), replace(HERE, browser="made up"))
    hers = replace(HERE, browser="known before")
    assert come_in(hall, "anna", PASSWORD, codes.at(clock.now_s), hers).id == anna.id
    with pytest.raises(TooSoon):  # and her success lets strangers guess no sooner
        come_in(hall, "anna", "wrong", "000000", THERE)


def test_a_known_browser_is_slowed_too_and_is_known_for_its_own_person_alone(
    hall: Hall, clock: Clock, anna: Person
) -> None:
    with_password(hall, anna)
    joined(hall, "berta")
    sitting.sign_in(hall, anna, Way.PASSWORD, HERE, browser="stolen")
    for name in ("anna", "berta"):
        for _ in range(5):
            with pytest.raises(NotLetIn):
                come_in(hall, name, "wrong", "000000", replace(THERE, browser="stolen"))
        with pytest.raises(TooSoon):
            come_in(hall, name, "wrong", "000000", replace(THERE, browser="stolen"))
    assert hall.people.tries("name berta").count == 5 and not hall.people.tries("name anna").count


def test_no_browser_is_known_after_all_sessions_were_ended_and_eight_at_most_before(hall: Hall, anna: Person) -> None:
    for number in range(10):
        sitting.sign_in(hall, anna, Way.PASSWORD, HERE, browser=f"browser {number}")
    assert len(placing.known(hall, "anna").browsers) == 8
    sitting.sign_in(hall, anna, Way.INVITATION, HERE, browser="of an invitation")
    sitting.sign_in(hall, anna, Way.PASSWORD, replace(HERE, browser="browser 9"), browser="new")
    known = placing.known(hall, "anna").browsers
    assert secret_hash("new") in known and len(known) == 8
    assert not {secret_hash("browser 9"), secret_hash("of an invitation")} & set(known)
    sitting.end_all(hall, anna)
    assert not placing.known(hall, "anna").browsers


def test_a_clock_that_was_ahead_locks_nobody_out_for_as_long(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = with_password(hall, anna)
    ahead_s = 30 * 86_400
    clock.passes(ahead_s)
    for _ in range(5):
        with pytest.raises(NotLetIn):
            come_in(hall, "anna", "wrong", "000000")
    clock.passes(60 - ahead_s)
    with pytest.raises(TooSoon) as soon:
        come_in(hall, "anna", PASSWORD, codes.at(clock.now_s))
    assert soon.value.wait_s == 1  # what follows five is one second, whatever the clock said before
    clock.passes(soon.value.wait_s)
    assert come_in(hall, "anna", PASSWORD, codes.at(clock.now_s)).id == anna.id


def test_an_address_that_tries_many_names_waits(hall: Hall, clock: Clock) -> None:
    for number in range(30):
        with pytest.raises(NotLetIn):
            come_in(hall, f"name{number}", "wrong", "000000")
    with pytest.raises(TooSoon):
        come_in(hall, "another", "wrong", "000000")
    with pytest.raises(NotLetIn):
        come_in(hall, "another", "wrong", "000000", THERE)


def test_a_network_of_ipv6_is_one_address(hall: Hall) -> None:
    for number in range(30):
        with pytest.raises(NotLetIn):
            come_in(hall, f"name{number}", "wrong", "000000", Where(address=f"2001:db8::{number:x}"))
    with pytest.raises(TooSoon):
        come_in(hall, "another", "wrong", "000000", Where(address="2001:db8::ffff:1"))
    with pytest.raises(NotLetIn):
        come_in(hall, "another", "wrong", "000000", Where(address="2001:db8:0:1::1"))


@pytest.mark.row("W8")
def test_a_passkey_lets_its_owner_in(hall: Hall, anna: Person) -> None:
    device = passkey(hall, anna)
    options, sealed = coming_in.begin_passkey(hall)
    assert coming_in.with_passkey(hall, sealed, device.sign(options), HERE).id == anna.id


def test_a_passkey_of_another_origin_or_site_is_not_believed(hall: Hall, anna: Person) -> None:
    device = passkey(hall, anna)
    for origin, rp_id in (
        ("https://sun.example.evil.test", "sun.example"),
        ("http://sun.example", "sun.example"),
        ("https://sun.example:444", "sun.example"),
        (SITE.origin, "evil.test"),
    ):
        device.origin, device.rp_id = origin, rp_id
        options, sealed = coming_in.begin_passkey(hall)
        with pytest.raises(NotLetIn):
            coming_in.with_passkey(hall, sealed, device.sign(options), HERE)


def test_a_passkey_of_another_origin_is_not_kept(hall: Hall, anna: Person) -> None:
    here = sits(hall, anna)
    options, sealed = enrolling.begin_passkey(hall, here)
    made = Authenticator("https://evil.test", "sun.example").register(dict(options))
    with pytest.raises(Refused):
        enrolling.finish_passkey(hall, here, sealed, made, "phone", HERE)
    assert hall.ways_of(anna.id) == []


def test_a_passkey_needs_its_owner_to_be_seen(hall: Hall, anna: Person) -> None:
    device = passkey(hall, anna)
    device.verified = False
    options, sealed = coming_in.begin_passkey(hall)
    with pytest.raises(NotLetIn):
        coming_in.with_passkey(hall, sealed, device.sign(options), HERE)


def test_a_passkeys_answer_is_good_once_and_for_minutes(hall: Hall, clock: Clock, anna: Person) -> None:
    device = passkey(hall, anna)
    options, sealed = coming_in.begin_passkey(hall)
    answer = device.sign(options)
    coming_in.with_passkey(hall, sealed, answer, HERE)
    for tried in (sealed, sealed + "=", sealed + "!"):
        with pytest.raises(NotLetIn):
            coming_in.with_passkey(hall, tried, answer, HERE)
    options, sealed = coming_in.begin_passkey(hall)
    clock.passes(301)
    with pytest.raises(NotLetIn):
        coming_in.with_passkey(hall, sealed, device.sign(options), HERE)


def test_a_copy_of_a_passkey_is_found_by_its_count(hall: Hall, anna: Person) -> None:
    device = passkey(hall, anna)
    options, sealed = coming_in.begin_passkey(hall)
    coming_in.with_passkey(hall, sealed, device.sign(options), HERE)
    device.counter = 0
    options, sealed = coming_in.begin_passkey(hall)
    with pytest.raises(NotLetIn):
        coming_in.with_passkey(hall, sealed, device.sign(options), HERE)


def test_a_passkey_that_names_another_person_lets_nobody_in(hall: Hall, anna: Person) -> None:
    mine, hers = passkey(hall, joined(hall, "ben")), passkey(hall, anna)
    mine.handle = hers.handle
    options, sealed = coming_in.begin_passkey(hall)
    with pytest.raises(NotLetIn):
        coming_in.with_passkey(hall, sealed, mine.sign(options), HERE)


@pytest.mark.parametrize("nonsense", [{}, {"id": 1}, {"id": "x", "response": {}}, {"id": "x", "response": None}])
def test_nonsense_lets_nobody_in(hall: Hall, nonsense: dict[str, object]) -> None:
    _, sealed = coming_in.begin_passkey(hall)
    with pytest.raises(NotLetIn):
        coming_in.with_passkey(hall, sealed, nonsense, HERE)


@pytest.mark.row("W8")
def test_a_wallet_lets_its_holder_in_once(hall: Hall, anna: Person) -> None:
    wallet = PrivateKey(b"\x07" * 32)
    keep_wallet(hall, anna, wallet)
    message, sealed = coming_in.begin_wallet(hall, address(wallet))
    signature = signed(wallet, message)
    assert coming_in.with_wallet(hall, sealed, message, signature, HERE).id == anna.id
    with pytest.raises(NotLetIn):
        coming_in.with_wallet(hall, sealed, message, signature, HERE)


def test_a_wallets_message_of_another_site_nonce_chain_or_time_lets_nobody_in(
    hall: Hall, clock: Clock, anna: Person
) -> None:
    wallet = PrivateKey(b"\x07" * 32)
    keep_wallet(hall, anna, wallet)
    first, _ = coming_in.begin_wallet(hall, address(wallet))
    message, sealed = coming_in.begin_wallet(hall, address(wallet))
    for wrong in (
        first,
        message.replace("sun.example wants", "evil.test wants"),
        message.replace("URI: https://sun.example", "URI: https://sun.example.evil.test"),
        message.replace("Chain ID: 1", "Chain ID: 137"),
        message.replace("Version: 1", "Version: 2"),
        message.replace("2026-", "2025-"),
        message + "\nResources:\n- javascript",
    ):
        with pytest.raises(NotLetIn):
            coming_in.with_wallet(hall, sealed, wrong, signed(wallet, wrong), HERE)
    with pytest.raises(NotLetIn):
        coming_in.with_wallet(hall, sealed, message, signed(PrivateKey(b"\x08" * 32), message), HERE)
    assert coming_in.with_wallet(hall, sealed, message, signed(wallet, message), HERE).id == anna.id


def test_a_wallet_belongs_to_one_person(hall: Hall, anna: Person) -> None:
    wallet = PrivateKey(b"\x07" * 32)
    keep_wallet(hall, anna, wallet)
    with pytest.raises(Refused):
        keep_wallet(hall, joined(hall, "ben"), wallet)
    with pytest.raises(InvalidValue):
        coming_in.begin_wallet(hall, "0xnobody\nevil")


def test_a_printed_code_is_good_once_and_its_owner_is_told(hall: Hall, clock: Clock, anna: Person) -> None:
    codes = enrolling.print_codes(hall, sits(hall, anna), HERE)
    assert coming_in.with_printed_code(hall, "anna", codes[0].lower().replace("-", " "), HERE).id == anna.id
    with pytest.raises(NotLetIn):
        coming_in.with_printed_code(hall, "anna", codes[0], HERE)
    assert any(one.what == Happened.RECOVERED for one in hall.people.notices.of(anna.id))
    assert [event.what for event, _ in hall.people.trail()][-1] is Happened.FAILED


def passkey(hall: Hall, person: Person) -> Authenticator:
    device, here = Authenticator(SITE.origin, SITE.relying_party), sits(hall, person)
    options, sealed = enrolling.begin_passkey(hall, here)
    kept = enrolling.finish_passkey(hall, here, sealed, device.register(dict(options)), "phone", HERE)
    assert kept.credential.way is Way.PASSKEY
    return device


def address(wallet: PrivateKey) -> str:
    return SigningKey(wallet.secret).id


def signed(wallet: PrivateKey, message: str) -> str:
    compact = wallet.sign_recoverable(signed_digest(message.encode()), hasher=None)
    return "0x" + compact[:64].hex() + bytes([27 + compact[64]]).hex()


def keep_wallet(hall: Hall, person: Person, wallet: PrivateKey) -> None:
    here = sits(hall, person)
    message, sealed = enrolling.begin_wallet(hall, here, address(wallet))
    enrolling.finish_wallet(hall, here, sealed, message, signed(wallet, message), "wallet", HERE)
