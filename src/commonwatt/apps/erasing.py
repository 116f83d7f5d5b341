"""Erase a member from a community's log, so that what is left can still be replayed and proven."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path

import msgspec

from commonwatt.apps.wiring import open_log_alone
from commonwatt.flows.ports import NO_TILES, LogStore
from commonwatt.flows.prove import final_note
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State, snapshot
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import SYSTEM_ACCOUNTS, AccountId, Refused

BESIDE = ("evidence.json", "summary.json", "report.html")
"""What a run leaves beside its log, made before anybody was erased."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did, and what it could not.

    Args:
        account: Who was erased.
        owners: Under whose keys their requests rested: their own, and their gateways'.
        leaves: How many requests cannot be read any more.
        replay_from: The snapshot at which every replay starts from now on: the leaves that it covers.
        stays: What is still there, in words.
        out_of_reach: What others may hold, in words.
    """

    account: str
    owners: list[str]
    leaves: int
    replay_from: int
    stays: list[str]
    out_of_reach: list[str]


def erase(folder: Path, account: str, confirm: Callable[[Sequence[str]], bool] = lambda _: True) -> Erased | None:
    """Delete the keys under which a member's requests and their gateways' readings rest.

    The log is replayed first, so that nothing is deleted from a log that does not hold. Where no snapshot covers the
    last signed checkpoint yet, one is kept there: it is what replays start from afterwards, and that checkpoint's
    signature stands behind it.

    Args:
        folder: The community's; nobody else may have its log open.
        account: A member.
        confirm: Is told whose requests will be gone, and says whether to go on.

    Returns:
        What was done; None where that was not confirmed.

    Raises:
        Refused: The log is open elsewhere, there is no such member, or no signed checkpoint covers their requests.
        Corrupt: The log contradicts itself; nothing was erased.
    """
    with open_log_alone(folder) as log:
        community = community_of(log)
        state = resume(log, community).state
        owners = _owners(state, account)
        covered, _ = next(log.snapshots(), (0, b""))
        size = _last_checkpoint(log, covered)
        for row in log.rows(size):
            if row.owner in owners:
                raise Refused("a signed checkpoint covers what is erased", position=row.position, covered=size)
        if not confirm(owners):
            return None
        if size > covered:
            there = resume(UpTo(log, size), community)
            log.save_snapshot(size, snapshot.dump(there.state, there.last_s, there.tree.root()))
        leaves = sum(log.erase(owner) for owner in owners)
    return Erased(
        account=account,
        owners=owners,
        leaves=leaves,
        replay_from=size,
        stays=_stays(folder, account),
        out_of_reach=[
            "copies that witnesses, auditors and members fetched before",
            "days in an archive, and backups of this folder",
        ],
    )


@dataclass(frozen=True, slots=True)
class UpTo:
    """A log as it was when it had so many leaves; nothing is added to it."""

    log: LogStore
    size: int

    def rows(self, from_position: int = 0) -> Iterator[LeafRow]:
        """Yield the leaves in order."""
        return takewhile(lambda row: row.position < self.size, self.log.rows(from_position))

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile, which may be fuller than it was then."""
        return self.log.tile(level, index)

    def snapshots(self) -> Iterator[tuple[int, bytes]]:
        """Yield the snapshots of then, the latest first."""
        return ((size, content) for size, content in self.log.snapshots() if size <= self.size)

    def answered(self, author: str, seq: int) -> LeafRow | None:
        """Return the leaf of a key's request by its number, or None where there was none."""
        row = self.log.answered(author, seq)
        return row if row is not None and row.position < self.size else None

    def marks(self) -> dict[str, str]:
        """Return no marks: those of then are gone."""
        return {}

    def append(
        self, rows: Sequence[LeafRow], marks: Mapping[str, str], tiles: Mapping[tuple[int, int], bytes] = NO_TILES
    ) -> None:
        """Refuse."""
        raise Refused("the past takes no leaves", size=self.size)

    def save_snapshot(self, size: int, content: bytes) -> None:
        """Refuse."""
        raise Refused("the past takes no snapshots", size=self.size)


def _owners(state: State, account: str) -> list[str]:
    """Return under whose keys a member's requests rest, their gateways' among them."""
    who = AccountId(account)
    if who in SYSTEM_ACCOUNTS or not state.is_member(who):
        known = {str(record.account) for record in state.keys if state.is_member(record.account)}
        near = get_close_matches(account, sorted(known), 1)
        raise Refused("there is no such member", account=account, did_you_mean=near[0] if near else "nobody near")
    gateways = sorted({asset.gateway for asset in state.assets.values() if asset.owner == who})
    return [account, *(str(one) for one in gateways if state.keys.next_seq(state.gateways[one].key) > 1)]


def _last_checkpoint(log: LogStore, covered: int) -> int:
    """Return how many leaves the last signed checkpoint covers; as many as the last snapshot where that is later."""
    try:
        return max(covered, final_note(log.rows(covered))[1])
    except Refused:
        if covered:
            return covered
        raise


def _stays(folder: Path, account: str) -> list[str]:
    stays = [
        "every leaf's hash, so the proofs of all others hold",
        f"the balance of {account}, a pseudonym, in the snapshot",
        "what others signed about them: registrations, schedules, trades of their counterparts",
    ]
    if key := [name for name in (f"keys/{account}.pem",) if (folder / name).exists()]:
        stays.append(f"their signing key: {key[0]}")
    if beside := [name for name in BESIDE if (folder / name).exists()]:
        stays.append(f"files that were made before: {', '.join(beside)}")
    if (folder / "gateways").exists():
        stays.append("what their gateways keep themselves, in gateways/")
    return stays
