"""The standard check of whatever the state keeps: who wakes from a snapshot goes on as one that never slept."""

from community import NAME, Community

from commonwatt.flows.replay import Replayed, go_on, replay, store_tile
from commonwatt.flows.rulebook import snapshot
from commonwatt.ledger.journal import Journal
from commonwatt.ledger.tiles import Frontier


def sleep(community: Community) -> None:
    """Keep a snapshot of this moment, from which `check_woken` lets a node wake; the community itself lives on."""
    noted = community.state.journal
    community.state.journal = Journal.load(*noted.dump())  # what a test notes beside is in no snapshot
    community.sequencer.save_snapshot()
    community.state.journal = noted


def check_woken(community: Community, name: str = NAME) -> None:
    """Wake a node from every snapshot that was kept, and from one of now, and let it run what came after.

    Every root must be the one that was lived, and so must that of a replay from zero.
    """
    sleep(community)
    lived = (community.roots().log, community.roots().state)
    found = replay(community.rows(), name)
    assert (found.tree.root(), found.state.root()) == lived
    for size, content in community.store.snapshots():
        state, last_s = snapshot.load(content)
        woken = Replayed(state, Frontier.stored(size, store_tile(community.store)), last_s)
        go_on(woken, community.store.rows(size))
        assert (woken.tree.root(), woken.state.root()) == lived, f"woken at leaf {size}"
