"""What the tests of settling share: a sunny slot, a trade, all accounts, a wait that outlasts the grace, a restart."""

from community import EXPORT, IMPORT, NOON, Community, Flow

from commonwatt.flows.replay import replay
from commonwatt.flows.rulebook import snapshot
from commonwatt.flows.rulebook.settlement.sharing_bodies import SettlementTerms
from commonwatt.model import SLOT_SECONDS, SYSTEM_ACCOUNTS, Outcome, Side

NEXT = NOON + SLOT_SECONDS

SUNNY = Flow(solar_wh=1_000, charge_wh=1_000)
"""A clean charge: 900 Wh are stored, 810 WATT are minted."""
ACCOUNTS = ("anna", "ben", "cleo", *SYSTEM_ACCOUNTS)


def run_out_of_grace(community: Community) -> None:
    community.now_s += community.state.charter.grace_slots * SLOT_SECONDS
    community.pay("anna", 1, "something that wakes the log")


def trading(terms: SettlementTerms) -> Community:
    """Anna sells 1,000 Wh of the first slot to ben, at the midpoint."""
    community = Community(2, settlement=terms)
    assert community.order("ben", Side.BID, 1_000, IMPORT, NOON) is Outcome.BOOKED
    assert community.order("anna", Side.ASK, 1_000, EXPORT, NOON) is Outcome.BOOKED
    return community


def same_again(community: Community) -> None:
    """A replay from zero and one from a snapshot reach the state that was lived."""
    replay(community.rows(), community.state.community, keep=True)
    restored, _ = snapshot.load(snapshot.dump(community.state, community.now_s, community.sequencer.tree.root()))
    assert restored.root() == community.state.root()
    for name in ("sharing", "imbalance", "gains"):
        assert getattr(restored, name) == getattr(community.state, name)
    assert replay(community.rows(), community.state.community).state.root() == community.state.root()
