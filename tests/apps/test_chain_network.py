"""A community whose chain is a node elsewhere: the same desk by a URL, and what is said when nobody answers there."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from watched import NAME, folder_of

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.apps.chain_commands import propose, recheck, status
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_ground import serve_rpc
from commonwatt.apps.chain_roles import sent
from commonwatt.apps.chain_terms import FILE, ChainTerms, chain_terms
from commonwatt.flows.chain_ports import Reverted
from commonwatt.identity.keys import SigningKey
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.ledger.checkpoint import read_note
from commonwatt.model import Refused, Unreachable

PROPOSER, GUARDIAN, TREASURY = (SigningKey.from_seed(b"network", name) for name in ("proposer", "guardian", "treasury"))


def said(folder: Path, url: str, **parties: str) -> ChainTerms:
    lines = [f'{name} = "{address}"' for name, address in parties.items()]
    text = ["[chain]", 'kind = "network"', f'url = "{url}"', "delay_s = 1", "stake_micro = 500", *lines]
    (folder / FILE).write_text("\n".join(text))
    terms = chain_terms(folder)
    assert terms is not None
    return terms


@pytest.mark.row("M5")
@pytest.mark.parametrize(
    "parties",
    [
        {},
        {"guardian": GUARDIAN.id},
        {"proposer": PROPOSER.id, "treasury": PROPOSER.id},
        {"proposer": PROPOSER.id, "guardian": with_checksum(PROPOSER.id), "treasury": TREASURY.id},
    ],
)
def test_attack_one_key_in_two_roles_nothing_is_put_on_a_network(tmp_path: Path, parties: dict[str, str]) -> None:
    folder = tmp_path / "town"
    folder_of(folder, ())
    with ExitStack() as doors:
        elsewhere = doors.enter_context(EmbeddedChain(None, Genesis(time_s=1, balances={"0x" + 40 * "1": 1})))
        terms = said(folder, serve_rpc(elsewhere, 0, doors), **parties)
        with pytest.raises(Refused, match="proposer, guardian and treasury are three keys"):
            ChainDesk(folder, NAME, terms)
        assert elsewhere.head.block_number == 0


@pytest.mark.row("M3")
def test_a_node_by_url_holds_the_checkpoints_and_its_absence_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    town = folder_of(folder, ())
    with ExitStack() as doors:
        elsewhere = doors.enter_context(EmbeddedChain(None, Genesis(time_s=1, balances={"0x" + 40 * "1": 1})))
        url = serve_rpc(elsewhere, 0, doors)
        terms = said(folder, url, proposer=PROPOSER.id, guardian=GUARDIAN.id, treasury=TREASURY.id)
        size = read_note(town.slot()).size
        with ChainDesk(folder, NAME, terms) as desk:
            waiting = desk.look()
            assert len(waiting.waiting_roles) == 2, "the operator's key can announce nothing"
            with pytest.raises(Reverted, match="not the proposer"):
                propose(folder, GUARDIAN)
            assert propose(folder, PROPOSER) == waiting.waiting_roles
            assert propose(folder, PROPOSER) == ()
            time.sleep(1.5)
            assert desk.look().waiting_roles == (f"500 micro TSL {desk.keys.own.id}",)
            tsl = desk.ground.deployment.contract("Tsl")
            sent(desk.ground.chain, TREASURY, tsl, "transfer", (desk.keys.desk.id, 500))
            found = desk.look()
            assert (found.kind, found.own_word, found.final_size) == ("network", True, size)
            told = status(folder)
            assert (told.kind, told.final_size, told.head) == ("network", size, found.head)
            assert (told.checkpoints, [one.size for one in told.periods]) == (1, [size])
            (period,) = told.periods
            assert told.members > 1 and period.gas_per_member == period.gas / told.members > 10_000
            assert period.slot_s == found.anchored[0].slot_s and period.gas == found.anchored[0].gas
            assert not told.bound, "no state names the Vault yet"
            with pytest.raises(Refused, match="a network's"):
                recheck(folder)
            town.slot()
            doors.close()
            with pytest.raises(Unreachable):
                desk.look()
    with pytest.raises(Unreachable):
        status(folder)
