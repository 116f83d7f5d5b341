"""A lived street with a chain beside its app: what its operator would do by the clock is done when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from lived import LivedStreet, open_community

from commonwatt.apps.accepting import desk_keys
from commonwatt.apps.chain_facts import Facts
from commonwatt.apps.chain_terms import ChainTerms, chain_terms, want_embedded
from commonwatt.apps.chaining import ChainKeeper
from commonwatt.apps.community import Community
from commonwatt.flows.onboard import OPERATOR
from commonwatt.flows.rulebook import bodies
from commonwatt.ledger.checkpoint import Checkpoint, sign_note
from commonwatt.model import SLOT_SECONDS, Kind, Outcome

WITHIN_S = 60.0


async def checkpoint(community: Community) -> int:
    """Have the operator sign a checkpoint over all that was told, and return its size."""
    _, note = desk_keys(community.folder)
    point = Checkpoint(
        origin=community.name,
        size=community.size,
        log_root=bytes.fromhex(community.log_root),
        state_root=bytes.fromhex(community.state_root),
        slot_s=community.state.checked_s + SLOT_SECONDS,
    )
    body = bodies.CheckpointBody(note=sign_note(point.note_text(), community.name, note.private))
    done = await community.send(OPERATOR, Kind.CHECKPOINT, body)
    assert done.outcome is Outcome.BOOKED, done
    return point.size


@asynccontextmanager
async def chained(lived: LivedStreet) -> AsyncIterator[tuple[Community, ChainKeeper]]:
    """Follow a lived street with its door open, and keep its chain."""
    want_embedded(lived.folder)
    async with open_community(lived) as community, keeping(community) as keeper:
        yield community, keeper


@asynccontextmanager
async def keeping(community: Community, terms: ChainTerms | None = None) -> AsyncIterator[ChainKeeper]:
    """Keep a community's chain as long as the block lasts."""
    found = terms or chain_terms(community.folder)
    assert found is not None
    community.chain = keeper = ChainKeeper(community, found, retry_s=0.05)
    task = asyncio.ensure_future(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(keeper: ChainKeeper, is_so: Callable[[Facts], bool]) -> Facts:
    """Wait until the chain is as it should be."""
    async with asyncio.timeout(WITHIN_S):
        while keeper.facts is None or not is_so(keeper.facts):
            await asyncio.sleep(0.02)
    return keeper.facts


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777
