"""A member whose key is kept opens a channel to the community's till, sees it, has it closed, takes the rest back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chained import chained, until
from lived import LivedStreet

from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.apps.chain_channels import TILL, ChannelDesk
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_roles import sent
from commonwatt.apps.chaining import ChainKeeper
from commonwatt.apps.community import Community
from commonwatt.apps.tilling import HELD
from commonwatt.apps.views import channels as views
from commonwatt.apps.views.seeing import Unseen
from commonwatt.flows.chain_ports import Reverted
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Role, Seat
from commonwatt.identity.signing_in.trail import Happened
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import MICRO, AccountId, Corrupt, InvalidValue, Refused
from commonwatt.tokens.channel import Payee

pytestmark = pytest.mark.row("H3")
ME, OTHER = AccountId("member-03"), AccountId("member-04")
SEAT = Seat(person=ME, role=Role.MEMBER, account=ME)
DELAY_S = 3_600
GATEWAY = SigningKey.from_seed(b"channels kept", "gateway")


def _with(lived: LivedStreet, do: Callable[[Community, ChainKeeper], Awaitable[None]], *, till: bool = True) -> None:
    async def run() -> None:
        async with chained(lived) as (community, keeper):
            facts = await until(keeper, lambda facts: bool(facts.anchored) and not facts.waiting_roles)
            if till:
                await keeper._do(lambda: _found(keeper._desk, community, dict(facts.contracts)))
            await do(community, keeper)

    asyncio.run(run())


def _found(desk: ChainDesk | None, community: Community, places: dict[str, str]) -> None:
    """Say that the community's till takes vouchers, and give a member ERGON on the chain."""
    assert desk is not None
    told = {"chain": "http://127.0.0.1:1", "contract": places["Channel"], "token": places["Ergon"]}
    lines = [f'{name} = "{value}"' for name, value in (told | {"payee": desk.keys.seller.id}).items()]
    (community.folder / TILL).write_text("\n".join([*lines, f"least_delay_s = {DELAY_S}"]))
    for who in (ME, OTHER):
        sent(desk._chain, desk.keys.seller, desk._places["Ergon"], "mint", (community.key_of(who).id, 50 * MICRO))


async def _hold(community: Community, keeper: ChainKeeper, channel: str, total: int, by: SigningKey) -> None:
    """Have the till hold a voucher, as if it had been shown one."""

    def keep(desk: ChannelDesk) -> None:
        config = desk._config_of(community.key_of(ME).id, channel)
        voucher = desk.book.sign(by, channel, total)
        with HeldFile(community.folder / HELD) as held:
            held.keep(Payee(config=config, channel=channel, account=ME).holding(voucher))

    await keeper.with_channels(keep)


