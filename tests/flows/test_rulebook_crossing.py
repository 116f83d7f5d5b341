"""Tokens leave the ledger for addresses of the chain and come back, each once, and the books add up to nothing."""

import os
from typing import Any

import pytest
from community import IMPORT, NAME, Flow, key
from crossed_town import ADDRESS, CHAIN_ID, OTHER, VAULT, CrossedTown
from hypothesis import given, settings
from hypothesis import strategies as st
from purse import Purse

from commonwatt.flows.rulebook import bodies
from commonwatt.flows.rulebook.identity.trust_bodies import Grant
from commonwatt.flows.rulebook.snapshot import dump, load
from commonwatt.flows.rulebook.state import CHAIN_SECTIONS, SECTIONS
from commonwatt.flows.rulebook.tokens import crossing
from commonwatt.flows.rulebook.tokens import wallet_bodies as wallets
from commonwatt.flows.rulebook.tokens.backing import free, outside
from commonwatt.flows.rulebook.tokens.crossing_bodies import ExitTo, SendOut
from commonwatt.flows.sequence import replay
from commonwatt.identity.signing_in.wallet import with_checksum
from commonwatt.ledger.merkle import HASH_BYTES
from commonwatt.model import MICRO, SLOT_SECONDS, AccountId, Commodity, Kind, Outcome, cost_micro
from signers import secure_key

pytestmark = pytest.mark.row("E14")
ERGON, WATT, TSL = Commodity.ERGON, Commodity.WATT, Commodity.TSL
SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""Mints 810 WATT."""
NIGHTLY = bool(os.environ.get("COMMONWATT_NIGHTLY"))
LETTERS = "0x" + 20 * "ab"


def check(town: CrossedTown) -> None:
    """Hold what is true of the books whatever crossed."""
    state = town.state
    assert all(state.accounts.total(commodity) == 0 for commodity in Commodity)
    outside_wh = outside(state, WATT)
    held_wh = sum(state.watt(member) for member in state.members())
    assert outside_wh >= 0
    assert held_wh + outside_wh == state.claims.total_wh
    root = state.root()
    assert replay(town.store.rows(), NAME).state.root() == root
    assert load(dump(state, town.now_s, bytes(HASH_BYTES)))[0].root() == root


def test_what_a_member_sends_out_stands_on_the_account_of_the_address_for_good() -> None:
    town = CrossedTown()
    assert town.send_out("anna", ERGON, 2 * MICRO) is Outcome.BOOKED
    assert town.send_out("ben", ERGON, MICRO) is Outcome.BOOKED
    assert town.entries("sent out") == [
        ("anna", f"chain:{ADDRESS}", 2 * MICRO),
        ("ben", f"chain:{ADDRESS}", MICRO),
    ]
    assert (town.ergon("anna"), town.out(ERGON)) == (3 * MICRO, 3 * MICRO)
    check(town)


def test_no_more_goes_out_than_is_free_and_nobody_comes_to_owe_for_it() -> None:
    town = CrossedTown()
    assert town.reserve("anna", "ben", ERGON, 2 * MICRO)[1] is Outcome.BOOKED
    assert town.send_out("anna", ERGON, 3 * MICRO + 1) is Outcome.NOT_BACKED
    assert town.send_out("anna", WATT, 1) is Outcome.NOT_BACKED
    assert town.send_out("anna", TSL, town.tsl("anna") + 1) is Outcome.NOT_BACKED
    assert town.send_out("anna", ERGON, 3 * MICRO) is Outcome.BOOKED
    assert town.send_out("anna", ERGON, 1) is Outcome.NOT_BACKED
    check(town)


def test_tsl_that_watt_is_stored_on_stays() -> None:
    town = CrossedTown()
    town.live(anna=SUNNY)
    needed = 81 * MICRO
    assert town.send_out("anna", TSL, town.tsl("anna") - needed + 1) is Outcome.NOT_BACKED
    assert town.send_out("anna", TSL, town.tsl("anna") - needed) is Outcome.BOOKED
    assert town.send_out("anna", WATT, 810) is Outcome.BOOKED
    assert town.send_out("anna", TSL, town.tsl("anna")) is Outcome.BOOKED, "who parted with the WATT needs no right"
    check(town)


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        (LETTERS, Outcome.BOOKED),
        (with_checksum(LETTERS), Outcome.BOOKED),
        (with_checksum(LETTERS).swapcase().replace("0X", "0x"), Outcome.UNKNOWN_THING),
        ("0x" + 20 * "AB", Outcome.UNKNOWN_THING),
        ("0x" + 40 * "0", Outcome.UNKNOWN_THING),
    ],
)
def test_an_address_is_in_lower_case_or_has_its_checksum(address: str, outcome: Outcome) -> None:
    town = CrossedTown()
    assert town.send_out("anna", ERGON, MICRO, address) is outcome
    assert town.out(ERGON, LETTERS) == (MICRO if outcome is Outcome.BOOKED else 0)


def test_attack_nothing_goes_to_where_nobody_can_take_it_out_again() -> None:
    """The Vault pays itself nothing, and no contract knows a P-256 key's signature: what came there was lost."""
    town, gateway = CrossedTown(), secure_key("gw-new")
    told = {"what": "gateway", "gateway": "gw-new", "public": gateway.public.hex(), "alg": "P-256"}
    assert town.send(town.wire("operator", Kind.REGISTER, told)) is Outcome.BOOKED
    for address in (VAULT, with_checksum(VAULT), gateway.id):
        assert town.send_out("anna", ERGON, MICRO, address) is Outcome.NOT_ALLOWED
        assert town.exit_to("anna", address) is Outcome.NOT_ALLOWED
    assert town.send_out("anna", ERGON, MICRO, town.key("ben").id) is Outcome.BOOKED
    check(town)


