"""What a seat is narrowed to holds in every view, whoever asks it: a page, the API or another view."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from lived import LivedStreet

from commonwatt.apps import feeds, keyring
from commonwatt.apps.api.held import FREE
from commonwatt.apps.community import Community
from commonwatt.apps.views import audit, home, wallet
from commonwatt.apps.views.changes import change
from commonwatt.apps.views.seeing import assets_of, check
from commonwatt.flows.chronicle import Chapter
from commonwatt.identity.access import Action, Scope
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, Refused

ME = AccountId("member-01")
ANNA = Seat(person="anna", role=Role.MEMBER, account=ME)


@pytest.fixture(scope="module")
def community(lived: LivedStreet) -> Iterator[Community]:
    found = Community(lived.folder, lambda: lived.end_s, lambda: None)
    found.catch_up()
    yield found
    found.close()


@pytest.mark.parametrize("scope", [Scope.ENROL, Scope.TRADE, Scope.CONTROL])
def test_a_session_or_token_that_is_not_for_reading_sees_nothing_of_its_own_home(
    community: Community, scope: Scope
) -> None:
    seat = replace(ANNA, scopes=(scope.value,))
    for action in (Action.SEE_READINGS, Action.SEE_ENTRIES, Action.SEE_SCHEDULES):
        check(community, ANNA, action, ME)
        with pytest.raises(Refused, match="what it was made for"):
            check(community, seat, action, ME)
    with pytest.raises(Refused):
        wallet.wallet(community, seat, ME)
    with pytest.raises(Refused):
        home.home(community, seat, ME)
    assert assets_of(community, ANNA) and not assets_of(community, seat)


def test_who_sets_up_a_way_in_spends_nothing_and_lets_no_key_act_and_no_calendar_be_made(
    community: Community,
) -> None:
    seat = replace(ANNA, scopes=(Scope.ENROL.value,))
    with pytest.raises(Refused, match="what it was made for"):
        check(community, seat, Action.SEND_TOKENS, ME)
    with pytest.raises(Refused, match="signed in themselves"):
        asyncio.run(keyring.let_act(community, seat, FREE, ME, "02" * 33, community.now_s() + 60))
    with pytest.raises(Refused, match="lasting way"):
        feeds.make(community, seat)


def test_who_follows_live_is_told_of_their_home_only_where_they_may_read(community: Community) -> None:
    own = assets_of(community, ANNA, Action.SEE_READINGS)[0]
    last_s = community.chronicle.last_slot_s(own.id)
    assert last_s is not None
    chapter = Chapter(size=1, now_s=last_s, readings=community.chronicle.readings(own.id, last_s, last_s + 1))
    chapter.leaves += community.chronicle.leaves(account=ME, limit=1)
    told = change(community, chapter, ANNA)
    assert told.own and told.readings and told.kinds
    for scope in (Scope.ENROL, Scope.TRADE, Scope.LISTEN):
        told = change(community, chapter, replace(ANNA, scopes=(scope.value,)))
        assert not told.own and not told.readings
    assert change(community, chapter, replace(ANNA, scopes=(Scope.READ.value,))).readings


def test_a_seat_without_an_account_finds_no_requests_of_others(community: Community) -> None:
    dora = Seat(person="dora", role=Role.DSO)
    assert audit.leaves(community, replace(dora, role=Role.AUDITOR), before=None, limit=9)
    for account in (None, ME):
        assert audit.leaves(community, dora, before=None, limit=9, account=account) == []
