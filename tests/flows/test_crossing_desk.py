"""What the Vault took in is told once, from final blocks alone, whoever is killed and whatever the node says."""

from pathlib import Path
from typing import Any

import pytest
from chain_town import ChainTown
from test_anchoring import Bent

from chain_bank import SELL_PERIOD_S
from commonwatt.flows.chain_ports import Contract, Event, TxHash
from commonwatt.flows.crossing import (
    MOST_AT_ONCE,
    MOST_BACK,
    CrossingDesk,
    give_back,
    mint_exported,
    mint_sold,
    unfounded,
)
from commonwatt.flows.crossing_proofs import exported_proof
from commonwatt.identity.keys import SigningKey
from commonwatt.model import MICRO, Commodity, Corrupt, Outcome, Refused, Unreachable
from on_chain import ALICE, CAROL, OPERATOR, key

pytestmark = pytest.mark.row("E14")
ERGON, TSL = Commodity.ERGON, Commodity.TSL


@pytest.fixture
def town(tmp_path: Path) -> ChainTown:
    made = ChainTown(tmp_path, bound=True)
    made.bank.tell(OPERATOR, made.bank.ergon, "mint", ALICE.id, 100 * MICRO)
    made.bank.tell(ALICE, made.bank.ergon, "approve", made.bank.vault.address, 100 * MICRO)
    return made


def deposit(town: ChainTown, amount: int, account: bytes = b"anna", token: Contract | None = None) -> None:
    place = (token or town.bank.ergon).address
    town.bank.tell(ALICE, town.bank.vault, "deposit", place, amount, account)


def test_what_came_in_is_told_once_by_whichever_desk(town: ChainTown) -> None:
    for amount in (1, 2, 3):
        deposit(town, amount * MICRO)
    assert town.desk().round() == 3
    assert town.desk().round() == 0
    deposit(town, 4 * MICRO, b"ben")
    assert town.desk().round() == 1
    assert (town.ergon("anna"), town.ergon("ben")) == (11 * MICRO, 9 * MICRO)
    town.check_rebuilt()


def test_what_was_only_seen_is_not_credited(town: ChainTown) -> None:
    before = town.bank.chain.head().number
    deposit(town, MICRO)
    bent = Bent(town.bank.chain)
    bent.final_at = before
    assert town.desk(bent).round() == 0
    assert town.ergon("anna") == 5 * MICRO
    bent.final_at = None
    assert town.desk(bent).round() == 1


def test_a_desk_that_is_killed_between_chain_and_log_leaves_nothing_out(town: ChainTown) -> None:
    for _ in range(3):
        deposit(town, MICRO)

    def dies(wires: list[bytes]) -> list[Outcome]:
        town.sequencer.submit(wires[:2], town.now_s)
        raise KeyboardInterrupt

    desk = town.desk()
    desk._send = dies
    with pytest.raises(KeyboardInterrupt):
        desk.round()
    assert town.state.crossed.count == 2
    assert town.desk().round() == 1
    assert town.ergon("anna") == 8 * MICRO


def test_more_deposits_than_one_commit_takes_are_told_in_several(town: ChainTown) -> None:
    class Many(Bent):
        def events(self, *asked: Any) -> list[Event]:
            (one,) = self._chain.events(*asked)
            return [
                Event(**{name: getattr(one, name) for name in one.__slots__} | {"values": one.values | {"number": n}})
                for n in range(MOST_AT_ONCE + 1)
            ]

    deposit(town, 1)
    assert town.desk(Many(town.bank.chain)).round() == MOST_AT_ONCE + 1
    assert town.ergon("anna") == 5 * MICRO + MOST_AT_ONCE + 1


@pytest.mark.parametrize("name", [b"nobody", b"\xff\xfe", b"anna\0", b"", b"chain:0x00", b"a" * 64])
def test_garbage_for_an_account_comes_back_to_who_sent_it(town: ChainTown, name: bytes) -> None:
    deposit(town, MICRO, name)
    assert town.desk().round() == 1
    assert list(town.state.crossed.refused.items()) == [(0, ALICE.id)]
    held = town.bank.held(town.bank.ergon, ALICE)
    assert len(returned(town)) == 1
    assert town.bank.held(town.bank.ergon, ALICE) - held == MICRO
    assert returned(town) == []


def returned(town: ChainTown) -> list[TxHash]:
    """Give back what is refused by the next final state."""
    return give_back(town.bank.chain, town.bank.vault, CAROL, town.named(), town.final())


def test_attack_what_cannot_be_credited_holds_up_neither_those_after_it_nor_what_goes_back(town: ChainTown) -> None:
    """More TSL comes in than was never handed out: it is refused, what follows is credited, and it goes back."""
    for name in "cdefghij":
        town.register_key(name, "member", name)
    bank, most = town.bank, town.tsl("vault") + 1
    bank.tell(OPERATOR, bank.tsl, "transfer", ALICE.id, most)
    bank.tell(ALICE, bank.tsl, "approve", bank.vault.address, most)
    deposit(town, most, token=bank.tsl)
    deposit(town, 7, b"nobody")
    deposit(town, MICRO)
    assert town.desk().round() == 3
    assert (sorted(town.state.crossed.refused), town.ergon("anna")) == ([0, 1], 6 * MICRO)
    assert len(returned(town)) == 2
    assert (bank.held(bank.tsl, ALICE), bank.held(bank.tsl, bank.vault)) == (most, 0)
    deposit(town, MICRO)
    assert town.desk().round() == 1


