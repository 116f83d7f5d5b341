"""The Vault pays what a final state says; when the operator stops, everybody gets their own."""

from typing import Any

import pytest

from chain_bank import CEILING, EXIT_AFTER_S, REWARD, SELL_PERIOD_S, Bank, paper, point
from commonwatt.adapters.chains.evm.words import call_data
from commonwatt.flows.chain_ports import Contract, Reverted
from commonwatt.flows.crossing_proofs import (
    ExitProof,
    Place,
    Proof,
    account_proof,
    bound_proof,
    credited_proof,
    exit_proof,
    exported_proof,
    point_of,
    refused_proof,
    withdrawal_proof,
)
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.tokens.crossed import Named
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.model import AccountId, Commodity, chain_account
from hostile_words import hostile
from on_chain import ALICE, BOB, CAROL, OPERATOR, key

pytestmark = pytest.mark.row("M5")
ERGON, WATT, TSL = Commodity.ERGON, Commodity.WATT, Commodity.TSL
OUT = chain_account(ALICE.id)
MEMBERS = {"anna": ALICE, "ben": BOB}
HELD = 10**9


class Rich(Bank):
    """A Vault that holds some of each token that is held."""

    def __init__(self) -> None:
        super().__init__(bonded=3, backing=HELD, bound=True)

    def final(self, size: int, state: State) -> Checkpoint:
        """Anchor a state."""
        told = point(size, state)
        self.anchor(told, BONDED)
        return told

    def silent(self, told: Checkpoint) -> None:
        """Let the operator be silent, and the exit be announced, for long enough."""
        self.later(EXIT_AFTER_S + 10)
        self.announce(told)
        self.later(EXIT_AFTER_S)

    def announce(self, told: Checkpoint) -> None:
        self.tell(CAROL, self.vault, "announce_exit", point_of(told))

    def withdraw(self, proof: Proof, to: SigningKey = ALICE) -> None:
        self.tell(CAROL, self.vault, "withdraw", to.id, *proof.args())

    def exit(self, proof: ExitProof) -> None:
        self.tell(CAROL, self.vault, "exit", *proof.args())

    def deposit(self, by: SigningKey, token: Contract, amount: int, account: bytes = b"anna") -> None:
        self.tell(by, token, "approve", self.vault.address, amount)
        self.tell(by, self.vault, "deposit", token.address, amount, account)


BONDED = tuple(sorted((key(f"witness {n}") for n in range(5)), key=lambda one: one.id))[:3]


def sent(ergon: int = 0, watt: int = 0, tsl: int = 0, **more: Any) -> State:
    return paper({"anna": {ERGON: 77}, OUT: {ERGON: ergon, WATT: watt, TSL: tsl}}, keys=MEMBERS, **more)


def refused(words: str, call: Any, *args: Any, **more: Any) -> None:
    with pytest.raises(Reverted) as caught:
        call(*args, **more)
    assert caught.value.reason == words


def test_what_was_sent_out_is_paid_by_proof_and_watt_is_minted() -> None:
    bank, state = Rich(), sent(5_000, 300, 40)
    bank.withdraw(withdrawal_proof(state, bank.final(10, state), ALICE.id))
    assert [bank.held(token, ALICE) for token in (bank.ergon, bank.watt, bank.tsl)] == [5_000, 300, 40]
    assert bank.ask(bank.watt, "totalSupply") == 300
    assert tuple(bank.ask(bank.vault, "paid", OUT.encode())) == (5_000, 300, 40)


def test_attack_stale_withdrawal_an_old_proof_pays_nothing() -> None:
    bank, first, second = Rich(), sent(5_000), sent(6_000, 10)
    old = withdrawal_proof(first, bank.final(10, first), ALICE.id)
    new = withdrawal_proof(second, bank.final(11, second), ALICE.id)
    bank.withdraw(new)
    refused("vault: nothing is due", bank.withdraw, old)
    refused("vault: nothing is due", bank.withdraw, new)
    assert bank.held(bank.ergon, ALICE) == 6_000


def test_a_later_state_pays_the_difference() -> None:
    bank, first, second = Rich(), sent(5_000), sent(6_000, 10)
    bank.withdraw(withdrawal_proof(first, bank.final(10, first), ALICE.id))
    bank.withdraw(withdrawal_proof(second, bank.final(11, second), ALICE.id))
    assert (bank.held(bank.ergon, ALICE), bank.held(bank.watt, ALICE)) == (6_000, 10)


