"""Everybody whom a street's file does not name comes to a demo, and finds a seat there with something to do."""

import asyncio

from lived import LivedStreet, open_community, open_door

from commonwatt.apps.asking import state_of
from commonwatt.apps.demo import BUYERS, JOINING, let_roles_in
from commonwatt.apps.rehearsal import account_of, rehearsal
from commonwatt.apps.views import devices, offering
from commonwatt.apps.web.pages import PAGES
from commonwatt.flows.rulebook.tokens.backing import free
from commonwatt.identity.access import Action, Relation, lets
from commonwatt.identity.seat import Role
from commonwatt.model import Commodity


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

    asyncio.run(joined())
    state = state_of(folder)
    assert {free(state, account_of(role), Commodity.ERGON) for role in BUYERS} == {100_000_000}
    asyncio.run(looked())
