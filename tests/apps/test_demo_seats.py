"""Everybody whom a street's file does not name comes to a demo, and finds a seat there with something to do."""

import asyncio

import numpy as np
import pytest
from lived import LivedStreet, open_community, open_door

from commonwatt.adapters.stores.answered import Word
from commonwatt.apps.answering import Reply, answer_alarm
from commonwatt.apps.asking import state_of
from commonwatt.apps.community import Community
from commonwatt.apps.demo import BUYERS, JOINING, let_roles_in
from commonwatt.apps.foresight import Book
from commonwatt.apps.oversight import Alarm, Visit
from commonwatt.apps.rehearsal import account_of, rehearsal
from commonwatt.apps.views import alarms, devices, offering
from commonwatt.apps.views.seeing import Unseen
from commonwatt.apps.web.pages import PAGES
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.forecasting.health import Ailment
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, AssetId, Commodity, Refused


def told_of_what_they_mended(community: Community, installer: Seat, owner: AccountId) -> None:
    """An installer sees the faults of the devices that they look after, and says that one was mended; no more."""
    asset = next(one.id for one in community.state.assets.values() if one.owner == owner)
    other = next(one for one in community.state.assets.values() if one.owner not in (owner, ""))
    book = Book(
        issued_s=0, starts_s=np.zeros((1, 96), np.int64), alarms=[_alarm(asset, owner), _alarm(other.id, other.owner)]
    )
    (told,) = alarms.of_devices(community, installer, book)
    assert told.alarm.asset == asset and told.word is None
    for reply in (Reply.ACCEPT, Reply.DECLINE, Reply.AS_IT_IS):
        with pytest.raises(Refused):
            answer_alarm(community, installer, owner, book, asset, reply)
    with pytest.raises(Unseen):
        answer_alarm(community, installer, other.owner, book, other.id, Reply.MENDED)
    answer_alarm(community, installer, owner, book, asset, Reply.MENDED)
    assert [one.word for one in alarms.of_account(community, installer, owner, book)] == [Word.MENDED]
    assert alarms.of_devices(community, installer, book)[0].said_by == installer.account
    answer_alarm(community, installer, owner, book, asset, Reply.TAKE_BACK)
    assert [one.word for one in alarms.of_devices(community, installer, book)] == [None]
    at_home = Seat(person=owner, role=Role.MEMBER, account=owner)
    answer_alarm(community, at_home, owner, book, asset, Reply.AS_IT_IS)
    for reply in (Reply.TAKE_BACK, Reply.MENDED):
        with pytest.raises(Refused):
            answer_alarm(community, installer, owner, book, asset, reply)
    answer_alarm(community, at_home, owner, book, asset, Reply.ACCEPT)
    with pytest.raises(Refused):
        answer_alarm(community, installer, owner, book, asset, Reply.TAKE_BACK)
    answer_alarm(community, installer, owner, book, asset, Reply.MENDED)


def _alarm(asset: AssetId, owner: AccountId) -> Alarm:
    return Alarm(
        id=asset, asset=asset, owner=owner, ailment=Ailment.CAPACITY, since_s=0, until_s=1, off_permille=200, score=9,
        threshold=6, false_alarms_permille=5, lost_wh=0, lost_micro=0, visit=Visit(start_s=0, end_s=1),
    )  # fmt: skip


def test_a_demo_has_a_seat_for_every_role_and_each_opens_a_page_of_its_own(lived_copy: LivedStreet) -> None:
    folder = lived_copy.folder

    async def joined() -> None:
        async with open_door(lived_copy) as port:
            await asyncio.to_thread(let_roles_in, folder, "127.0.0.1", port)
            await asyncio.to_thread(let_roles_in, folder, "127.0.0.1", port)  # a demo that goes on

    async def looked() -> None:
        async with open_community(lived_copy) as community:
            seats = rehearsal(folder, "127.0.0.1", "http://localhost", community.state).seats
            assert {seat.role for seat in seats} == set(Role)
            by_role = {seat.role: seat for seat in seats}
            for role in JOINING:
                assert any(page.listed and role in page.roles for page in PAGES), role
            for role in BUYERS:
                assert offering.offers_here(community, by_role[role])
                assert lets(by_role[role], Action.STATE_CONSTRAINT, Relation.OWN)
            (owner,) = {one.owner for one in devices.devices(community, by_role[Role.INSTALLER])}
            assert owner in community.state.members(), "one home lets the installer look after its devices"
            told_of_what_they_mended(community, by_role[Role.INSTALLER], owner)

    asyncio.run(joined())
    state = state_of(folder)
    assert {free(state, account_of(role), Commodity.ERGON) for role in BUYERS} == {100_000_000}
    asyncio.run(looked())
