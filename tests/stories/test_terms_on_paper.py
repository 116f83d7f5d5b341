"""A street's file says how it settles and what it charges; the day that is lived by it keeps to that."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from paper_street import FOLDER, live, stage

from commonwatt.apps.scenes import Scene
from commonwatt.flows.prove import default_case
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms, SharingBody
from commonwatt.flows.sequence import replay
from commonwatt.model import GRID_FEES, InvalidValue, Memo, Refused
from commonwatt.simulator.street import ChargesSpec, load

SHARED = SettlementTerms(imbalance="grid", sharing=SharingBody(key="dynamic", fee_micro_per_kwh=20_000))
CHARGES = ChargesSpec(unbacked_pence_per_kwh=5, operator_pence_per_kwh_charged=1, operator_pence_per_kwh_discharged=2)


@cache
def sharing() -> State:
    """Return what a replay finds of four homes from 09:00 on, in a street that shares, whose trades are firm."""
    told = stage(homes=4, starts="09:00")
    lived = live(Scene(replace(told.street, settlement=SHARED, charges=CHARGES), told.recorded), 16)
    found = replay(lived.rows, lived.state.community, keep=True)
    assert (found.tree.root(), found.state.root()) == lived.roots
    return found.state


@pytest.mark.row("W7")
def test_a_street_shares_and_charges_as_its_file_says() -> None:
    state = sharing()
    assert (state.charter.settlement, state.charter.unbacked_micro_per_kwh) == (SHARED, 50_000)
    booked = {entry.memo for entry in state.entries}
    assert {Memo.SHARED_IMPORT, Memo.SHARED_EXPORT, Memo.OPERATOR_COMMISSION} <= booked
    assert state.ergon(GRID_FEES) > 0


def test_where_every_slot_is_shared_no_bundle_is_made_and_the_reason_is_told() -> None:
    state = sharing()
    shared = {entry.slot_s for entry in state.entries if entry.memo in (Memo.SHARED_IMPORT, Memo.TRADE_KEPT)}
    traded = {entry.slot_s for entry in state.entries if entry.memo == Memo.TRADE}
    try:
        account, slot_s = default_case(state)
    except Refused as error:
        assert traded <= shared and "trades and the grid alone" in str(error)
    else:
        own = {
            entry.memo for entry in state.entries if entry.slot_s == slot_s and account in (entry.source, entry.target)
        }
        assert not own & {Memo.SHARED_IMPORT, Memo.SHARED_EXPORT, Memo.TRADE_KEPT, Memo.IMBALANCE}


@pytest.mark.parametrize(
    "wrong", ['[settlement]\nimbalance = "maybe"', "[settlement.sharing]\nkey = 'static'", "[charges]\nfree = true"]
)
def test_a_file_with_other_terms_is_no_street(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "street.toml"
    path.write_text((FOLDER / "street.toml").read_text().replace("[charges]", "[other]").split("[other]")[0] + wrong)
    with pytest.raises(InvalidValue, match="is not a street"):
        load(path)
