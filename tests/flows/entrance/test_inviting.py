"""Invitations are good once, for a while, as they were signed; and none leads into an account that is somebody's."""

from dataclasses import replace

import pytest

from authenticator import Authenticator
from commonwatt.flows.entrance import enrolling, inviting, placing, sitting
from commonwatt.flows.entrance.hall import Hall
from commonwatt.flows.entrance.records import Way
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.recovery import MACHINE
from commonwatt.model import AccountId, InvalidValue, Refused
from doorway import HERE, OPERATOR, PASSWORD, Clock, joined, sits, with_password

HOME = AccountId("member-07")


def invited(hall: Hall, role: Role = Role.MEMBER, account: AccountId | None = HOME) -> str:
    operator = hall.people.persons.find("olga") or joined(hall, "olga", Role.OPERATOR)
    text, _ = inviting.invite(hall, operator.id, sits(hall, operator).seat, role, account, (), OPERATOR)
    return text


@pytest.mark.row("W8")
def test_an_invitation_is_good_once(hall: Hall) -> None:
    text = invited(hall)
    anna = inviting.accept(hall, text, "anna", HERE)
    assert [(place.role, place.account) for place in anna.places] == [(Role.MEMBER, HOME)]
    with pytest.raises(Refused, match="good once"):
        inviting.accept(hall, text, "mallory", HERE)
    assert hall.people.persons.find("mallory") is None


def test_who_joined_sets_up_a_way_in_and_sits_there_with_all_of_it(hall: Hall) -> None:
    anna = inviting.accept(hall, invited(hall), "anna", HERE)
    here = sits(hall, anna, Way.INVITATION)
    options, sealed = enrolling.begin_passkey(hall, here)
    device = Authenticator(hall.site.origin, hall.site.relying_party)
    done = enrolling.finish_passkey(hall, here, sealed, device.register(dict(options)), "phone", HERE)
    assert done.secret is not None
    found = sitting.sit(hall, done.secret, HERE)
    assert found is not None and found.seat.scopes is None and found.seat.account == HOME
    assert here.session is not None and hall.people.sessions.get(here.session.hash) is None
    assert PASSWORD not in str(done)


@pytest.mark.parametrize("place", [0, 10, 60, -1, -60])
def test_a_changed_invitation_is_not_believed(hall: Hall, place: int) -> None:
    text = invited(hall)
    changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :] if place >= 0 else ""
    changed = changed or text[:place] + ("0" if text[place] != "0" else "1") + text[len(text) + place + 1 :]
    with pytest.raises(Refused):
        inviting.accept(hall, changed, "anna", HERE)


def test_an_invitation_that_another_key_signed_or_nobody_kept_is_not_believed(hall: Hall) -> None:
    olga = joined(hall, "olga", Role.OPERATOR)
    forged, _ = inviting.invite(hall, olga.id, None, Role.OPERATOR, None, (), SigningKey.from_seed(b"x", "forger"))
    with pytest.raises(Refused, match="signed"):
        inviting.accept(hall, forged, "mallory", HERE)
    text, kept = inviting.invite(hall, olga.id, None, Role.OPERATOR, None, (), OPERATOR)
    hall.people.invitations.drop(kept.id)
    with pytest.raises(Refused):
        inviting.accept(hall, text, "mallory", HERE)


def test_an_invitation_ends_in_time_and_when_taken_back(hall: Hall, clock: Clock) -> None:
    text = invited(hall)
    clock.passes(7 * 86_400)
    with pytest.raises(Refused):
        inviting.accept(hall, text, "anna", HERE)
    text = invited(hall)
    (kept,) = [one for one in hall.people.invitations.all() if one.until_s > clock.now_s]
    assert inviting.revoke(hall, kept.id, "olga", of=None)
    with pytest.raises(Refused):
        inviting.accept(hall, text, "anna", HERE)


def test_the_operator_puts_nobody_into_an_account_that_is_somebodys(hall: Hall) -> None:
    text = invited(hall)
    with_password(hall, joined(hall, "anna", account=HOME))
    with pytest.raises(Refused, match="only they"):
        inviting.accept(hall, text, "puppet", HERE)
    with pytest.raises(Refused, match="only they"):
        invited(hall)
    with pytest.raises(Refused, match="only they"):
        invited(hall, Role.DSO, HOME)
    with pytest.raises(Refused, match="only they"):
        placing.give(hall, "olga", placing.new_place(hall, Role.MEMBER, HOME), "another")
    placing.end(hall, "anna", 0, "olga")
    with pytest.raises(Refused, match="only they"):
        invited(hall)
    assert hall.people.persons.find("puppet") is None


