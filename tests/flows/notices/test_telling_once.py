"""Everybody is told once of what is theirs, on every channel that is to hear of it."""

from dataclasses import replace

import pytest
from carriers import Street, happening

from commonwatt.flows.entrance import placing, sitting
from commonwatt.flows.notices import channels, telling
from commonwatt.flows.notices.records import Topic, Watch, Way, Wishes
from commonwatt.flows.notices.telling import KEPT_S
from commonwatt.identity.access import Scope
from commonwatt.identity.seat import Role
from commonwatt.model import AccountId, InvalidValue, Refused
from doorway import HERE, joined, sits


def test_the_same_is_told_once_also_after_a_restart(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    assert len(street.tells(anna, happening())) == 1
    assert street.tells(anna, happening()) == []
    street.wakes()
    assert street.tells(anna, happening()) == []
    assert len(street.tells(anna, happening(key="2"))) == 1


def test_nobody_without_a_channel_is_told_and_nothing_is_kept_of_them(street: Street) -> None:
    anna = joined(street.hall, "anna")
    assert street.tells(anna, happening()) == []
    assert street.hall.people.told.of(anna.id) == []


def test_what_somebody_does_not_want_to_hear_is_not_told(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.hall.people.wishes.put(Wishes(person=anna.id, off=frozenset({Topic.MONEY_IN})))
    assert street.tells(anna, happening()) == []
    assert len(street.tells(anna, happening(Topic.BILL))) == 1


def test_a_programs_channel_hears_of_its_tokens_account_alone_and_of_nobodys_access(street: Street) -> None:
    anna = joined(street.hall, "anna")
    placing.give(street.hall, "anna", placing.new_place(street.hall, Role.MEMBER, AccountId("shop")), "test")
    secret, token = sitting.make_token(
        street.hall, sits(street.hall, anna), "script", frozenset({Scope.LISTEN}), 600, HERE
    )
    here = sitting.sit_by_token(street.hall, secret)
    assert here is not None
    made = channels.add(
        street.hall.people, here, Way.WEBHOOK, "https://a.example/", "x", (), now_s=street.clock(), log_s=0
    )
    anna = here.person
    assert len(street.tells(anna, happening(key="own"))) == 1
    assert street.tells(anna, happening(key="other", account="shop")) == []
    assert street.tells(anna, happening(Topic.SIGNED_IN, account=None)) == []
    assert len(street.tells(anna, happening(Topic.DEMAND, account=None))) == 1
    street.clock.passes(600)
    assert street.tells(anna, happening(key="late")) == [], "the token ended"
    street.clock.now_s -= 600
    sitting.revoke_token(street.hall, sits(street.hall, anna), token.id, HERE)
    assert street.tells(anna, happening(key="revoked")) == []
    assert channels.one_of(street.hall.people, sits(street.hall, anna), made.id) == made, "its person sees it"


def test_what_the_entrance_writes_a_letter_about_is_not_mailed_twice(street: Street) -> None:
    anna = joined(street.hall, "anna")
    placing.set_addresses(street.hall, anna, ["anna@sun.example"], HERE)
    anna = street.hall.people.persons.get(anna.id) or anna
    street.channel(anna, "anna@sun.example", Way.MAIL)
    street.channel(anna)
    change = replace(happening(Topic.RECOVERY, account=None), lettered=True)
    assert len(street.tells(anna, change)) == 1, "to the program alone"
    assert len(street.tells(anna, happening(Topic.SIGNED_IN, account=None))) == 2


def test_mail_goes_to_no_address_that_is_somebodys_no_more(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna, "old@sun.example", Way.MAIL)
    assert street.tells(anna, happening()) == []


def test_what_goes_on_is_told_as_it_begins_and_again_once_it_came_back(street: Street) -> None:
    anna = joined(street.hall, "anna")
    people, one = street.hall.people, happening(Topic.SILENT)

    def holds(**now: object) -> int:
        watch = telling.begun(people, anna.id)
        assert watch is not None
        return len(telling.turn(people, watch, dict.fromkeys(now, one)))

    people.watches.put(Watch(person=anna.id, begun_s=0))
    assert holds(battery=1) == 0, "it held before anybody was to be told"
    assert (holds(battery=1), holds(battery=1, car=1), holds(battery=1, car=1)) == (0, 1, 0)
    street.wakes()
    people = street.hall.people
    assert (holds(battery=1, car=1), holds(car=1), holds(battery=1, car=1)) == (0, 0, 1)


def test_channels_are_ones_own_and_each_place_is_told_once(street: Street) -> None:
    anna, bert = joined(street.hall, "anna"), joined(street.hall, "bert")
    made = street.channel(anna)
    assert channels.one_of(street.hall.people, sits(street.hall, bert), made.id) is None
    with pytest.raises(Refused):
        street.channel(anna)
    assert street.channel(bert).address == made.address, "two people may share a program"


@pytest.mark.parametrize(
    ("address", "label"), [("", "x"), ("x" * 3_000, "x"), ("https://a/", ""), ("https://a/", "a\nb")]
)
def test_a_channel_without_sense_is_refused(street: Street, address: str, label: str) -> None:
    anna = joined(street.hall, "anna")
    with pytest.raises(InvalidValue):
        channels.add(street.hall.people, sits(street.hall, anna), Way.WEBHOOK, address, label, (), now_s=0, log_s=0)


def test_somebody_has_so_many_channels_and_tries_so_often(street: Street) -> None:
    anna = joined(street.hall, "anna")
    made = [street.channel(anna, f"https://hooks.example/{number}") for number in range(channels.MOST_CHANNELS)]
    with pytest.raises(Refused):
        street.channel(anna, "https://hooks.example/more")
    assert channels.trial(street.hall.people, made[0], street.clock())
    with pytest.raises(Refused):
        channels.trial(street.hall.people, made[1], street.clock())
    street.clock.passes(channels.TRIAL_EVERY_S)
    assert channels.trial(street.hall.people, made[1], street.clock())


def test_what_was_told_long_ago_is_let_go(street: Street) -> None:
    anna = joined(street.hall, "anna")
    street.channel(anna)
    street.tells(anna, happening())
    street.round()
    street.clock.passes(KEPT_S + 1)
    street.tells(anna, happening(key="2"))
    telling.tidy(street.hall.people, street.clock())
    (left,) = telling.fates_of(street.hall.people, anna.id, 10)
    assert left[0].noted_s == street.clock() and len(street.hall.people.parcels.of(anna.id)) == 1


def test_who_is_erased_leaves_no_notice_behind(street: Street) -> None:
    anna, bert = joined(street.hall, "anna"), joined(street.hall, "bert", account="bert")
    for person in (anna, bert):
        street.channel(person)
        street.tells(person, happening(account=person.name))
    street.hall.people.erase(anna.id)
    for shelf in (street.hall.people.channels, street.hall.people.told, street.hall.people.parcels):
        assert [one.owner for one in shelf.all()] == [bert.id]
    street.round()
    assert len(street.carrier.taken) == 1


def test_nobody_is_told_somewhere_of_the_sign_in_by_which_they_set_it_up(street: Street) -> None:
    anna = joined(street.hall, "anna")
    channel = street.channel(anna)
    before, after = (
        replace(happening(Topic.SIGNED_IN, key=str(at_s), account=None), at_s=at_s)
        for at_s in (channel.made_s, channel.made_s + 1)
    )
    assert (len(street.tells(anna, before)), len(street.tells(anna, after))) == (0, 1)
