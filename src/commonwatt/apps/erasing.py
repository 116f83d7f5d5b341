"""Erase a member from a community's log, so that what is left can still be replayed and proven."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.answered import Answered
from commonwatt.adapters.stores.notes import NoteFile
from commonwatt.adapters.stores.sqlite import SqliteLog
from commonwatt.apps import faults
from commonwatt.apps.publishing import NOTES
from commonwatt.apps.wiring import forget_past, open_log_alone
from commonwatt.flows.finality import check_final, final_size
from commonwatt.flows.ports import NO_TILES, LogStore
from commonwatt.flows.prove import final_note
from commonwatt.flows.replay import community_of, resume
from commonwatt.flows.rulebook import State, snapshot
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.ledger.leaf import LeafRow
from commonwatt.model import AccountId, Refused

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
    signature stands behind it. Where a community has witnesses, nothing is erased before it is final: nobody could run
    it again who did not yet.

    What the state itself says of a member stays in snapshots, since leaving it out would be another state than the one
    that was signed; `Erased.stays` tells what, and until when.

    Args:
        folder: The community's; nobody else may have its log open.
        account: A member.
        confirm: Is told whose requests will be gone, and says whether to go on.

    Returns:
        What was done; None where that was not confirmed.

    Raises:
        Refused: The log is open elsewhere, there is no such member, or no signed checkpoint covers their requests, or
            none that is final where there are witnesses.
        Corrupt: The log contradicts itself, or what lies beside it is damaged; nothing of the log was erased.
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
        _hold_final(folder, log, state.charter.witnesses, owners)
        if not confirm(owners):
            return None
        keep_snapshot(log, community, covered)
        # What lies beside the log goes first: where it is damaged the log is whole, and the same is asked for again.
        faults.forget(folder, [name for name, asset in state.assets.items() if asset.owner == account])
        Answered(folder).forget(AccountId(account))
        forget_past(folder, AccountId(account))
        leaves = sum(log.erase(owner) for owner in owners)
        older = [older for older, _ in log.snapshots() if older < size]
    return Erased(
        account=account,
        owners=owners,
        leaves=leaves,
        replay_from=size,
        stays=[*_stays(folder, account), *_in_snapshots(state, AccountId(account), older)],
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


def hold_final(folder: Path, log: LogStore, witnesses: Sequence[Witness], size: int) -> None:
    """Refuse to let go of leaves before they are final, see `commonwatt.flows.finality.check_final`.

    Args:
        folder: Where cosignatures were handed in, if any were.
        log: The folder's.
        witnesses: Who is registered.
        size: Leaves.
    """
    if not (folder / NOTES).exists():
        check_final(log, None, witnesses, size)
        return
    with NoteFile(folder / NOTES) as notes:
        check_final(log, notes, witnesses, size)


def keep_snapshot(log: LogStore, community: str, covered: int) -> int:
    """Keep the state under the last signed checkpoint, where it covers more than a snapshot does, and return its size.

    That checkpoint's signature stands behind the snapshot.

    Args:
        log: Opened for writing.
        community: Whose it is.
        covered: Leaves that the last snapshot covers.

    Raises:
        Refused: No checkpoint was ever signed, and there is no snapshot.
        Corrupt: The log contradicts itself.
    """
    size = _last_checkpoint(log, covered)
    if size > covered:
        there = resume(UpTo(log, size), community)
        log.save_snapshot(size, snapshot.dump(there.state, there.last_s, there.tree.root()))
    return size


def _owners(state: State, account: str) -> list[str]:
    """Return under whose keys a member's requests rest, their gateways' among them."""
    who = AccountId(account)
    if who not in state.members():
        near = get_close_matches(account, [str(known) for known in state.members()], 1)
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


def _hold_final(folder: Path, log: SqliteLog, witnesses: Sequence[Witness], owners: Sequence[str]) -> None:
    """Refuse where the witnesses do not stand behind all that is to be erased."""
    if not witnesses:
        return
    with NoteFile(folder / NOTES) as notes:
        final = final_size(log, notes, witnesses)
    # What lies before was held against the same rule when it was erased or pruned.
    for row in log.rows(max(final, log.whole_from)):
        if row.owner in owners:
            raise Refused(
                "two thirds of the witnesses' weight cosign first what is erased", position=row.position, final=final
            )


def _in_snapshots(state: State, account: AccountId, older: Sequence[int]) -> list[str]:
    """Return what the state says of a member, and until when."""
    own = [name for name, asset in state.assets.items() if asset.owner == account]
    wallets, slots = state.wallets, state.charter.correction_slots
    stated = sum(one.account == account for one in state.stated)
    planned = sum(name in state.schedules for name in own)
    answers = sum(name in state.answers for name in own)
    paid = sum(fact.account == account for fact in wallets.purchases.items())
    paid += sum(payout.account == account for payout in wallets.payouts.items())
    told = [
        (1, f"the balance of {account}, a pseudonym, for ever"),
        (len(own), f"assets ({len(own)}) with their limits, consents and what is attested of them, for ever"),
        (len(own), f"readings of their meters, until {slots} slots after those were settled"),
        (paid, f"payments ({paid}), each with its reference and amount, for ever"),
        (stated, f"statements ({stated}) in their own words, until {slots} slots after they end"),
        (planned, f"the last schedules of assets ({planned}), until others take their place"),
        (answers, f"the last answers of assets ({answers}), until others take their place"),
        (wallets.topups.rule(account) is not None, "their wish for automatic top-ups, until it is taken back"),
        (account in wallets.mandates, "that the provider may collect from them, until it is taken back"),
        (account in state.trusted.delegations, "whom they let act for them, until it is taken back"),
    ]
    lines = [f"in the snapshot: {line}" for there, line in told if there]
    return [*lines, *(f"an older snapshot, of {size} leaves, which goes when the next is kept" for size in older)]


def _stays(folder: Path, account: str) -> list[str]:
    stays = [
        "every leaf's hash, so the proofs of all others hold",
        "what others signed about them: registrations, schedules, trades of their counterparts",
    ]
    if key := [name for name in (f"keys/{account}.pem",) if (folder / name).exists()]:
        stays.append(f"their signing key: {key[0]}")
    if beside := [name for name in BESIDE if (folder / name).exists()]:
        stays.append(f"files that were made before: {', '.join(beside)}")
    if (folder / "gateways").exists():
        stays.append("what their gateways keep themselves, in gateways/")
    return stays
