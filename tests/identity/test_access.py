from dataclasses import replace
from itertools import product

import pytest

from commonwatt.identity.access import (
    OF_TOKENS,
    SCOPES,
    TABLE,
    Action,
    Relation,
    Scope,
    may,
    relation_to,
    sees_zone,
    within,
)
from commonwatt.identity.seat import PUBLIC, Role, Seat
from commonwatt.model import AccountId, InvalidValue

ANNA = Seat(person="anna", role=Role.MEMBER, account=AccountId("member-01"))
CHANGES = (
    Action.STATE_CONSTRAINT,
    Action.DECIDE_SCHEDULE,
    Action.PLACE_ORDER,
    Action.SEND_TOKENS,
    Action.OFFER_CONTRACT,
    Action.CALL_EVENT,
    Action.MANAGE_DEVICES,
    Action.RELEASE_DEVICE,
    Action.MANAGE_PEOPLE,
)


def test_every_role_has_its_line_and_every_action_somebody() -> None:
    assert set(TABLE) == set(Role)
    assert {action for line in TABLE.values() for action in line} == set(Action)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.MEMBER])
def test_nobody_sees_a_home_unless_its_owner_allows(role: Role) -> None:
    assert not may(role, Action.SEE_READINGS, Relation.OTHER)
    assert not may(role, Action.DECIDE_SCHEDULE, Relation.OTHER)


def test_a_member_sees_and_changes_what_is_theirs_alone() -> None:
    for action, relation in product(Action, (Relation.OTHER,)):
        assert not may(Role.MEMBER, action, relation)
    assert may(Role.MEMBER, Action.SEE_READINGS, Relation.OWN)
    assert not may(Role.MEMBER, Action.SEE_MEMBERS, Relation.OWN)


@pytest.mark.parametrize("role", [Role.DSO, Role.TSO])
def test_who_runs_wires_sees_zones_and_not_homes(role: Role) -> None:
    assert may(role, Action.SEE_ZONES, Relation.COMMUNITY)
    assert not any(may(role, action, Relation.OTHER) for action in Action)
    assert may(role, Action.SEE_READINGS, Relation.GRANTED)


def test_an_auditor_changes_nothing() -> None:
    assert not any(may(Role.AUDITOR, action, relation) for action, relation in product(CHANGES, Relation))


def test_the_public_sees_trades_under_pseudonyms_and_nobodys_things() -> None:
    seen = {action for action, relation in product(Action, Relation) if may(Role.PUBLIC, action, relation)}
    assert seen == {Action.SEE_COMMUNITY, Action.SEE_TRADES, Action.HAND_IN, Action.READ_FEED, Action.SIGN_IN}


def test_what_is_whose() -> None:
    assert relation_to(ANNA, AccountId("member-01")) is Relation.OWN
    assert relation_to(ANNA, AccountId("member-02")) is Relation.OTHER
    assert relation_to(ANNA, AccountId("member-02"), granted=True) is Relation.GRANTED
    assert relation_to(ANNA, None) is Relation.COMMUNITY
    assert relation_to(PUBLIC, AccountId("member-01")) is Relation.OTHER


def test_everybody_but_the_public_has_a_name() -> None:
    with pytest.raises(InvalidValue):
        Seat(person="", role=Role.MEMBER)
    with pytest.raises(InvalidValue):
        Seat(person="anna", role=Role.PUBLIC)


@pytest.mark.parametrize("scope", sorted(OF_TOKENS))
def test_no_token_gives_a_lasting_hold(scope: Scope) -> None:
    seat = replace(ANNA, scopes=(scope,))
    for action in (
        Action.MANAGE_SELF,
        Action.MANAGE_PEOPLE,
        Action.INVITE,
        Action.BEGIN_RECOVERY,
        Action.AGREE_RECOVERY,
        Action.SEE_TRAIL,
    ):
        assert not within(seat, action)


def test_a_seat_without_scopes_is_narrowed_to_nothing_and_one_with_none_of_them_to_what_is_public() -> None:
    assert all(within(ANNA, action) for action in Action)
    assert {action for action in Action if within(replace(ANNA, scopes=()), action)} == set(TABLE[Role.PUBLIC])


def test_reading_changes_nothing() -> None:
    assert all(action.value.startswith("see ") for action in SCOPES[Scope.READ])


def test_who_sets_up_a_way_in_sees_nothing_yet() -> None:
    seat = replace(ANNA, scopes=(Scope.ENROL,))
    seen = {action for action in Action if within(seat, action)} - set(TABLE[Role.PUBLIC])
    assert seen == {Action.MANAGE_SELF}


def test_a_recovery_is_begun_by_who_runs_the_service_alone_and_agreed_to_by_no_one_for_themselves() -> None:
    assert [role for role in Role if may(role, Action.BEGIN_RECOVERY, Relation.OTHER)] == [Role.OPERATOR]
    assert not any(may(role, Action.AGREE_RECOVERY, Relation.OWN) for role in Role)


@pytest.mark.parametrize("role", Role)
def test_only_their_own_things_are_changed_by_who_does_not_run_the_service(role: Role) -> None:
    changed = {action for action in CHANGES if may(role, action, Relation.OTHER)}
    assert changed == ({Action.MANAGE_PEOPLE, Action.RELEASE_DEVICE} if role is Role.OPERATOR else set())


def test_a_seat_about_zones_sees_those_and_one_about_none_sees_all() -> None:
    dora = Seat(person="dora", role=Role.DSO, zones=("PL",))
    assert sees_zone(dora, "PL") and not sees_zone(dora, "TR") and sees_zone(replace(dora, zones=()), "TR")
