"""A recovery is slow, told everywhere, ended by a word, and never one person's alone."""

from dataclasses import replace

import pytest

from authenticator import Authenticator
from commonwatt.flows.entrance import enrolling, inviting, placing, recovering, sitting, telling
from commonwatt.flows.entrance.hall import Hall, NotLetIn
from commonwatt.flows.entrance.records import Person, Way
from commonwatt.flows.notices import channels
from commonwatt.flows.notices.records import Way as Ear
from commonwatt.identity.access import Action, within
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.recovery import DELAY_S, MACHINE, OPEN_S, Stand
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.model import AccountId, Refused
from doorway import HERE, OPERATOR, THERE, Clock, joined, sits, with_password


@pytest.fixture
def olga(hall: Hall) -> Person:
    return joined(hall, "olga", Role.OPERATOR)


@pytest.fixture
def anna(hall: Hall) -> Person:
    return placing.set_addresses(hall, joined(hall, "anna"), ["anna@sun.example"], HERE)


@pytest.fixture
def auditor(hall: Hall, clock: Clock, olga: Person, anna: Person) -> Person:
    found = joined(hall, "alan", Role.AUDITOR)
    clock.passes(recovering.SEATED_S)
    return found


def send_letters(hall: Hall) -> list[str]:
    waiting = telling.letters_waiting(hall)
    for letter in waiting:
        telling.letter_sent(hall, letter.id)
    return [letter.text for letter in waiting]


def test_after_a_recovery_nothing_is_left_of_what_a_thief_may_hold(
    hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person
) -> None:
    ended = list[AccountId]()
    hall = replace(hall, end_calendar=ended.append)
    thief = sits(hall, anna, Way.PASSKEY)
    with_password(hall, anna)
    enrolling.print_codes(hall, thief, THERE)
    options, sealed = enrolling.begin_passkey(hall, thief)
    device = Authenticator(hall.site.origin, hall.site.relying_party)
    enrolling.finish_passkey(hall, thief, sealed, device.register(dict(options)), "old phone", THERE)
    channels.add(hall.people, thief, Ear.WEBHOOK, "https://thief.test/", "x", (), now_s=clock.now_s, log_s=0)
    assert len(hall.ways_of(anna.id)) == 3
    begun, secret = recovering.begin(hall, "anna", olga.id)
    recovering.second(hall, begun.id, auditor)
    send_letters(hall)
    clock.passes(DELAY_S)
    here = sits(hall, recovering.with_recovery(hall, secret, HERE), Way.RECOVERY)
    options, sealed = enrolling.begin_passkey(hall, here)
    device = Authenticator(hall.site.origin, hall.site.relying_party)
    assert enrolling.finish_passkey(hall, here, sealed, device.register(dict(options)), "new phone", HERE).secret
    assert [way.label for way in hall.ways_of(anna.id)] == ["new phone"]
    assert hall.people.channels.of(anna.id) == [] and ended == ["anna"]


@pytest.mark.row("W8")
def test_a_recovery_that_two_began_and_nobody_vetoed_lets_its_member_in(
    hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person
) -> None:
    old = sitting.sign_in(hall, anna, Way.PASSKEY, THERE)
    begun, secret = recovering.begin(hall, "anna", olga.id)
    recovering.second(hall, begun.id, auditor)
    send_letters(hall)
    clock.passes(DELAY_S - 1)
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)
    clock.passes(1)
    assert recovering.with_recovery(hall, secret, HERE).id == anna.id
    here = sits(hall, anna, Way.RECOVERY)
    assert not within(here.seat, Action.SEE_READINGS)
    options, sealed = enrolling.begin_passkey(hall, here)
    device = Authenticator(hall.site.origin, hall.site.relying_party)
    assert enrolling.finish_passkey(hall, here, sealed, device.register(dict(options)), "new phone", HERE).secret
    assert sitting.sit(hall, old, THERE) is None, "who stole the old phone is out"
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)


def test_the_operator_alone_recovers_nobody(hall: Hall, clock: Clock, olga: Person, anna: Person) -> None:
    clock.passes(recovering.SEATED_S)
    begun, secret = recovering.begin(hall, "anna", olga.id)
    with pytest.raises(Refused):
        recovering.second(hall, begun.id, olga)
    puppet_text, _ = inviting.invite(hall, olga.id, sits(hall, olga).seat, Role.OPERATOR, None, (), OPERATOR)
    puppet = inviting.accept(hall, puppet_text, "puppet", HERE)
    with pytest.raises(Refused):
        recovering.second(hall, begun.id, puppet)
    with pytest.raises(Refused):
        recovering.second(hall, begun.id, anna)
    send_letters(hall)
    clock.passes(DELAY_S)
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)


def test_who_began_at_the_machine_may_be_any_operator_so_an_auditor_agrees(
    hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person
) -> None:
    otto = joined(hall, "otto", Role.OPERATOR)
    clock.passes(recovering.SEATED_S)
    begun, secret = recovering.begin(hall, "anna", MACHINE)
    for operator in (olga, otto):
        with pytest.raises(Refused, match="auditor"):
            recovering.second(hall, begun.id, operator)
    recovering.second(hall, begun.id, auditor)
    send_letters(hall)
    clock.passes(DELAY_S)
    assert recovering.with_recovery(hall, secret, HERE).id == anna.id


