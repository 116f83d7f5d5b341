"""A street with a chain beside its app: its checkpoints are anchored once, and tokens go out and come back."""

import asyncio
from collections.abc import Awaitable, Callable
from shutil import rmtree

import pytest
from chained import chained, checkpoint, mode_of, until
from lived import LivedStreet

from commonwatt.apps import wishes
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_roles import sent
from commonwatt.apps.chaining import ChainKeeper
from commonwatt.apps.community import Community
from commonwatt.flows.chain_ports import Reverted
from commonwatt.identity.access import Action
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import MICRO, AccountId, Kind

ME = AccountId("member-03")
SEAT = Seat(person=ME, role=Role.MEMBER, account=ME)
OUTSIDE = SigningKey.from_seed(b"chaining", "outside")


def _with(lived: LivedStreet, do: Callable[[Community, ChainKeeper], Awaitable[None]]) -> None:
    async def run() -> None:
        async with chained(lived) as (community, keeper):
            await do(community, keeper)

    asyncio.run(run())


async def _send_out(community: Community, micro: int) -> None:
    told = {"what": "send out", "commodity": "ergon_micro", "amount": micro, "address": OUTSIDE.id}
    await wishes.granted(community, SEAT, Action.SEND_TOKENS, ME, Kind.TRANSFER, told)


@pytest.mark.row("E11")
def test_one_ergon_is_sent_out_anchored_claimed_and_brought_back(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        facts = await until(keeper, lambda facts: bool(facts.anchored) and community.state.has_chain)
        assert facts.own_word and facts.stakes[0].stake_micro == facts.bonded_micro
        had = community.state.ergon(ME)
        await _send_out(community, MICRO)
        size = await checkpoint(community)
        facts = await until(keeper, lambda facts: facts.final_size == size and OUTSIDE.id in facts.provable)
        assert facts.provable[OUTSIDE.id] == (MICRO, 0, 0) and facts.claimed[OUTSIDE.id] == (0, 0, 0)
        assert facts.bound
        tx = await keeper.claim(OUTSIDE.id)
        assert len(bytes.fromhex(tx)) == 32 and await keeper.held(OUTSIDE.id) == (MICRO, 0, 0)
        with pytest.raises(Reverted, match="nothing is due"):
            await keeper.claim(OUTSIDE.id)
        await keeper._do(lambda: _deposit(keeper._desk, MICRO // 4))
        await until(keeper, lambda facts: community.state.crossed.count == 1)
        assert community.state.ergon(ME) == had - MICRO + MICRO // 4
        assert await keeper.held(OUTSIDE.id) == (MICRO * 3 // 4, 0, 0)
        assert keeper.trouble == ""

    _with(lived_copy, do)


@pytest.mark.row("E14")
def test_what_is_paid_in_for_nobody_goes_back_by_itself_and_a_member_names_its_exit(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: bool(facts.anchored) and community.state.has_chain)
        await _send_out(community, MICRO)
        size = await checkpoint(community)
        await until(keeper, lambda facts: facts.final_size == size and OUTSIDE.id in facts.provable)
        await keeper.claim(OUTSIDE.id)
        await keeper._do(lambda: _deposit(keeper._desk, MICRO // 4, b"nobody"))
        await until(keeper, lambda facts: community.state.crossed.refused == {0: OUTSIDE.id})
        assert await keeper.held(OUTSIDE.id) == (MICRO * 3 // 4, 0, 0)
        told = {"what": "exit to", "address": OUTSIDE.id}
        await wishes.granted(community, SEAT, Action.SEND_TOKENS, ME, Kind.TRANSFER, told)
        assert community.state.crossed.exits == {ME: OUTSIDE.id}
        await checkpoint(community)
        async with asyncio.timeout(60):
            while await keeper.held(OUTSIDE.id) != (MICRO, 0, 0):
                await asyncio.sleep(0.02)

    _with(lived_copy, do)


@pytest.mark.row("M5")
def test_attack_contracts_are_not_founded_again_where_the_log_names_a_vault(lived_copy: LivedStreet) -> None:
    async def named(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: community.state.has_chain)

    async def refused(community: Community, keeper: ChainKeeper) -> None:
        async with asyncio.timeout(60):
            while "founded once" not in keeper.trouble:
                await asyncio.sleep(0.02)

    _with(lived_copy, named)
    rmtree(lived_copy.folder / "chain")
    _with(lived_copy, refused)
    assert not (lived_copy.folder / "chain").exists()


def _deposit(desk: ChainDesk | None, micro: int, account: bytes = ME.encode()) -> None:
    assert desk is not None
    ergon, vault = desk._places["Ergon"], desk._places["Vault"]
    sent(desk._chain, OUTSIDE, ergon, "approve", (vault.address, micro))
    sent(desk._chain, OUTSIDE, vault, "deposit", (ergon.address, micro, account))


@pytest.mark.row("M5")
def test_who_starts_again_finds_the_same_contracts_and_anchors_nothing_twice(lived_copy: LivedStreet) -> None:
    heads, places = [], []

    async def do(community: Community, keeper: ChainKeeper) -> None:
        facts = await until(
            keeper, lambda facts: bool(facts.anchored) and community.state.has_chain and not facts.waiting_roles
        )
        await asyncio.sleep(0.5)
        assert keeper.facts is not None
        heads.append(keeper.facts.head)
        places.append(facts.contracts)
        assert facts.anchored_count == 1

    _with(lived_copy, do)
    _with(lived_copy, do)
    assert heads[0] == heads[1] and places[0] == places[1]
    for name in ("chain", "seller", "chain-own"):
        assert mode_of(lived_copy.folder / "keys" / f"{name}.pem") == 0o600
    assert mode_of(lived_copy.folder / "chain" / "deployment.json") == 0o600
