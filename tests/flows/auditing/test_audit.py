"""An auditor holds log and chain against each other, and is told each thing in which they differ."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chain_town import STAKERS, TOKENS, ChainTown
from hypothesis import given, settings
from hypothesis import strategies as st
from test_anchoring import Bent
from watched import folder_of, trusted

from chain_bank import EXIT_AFTER_S, NAME, signature
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_terms import ChainTerms, want_embedded
from commonwatt.flows.auditing.audit import LATE_AFTER, Audit, Reached
from commonwatt.flows.auditing.ports import Contracts
from commonwatt.flows.chain_ports import Contract, Event
from commonwatt.flows.crossing import mint_exported, mint_sold
from commonwatt.flows.crossing_proofs import exit_proof, exported_proof, point_of, withdrawal_proof
from commonwatt.flows.verify import Report
from commonwatt.identity.keys import NoteKey
from commonwatt.ledger.checkpoint import Checkpoint, read_note, vkey
from commonwatt.model import GRID, MICRO, SLOT_SECONDS, AccountId, Commodity, Outcome, Refused
from on_chain import ALICE, OPERATOR

pytestmark = pytest.mark.row("E14")
ERGON = Commodity.ERGON


@pytest.fixture
def town(tmp_path: Path) -> ChainTown:
    """Two periods are anchored; one ERGON went out and was fetched, half of it came back."""
    return lived(tmp_path)


def lived(path: Path) -> ChainTown:
    made = ChainTown(path)
    bank = made.bank
    bank.tell(OPERATOR, bank.tsl, "transfer", bank.vault.address, 10**12)
    made.send_out("anna", ERGON, MICRO, ALICE.id)
    period(made)
    state, point = period(made)
    bank.tell(OPERATOR, bank.vault, "withdraw", ALICE.id, *withdrawal_proof(state, point, ALICE.id).args())
    bank.tell(ALICE, bank.ergon, "approve", bank.vault.address, MICRO)
    deposit(made, MICRO // 2)
    assert made.desk().round() == 1
    return made


def period(town: ChainTown) -> tuple[Any, Checkpoint]:
    """Let a settlement period pass as its operator does."""
    state, point = town.final()
    mint_sold(town.bank.chain, town.bank.ergon, OPERATOR, state)
    if state.ergon(GRID) < 0:
        mint_exported(town.bank.chain, town.bank.ergon, OPERATOR, exported_proof(state, point))
    return state, point


def deposit(town: ChainTown, amount: int) -> None:
    town.bank.tell(ALICE, town.bank.vault, "deposit", town.bank.ergon.address, amount, b"anna")


def contracts(town: ChainTown) -> Contracts:
    bank = town.bank
    tokens = dict(zip(TOKENS, (bank.ergon, bank.watt, bank.tsl), strict=True))
    return Contracts(checkpoints=bank.checkpoints, vault=bank.vault, tokens=tokens, first_block=0)


def _places(desk: ChainDesk) -> Contracts:
    found = desk.ground.deployment.contracts_by_name()
    tokens = dict(zip(TOKENS, (found["Ergon"], found["Watt"], found["Tsl"]), strict=True))
    return Contracts(checkpoints=found["Checkpoints"], vault=found["Vault"], tokens=tokens, first_block=1)


def audit(town: ChainTown, chain: Any = None, **more: Any) -> Report:
    return Audit(town.store, trusted(), chain or town.bank.chain, contracts(town), **more).run()


def told(report: Report) -> Mapping[str, str]:
    """Return what fails, by name."""
    return {line.name: line.detail for line in report.lines if not line.ok}


class Telling(Bent):
    """A node that tells some events otherwise."""

    def __init__(self, chain: Any, name: str, **other: Any) -> None:
        super().__init__(chain)
        self._name, self._other = name, other

    def events(self, contract: Contract, name: str, first: int, last: int) -> list[Event]:
        found: list[Event] = self._chain.events(contract, name, first, last)
        return [replace(one, values={**one.values, **self._other}) if name == self._name else one for one in found]


def test_where_log_and_chain_agree_each_thing_is_said_to_hold(town: ChainTown) -> None:
    period(town)
    report = audit(town)
    assert told(report) == {} and report.ok
    said = {line.name: line.detail for line in report.lines}
    assert "3 of 3 anchored checkpoints" in said["roots"]
    assert "by the log's 3 witnesses" in said["signatures"]
    assert "1 of 1 are credited" in said["deposits"]
    assert "paid 1 times" in said["withdrawals"]
    assert "not shown" in said


def test_a_false_state_root_that_two_thirds_of_the_stake_signed_is_told(town: ChainTown) -> None:
    town.close()
    false = replace(town.cosign(), state_root=bytes(32))
    bank = town.bank
    bank.tell(OPERATOR, bank.checkpoints, "anchor", point_of(false), [signature(one, false) for one in STAKERS])
    found = told(audit(town))
    assert set(found) == {"roots"}
    assert f"checkpoint {false.size} has another state root on the chain" in found["roots"]


@pytest.mark.parametrize(("log_root", "says"), [(bytes(32), "another log root"), (None, "signed none of that size")])
def test_a_checkpoint_that_the_log_does_not_hold_so_is_told(town: ChainTown, log_root: bytes | None, says: str) -> None:
    roots, slot_s = town.roots(), town.now_s // SLOT_SECONDS * SLOT_SECONDS + SLOT_SECONDS
    made = Checkpoint(
        origin=NAME,
        size=town.store.size,
        log_root=roots.log if log_root is None else log_root,
        state_root=roots.state,
        slot_s=slot_s,
    )
    told_signatures = [signature(one, made) for one in STAKERS]
    town.bank.tell(OPERATOR, town.bank.checkpoints, "anchor", point_of(made), told_signatures)
    assert says in told(audit(town))["roots"]


def test_a_checkpoint_beyond_the_log_that_the_auditor_was_given_is_told(town: ChainTown) -> None:
    class Short:
        def __init__(self, store: Any, size: int) -> None:
            self._store, self.size = store, size

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

    _, point = period(town)
    short = Short(town.store, point.size - 1)
    found = told(Audit(short, trusted(), town.bank.chain, contracts(town)).run())
    assert f"checkpoint {point.size} stands on the chain and the log has {point.size - 1}" in found["roots"]


def test_checkpoints_that_never_came_to_the_chain_are_told(town: ChainTown) -> None:
    for _ in range(LATE_AFTER):
        town.close()
    on_their_way = audit(town)
    assert on_their_way.ok and f"{LATE_AFTER} of the log's checkpoints are on their way" in str(on_their_way.lines)
    town.close()
    found = told(audit(town))
    assert (
        set(found) == {"anchors"}
        and f"{LATE_AFTER + 1} checkpoints of the log are not on the chain" in found["anchors"]
    )
    town.cosign()
    town.anchor().round()
    well = audit(town)
    assert well.ok and f"{LATE_AFTER} between were passed over" in str(well.lines)


def test_the_vault_of_a_log_that_sends_nothing_out_owes_nothing(tmp_path: Path) -> None:
    """Its checkpoints alone are anchored, as by `run --chain`: members' money has no way to the chain."""
    town = folder_of(tmp_path / "town", ())
    want_embedded(tmp_path / "town")
    size = read_note(town.slot()).size
    with ChainDesk(tmp_path / "town", NAME, ChainTerms()) as desk:
        assert desk.look().final_size == size
        found = Audit(town.store, trusted(()), desk.ground.chain, _places(desk)).run()
    assert found.ok and "it owes nothing" in str(found.lines) and "the log names no witness" in str(found.lines)


