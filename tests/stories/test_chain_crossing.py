"""A member sends ERGON out to the chain, takes it out there, and brings some back: both books say the same."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "flows"))
from chain_town import ChainTown

from chain_bank import EXIT_AFTER_S
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.flows.anchoring import Stage
from commonwatt.flows.chain_ports import Reverted
from commonwatt.flows.crossing import bind, mint_sold, unfounded
from commonwatt.flows.crossing_proofs import bound_proof, credited_proof, exit_proof, point_of, withdrawal_proof
from commonwatt.flows.rulebook.snapshot import load
from commonwatt.flows.rulebook.tokens.backing import outside
from commonwatt.flows.sequence import replay
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.model import MICRO, AccountId, Commodity, Outcome, Refused
from on_chain import ALICE, OPERATOR

ERGON = Commodity.ERGON


@pytest.mark.row("E11")
def test_five_ergon_go_out_to_the_chain_and_two_come_back(tmp_path: Path) -> None:
    town = ChainTown(tmp_path, folder=tmp_path / "chain")
    bank = town.bank
    town.pay("anna", 10 * MICRO, "for the crossing")

    # Anna sends five ERGON to her own wallet's address. At once they are hers here no longer.
    assert town.send_out("anna", ERGON, 5 * MICRO, with_checksum(ALICE.id)) is Outcome.BOOKED
    assert (town.ergon("anna"), town.out(ERGON, ALICE.id)) == (10 * MICRO, 5 * MICRO)

    # The slot ends; the witnesses run the log again and cosign; the operator takes that to the chain.
    town.close()
    point = town.cosign()
    state = town.at(point)
    with pytest.raises(Reverted, match="not final"):
        bind(bank.chain, bank.vault, ALICE, bound_proof(state, point))
    assert town.anchor().round().stage is Stage.FINAL

    # The Vault pays nobody before a final state showed that the ledger names it, and no other.
    with pytest.raises(Reverted, match="not bound"):
        bank.tell(ALICE, bank.vault, "withdraw", ALICE.id, *withdrawal_proof(state, point, ALICE.id).args())
    assert bind(bank.chain, bank.vault, ALICE, bound_proof(state, point)) is not None
    assert bind(bank.chain, bank.vault, ALICE, bound_proof(state, point)) is None
    mint_sold(bank.chain, bank.ergon, OPERATOR, state)

    # Anybody may bring the proof: the tokens go to Anna's address all the same, once.
    proof = withdrawal_proof(state, point, ALICE.id)
    bank.tell(OPERATOR, bank.vault, "withdraw", ALICE.id, *proof.args())
    assert bank.held(bank.ergon, ALICE) == 5 * MICRO
    with pytest.raises(Reverted, match="nothing is due"):
        bank.tell(ALICE, bank.vault, "withdraw", ALICE.id, *proof.args())

    # Two of them she pays in for Ben. Once that is final on the chain, the desk tells the log.
    bank.tell(ALICE, bank.ergon, "approve", bank.vault.address, 2 * MICRO)
    bank.tell(ALICE, bank.vault, "deposit", bank.ergon.address, 2 * MICRO, b"ben")
    before = town.ergon("ben")
    assert town.desk().round() == 1
    assert town.ergon("ben") - before == 2 * MICRO
    assert outside(town.state, ERGON) == bank.held(bank.ergon, ALICE) == 3 * MICRO
    assert unfounded(town.state, bank.chain, bank.vault, town.named()) == []

    # What the Vault holds is what the ledger owes: all that was bought, less what is outside.
    assert bank.held(bank.ergon, bank.vault) == 20 * MICRO - 3 * MICRO
    town.final()

    # Whoever has the two logs reaches the same roots.
    roots = town.roots()
    again = replay(town.rows(), town.name)
    assert (again.tree.root(), again.state.root()) == (roots.log, roots.state)
    head = bank.embedded.head
    bank.embedded.close()
    with EmbeddedChain(tmp_path / "chain") as reopened:
        assert (reopened.head.hash, reopened.head.state_root) == (head.hash, head.state_root)


def test_a_proof_of_another_state_is_not_even_made(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.send_out("anna", ERGON, MICRO, ALICE.id)
    _, point = town.final()
    town.send_out("anna", ERGON, MICRO, ALICE.id)
    with pytest.raises(Refused, match="state that was signed"):
        withdrawal_proof(town.state, point, ALICE.id)
    with pytest.raises(Refused, match="stands in the section"):
        withdrawal_proof(town.at(point), point, OPERATOR.id)


@pytest.mark.row("M5")
def test_attack_operator_withholding_data_a_witness_alone_lets_everybody_out(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    bank, anna, ben = town.bank, town.key("anna").id, town.key("ben").id
    bank.tell(OPERATOR, bank.tsl, "transfer", bank.vault.address, 10**12)
    town.send_out("ben", ERGON, MICRO, ALICE.id)
    state, point = town.final()
    mint_sold(bank.chain, bank.ergon, OPERATOR, state)

    # From here on the operator answers nobody, and a deposit is never credited.
    bank.tell(OPERATOR, bank.ergon, "mint", ALICE.id, 7)
    bank.tell(ALICE, bank.ergon, "approve", bank.vault.address, 7)
    bank.tell(ALICE, bank.vault, "deposit", bank.ergon.address, 7, b"ben")
    bank.later(EXIT_AFTER_S + 1)
    bank.tell(ALICE, bank.vault, "announce_exit", point_of(point))
    bank.later(EXIT_AFTER_S)

    # A witness has what it ran itself, and nothing else is needed.
    assert town.shelf.state is not None
    size, content = town.shelf.state
    own, _ = load(content)
    assert size == point.size
    for who in ("anna", "ben"):
        bank.tell(OPERATOR, bank.vault, "exit", *exit_proof(own, point, AccountId(who)).args())
    bank.tell(OPERATOR, bank.vault, "withdraw", ALICE.id, *withdrawal_proof(own, point, ALICE.id).args())
    unknown = 0, ALICE.id, bank.ergon.address, 7
    bank.tell(OPERATOR, bank.vault, "reclaim", *unknown, *credited_proof(own, point).args())
    assert (bank.held(bank.ergon, anna), bank.held(bank.tsl, anna)) == (state.ergon(AccountId("anna")), 410 * MICRO)
    assert bank.held(bank.ergon, ben) == 4 * MICRO
    assert bank.held(bank.ergon, ALICE) == MICRO + 7
