"""The community that every story begins with, its witnesses, and copies of its log."""

from functools import cache

from watched import ANNE, BOB, CARL, Watched, card

from commonwatt.simulator.paper import PaperLog

KEYS = (ANNE, BOB, CARL)
LIAR = CARL
CARDS = (card(ANNE, 2), card(BOB, 2), card(LIAR, 1))
"""The liar has less than a third of the weight: more, and no rule of two thirds could help."""
WEIGHTS = {witness.note: witness.weight for witness in CARDS}


@cache
def founded() -> PaperLog:
    community = Watched(CARDS)
    community.sequencer.save_snapshot()
    assert isinstance(community.store, PaperLog)
    return community.store


def copied(log: PaperLog, *, snapshots: bool = True) -> PaperLog:
    """Return a log with the same leaves and tiles, and where asked for the same snapshots."""
    copy, rows = PaperLog(), list(log.rows())
    places = [(1, 0), *((0, index) for index in range(len(rows) // 256 + 1))]
    copy.append(rows, log.marks(), {place: log.tile(*place) for place in places if log.tile(*place)})
    for size, content in log.snapshots() if snapshots else ():
        copy.save_snapshot(size, content)
    return copy