def test_attack_a_state_that_is_not_final_pays_nothing() -> None:
    bank, state = Rich(), sent(5_000)
    told = point(10, state)
    refused("vault: not final", bank.withdraw, withdrawal_proof(state, told, ALICE.id))
    bank.final(10, sent(1))
    refused("vault: not final", bank.withdraw, withdrawal_proof(state, told, ALICE.id))


def test_attack_fake_proof_the_row_of_another_account() -> None:
    bank, state = Rich(), sent(5_000)
    told = bank.final(10, state)
    refused("vault: another account", bank.withdraw, account_proof(state, told, AccountId("anna")))
    refused("vault: another account", bank.withdraw, withdrawal_proof(state, told, ALICE.id), BOB)


def test_attack_fake_proof_a_row_that_says_more() -> None:
    bank, state = Rich(), sent(5_000)
    good = withdrawal_proof(state, bank.final(10, state), ALICE.id)
    more = good.row[:72] + (5_001).to_bytes(8) + good.row[80:]
    refused("books: not an account of this state", bank.withdraw, Proof(point=good.point, row=more, place=good.place))


def test_attack_fake_proof_from_the_wrong_section() -> None:
    bank, state = Rich(), sent(5_000)
    told = bank.final(10, state)
    exits = exit_proof(state, told, AccountId("anna")).exit
    row = withdrawal_proof(state, told, ALICE.id).row
    for fake in (
        Proof(point=exits.point, row=exits.row, place=exits.place),
        Proof(point=exits.point, row=row, place=exits.place),
        Proof(point=exits.point, row=exits.row[:64] + row[64:84] + bytes(12), place=exits.place),
    ):
        refused("books: not an account of this state", bank.withdraw, fake)


def test_attack_fake_proof_a_node_passed_as_a_leaf() -> None:
    """Two hashes are 64 bytes and a row is 96: and were they as long, leaves and nodes are hashed apart."""
    bank, state = Rich(), sent(5_000)
    good = withdrawal_proof(state, bank.final(10, state), ALICE.id)
    node = b"\x01" + good.place.path[0] + good.place.path[-1]
    for row in (node[1:] + bytes(32), node.ljust(96, b"\0"), node[1:]):
        cut = Place(index=0, size=1, path=(), sections=good.place.sections)
        refused("books: not an account of this state", bank.withdraw, Proof(point=good.point, row=row, place=cut))


def test_attack_fake_proof_that_leads_nowhere_under_a_state_of_zeros() -> None:
    bank, told = Rich(), point(10)
    assert told.state_root == bytes(32)
    bank.anchor(told, BONDED)
    good = withdrawal_proof(sent(5_000), point(10, sent(5_000)), ALICE.id)
    for path in ((), good.place.sections[:1], good.place.sections):
        place = Place(index=0, size=1, path=good.place.path, sections=path)
        refused(
            "books: not an account of this state", bank.withdraw, Proof(point=point_of(told), row=good.row, place=place)
        )


def test_attack_reentrancy_a_token_that_asks_again_gets_nothing_more() -> None:
    bank, state = Rich(), sent(5_000)
    greedy = bank.put(hostile("Greedy"))
    vault = bank.made(
        "Vault", bank.lock.address, bank.checkpoints.address, greedy.address, bank.watt.address, bank.tsl.address, 9
    )
    names_it = paper({}, vault=Named(chain_id=bank.chain.chain_id, vault=vault.address))
    bank.tell(CAROL, vault, "bind", *bound_proof(names_it, bank.final(9, names_it)).args())
    bank.tell(OPERATOR, greedy, "give", vault.address, 20_000)
    proof = withdrawal_proof(state, bank.final(10, state), ALICE.id)
    args = ALICE.id, *proof.args()
    bank.tell(OPERATOR, greedy, "arm", vault.address, call_data(vault.abi, "withdraw", args))
    bank.tell(CAROL, vault, "withdraw", *args)
    assert (bank.ask(greedy, "tried"), bank.ask(greedy, "got_in")) == (True, False)
    assert (bank.held(greedy, ALICE), bank.held(greedy, vault)) == (5_000, 15_000)