def test_nothing_goes_out_where_no_chain_is() -> None:
    town = Purse()
    body = SendOut(commodity=ERGON, amount=1, address=ADDRESS)
    assert town.ask("anna", Kind.TRANSFER, body) is Outcome.NOT_ALLOWED
    assert len(town.state.sections()) == len(SECTIONS)


def test_energy_itself_goes_nowhere() -> None:
    assert CrossedTown().send_out("anna", Commodity.ENERGY, 1) is Outcome.NOT_ALLOWED


def test_a_delegate_who_may_transfer_sends_nothing_out() -> None:
    town = CrossedTown()
    town.register_key("agent", "agent", "agent")
    grant = Grant(to=key("agent").public.hex(), kinds=("transfer",), until_s=town.now_s + 900)
    assert town.ask("anna", Kind.DELEGATE, grant) is Outcome.BOOKED
    body = SendOut(commodity=ERGON, amount=1, address=ADDRESS)
    assert town.ask("agent", Kind.TRANSFER, body, account="anna") is Outcome.NOT_ALLOWED
    assert town.ask("agent", Kind.TRANSFER, ExitTo(address=OTHER), account="anna") is Outcome.NOT_ALLOWED
    give = wallets.Give(target="ben", commodity=ERGON, amount=1)
    assert town.ask("agent", Kind.TRANSFER, give, account="anna") is Outcome.BOOKED


def test_what_came_in_counts_once_and_stands_against_the_chain() -> None:
    town = CrossedTown()
    town.send_out("anna", ERGON, 2 * MICRO)
    assert town.deposited("ben", ERGON, MICRO) is Outcome.BOOKED
    assert town.deposited("ben", ERGON, MICRO, number=0) is Outcome.ALREADY_THERE
    assert town.deposited("ben", ERGON, 2 * MICRO, number=0) is Outcome.NOT_ALLOWED
    assert town.deposited("ben", ERGON, MICRO, number=0, tx="f" * 64) is Outcome.NOT_ALLOWED
    assert town.ergon("ben") == 6 * MICRO
    assert town.balance("chain-port", ERGON) == -MICRO
    assert outside(town.state, ERGON) == MICRO
    check(town)


def test_deposits_are_told_in_the_vaults_own_order() -> None:
    town = CrossedTown()
    assert town.deposited("ben", ERGON, MICRO, number=1) is Outcome.UNKNOWN_THING
    assert town.deposited("ben", ERGON, MICRO, block=9) is Outcome.BOOKED
    assert town.deposited("ben", ERGON, MICRO, number=1, block=8) is Outcome.NOT_ALLOWED, "a chain goes forward"
    assert town.deposited("ben", ERGON, MICRO, number=1, block=9) is Outcome.BOOKED
    assert town.state.crossed.count == 2


@pytest.mark.parametrize("account", ["nobody", "", "grid", "vault", "chain-port", "chain"])
def test_what_no_account_can_have_is_refused_and_the_vault_may_give_it_back(account: str) -> None:
    town = CrossedTown()
    assert town.deposited(account, ERGON, MICRO) is Outcome.BOOKED
    assert town.exits()["chain-refused:0"] == OTHER[2:]
    assert (town.out(ERGON, OTHER), town.balance("chain-port", ERGON)) == (0, 0), "nothing is booked here"
    assert town.state.crossed.count == 1
    check(town)


