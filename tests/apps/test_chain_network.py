"""A community whose chain is a node elsewhere: the same desk by a URL, and what is said when nobody answers there."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from watched import NAME, folder_of

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.apps.chain_commands import recheck, status
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_ground import serve_rpc
from commonwatt.apps.chain_terms import FILE, chain_terms
from commonwatt.ledger.checkpoint import read_note
from commonwatt.model import Refused, Unreachable


@pytest.mark.row("M3")
def test_a_node_by_url_holds_the_checkpoints_and_its_absence_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    town = folder_of(folder, ())
    with ExitStack() as doors:
        elsewhere = doors.enter_context(EmbeddedChain(None, Genesis(time_s=1, balances={"0x" + 40 * "1": 1})))
        url = serve_rpc(elsewhere, 0, doors)
        (folder / FILE).write_text(f'[chain]\nkind = "network"\nurl = "{url}"\ndelay_s = 1\n')
        terms = chain_terms(folder)
        assert terms is not None
        size = read_note(town.slot()).size
        with ChainDesk(folder, NAME, terms) as desk:
            found = desk.look()
            assert (found.kind, found.own_word, found.final_size) == ("network", True, size)
            told = status(folder)
            assert (told.kind, told.final_size, told.head) == ("network", size, found.head)
            assert (told.checkpoints, [one.size for one in told.periods]) == (1, [size])
            (period,) = told.periods
            assert told.members > 1 and period.gas_per_member == period.gas / told.members > 10_000
            assert period.slot_s == found.anchored[0].slot_s and period.gas == found.anchored[0].gas
            with pytest.raises(Refused, match="a network's"):
                recheck(folder)
            town.slot()
            doors.close()
            with pytest.raises(Unreachable):
                desk.look()
    with pytest.raises(Unreachable):
        status(folder)