def test_no_more_is_given_back_at_once_than_leaves_room_for_the_rest(town: ChainTown) -> None:
    for _ in range(MOST_BACK + 2):
        deposit(town, 1, b"nobody")
    town.desk().round()
    assert [len(returned(town)) for _ in range(3)] == [MOST_BACK, 2, 0]


def test_a_node_that_leaves_a_deposit_out_is_not_believed(town: ChainTown) -> None:
    class Leaves(Bent):
        def events(self, *asked: Any) -> list[Event]:
            found: list[Event] = self._chain.events(*asked)
            return found[1:]

    deposit(town, MICRO)
    deposit(town, MICRO)
    with pytest.raises(Corrupt, match="without gap"):
        town.desk(Leaves(town.bank.chain)).round()
    assert town.state.crossed.count == 0


def test_a_chain_that_is_away_is_asked_again_later(town: ChainTown) -> None:
    deposit(town, MICRO)
    bent = Bent(town.bank.chain)
    bent.away = True
    with pytest.raises(Unreachable):
        town.desk(bent).round()
    bent.away = False
    assert town.desk(bent).round() == 1


def test_a_token_that_is_none_of_ours_is_not_credited(town: ChainTown) -> None:
    deposit(town, MICRO)
    desk = CrossingDesk(town.sequencer, _signing(town), town.bank.chain, town.bank.vault, {}, lambda: town.now_s)
    with pytest.raises(Corrupt, match="tokens of ours"):
        desk.round()


def test_only_the_chain_key_opens_the_desk(town: ChainTown) -> None:
    desk = CrossingDesk(
        town.sequencer, key("stranger"), town.bank.chain, town.bank.vault, town.named(), lambda: town.now_s
    )
    with pytest.raises(Refused, match="chain key"):
        desk.round()


def test_a_contradiction_stops_the_desk_for_a_person_to_look(town: ChainTown) -> None:
    town.deposited("anna", ERGON, 7)
    deposit(town, MICRO)
    assert town.desk().round() == 0, "number 0 was told already, in other words"
    assert unfounded(town.state, town.bank.chain, town.bank.vault, town.named()) == [0]
    deposit(town, 1)
    desk = town.desk()
    desk._send = lambda wires: [Outcome.NOT_ALLOWED for _ in wires]
    with pytest.raises(Refused, match="is taken up"):
        desk.round()


def test_a_witness_finds_credit_that_nobody_paid_in(town: ChainTown) -> None:
    deposit(town, MICRO)
    town.desk().round()
    asked = town.bank.chain, town.bank.vault, town.named()
    assert unfounded(town.state, *asked) == []
    town.deposited("anna", ERGON, 10**9, block=10**6)
    assert unfounded(town.state, *asked) == [1]


def test_the_seller_mints_into_the_vault_what_was_bought_and_no_more(town: ChainTown) -> None:
    bank = town.bank
    for expected in (10 * MICRO, None):
        tx = mint_sold(bank.chain, bank.ergon, OPERATOR, town.state)
        assert (tx is None) == (expected is None)
    assert bank.held(bank.ergon, bank.vault) == 10 * MICRO
    town.pay("anna", 3 * MICRO, "more")
    mint_sold(bank.chain, bank.ergon, OPERATOR, town.state)
    assert bank.held(bank.ergon, bank.vault) == 13 * MICRO


def test_what_is_beyond_the_sellers_ceiling_is_minted_in_the_next_period(town: ChainTown) -> None:
    bank = town.bank
    bank.ruled((bank.ergon, "set_seller", OPERATOR.id, 6 * MICRO))
    bank.later(SELL_PERIOD_S)
    for expected in (6, 6):
        mint_sold(bank.chain, bank.ergon, OPERATOR, town.state)
        assert bank.held(bank.ergon, bank.vault) == expected * MICRO
    bank.later(SELL_PERIOD_S)
    mint_sold(bank.chain, bank.ergon, OPERATOR, town.state)
    assert bank.held(bank.ergon, bank.vault) == 10 * MICRO


def test_what_the_retailer_owes_is_minted_from_a_final_state(town: ChainTown) -> None:
    bank = town.bank
    state, point = town.final()
    owed = -town.ergon("grid")
    proof = exported_proof(state, point)
    if owed <= 0:
        assert mint_exported(bank.chain, bank.ergon, OPERATOR, proof) is None


def _signing(town: ChainTown) -> SigningKey:
    found = town.key("chain")
    assert isinstance(found, SigningKey)
    return found
