"""Show the Vault what a final state says: whoever has the state makes the proofs, an operator or any witness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.state import CHAIN_SECTIONS
from commonwatt.flows.rulebook.tokens.exits import refused_name, vault_name
from commonwatt.kernels.sha256 import leaf_hashes
from commonwatt.ledger.accounts import NAME_BYTES, read_row
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.model import CHAIN_PORT, GRID, SLOT_SECONDS, AccountId, Commodity, Refused, chain_account

Point = tuple[int, int, bytes, bytes]
"""A checkpoint as contracts take it: epoch, size, log root, state root."""
_Rows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a row stands in its section of a state, and the section in the state; paths have the lowest hash first."""

    index: int
    size: int
    path: tuple[bytes, ...]
    sections: tuple[bytes, ...]

    def told(self) -> tuple[int, int, list[bytes], list[bytes]]:
        """Return it as contracts take it."""
        return self.index, self.size, list(self.path), list(self.sections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a row stands in the state of a checkpoint."""

    point: Point
    row: bytes
    place: Place

    def args(self) -> tuple[object, ...]:
        """Return point, row and place as contracts take them."""
        return self.point, self.row, self.place.told()

    def owes(self, commodity: Commodity) -> int:
        """Return what the account owes of something by its row, in base units; zero where it has some."""
        return max(0, -read_row(self.row)[1][commodity])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitProof:
    """What an account has in the last final state, and to which address it goes if the operator stops."""

    account: Proof
    exit: Proof

    def args(self) -> tuple[object, ...]:
        """Return what `Vault.exit` takes."""
        return *self.account.args(), self.exit.row, self.exit.place.told()


def point_of(checkpoint: Checkpoint) -> Point:
    """Return a checkpoint as contracts take it; its epoch is the number of its slot, quarter-hours since 1970."""
    return checkpoint.slot_s // SLOT_SECONDS, checkpoint.size, checkpoint.log_root, checkpoint.state_root


def withdrawal_proof(state: State, checkpoint: Checkpoint, address: str) -> Proof:
    """Return the proof of what was sent out to an address, for `Vault.withdraw`.

    Args:
        state: That of the checkpoint, see `commonwatt.flows.handover.state_at`.
        checkpoint: One that was anchored.
        address: 0x and 40 hex digits.

    Raises:
        Refused: It is another state, its community has no chain, or nothing was ever sent to this address.
    """
    return account_proof(state, checkpoint, chain_account(address))


def exported_proof(state: State, checkpoint: Checkpoint) -> Proof:
    """Return the proof of what the retailer owes for exports, for `Ergon.mint_exported`; see `account_proof`."""
    return account_proof(state, checkpoint, GRID)


def exit_proof(state: State, checkpoint: Checkpoint, account: AccountId) -> ExitProof:
    """Return the proofs of an account's balance and exit, for `Vault.exit`; arguments and errors as `account_proof`."""
    exits = _exit_proof(state, checkpoint, account)
    return ExitProof(account=account_proof(state, checkpoint, account), exit=exits)


def bound_proof(state: State, checkpoint: Checkpoint) -> Proof:
    """Return the proof of which Vault the ledger names, for `Vault.bind`; see `account_proof`."""
    named = state.crossed.vault
    if named is None:
        raise Refused("a Vault is named before it is bound", community=state.community)
    return _exit_proof(state, checkpoint, vault_name(named.chain_id))


def refused_proof(state: State, checkpoint: Checkpoint, number: int) -> Proof:
    """Return the proof that a deposit was refused, for `Vault.reclaim`; see `account_proof`."""
    return _exit_proof(state, checkpoint, refused_name(number))


def credited_proof(state: State, checkpoint: Checkpoint) -> Proof:
    """Return the proof of how many deposits were told, for `Vault.reclaim`; see `account_proof`."""
    return _exit_proof(state, checkpoint, CHAIN_PORT)


def account_proof(state: State, checkpoint: Checkpoint, account: AccountId) -> Proof:
    """Return the proof of an account's balances.

    Args:
        state: That of the checkpoint.
        checkpoint: One that was anchored.
        account: Whose.

    Raises:
        Refused: It is another state, its community has no chain, or the account has nothing there.
    """
    return _proof(state, checkpoint, "accounts", state.accounts.rows(), account)


def _exit_proof(state: State, checkpoint: Checkpoint, account: AccountId) -> Proof:
    return _proof(state, checkpoint, "exits", state.exit_rows(), account)


def _proof(state: State, checkpoint: Checkpoint, section: str, rows: _Rows, account: AccountId) -> Proof:
    sections = state.sections()
    if len(sections) != len(CHAIN_SECTIONS):
        raise Refused("a community with a chain can show what it owes", community=state.community)
    tree = MerkleTree(sections)
    if tree.root() != checkpoint.state_root:
        raise Refused("a proof is made of the state that was signed", size=checkpoint.size, found=tree.root().hex())
    index = _index(rows, account)
    if index is None:
        raise Refused("a proof is of an account that stands in the section", account=account, section=section)
    inside = MerkleTree()
    inside.extend(leaf_hashes(rows))
    place = Place(
        index=index,
        size=len(rows),
        path=tuple(inside.inclusion_proof(index, len(rows))),
        sections=tuple(tree.inclusion_proof(CHAIN_SECTIONS.index(section), len(sections))),
    )
    return Proof(point=point_of(checkpoint), row=rows[index].tobytes(), place=place)


def _index(rows: _Rows, account: AccountId) -> int | None:
    """Return where the row of an account stands, or None; rows begin with their names and are sorted by them."""
    names: NDArray[np.bytes_] = np.ascontiguousarray(rows[:, :NAME_BYTES]).view(f"S{NAME_BYTES}").reshape(-1)
    index = int(np.searchsorted(names, account.encode()))
    return index if index < len(names) and names[index] == account.encode() else None
