"""Make what communities hand to each other: a document's signature, and the proof of what a log has said of it."""

from commonwatt.flows.rulebook.market.interchange.interchange_bodies import Proof
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.leaf import LeafRow
from commonwatt.ledger.merkle import MerkleTree
from commonwatt.market.interchange import Interchange


def sign_document(document: Interchange, operator: SigningKey) -> str:
    """Return an operator's signature over a document, as both logs ask for it."""
    return operator.sign(document.signed_bytes())


def prove_word(row: LeafRow, tree: MerkleTree, note: str, size: int) -> Proof:
    """Return the proof that a leaf stands in this log, for the other one to decide by.

    Args:
        row: The leaf by which this log prepared or refused.
        tree: Of this log.
        note: A signed checkpoint of it, with its cosignatures.
        size: How many leaves the checkpoint is over.

    Raises:
        InvalidValue: The leaf comes after the checkpoint.
    """
    return Proof(
        note=note,
        body=row.body.decode(),
        closes=row.closes,
        outcome=row.outcome,
        position=row.position,
        path=tuple(step.hex() for step in tree.inclusion_proof(row.position, size)),
        salt=row.salt.hex(),
        stamped_s=row.stamped_s,
    )
