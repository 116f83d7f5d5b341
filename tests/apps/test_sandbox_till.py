import asyncio

import pytest
from lived import LivedStreet, open_community

from commonwatt.apps.publishing import TRUST
from commonwatt.apps.sandbox_till import MOST_MICRO, SandboxTill, has_till
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import AccountId, Commodity, Memo, Refused
from commonwatt.simulator.sandbox_bank import BAD_CARD

ME = AccountId("member-01")
SEAT = Seat(person="member-01", role=Role.MEMBER, account=ME)


@pytest.mark.row("H2")
def test_a_card_that_the_sandbox_takes_is_booked_once_and_a_refused_one_is_not(lived_copy: LivedStreet) -> None:
    async def story() -> None:
        async with open_community(lived_copy) as community:
            before = community.state.ergon(ME)
            for _ in range(2):  # two banks, as two visitors have: their payments must not share a name
                await SandboxTill(community, "GBP").pay(SEAT, ME, 20_000_000)
            assert community.state.ergon(ME) == before + 40_000_000
            ((_, last),) = community.chronicle.entries(ME, limit=1)
            assert (last.commodity, last.memo, last.amount) == (Commodity.ERGON, Memo.PURCHASE, 20_000_000)
            till = SandboxTill(community, "GBP")
            with pytest.raises(Refused, match="took no money"):
                await till.pay(SEAT, ME, 20_000_000, BAD_CARD)
            with pytest.raises(Refused, match="so much at once"):
                await till.pay(SEAT, ME, MOST_MICRO + 10_000)
            assert community.state.ergon(ME) == before + 40_000_000

    asyncio.run(story())


def test_a_real_community_has_no_till(lived_copy: LivedStreet) -> None:
    trust = lived_copy.folder / TRUST
    trust.write_text(trust.read_text().replace('"rehearsal": true', '"rehearsal": false'))

    async def story() -> None:
        async with open_community(lived_copy) as community:
            assert not has_till(community)
            with pytest.raises(Refused, match="play money"):
                SandboxTill(community, "GBP")

    asyncio.run(story())