def test_a_vault_that_holds_too_little_pays_what_it_has_and_the_rest_later() -> None:
    bank, state = Rich(), sent(HELD + 500)
    proof = withdrawal_proof(state, bank.final(10, state), ALICE.id)
    bank.withdraw(proof)
    assert bank.held(bank.ergon, ALICE) == HELD
    refused("vault: nothing is due", bank.withdraw, proof)
    bank.tell(OPERATOR, bank.ergon, "mint", bank.vault.address, 300)
    bank.withdraw(proof)
    assert (bank.held(bank.ergon, ALICE), bank.held(bank.ergon, bank.vault)) == (HELD + 300, 0)


def test_a_deposit_is_numbered_and_watt_is_burnt_on_the_way_in() -> None:
    bank, state = Rich(), sent(900, 300, 40)
    bank.withdraw(withdrawal_proof(state, bank.final(10, state), ALICE.id))
    for token, amount in ((bank.ergon, 900), (bank.watt, 200), (bank.tsl, 40)):
        bank.deposit(ALICE, token, amount)
    head = bank.chain.final().number
    told = [event.values for event in bank.chain.events(bank.vault, "Deposited", 0, head)]
    assert [(one["number"], one["sender"], one["token"], one["amount"], one["account"]) for one in told] == [
        (0, ALICE.id, bank.ergon.address, 900, b"anna"),
        (1, ALICE.id, bank.watt.address, 200, b"anna"),
        (2, ALICE.id, bank.tsl.address, 40, b"anna"),
    ]
    assert bank.ask(bank.watt, "totalSupply") == 100
    assert bank.held(bank.watt, bank.vault) == 0


@pytest.mark.parametrize(("amount", "words"), [(0, "vault: no such amount"), (2**53, "vault: no such amount")])
def test_what_the_ledger_cannot_count_is_not_taken(amount: int, words: str) -> None:
    bank = Rich()
    refused(words, bank.deposit, ALICE, bank.ergon, amount)
    refused("vault: not a token of ours", bank.tell, ALICE, bank.vault, "deposit", bank.vault.address, 1, b"anna")


@pytest.mark.parametrize("amount", [1, 9, 10, 99, 12_345])
def test_storage_is_paid_eighty_ten_ten_exactly(amount: int) -> None:
    bank = Rich()
    bank.tell(OPERATOR, bank.tsl, "approve", bank.vault.address, amount)
    bank.tell(OPERATOR, bank.vault, "pay_storage", amount)
    told = [one.values for one in bank.chain.events(bank.vault, "Deposited", 0, bank.chain.final().number)]
    parts = {one["account"]: one["amount"] for one in told}
    tenth = amount // 10
    assert parts == {b"commission-pool": amount - 2 * tenth} | ({b"education-pot": tenth} if tenth else {})
    assert bank.ask(bank.checkpoints, "pool") == tenth
    assert bank.held(bank.tsl, bank.vault) - HELD == amount - tenth


def test_a_pause_stops_deposits_and_no_withdrawal() -> None:
    bank, state = Rich(), sent(900)
    bank.withdraw(withdrawal_proof(state, bank.final(10, state), ALICE.id))
    bank.tell(OPERATOR, bank.vault, "pause")
    refused("governed: paused", bank.deposit, ALICE, bank.ergon, 1)
    later = sent(1_000)
    bank.withdraw(withdrawal_proof(later, bank.final(11, later), ALICE.id))


def test_nobody_exits_while_the_operator_is_there() -> None:
    bank, state = Rich(), sent()
    told = bank.final(10, state)
    bank.later(EXIT_AFTER_S - 10)
    refused("vault: the operator is there", bank.announce, told)
    refused("vault: not announced", bank.exit, exit_proof(state, told, AccountId("anna")))


def test_attack_who_was_merely_off_anchors_before_anybody_can_close_the_vault() -> None:
    """A first call after a long silence closes nothing: an operator who comes back in time undoes it by an anchor."""
    bank, state = Rich(), sent()
    told = bank.final(10, state)
    proof = exit_proof(state, told, AccountId("anna"))
    bank.later(EXIT_AFTER_S + 10)
    refused("vault: not announced", bank.exit, proof)
    bank.announce(told)
    refused("vault: announced before", bank.announce, told)
    bank.later(EXIT_AFTER_S - 100)
    refused("vault: announced too lately", bank.exit, proof)
    later = bank.final(11, sent(1))
    bank.later(EXIT_AFTER_S - 100)
    refused("vault: not the last checkpoint", bank.exit, proof)
    refused("vault: not announced", bank.exit, exit_proof(sent(1), later, AccountId("anna")))
    refused("vault: not the last checkpoint", bank.announce, told)
    refused("vault: the operator is there", bank.announce, later)
    assert bank.ask(bank.vault, "closed_at") == 0
    bank.silent(later)
    bank.exit(exit_proof(sent(1), later, AccountId("anna")))
    refused("vault: closed", bank.announce, later)
    assert bank.ask(bank.vault, "closed_at") == 11