def test_a_channel_is_opened_shown_and_closed_with_the_till_s_last_voucher(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        noted: list[dict[str, str]] = []
        community.note = lambda seat, what, told: noted.append({"what": what.value, **told})
        mine, seller = community.key_of(ME).id, (await keeper._do(lambda: keeper._desk)).keys.seller.id  # type: ignore[union-attr]
        ways = await views.ways(community, SEAT, ME)
        assert (ways.custodial, ways.takes, ways.delay_s, ways.ergon_micro) == (True, True, DELAY_S, 50 * MICRO)
        assert (ways.address, ways.payee) == (with_checksum(mine), with_checksum(seller))
        done = await views.open_channel(community, SEAT, ME, 20 * MICRO, with_checksum(GATEWAY.id), ways.number)
        assert noted == [{"what": Happened.REQUEST_SIGNED.value, "kind": "channel open", "account": ME, "key": mine}]
        (one,) = await views.channels(community, SEAT, ME)
        assert (one.channel, one.payer, one.payee, one.signer) == (done.channel, mine, seller, GATEWAY.id)
        assert (one.deposit, one.vouchers, one.claimed) == (20 * MICRO, 0, 0)
        assert one.can_close and not one.can_finish and not one.closed
        await _hold(community, keeper, done.channel, 7 * MICRO, GATEWAY)
        (one,) = await views.channels(community, SEAT, ME)
        assert one.vouchers == 7 * MICRO
        await views.close(community, SEAT, ME, done.channel)
        (one,) = await views.channels(community, SEAT, ME)
        assert one.closed and not one.can_close
        assert (await keeper.held(seller))[0] == 7 * MICRO and (await keeper.held(mine))[0] == 43 * MICRO
        # The next one is another channel: a closed one never opens again.
        following = (await views.ways(community, SEAT, ME)).number
        assert (ways.number, following) == (0, 1)
        again = await views.open_channel(community, SEAT, ME, MICRO, "", following)
        assert again.channel != done.channel
        assert [found.signer for found in await views.channels(community, SEAT, ME)] == [GATEWAY.id, mine]

    _with(lived_copy, do)


def test_who_asks_twice_for_want_of_an_answer_opens_and_deposits_once(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        number = (await views.ways(community, SEAT, ME)).number
        done = await asyncio.gather(
            *(views.open_channel(community, SEAT, ME, 5 * MICRO, "", number) for _ in range(3)), return_exceptions=True
        )
        refused = [one for one in done if isinstance(one, Refused)]
        assert len(refused) == 2 and "opened once" in str(refused[0])
        (one,) = await views.channels(community, SEAT, ME)
        assert one.deposit == 5 * MICRO and (await keeper.held(community.key_of(ME).id))[0] == 45 * MICRO
        await views.close(community, SEAT, ME, one.channel)
        with pytest.raises(Refused, match="opened once"):
            await views.open_channel(community, SEAT, ME, 5 * MICRO, "", number)

    _with(lived_copy, do)


def test_who_is_not_closed_takes_the_rest_back_after_the_delay(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        done = await views.open_channel(community, SEAT, ME, 5 * MICRO, "", 0)
        with pytest.raises(Reverted, match="too early"):
            await views.finish(community, SEAT, ME, done.channel)
        await views.withdraw(community, SEAT, ME, done.channel)
        with pytest.raises(Reverted, match="withdrawing"):
            await views.withdraw(community, SEAT, ME, done.channel)
        (one,) = await views.channels(community, SEAT, ME)
        assert one.finish_at_s >= int(time.time()) + DELAY_S - 60 and not one.can_finish

        def later() -> None:
            desk: Any = keeper._desk
            desk.ground.embedded._clock = lambda: int(time.time()) + DELAY_S + 60
            desk.ground.embedded.make_empty_block()

        await keeper._do(later)
        (one,) = await views.channels(community, SEAT, ME)
        assert one.can_finish
        await views.finish(community, SEAT, ME, done.channel)
        (one,) = await views.channels(community, SEAT, ME)
        assert one.closed and (await keeper.held(community.key_of(ME).id))[0] == 50 * MICRO

    _with(lived_copy, do)


def test_what_is_not_one_s_own_or_not_there_is_refused(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        done = await views.open_channel(community, SEAT, ME, MICRO, "", 0)
        there = Seat(person=OTHER, role=Role.MEMBER, account=OTHER)
        for act in (views.withdraw, views.finish, views.close):
            with pytest.raises(Refused, match="one that this account pays"):
                await act(community, there, OTHER, done.channel)
            with pytest.raises(Unseen):
                await act(community, there, ME, done.channel)
        with pytest.raises(InvalidValue):
            await views.open_channel(community, SEAT, ME, MICRO, "0x12", 0)
        with pytest.raises(Reverted, match="more than is held"):
            await views.open_channel(community, SEAT, ME, 1_000 * MICRO, "", 1)
        (community.folder / HELD).write_bytes(b"no vouchers" * 1_000)
        (one,) = await views.channels(community, SEAT, ME)
        assert not one.can_close and one.deposit == MICRO, "a till's trouble hides nobody's channel"
        with pytest.raises(Corrupt):
            await views.close(community, SEAT, ME, done.channel)
        (community.folder / HELD).unlink()
        (community.folder / TILL).unlink()
        (one,) = await views.channels(community, SEAT, ME)
        assert not one.can_close, "without the till's folder nobody here knows its vouchers"
        with pytest.raises(Refused, match="not kept here"):
            await views.close(community, SEAT, ME, done.channel)
        with pytest.raises(Refused, match="this community has none"):
            await views.open_channel(community, SEAT, ME, MICRO, "", 0)

    _with(lived_copy, do)


def test_a_community_without_a_till_says_so_and_one_of_another_token_is_refused(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        ways = await views.ways(community, SEAT, ME)
        assert not ways.takes and ways.payee == ""
        assert await views.channels(community, SEAT, ME) == []
        text = "\n".join(f'{name} = "0x{40 * "1"}"' for name in ("contract", "token", "payee"))
        (community.folder / TILL).write_text(f'chain = "http://127.0.0.1:1"\n{text}')
        with pytest.raises(Refused, match="its own ERGON"):
            await views.ways(community, SEAT, ME)

    _with(lived_copy, do, till=False)