def test_a_log_whose_checkpoints_came_nowhere_is_told_so(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.close()
    assert "no checkpoint of this log stands in a final block" in told(audit(town))["final"]


def test_a_deposit_that_is_not_credited_is_told_once_it_is_late(town: ChainTown) -> None:
    deposit(town, 77)
    waiting = audit(town)
    assert waiting.ok and "1 are not credited yet" in str(waiting.lines)
    for _ in range(LATE_AFTER):
        period(town)
    found = told(audit(town))
    assert set(found) == {"deposits"}
    assert "deposit 1 of 77 ergon_micro for anna" in found["deposits"] and "not credited" in found["deposits"]
    assert town.desk().round() == 1
    assert audit(town).ok


def test_a_credit_that_nobody_paid_in_is_told(town: ChainTown) -> None:
    assert town.deposited("anna", ERGON, 5 * MICRO, block=town.state.crossed.block) is Outcome.BOOKED
    period(town)
    found = told(audit(town))
    assert "credits deposit 1, of which the chain does not know" in found["deposits"]
    assert "missing" in found["vault"], "and nothing stands behind it"


def test_a_deposit_of_another_amount_is_told(town: ChainTown) -> None:
    found = told(audit(town, Telling(town.bank.chain, "Deposited", amount=MICRO)))
    assert "credits deposit 0, of which the chain does not know" in found["deposits"]


def test_what_was_paid_beyond_a_final_state_is_told(town: ChainTown) -> None:
    found = told(audit(town, Telling(town.bank.chain, "Paid", ergon=MICRO + 1)))
    assert set(found) == {"withdrawals"}
    assert f"{ALICE.id} was paid {MICRO + 1} micro ERGON and the state owes it {MICRO}" in found["withdrawals"]


def test_a_payment_before_the_state_that_owes_it_is_told(town: ChainTown) -> None:
    town.send_out("anna", ERGON, MICRO, ALICE.id)
    first = town.bank.chain.events(town.bank.checkpoints, "Anchored", 0, town.bank.chain.head().number)[0]
    period(town)
    chain = Telling(town.bank.chain, "Paid", size=first.values["size"], ergon=2 * MICRO)
    assert f"was paid {2 * MICRO}" in told(audit(town, chain))["withdrawals"]


def test_signatures_are_weighed_again_whatever_the_contract_says(town: ChainTown) -> None:
    class Bonds(Bent):
        left_out = ""

        def events(self, contract: Contract, name: str, first: int, last: int) -> list[Event]:
            found: list[Event] = self._chain.events(contract, name, first, last)
            return [one for one in found if name != "Bonded" or one.values["witness"] != self.left_out]

    chain = Bonds(town.bank.chain)
    chain.left_out = STAKERS[0].id
    found = told(audit(town, chain))
    assert set(found) == {"signatures"} and f"{STAKERS[0].id}, who had nothing at stake" in found["signatures"]

    class Fewer(Bent):
        def told(self, *asked: Any) -> Any:
            point, signatures = self._chain.told(*asked)
            return point, signatures[:1]

    assert "less than two thirds" in told(audit(town, Fewer(town.bank.chain)))["signatures"]

    class More(Bent):
        def events(self, contract: Contract, name: str, first: int, last: int) -> list[Event]:
            found: list[Event] = self._chain.events(contract, name, first, last)
            if name == "Admitted":
                found += [replace(found[0], values={"witness": f"0x{n:040x}", "allowed": True}) for n in range(1, 9)]
            return found

    assert "witnesses signed it, less than two thirds" in told(audit(town, More(town.bank.chain)))["signatures"]

    class Twice(Bent):
        def told(self, *asked: Any) -> Any:
            point, signatures = self._chain.told(*asked)
            return point, [signatures[0], *signatures]

    assert "a signature twice" in told(audit(town, Twice(town.bank.chain)))["signatures"]

    class Bought(Bent):
        def told(self, *asked: Any) -> Any:
            return None

    assert "by way of another contract" in told(audit(town, Bought(town.bank.chain)))["signatures"]


def test_a_stranger_who_staked_and_signed_is_no_witness_of_the_log(tmp_path: Path) -> None:
    town = ChainTown(tmp_path)
    town.bank.join((ALICE,), stake=10**15 // 2)
    town.close()
    point = town.cosign()
    signers = sorted((*STAKERS, ALICE), key=lambda one: one.id)
    told_signatures = [signature(one, point) for one in signers]
    town.bank.tell(OPERATOR, town.bank.checkpoints, "anchor", point_of(point), told_signatures)
    found = told(audit(town))
    assert f"{ALICE.id}, who is no witness of this log" in found["signatures"]


def test_an_audit_goes_on_where_it_stopped_and_says_the_same(town: ChainTown) -> None:
    reached: list[Reached] = []
    assert audit(town, on_reached=reached.append).ok
    last = reached[-1]
    period(town)
    runs: list[int] = []
    again = audit(town, before=last, on_progress=lambda done, whole: runs.append(done))
    whole = audit(town)
    assert again.ok and min(runs) > last.size
    assert [line.name for line in again.lines] == [line.name for line in whole.lines]
    same = {"roots"}
    assert [line for line in again.lines if line.name not in same] == [
        line for line in whole.lines if line.name not in same
    ]
    # Nothing new on either: what was reached is enough.
    idle = audit(town, before=reached[-1])
    assert idle.ok


def test_an_audit_does_not_go_on_on_another_chain_or_log(town: ChainTown, tmp_path: Path) -> None:
    reached: list[Reached] = []
    audit(town, on_reached=reached.append)
    (last,) = reached
    size, epoch, log_root, _ = last.anchored[-1]
    other = replace(last, anchored=((size, epoch, log_root, "00" * 32),))
    with pytest.raises(Refused, match="on the chain that it began on"):
        audit(town, before=other)
    with pytest.raises(Refused, match="on the log that it began on"):
        audit(town, before=replace(last, content=last.content[:-1]))


def test_a_log_that_contradicts_itself_is_told_and_the_rest_is_looked_at(town: ChainTown) -> None:
    class Lies:
        def __init__(self, store: Any) -> None:
            self._store, self.size = store, store.size

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def rows(self, first: int = 0) -> Any:
            for row in self._store.rows(first):
                yield msgspec.structs.replace(row, stamped_s=1) if row.position == 20 else row

    found = Audit(Lies(town.store), trusted(), town.bank.chain, contracts(town)).run()
    assert "the log cannot be run beyond" in told(found)["roots"]
    assert any(line.name == "final" and line.ok for line in found.lines)


def test_everybody_who_leaves_by_themselves_is_paid_what_the_last_checkpoint_says(town: ChainTown) -> None:
    state, point = period(town)
    town.bank.later(EXIT_AFTER_S + 1)
    town.bank.tell(OPERATOR, town.bank.vault, "announce_exit", point_of(point))
    town.bank.later(EXIT_AFTER_S)
    for who in ("anna", "ben"):
        town.bank.tell(OPERATOR, town.bank.vault, "exit", *exit_proof(state, point, AccountId(who)).args())
    found = audit(town)
    assert "withdrawals" not in told(found)
    assert "vault" not in told(found), told(found)


def test_the_log_s_key_is_the_one_that_the_auditor_brought(town: ChainTown) -> None:
    stranger = msgspec.structs.replace(trusted(), note=vkey(NAME, NoteKey.from_seed(b"a stranger", "note").public))
    found = told(Audit(town.store, stranger, town.bank.chain, contracts(town)).run())
    assert "the log's key signed none" in found["roots"]


def test_other_witnesses_than_those_that_the_auditor_knows_are_told(town: ChainTown) -> None:
    fewer = msgspec.structs.replace(trusted(), witnesses=trusted().witnesses[:2])
    found = told(Audit(town.store, fewer, town.bank.chain, contracts(town)).run())
    assert "other witnesses than the keys that were brought" in found["signatures"]


def test_what_was_found_wrong_is_not_passed_over_the_next_time(town: ChainTown) -> None:
    reached: list[Reached] = []
    chain = Telling(town.bank.chain, "Anchored", state_root=bytes(32))
    assert not audit(town, chain, on_reached=reached.append).ok
    assert not audit(town, Telling(town.bank.chain, "Paid", tsl=5), on_reached=reached.append).ok
    fewer = msgspec.structs.replace(trusted(), witnesses=trusted().witnesses[:2])
    assert not Audit(town.store, fewer, town.bank.chain, contracts(town), on_reached=reached.append).run().ok
    assert reached == []


@pytest.fixture(scope="module")
def quiet_town(tmp_path_factory: pytest.TempPathFactory) -> ChainTown:
    made = lived(tmp_path_factory.mktemp("audited"))
    assert audit(made).ok
    return made


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_number_or_root_of_the_chain_that_is_told_otherwise_is_found(quiet_town: ChainTown, data: Any) -> None:
    event, name = data.draw(
        st.sampled_from(
            [
                *(("Anchored", name) for name in ("size", "epoch", "log_root", "state_root")),
                *(("Deposited", name) for name in ("number", "amount", "account", "sender")),
                ("Paid", "ergon"),
                ("Paid", "tsl"),
            ]
        )
    )
    head = quiet_town.bank.chain.head().number
    where = "checkpoints" if event == "Anchored" else "vault"
    first = quiet_town.bank.chain.events(getattr(quiet_town.bank, where), event, 0, head)[0].values[name]
    if isinstance(first, int):
        other: Any = first + data.draw(st.integers(1, 10**12))
    elif isinstance(first, bytes):
        other = bytes([first[0] ^ data.draw(st.integers(1, 255)), *first[1:]])
    else:
        other = "0x" + "77" * 20
    report = audit(quiet_town, Telling(quiet_town.bank.chain, event, **{name: other}))
    assert not report.ok, (event, name, other)