def test_attack_a_guardian_who_pauses_as_soon_as_the_exit_is_announced_keeps_no_anchor_away_until_it_closes() -> None:
    bank, state = Rich(), sent()
    told = bank.final(10, state)
    proof = exit_proof(state, told, AccountId("anna"))
    bank.later(EXIT_AFTER_S + 10)
    bank.announce(told)
    bank.tell(OPERATOR, bank.checkpoints, "pause")
    bank.later(int(bank.ask(bank.checkpoints, "PAUSE_S")))
    refused("vault: announced too lately", bank.exit, proof)
    bank.final(11, sent(1))
    refused("vault: not the last checkpoint", bank.exit, proof)


def test_attack_contracts_founded_anew_are_never_bound_and_pay_nothing_again() -> None:
    bank = Rich()
    state = bank.paper({OUT: {ERGON: 5_000}})
    told = bank.final(10, state)
    bank.withdraw(withdrawal_proof(state, told, ALICE.id))
    anew = bank.made("Vault", bank.lock.address, bank.checkpoints.address, *bank.tokens, EXIT_AFTER_S)
    bank.tell(OPERATOR, bank.ergon, "mint", anew.address, 5_000)
    named = bound_proof(state, told).args()
    refused("vault: the ledger names another", bank.tell, CAROL, anew, "bind", *named)
    withdrawal = (ALICE.id, *withdrawal_proof(state, told, ALICE.id).args())
    refused("vault: not bound", bank.tell, CAROL, anew, "withdraw", *withdrawal)
    refused("vault: not bound", bank.tell, ALICE, anew, "deposit", bank.ergon.address, 1, b"anna")
    refused("vault: not bound", bank.tell, CAROL, anew, "announce_exit", point_of(told))
    refused("vault: bound before", bank.tell, CAROL, bank.vault, "bind", *named)
    assert bank.held(bank.ergon, ALICE) == 5_000


def test_a_vault_is_bound_by_a_final_state_of_its_own_chain_alone() -> None:
    bank = Bank(bonded=3, backing=HELD)
    state, elsewhere = (
        paper({"anna": {ERGON: 1}}, vault=Named(chain_id=chain_id, vault=bank.vault.address))
        for chain_id in (bank.chain.chain_id, 1)
    )
    refused("vault: not final", bank.bind, state, point(10, state))
    bank.anchor(point(10, elsewhere), BONDED)
    refused("vault: another account", bank.bind, elsewhere, point(10, elsewhere))
    port = credited_proof(elsewhere, point(10, elsewhere)).args()
    refused("vault: another account", bank.tell, CAROL, bank.vault, "bind", *port)
    bank.anchor(point(11, state), BONDED)
    good = bound_proof(state, point(11, state))
    fake = Proof(point=good.point, row=good.row[:64] + bytes(20), place=good.place)
    refused("books: not an exit of this state", bank.tell, CAROL, bank.vault, "bind", *fake.args())
    bank.bind(state, point(11, state))
    assert bank.ask(bank.vault, "bound_to") == bank.chain.chain_id