def test_an_operator_who_is_a_guardian_agrees_to_what_began_at_the_machine(
    hall: Hall, olga: Person, anna: Person
) -> None:
    placing.set_guardians(hall, anna, ["olga"], HERE)
    begun, _ = recovering.begin(hall, "anna", MACHINE)
    assert recovering.second(hall, begun.id, olga).agreed_by == olga.id


def test_nobody_is_silenced_while_their_access_is_being_recovered(
    hall: Hall, clock: Clock, olga: Person, anna: Person
) -> None:
    here = sits(hall, anna)
    begun, _ = recovering.begin(hall, "anna", olga.id)
    with pytest.raises(Refused, match="so that they can say no"):
        placing.end(hall, "anna", 0, olga.id)
    assert sitting.sits_still(hall, here)
    recovering.veto(hall, anna, begun.id)
    gone = placing.end(hall, "anna", 0, olga.id)
    with pytest.raises(Refused, match="has a role"):
        recovering.begin(hall, gone.name, olga.id)


def test_who_has_no_role_any_more_may_say_no_all_the_same(hall: Hall, olga: Person, anna: Person) -> None:
    begun, _ = recovering.begin(hall, "anna", olga.id)
    hall.people.persons.put(replace(anna, places=(replace(anna.places[0], ended_s=hall.now_s()),)))
    letter = next(one for one in telling.letters_waiting(hall) if one.about == begun.id)
    recovering.veto_by_letter(hall, letter.link, HERE)
    assert recovering.standing(hall, recovering.of(hall, anna)[0]) is Stand.VETOED


def test_guardians_whom_the_member_chose_agree_and_nobody_in_their_place(
    hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person
) -> None:
    gina = joined(hall, "gina")
    placing.set_guardians(hall, anna, ["gina"], HERE)
    begun, secret = recovering.begin(hall, "anna", olga.id)
    with pytest.raises(Refused):
        recovering.second(hall, begun.id, auditor)
    recovering.second(hall, begun.id, gina)
    send_letters(hall)
    clock.passes(DELAY_S)
    assert recovering.with_recovery(hall, secret, HERE).id == anna.id


def test_every_session_and_address_is_told_and_any_of_them_ends_it(
    hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person
) -> None:
    begun, secret = recovering.begin(hall, "anna", olga.id)
    told = telling.notices_of(hall, anna)
    assert told[0].what == Happened.RECOVERY_BEGUN and told[0].about == begun.id
    letters = [one for one in telling.letters_waiting(hall) if one.about == begun.id]
    assert [one.address for one in letters] == ["anna@sun.example"]
    recovering.second(hall, begun.id, auditor)
    send_letters(hall)
    recovering.veto_by_letter(hall, letters[0].link, THERE)
    clock.passes(DELAY_S)
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)
    again, secret = recovering.begin(hall, "anna", olga.id)
    recovering.second(hall, again.id, auditor)
    with pytest.raises(Refused):
        recovering.veto(hall, olga, again.id)
    recovering.veto(hall, anna, again.id)
    send_letters(hall)
    clock.passes(DELAY_S)
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)
    assert recovering.standing(hall, recovering.of(hall, anna)[-1]) is Stand.VETOED


def test_it_waits_until_the_letters_left_the_house(
    hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person
) -> None:
    begun, secret = recovering.begin(hall, "anna", olga.id)
    recovering.second(hall, begun.id, auditor)
    clock.passes(DELAY_S)
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)
    assert any("recovery" in text for text in send_letters(hall))
    assert recovering.with_recovery(hall, secret, HERE).id == anna.id


def test_it_lapses(hall: Hall, clock: Clock, olga: Person, anna: Person, auditor: Person) -> None:
    begun, secret = recovering.begin(hall, "anna", olga.id)
    recovering.second(hall, begun.id, auditor)
    send_letters(hall)
    clock.passes(DELAY_S + OPEN_S)
    with pytest.raises(NotLetIn):
        recovering.with_recovery(hall, secret, HERE)
    recovering.begin(hall, "anna", olga.id)
    with pytest.raises(Refused, match="at a time"):
        recovering.begin(hall, "anna", olga.id)


def test_a_letter_cannot_be_sent_elsewhere_by_changing_the_address(hall: Hall, anna: Person) -> None:
    send_letters(hall)
    placing.set_addresses(hall, anna, ["mallory@evil.test"], HERE)
    assert {one.address for one in telling.letters_waiting(hall)} == {"anna@sun.example", "mallory@evil.test"}


@pytest.mark.parametrize("address", ["anna", "anna@", "a@b.c\nBcc: x@y.z", "a b@c.d", "<a@b.c>", "a@b.c,d@e.f"])
def test_an_address_holds_no_second_one_and_no_header(hall: Hall, anna: Person, address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        placing.set_addresses(hall, anna, [address], HERE)


def test_an_account_of_an_office_is_filled_by_who_runs_the_community(hall: Hall) -> None:
    grid = replace(placing.new_place(hall, Role.DSO, AccountId("grid")), zones=("PL",))
    placing.add_person(hall, "dora", [grid], "test")
    assert placing.add_person(hall, "dirk", [grid], "test").places[0].account == "grid"
