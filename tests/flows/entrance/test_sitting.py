"""Sessions and tokens: each ends in time, is listed, and is ended by its owner and nobody else."""

from pathlib import Path

import pytest

from commonwatt.flows.entrance import placing, sitting
from commonwatt.flows.entrance.hall import Hall, NotLetIn
from commonwatt.flows.entrance.records import Way
from commonwatt.identity.access import Action, Scope, within
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.secret import AT_HOME, AT_WORK
from commonwatt.model import AccountId, InvalidValue, Refused
from doorway import HERE, THERE, Clock, joined, sits

DAY_S = 86_400


def test_signing_in_ends_the_session_that_the_browser_had(hall: Hall) -> None:
    anna, mallory = joined(hall, "anna"), joined(hall, "mallory")
    laid = sitting.sign_in(hall, mallory, Way.PASSKEY, THERE)  # fixation: an attacker's own session in her browser
    own = sitting.sign_in(hall, anna, Way.PASSKEY, HERE, laid)
    assert own != laid and len(own) >= 43
    assert sitting.sit(hall, laid, HERE) is None
    found = sitting.sit(hall, own, HERE)
    assert found is not None and found.seat.person == "anna"


def test_a_secret_is_kept_nowhere(hall: Hall) -> None:
    secret = sitting.sign_in(hall, joined(hall, "anna"), Way.PASSKEY, HERE)
    token, _ = sitting.make_token(hall, sits(hall, placing.known(hall, "anna")), "x", frozenset({Scope.READ}), 9, HERE)
    for file in hall.people._db.execute("PRAGMA database_list").fetchall():  # type: ignore[attr-defined]
        for suffix in ("", "-wal"):
            content = Path(file[2] + suffix).read_bytes()
            for word in (secret, token, "anna", "a browser"):
                assert word.encode() not in content


@pytest.mark.parametrize(("role", "limits"), [(Role.MEMBER, AT_HOME), (Role.OPERATOR, AT_WORK)])
def test_a_session_ends_unused_and_at_last(hall: Hall, clock: Clock, role: Role, limits: sitting.Session) -> None:
    person = joined(hall, "anna", role)
    secret = sitting.sign_in(hall, person, Way.PASSKEY, HERE)
    clock.passes(limits.idle_s)
    assert sitting.sit(hall, secret, HERE) is None
    secret, began_s = sitting.sign_in(hall, person, Way.PASSKEY, HERE), clock.now_s
    while clock.now_s + limits.idle_s - 1 < began_s + limits.whole_s:
        clock.passes(limits.idle_s - 1)
        assert sitting.sit(hall, secret, HERE) is not None
    clock.now_s = began_s + limits.whole_s
    assert sitting.sit(hall, secret, HERE) is None


def test_sessions_are_listed_with_device_and_last_use_and_ended_by_their_owner_alone(hall: Hall, clock: Clock) -> None:
    anna, ben = joined(hall, "anna"), joined(hall, "ben")
    phone = sitting.sign_in(hall, anna, Way.PASSKEY, HERE)
    clock.passes(120)
    here = sits(hall, anna)
    assert sitting.sit(hall, phone, THERE) is not None
    listed = sitting.sessions_of(hall, here)
    assert [(one.device, one.address, one.seen_s) for one in listed] == [
        ("a browser", THERE.address, clock.now_s),
        ("a browser", HERE.address, clock.now_s),
    ]
    ids = [one.id for one in listed]
    assert sitting.revoke_sessions(hall, sits(hall, ben), ids, HERE) == []
    assert sitting.sit(hall, phone, HERE) is not None
    assert sitting.revoke_sessions(hall, here, [one.id for one in listed if one.address == THERE.address], HERE)
    assert sitting.sit(hall, phone, HERE) is None


def test_a_person_sits_in_one_role_at_a_time_and_the_secret_changes_with_it(hall: Hall) -> None:
    joined(hall, "anna")
    anna = placing.give(hall, "anna", placing.new_place(hall, Role.DSO, None, ["PL"]), "test")
    secret = sitting.sign_in(hall, anna, Way.PASSKEY, HERE)
    here = sitting.sit(hall, secret, HERE)
    assert here is not None and here.seat.role is Role.MEMBER
    other = sitting.take_place(hall, here, 1)
    assert sitting.sit(hall, secret, HERE) is None
    there = sitting.sit(hall, other, HERE)
    assert there is not None and (there.seat.role, there.seat.zones, there.seat.account) == (Role.DSO, ("PL",), None)
    with pytest.raises(Refused):
        sitting.take_place(hall, there, 2)


def test_a_role_that_ended_ends_its_sessions_and_tokens(hall: Hall) -> None:
    anna = joined(hall, "anna", Role.OPERATOR)
    here = sits(hall, anna)
    secret, _ = sitting.make_token(hall, here, "nightly", frozenset({Scope.READ}), DAY_S, HERE)
    session = sitting.sign_in(hall, anna, Way.PASSKEY, HERE)
    placing.end(hall, "anna", 0, "test")
    assert sitting.sit(hall, session, HERE) is None and sitting.sit_by_token(hall, secret) is None
    with pytest.raises(NotLetIn):
        sitting.sign_in(hall, placing.known(hall, "anna"), Way.PASSKEY, HERE)