def test_a_refused_deposit_goes_back_to_its_sender_by_proof_once() -> None:
    bank, first = Rich(), sent(900, 300)
    bank.withdraw(withdrawal_proof(first, bank.final(10, first), ALICE.id))
    for token, amount in ((bank.ergon, 100), (bank.watt, 300), (bank.ergon, 50)):
        bank.deposit(ALICE, token, amount)
    state = sent(900, 300, deposits=3, refused={0: ALICE.id, 1: ALICE.id})
    told = bank.final(11, state)

    def reclaim(number: int, token: Contract, amount: int, sender: str = ALICE.id, of: int | None = None) -> None:
        proof = refused_proof(state, told, number if of is None else of).args()
        bank.tell(CAROL, bank.vault, "reclaim", number, sender, token.address, amount, *proof)

    refused("vault: another account", reclaim, 2, bank.ergon, 50, of=0)
    refused("vault: no such deposit", reclaim, 0, bank.ergon, 101)
    refused("vault: no such deposit", reclaim, 0, bank.ergon, 100, BOB.id)
    reclaim(0, bank.ergon, 100)
    refused("vault: no such deposit", reclaim, 0, bank.ergon, 100)
    reclaim(1, bank.watt, 300)
    assert (bank.held(bank.ergon, ALICE), bank.held(bank.watt, ALICE)) == (850, 300)
    seen = point(12, state)
    fake = refused_proof(state, seen, 0).args()
    args = (2, ALICE.id, bank.ergon.address, 50, *fake)
    refused("vault: not final", bank.tell, CAROL, bank.vault, "reclaim", *args)


def test_attack_operator_withholds_data_and_a_witness_lets_everybody_exit() -> None:
    """Whoever re-ran the log has the state; the operator's help is not needed."""
    bank = Rich()
    balances = {"anna": {ERGON: 500, TSL: 7}, "ben": {ERGON: -20, WATT: 900}, OUT: {ERGON: 30}}
    state = paper(balances, keys=MEMBERS)
    told = bank.final(10, state)
    bank.silent(told)
    bank.exit(exit_proof(state, told, AccountId("anna")))
    bank.exit(exit_proof(state, told, AccountId("ben")))
    bank.withdraw(withdrawal_proof(state, told, ALICE.id))
    assert (bank.held(bank.ergon, ALICE), bank.held(bank.tsl, ALICE)) == (530, 7)
    assert (bank.held(bank.ergon, BOB), bank.held(bank.watt, BOB)) == (0, 900)
    refused("vault: nothing is due", bank.exit, exit_proof(state, told, AccountId("anna")))


def test_attack_exit_from_an_older_state_or_to_somebody_elses_address() -> None:
    bank = Rich()
    rich, poor = paper({"anna": {ERGON: 500}}, keys=MEMBERS), paper({"anna": {ERGON: 5}, "ben": {TSL: 1}}, keys=MEMBERS)
    old, new = bank.final(10, rich), bank.final(11, poor)
    bank.silent(new)
    refused("vault: not the last checkpoint", bank.exit, exit_proof(rich, old, AccountId("anna")))
    anna, ben = (exit_proof(poor, new, AccountId(who)) for who in MEMBERS)
    refused("vault: another account", bank.exit, ExitProof(account=anna.account, exit=ben.exit))
    bank.exit(anna)
    refused("vault: not the last checkpoint", bank.exit, exit_proof(rich, old, AccountId("anna")))
    assert bank.held(bank.ergon, ALICE) == 5


def test_attack_an_operator_who_comes_back_cannot_have_paid_twice() -> None:
    """Who exited stands in the ledger with the same balance still; sending it out there is worth nothing any more."""
    bank = Rich()
    state = paper({"anna": {ERGON: 500}}, keys=MEMBERS)
    told = bank.final(10, state)
    bank.silent(told)
    bank.exit(exit_proof(state, told, AccountId("anna")))
    again = sent(500)
    proof = withdrawal_proof(again, bank.final(11, again), ALICE.id)
    refused("vault: closed before", bank.withdraw, proof)
    refused("vault: closed", bank.deposit, ALICE, bank.ergon, 1)
    assert bank.ask(bank.vault, "closed_at") == 10


def test_deposits_that_nobody_credited_go_back_when_the_operator_stops() -> None:
    bank, first = Rich(), sent(900, 300)
    bank.withdraw(withdrawal_proof(first, bank.final(10, first), ALICE.id))
    for token, amount in ((bank.ergon, 100), (bank.ergon, 200), (bank.watt, 300)):
        bank.deposit(ALICE, token, amount)
    state = sent(900, 300, deposits=1)
    told = bank.final(11, state)
    proof = credited_proof(state, told).args()

    def reclaim(number: int, token: Contract, amount: int, sender: SigningKey = ALICE) -> None:
        bank.tell(CAROL, bank.vault, "reclaim", number, sender.id, token.address, amount, *proof)

    refused("vault: not announced", reclaim, 1, bank.ergon, 200)
    bank.silent(told)
    refused("vault: credited", reclaim, 0, bank.ergon, 100)
    refused("vault: no such deposit", reclaim, 1, bank.ergon, 201)
    refused("vault: no such deposit", reclaim, 1, bank.ergon, 200, BOB)
    reclaim(1, bank.ergon, 200)
    refused("vault: no such deposit", reclaim, 1, bank.ergon, 200)
    reclaim(2, bank.watt, 300)
    assert (bank.held(bank.ergon, ALICE), bank.held(bank.watt, ALICE)) == (800, 300)
    wrong = exit_proof(state, told, AccountId("anna")).exit
    with pytest.raises(Reverted, match="another account"):
        bank.tell(ALICE, bank.vault, "reclaim", 0, ALICE.id, bank.ergon.address, 100, *wrong.args())


