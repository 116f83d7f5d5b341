"""A street with a chain beside its app: its checkpoints are anchored once, and tokens go out and come back."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
from chained import chained, checkpoint, mode_of, until
from lived import LivedStreet
from watched import folder_of

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps import wishes
from commonwatt.apps.chain_commands import Anchored
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_roles import sent
from commonwatt.apps.chain_terms import ChainTerms
from commonwatt.apps.chaining import CLAIMS_A_DAY, ChainKeeper
from commonwatt.apps.community import Community
from commonwatt.flows.chain_ports import Reverted
from commonwatt.identity.access import Action
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.seat import Role, Seat
from commonwatt.model import MICRO, AccountId, Corrupt, Kind, Refused, Unreachable

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
        keeper.facts = replace(facts, deposits=0)
        with pytest.raises(Refused, match="what the log credits stands on the chain: credited 1, deposits 0"):
            await keeper._credit()

    _with(lived_copy, do)


@pytest.mark.row("M5")
def test_members_read_why_the_chain_is_not_kept_and_not_where_it_rests(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: bool(facts.anchored))
        await keeper._stumbled(OSError(28, "No space left on device", str(community.folder / "chain.sqlite")))
        assert "No space left on device" in keeper.trouble
        assert str(community.folder) not in keeper.trouble

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
@pytest.mark.parametrize("trouble", [sqlite3.OperationalError("disk I/O error"), Corrupt("a block"), OSError("full")])
def test_trouble_of_a_runs_chain_ends_no_run_and_passes(
    trouble: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "town"
    town = folder_of(folder, ())
    town.slot()

    def fails(desk: ChainDesk) -> None:
        desk.close()  # as a log does whose disk failed
        raise trouble

    with Anchored(folder) as chain:
        with monkeypatch.context() as patch:
            patch.setattr(ChainDesk, "look", fails)
            chain.look()
            assert chain.trouble == str(trouble)
        chain.look()
        assert chain.trouble == "" and chain.facts is not None


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


@pytest.mark.row("E11")
def test_of_addresses_that_nobody_claims_for_only_new_ones_are_asked_about(
    lived_copy: LivedStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends a little to many addresses would else keep the desk from anchoring."""
    asked, paid = list[str](), ChainDesk._paid

    def noted(desk: ChainDesk, address: str) -> Any:
        asked.append(address)
        return paid(desk, address)

    async def do(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: bool(facts.anchored) and community.state.has_chain)
        await _send_out(community, MICRO)
        await checkpoint(community)
        await until(keeper, lambda facts: OUTSIDE.id in facts.claimed)
        desk = keeper._desk
        assert desk is not None
        monkeypatch.setattr(ChainDesk, "_paid", noted)
        for _ in range(5):
            await keeper._do(desk.keep_solvent)
        assert asked == []
        await keeper._do(lambda: _withdraw(desk))  # by anybody, with the proof
        await until(keeper, lambda facts: facts.claimed[OUTSIDE.id] == (MICRO, 0, 0))

    _with(lived_copy, do)


@pytest.mark.row("E11")
def test_nothing_is_sent_twice_while_a_network_makes_no_blocks(
    lived_copy: LivedStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TSL that went to the Vault twice would never come out again, and a claim in vain costs the operator."""

    async def do(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: bool(facts.anchored) and community.state.has_chain)
        await _send_out(community, MICRO)
        await checkpoint(community)
        await until(keeper, lambda facts: OUTSIDE.id in facts.claimed)
        desk = keeper._desk
        assert desk is not None
        sent_before = desk._chain.sent(desk.keys.desk.id)
        with monkeypatch.context() as stalls:
            stalls.setattr(EvmChain, "waiting", lambda chain, account: 1)
            stalls.setattr(EvmChain, "receipt", lambda chain, tx, within_s=0: None)
            desk._provable_size, desk._waiting = 0, ("set_seller",)
            await keeper._do(desk.keep_solvent)
            with pytest.raises(Refused, match="once it stands in a block"):
                await keeper._do(lambda: desk.claim(OUTSIDE.id))
            with pytest.raises(Refused, match="before the next one"):
                await keeper._do(lambda: desk.claim(OUTSIDE.id))
            assert (desk._provable_size, desk._settled()) == (0, False)
        assert desk._chain.sent(desk.keys.desk.id) == sent_before + 1

    _with(lived_copy, do)


@pytest.mark.row("E11")
def test_the_operator_pays_for_a_few_claims_a_day_on_a_network(lived_copy: LivedStreet) -> None:
    async def do(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: bool(facts.anchored) and community.state.has_chain)
        network = ChainKeeper(community, ChainTerms(kind="network", url="http://127.0.0.1:9"))
        for _ in range(CLAIMS_A_DAY):
            with pytest.raises(Unreachable), network.paying_for(ME):
                await network.claim(OUTSIDE.id)  # one that fails does not count
        for _ in range(CLAIMS_A_DAY):
            with network.paying_for(ME):
                pass
        with pytest.raises(Refused, match="its proof does as well"), network.paying_for(ME):
            pass
        with network.paying_for(AccountId("member-01")):
            pass
        for _ in range(CLAIMS_A_DAY + 1):  # the embedded chain costs nothing
            with keeper.paying_for(ME):
                pass
        await network._do(network._close)

    _with(lived_copy, do)


@pytest.mark.row("E11")
def test_where_a_killed_app_showed_its_chain_nobody_is_asked(lived_copy: LivedStreet) -> None:
    """Its port may be somebody else's by now."""
    card = lived_copy.folder / "chain" / "rpc.json"
    card.parent.mkdir()
    save_secret(card, b'"http://127.0.0.1:8545"')

    async def do(community: Community, keeper: ChainKeeper) -> None:
        await until(keeper, lambda facts: bool(facts.anchored))
        assert not card.exists()

    _with(lived_copy, do)


def _withdraw(desk: ChainDesk) -> None:
    sent(desk._chain, OUTSIDE, desk._places["Vault"], "withdraw", (OUTSIDE.id, *desk.proof(OUTSIDE.id).args()))


@pytest.mark.row("M5")
def test_who_is_stopped_while_the_chain_is_opened_leaves_it_free(
    lived_copy: LivedStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, serve = threading.Event(), ChainDesk.serve

    def slow(desk: ChainDesk) -> None:
        opening.set()
        time.sleep(0.3)
        serve(desk)

    monkeypatch.setattr(ChainDesk, "serve", slow)

    async def do(community: Community, keeper: ChainKeeper) -> None:
        assert await asyncio.to_thread(opening.wait, 60)

    _with(lived_copy, do)
    with EmbeddedChain(lived_copy.folder / "chain") as chain:
        assert chain.head.block_number > 0


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