def test_a_token_does_what_it_is_for_until_its_day(hall: Hall, clock: Clock) -> None:
    anna = joined(hall, "anna")
    secret, token = sitting.make_token(hall, sits(hall, anna), "script", frozenset({Scope.READ}), DAY_S, HERE)
    found = sitting.sit_by_token(hall, secret)
    assert found is not None and found.seat.account == AccountId("anna")
    assert within(found.seat, Action.SEE_READINGS)
    for action in (Action.PLACE_ORDER, Action.STATE_CONSTRAINT, Action.MANAGE_SELF, Action.INVITE):
        assert not within(found.seat, action)
    with pytest.raises(Refused):
        sitting.make_token(hall, found, "another", frozenset({Scope.READ}), DAY_S, HERE)
    assert not sitting.revoke_token(hall, sits(hall, joined(hall, "ben")), token.id, HERE)
    clock.passes(DAY_S)
    assert sitting.sit_by_token(hall, secret) is None


def test_a_token_is_revoked_by_its_owner(hall: Hall) -> None:
    here = sits(hall, joined(hall, "anna"))
    secret, token = sitting.make_token(hall, here, "script", frozenset({Scope.TRADE}), DAY_S, HERE)
    assert sitting.revoke_token(hall, here, token.id, HERE)
    assert sitting.sit_by_token(hall, secret) is None


@pytest.mark.parametrize(
    ("scopes", "lasts_s"), [(frozenset(), 9), (frozenset({Scope.ENROL}), 9), (frozenset({Scope.READ}), 400 * DAY_S)]
)
def test_a_token_without_scope_or_end_is_not_made(hall: Hall, scopes: frozenset[Scope], lasts_s: int) -> None:
    with pytest.raises(InvalidValue):
        sitting.make_token(hall, sits(hall, joined(hall, "anna")), "x", scopes, lasts_s, HERE)


def test_a_session_that_was_left_open_makes_no_token(hall: Hall, clock: Clock) -> None:
    here = sits(hall, joined(hall, "anna"))
    clock.passes(15 * 60)
    with pytest.raises(Refused):
        sitting.make_token(hall, here, "x", frozenset({Scope.READ}), 9, HERE)


def test_an_invitations_session_is_for_setting_up_a_way_in_and_short(hall: Hall, clock: Clock) -> None:
    anna = joined(hall, "anna")
    secret = sitting.sign_in(hall, anna, Way.INVITATION, HERE)
    here = sitting.sit(hall, secret, HERE)
    assert here is not None
    assert [action for action in (Action.SEE_READINGS, Action.PLACE_ORDER) if within(here.seat, action)] == []
    with pytest.raises(Refused):
        sitting.make_token(hall, here, "x", frozenset({Scope.READ}), 9, HERE)
    clock.passes(3_600)
    assert sitting.sit(hall, secret, HERE) is None


def test_a_household_session_is_too_old_for_a_role_at_work(hall: Hall, clock: Clock) -> None:
    joined(hall, "anna")
    anna = placing.give(hall, "anna", placing.new_place(hall, Role.OPERATOR), "test")
    secret = sitting.sign_in(hall, anna, Way.PASSKEY, HERE)
    clock.passes(AT_WORK.whole_s)
    here = sitting.sit(hall, secret, HERE)
    assert here is not None
    with pytest.raises(Refused, match="once more"):
        sitting.take_place(hall, here, 1)
    assert sitting.sit(hall, secret, HERE) is not None


@pytest.mark.parametrize("how", ["signed out", "ended elsewhere", "role ended", "another role taken", "idle"])
def test_who_sat_there_when_a_page_was_opened_is_looked_for_again(hall: Hall, clock: Clock, how: str) -> None:
    anna = joined(hall, "anna", Role.OPERATOR)
    placing.give(hall, "anna", placing.new_place(hall, Role.MEMBER, AccountId("home")), "test")
    here = sits(hall, anna)
    assert here.session is not None and sitting.sits_still(hall, here)
    if how == "signed out":
        sitting.sign_out(hall, here, HERE)
    elif how == "ended elsewhere":
        sitting.end_all(hall, anna)
    elif how == "role ended":
        placing.end(hall, "anna", 0, "test")
    elif how == "another role taken":
        sitting.take_place(hall, here, 1)
    else:
        clock.passes(AT_WORK.idle_s)
    assert not sitting.sits_still(hall, here)


def test_to_be_shown_what_changes_is_no_use_of_a_session_and_to_do_something_is(hall: Hall, clock: Clock) -> None:
    shown, doing = sits(hall, joined(hall, "olga", Role.OPERATOR)), sits(hall, joined(hall, "otto", Role.OPERATOR))
    for _ in range(2):
        clock.passes(AT_WORK.idle_s // 2)
        told = sitting.sits_still(hall, shown), sitting.sits_still(hall, doing, used=True)
    assert told == (False, True)


def test_a_program_sits_there_as_long_as_its_token(hall: Hall, clock: Clock) -> None:
    anna = joined(hall, "anna")
    secret, _ = sitting.make_token(hall, sits(hall, anna), "script", frozenset({Scope.READ}), 600, HERE)
    program = sitting.sit_by_token(hall, secret)
    assert program is not None and sitting.sits_still(hall, program)
    clock.passes(600)
    assert not sitting.sits_still(hall, program)