def test_what_the_retailer_owes_for_exports_is_minted_into_the_vault_once() -> None:
    bank = Rich()

    def grid(balance: int) -> State:
        return paper({"grid": {ERGON: balance}, "anna": {ERGON: 1}})

    def export(size: int, balance: int) -> None:
        state = grid(balance)
        bank.tell(CAROL, bank.ergon, "mint_exported", *exported_proof(state, bank.final(size, state)).args())

    export(10, -700)
    assert bank.held(bank.ergon, bank.vault) == HELD + 700
    refused("ergon: nothing new", export, 11, -600)
    refused("ergon: nothing new", export, 12, 50)
    export(13, -1_000)
    assert bank.held(bank.ergon, bank.vault) == HELD + 1_000
    state = grid(-5_000)
    other = account_proof(state, bank.final(14, state), AccountId("anna"))
    refused("ergon: another account", bank.tell, CAROL, bank.ergon, "mint_exported", *other.args())
    fake = exported_proof(state, point(15, state))
    refused("ergon: not final", bank.tell, CAROL, bank.ergon, "mint_exported", *fake.args())


def test_what_was_sold_in_the_ledger_is_minted_into_the_vault_up_to_a_running_total() -> None:
    bank = Rich()
    bank.tell(OPERATOR, bank.ergon, "mint_sold", 500)
    refused("ergon: nothing new", bank.tell, OPERATOR, bank.ergon, "mint_sold", 500)
    refused("ergon: not a seller", bank.tell, CAROL, bank.ergon, "mint_sold", 900)
    bank.tell(OPERATOR, bank.ergon, "mint_sold", 600)
    assert bank.held(bank.ergon, bank.vault) == HELD + 600


def test_attack_a_seller_mints_no_more_in_a_period_than_its_ceiling() -> None:
    bank = Rich()
    bank.later(SELL_PERIOD_S)
    bank.tell(OPERATOR, bank.ergon, "mint", ALICE.id, CEILING - 10)
    refused("ergon: beyond the ceiling", bank.tell, OPERATOR, bank.ergon, "mint", ALICE.id, 11)
    refused("ergon: beyond the ceiling", bank.tell, OPERATOR, bank.ergon, "mint_sold", 11)
    bank.tell(OPERATOR, bank.ergon, "mint_sold", 10)
    assert bank.ask(bank.ergon, "left", OPERATOR.id) == 0
    bank.later(SELL_PERIOD_S)
    assert bank.ask(bank.ergon, "left", OPERATOR.id) == CEILING
    bank.tell(OPERATOR, bank.ergon, "mint", ALICE.id, CEILING)
    bank.ruled((bank.ergon, "set_seller", OPERATOR.id, CEILING // 2))
    assert bank.ask(bank.ergon, "left", OPERATOR.id) == 0
    bank.later(SELL_PERIOD_S)
    refused("ergon: beyond the ceiling", bank.tell, OPERATOR, bank.ergon, "mint", ALICE.id, CEILING // 2 + 1)
    bank.ruled((bank.ergon, "set_seller", OPERATOR.id, 0))
    refused("ergon: not a seller", bank.tell, OPERATOR, bank.ergon, "mint", ALICE.id, 1)


def test_witnesses_earn_from_what_holders_outside_pay_for_storage() -> None:
    bank = Rich()
    bank.tell(OPERATOR, bank.tsl, "approve", bank.vault.address, 100 * REWARD)
    bank.tell(OPERATOR, bank.vault, "pay_storage", 100 * REWARD)
    bank.final(10, sent())
    assert sum(bank.ask(bank.checkpoints, "witness", one.id)[1] for one in BONDED) == REWARD - REWARD % 3