def test_who_never_came_loses_the_place_to_who_comes_instead(hall: Hall) -> None:
    puppet = inviting.accept(hall, invited(hall), "puppet", HERE)
    waiting = sitting.sign_in(hall, puppet, Way.INVITATION, HERE)
    anna = inviting.accept(hall, invited(hall), "anna", HERE)
    assert anna.places[0].ended_s is None
    assert sitting.sit(hall, waiting, HERE) is None
    assert placing.known(hall, "puppet").standing() == []


def test_a_member_invites_into_their_own_household_and_nowhere_else(hall: Hall) -> None:
    anna = joined(hall, "anna", account=HOME)
    seat = sits(hall, anna).seat
    text, _ = inviting.invite(hall, anna.id, seat, Role.MEMBER, HOME, (), OPERATOR)
    assert inviting.accept(hall, text, "ben", HERE).places[0].account == HOME
    for role, account in ((Role.OPERATOR, None), (Role.MEMBER, AccountId("member-08")), (Role.AUDITOR, HOME)):
        with pytest.raises(Refused):
            inviting.invite(hall, anna.id, seat, role, account, (), OPERATOR)


def test_who_sits_there_already_gets_one_role_more(hall: Hall) -> None:
    anna = joined(hall, "anna")
    again = inviting.accept(hall, invited(hall, Role.DSO, None), "", HERE, anna)
    assert again.id == anna.id and [place.role for place in again.places] == [Role.MEMBER, Role.DSO]


def test_nobody_gives_a_role_to_themselves(hall: Hall) -> None:
    olga = joined(hall, "olga", Role.OPERATOR)
    with pytest.raises(Refused, match="by another"):
        placing.give(hall, "olga", placing.new_place(hall, Role.DSO), olga.id)
    with pytest.raises(Refused, match="by another"):
        inviting.accept(hall, invited(hall, Role.DSO, None), "", HERE, olga)
    assert len(placing.known(hall, "olga").places) == 1


def test_an_operator_in_the_app_makes_no_auditor_and_nobody_is_both(hall: Hall) -> None:
    olga, anna = joined(hall, "olga", Role.OPERATOR), joined(hall, "anna")
    auditor = placing.new_place(hall, Role.AUDITOR)
    with pytest.raises(Refused, match="holds the machine"):
        placing.give(hall, "anna", auditor, olga.id)
    with pytest.raises(Refused, match="holds the machine"):
        invited(hall, Role.AUDITOR, None)
    for name, place in (("olga", auditor), ("alan", placing.new_place(hall, Role.OPERATOR))):
        if name == "alan":
            joined(hall, name, Role.AUDITOR)
        with pytest.raises(Refused, match="does not run"):
            placing.give(hall, name, place, MACHINE)
    text, _ = inviting.invite(hall, MACHINE, None, Role.AUDITOR, None, (), OPERATOR)
    assert inviting.accept(hall, text, "", HERE, anna).places[-1].role is Role.AUDITOR


def test_a_role_is_of_an_account_that_the_community_has(hall: Hall) -> None:
    hall = replace(hall, has_account=lambda account: account == HOME)
    for role, account in ((Role.MEMBER, AccountId("member-99")), (Role.UTILITY, AccountId("nobody"))):
        with pytest.raises(Refused, match="community has"):
            placing.new_place(hall, role, account)
    assert placing.new_place(hall, Role.MEMBER, HOME).account == HOME
    assert placing.new_place(hall, Role.DSO, AccountId("grid")).account == "grid"


@pytest.mark.parametrize("name", ["", "a b", "<b>", "anna\n", "x" * 65, "../anna", "a\u202eb", "-anna"])
def test_a_name_is_plain(hall: Hall, name: str) -> None:
    if name == "anna\n":
        assert inviting.accept(hall, invited(hall), name, HERE).name == "anna"
        return
    with pytest.raises(Refused):
        inviting.accept(hall, invited(hall), name, HERE)


def test_nobody_is_invited_as_the_public_or_a_member_of_nothing(hall: Hall) -> None:
    for role in (Role.PUBLIC, Role.MEMBER):
        with pytest.raises(InvalidValue):
            invited(hall, role, None)