def test_attack_a_deposit_that_cannot_be_credited_holds_up_none_after_it() -> None:
    town = CrossedTown()
    for token, amount in ((TSL, 10**15), (WATT, 1), (ERGON, 2**53 - 1)):
        assert town.deposited("anna", token, amount) is Outcome.BOOKED
    assert town.deposited("ben", ERGON, MICRO) is Outcome.BOOKED
    assert sorted(town.state.crossed.refused) == [0, 1, 2]
    assert (town.state.crossed.count, town.ergon("ben")) == (4, 6 * MICRO)
    assert town.deposited("anna", TSL, 10**15, number=0) is Outcome.ALREADY_THERE
    check(town)


def test_attack_counts_that_only_grow_end_where_settlement_still_has_room() -> None:
    town, most = CrossedTown(), crossing.MOST_CROSSED
    for _ in range(4):
        assert town.deposited("anna", ERGON, most // 4) is Outcome.BOOKED
        assert town.send_out("anna", ERGON, 10**15) is Outcome.BOOKED
    assert town.balance("chain-port", ERGON) == -most
    room = most - town.out(ERGON)
    assert town.send_out("anna", ERGON, room + 1) is Outcome.OVER_LIMIT
    assert town.send_out("anna", ERGON, room) is Outcome.BOOKED
    assert town.send_out("anna", ERGON, 1, OTHER) is Outcome.BOOKED, "other addresses have room"
    assert town.deposited("ben", ERGON, 1) is Outcome.BOOKED
    assert town.state.crossed.refused == {town.state.crossed.count - 1: OTHER}
    before = town.state.settled_to_s
    town.live(anna=SUNNY)
    assert town.state.settled_to_s > before, "and the books go on beside it"
    check(town)


def test_only_the_desk_tells_what_came_in_and_it_does_nothing_else() -> None:
    town = CrossedTown()
    told = town.deposit("anna", ERGON, MICRO)
    assert town.ask("anna", Kind.TRANSFER, told) is Outcome.NOT_ALLOWED
    assert town.ask("payment", Kind.TRANSFER, told) is Outcome.NOT_ALLOWED
    assert town.ask("chain", Kind.TRANSFER, told, account="anna") is Outcome.NOT_ALLOWED
    assert town.send_out("chain", ERGON, 1) is Outcome.NOT_ALLOWED
    give = wallets.Give(target="anna", commodity=ERGON, amount=1)
    assert town.ask("chain", Kind.TRANSFER, give) is Outcome.NOT_ALLOWED
    assert town.register_desk("other", account="anna") is Outcome.NOT_ALLOWED
    assert town.register_key("other", "member", "chain-port") is Outcome.NOT_ALLOWED


def test_attack_a_ledger_names_one_vault_for_ever() -> None:
    """Who founds the contracts anew would have every withdrawal made again: the ledger does not name a second Vault."""
    town = CrossedTown()
    assert town.exits()[f"chain-vault:{CHAIN_ID}"] == VAULT[2:]
    assert town.register_desk("second", vault=OTHER) is Outcome.NOT_ALLOWED
    assert town.register_desk("second", chain_id=1) is Outcome.NOT_ALLOWED
    assert town.register_desk("second") is Outcome.BOOKED, "another key may tell of the same Vault"
    assert [name for name in town.exits() if name.startswith("chain-vault")] == [f"chain-vault:{CHAIN_ID}"]
    check(town)


@pytest.mark.parametrize("named", [{"vault": None}, {"chain_id": None}, {"vault": None, "chain_id": None}])
def test_a_desk_is_registered_with_its_vault_or_not_at_all(named: dict[str, None]) -> None:
    assert CrossedTown().register_desk("second", **named) is Outcome.NOT_ALLOWED


def test_no_other_key_names_a_vault() -> None:
    town = CrossedTown()
    assert town.register_desk("agent", role="agent", account="agent") is Outcome.NOT_ALLOWED
    assert town.register_desk("agent", role="agent", account="agent", vault=None) is Outcome.NOT_ALLOWED


def test_watt_outside_keeps_its_energy_locked_and_nobody_calls_it() -> None:
    town = CrossedTown()
    town.live(anna=SUNNY)
    assert town.send_out("anna", WATT, 800) is Outcome.BOOKED
    town.live(ben=Flow(load_wh=500))
    assert (town.watt("anna"), town.out(WATT), town.state.claims.total_wh) == (10, 800, 810)
    check(town)


def test_energy_that_is_used_while_its_watt_is_outside_is_bought_back_and_the_money_waits() -> None:
    town = CrossedTown()
    town.live(anna=SUNNY)
    town.send_out("anna", WATT, 810)
    before = town.ergon("anna")
    town.live(anna=Flow(load_wh=405, discharge_wh=405))
    assert town.out(WATT) == 810, "what was sent out is never less"
    assert (outside(town.state, WATT), town.state.crossed.bought_wh) == (405, 405)
    owed = cost_micro(405, IMPORT)
    assert (before - town.ergon("anna"), town.balance("chain:held", ERGON)) == (owed, owed)
    check(town)
    ergon = town.ergon("ben")
    assert town.deposited("ben", WATT, 100) is Outcome.BOOKED
    assert (town.watt("ben"), town.ergon("ben") - ergon) == (0, owed * 100 // 405)
    assert town.deposited("ben", WATT, 400) is Outcome.BOOKED
    assert (town.watt("ben"), town.ergon("ben") - ergon) == (95, owed)
    assert (town.state.crossed.bought_wh, town.balance("chain:held", ERGON)) == (0, 0)
    check(town)


def test_watt_that_comes_in_without_room_is_refused() -> None:
    town = CrossedTown(b_max_wh=900)
    town.live(anna=SUNNY)
    town.send_out("anna", WATT, 800)
    town.live(anna=SUNNY)
    assert town.watt("anna") == 820
    assert town.deposited("anna", WATT, 100) is Outcome.BOOKED
    assert (town.watt("anna"), town.state.crossed.refused, outside(town.state, WATT)) == (820, {0: OTHER}, 800)
    assert town.deposited("anna", WATT, 80) is Outcome.BOOKED
    assert town.watt("anna") == 900
    check(town)


def test_no_more_watt_comes_in_than_went_out() -> None:
    town = CrossedTown()
    town.live(anna=SUNNY)
    town.send_out("anna", WATT, 500)
    assert town.deposited("ben", WATT, 501) is Outcome.BOOKED
    assert (town.watt("ben"), town.state.crossed.refused) == (0, {0: OTHER})
    assert town.deposited("ben", WATT, 500) is Outcome.BOOKED
    check(town)


def test_tsl_from_outside_was_never_handed_out_here_or_comes_back() -> None:
    town = CrossedTown()
    vault = town.tsl("vault")
    town.send_out("anna", TSL, 3 * MICRO)
    assert town.deposited("ben", TSL, 5 * MICRO) is Outcome.BOOKED
    assert town.balance("chain-port", TSL) == -3 * MICRO
    assert vault - town.tsl("vault") == 2 * MICRO
    assert town.deposited("ben", TSL, town.tsl("vault") + 1) is Outcome.BOOKED
    assert town.state.crossed.refused == {1: OTHER}
    assert town.deposited("commission-pool", TSL, MICRO) is Outcome.BOOKED
    assert town.deposited("education-pot", TSL, MICRO) is Outcome.BOOKED
    assert town.tsl("commission-pool") == MICRO
    assert town.deposited("commission-pool", ERGON, 1) is Outcome.BOOKED
    assert town.balance("commission-pool", ERGON) == 0
    check(town)


def test_a_chain_adds_the_section_that_names_where_members_exit_to() -> None:
    town = CrossedTown()
    assert len(town.state.sections()) == len(CHAIN_SECTIONS)
    rows = [row.tobytes() for row in town.state.exit_rows()]
    assert rows == sorted(rows)
    assert town.exits() == {
        "anna": key("anna").id[2:],
        "ben": key("ben").id[2:],
        "operator": key("operator").id[2:],
        "chain-port": 40 * "0",
        f"chain-vault:{CHAIN_ID}": VAULT[2:],
    }
    town.deposited("ben", ERGON, MICRO)
    assert town.exits()["chain-port"] == (1).to_bytes(20).hex()
    check(town)


def test_attack_a_key_that_another_took_the_place_of_exits_nothing() -> None:
    town = CrossedTown()
    assert town.register_key("anna's other", "member", "anna") is Outcome.BOOKED
    assert town.exits()["anna"] == key("anna's other").id[2:]
    assert town.register_key("anna's car", "car", "anna") is Outcome.BOOKED
    assert town.exits()["anna"] == key("anna's other").id[2:], "a car has no part in it"
    check(town)


def test_a_member_names_where_its_own_goes_if_the_operator_stops() -> None:
    town = CrossedTown()
    assert town.exit_to("anna", with_checksum(LETTERS)) is Outcome.BOOKED
    assert town.exits()["anna"] == LETTERS[2:]
    assert town.exit_to("anna", LETTERS) is Outcome.ALREADY_THERE
    assert town.register_key("anna's other", "member", "anna") is Outcome.BOOKED
    assert town.exits()["anna"] == LETTERS[2:], "what was said stands, whatever keys come"
    assert town.exit_to("anna", OTHER) is Outcome.BOOKED
    assert (town.exits()["anna"], town.exits()["ben"]) == (OTHER[2:], key("ben").id[2:])
    for nobody in ("0x" + 40 * "0", "0x" + 20 * "AB"):
        assert town.exit_to("anna", nobody) is Outcome.UNKNOWN_THING
    assert town.exit_to("chain", OTHER) is Outcome.NOT_ALLOWED
    assert Purse().ask("anna", Kind.TRANSFER, ExitTo(address=OTHER)) is Outcome.NOT_ALLOWED
    check(town)


def test_a_refused_deposit_changes_what_it_has_to_and_nothing_else() -> None:
    town = CrossedTown()
    sections = town.state.sections()
    assert town.deposited("nobody", ERGON, 1) is Outcome.BOOKED
    after = town.state.sections()
    changed = [name for name, a, b in zip(CHAIN_SECTIONS, sections, after, strict=True) if a != b]
    assert changed == ["numbers", "rest", "exits"]
    check(town)


@pytest.mark.parametrize(
    "odd", [{"account": "a\n"}, {"sender": ADDRESS.upper()}, {"amount": 0}, {"tx": "0x"}, {"number": -1}]
)
def test_a_deposit_has_one_form(odd: dict[str, Any]) -> None:
    town = CrossedTown()
    body = bodies.write_body(town.deposit("anna", ERGON, 1)) | odd
    assert town.send(town.wire("chain", Kind.TRANSFER, body)) is Outcome.MALFORMED


def test_settlement_goes_on_beside_what_crosses() -> None:
    town = CrossedTown()
    town.live(anna=SUNNY)
    town.send_out("anna", WATT, 400)
    town.live(anna=Flow(discharge_wh=300, load_wh=100), ben=Flow(load_wh=200))
    assert town.state.settled_to_s == town.now_s
    assert town.now_s % SLOT_SECONDS == 0
    assert town.state.accounts.balance(AccountId("chain-port"), WATT) == 0
    check(town)


def lived(town: CrossedTown, who: str, flow: Flow) -> None:
    town.live(anna=flow) if who == "anna" else town.live(ben=flow)


steps = st.tuples(
    st.sampled_from(["sun", "dark", "out", "in", "give"]),
    st.sampled_from(["anna", "ben"]),
    st.sampled_from([ERGON, WATT, TSL]),
    st.integers(1, 900) | st.sampled_from([40 * MICRO, 10**15]),
)


@settings(max_examples=300 if NIGHTLY else 12, deadline=None)
@given(st.lists(steps, min_size=3, max_size=14))
def test_whatever_crosses_the_books_add_up_and_no_watt_is_without_its_energy(
    told: list[tuple[str, str, Commodity, int]],
) -> None:
    town = CrossedTown(b_max_wh=2_000)
    for what, who, commodity, amount in told:
        if what == "sun":
            lived(town, who, SUNNY)
        elif what == "dark":
            used_wh = min(amount, 400, town.levels_wh[who] * 9 // 10)
            lived(town, who, Flow(load_wh=used_wh, discharge_wh=used_wh))
        elif what == "out":
            free_before = free(town.state, AccountId(who), commodity)
            outcome = town.send_out(who, commodity, amount)
            assert (outcome is Outcome.BOOKED) == (amount <= free_before)
        elif what == "in":
            possible = min(amount, outside(town.state, commodity)) if commodity is not ERGON else amount
            if possible > 0:
                assert town.deposited(who, commodity, possible) is Outcome.BOOKED
        else:
            town.give(who, "ben" if who == "anna" else "anna", commodity, amount)
        assert all(town.state.accounts.total(each) == 0 for each in Commodity)
        assert sum(town.watt(one) for one in town.members) + outside(town.state, WATT) == town.state.claims.total_wh
    check(town)
