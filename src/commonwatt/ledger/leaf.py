"""A leaf at rest: one admitted request as the log keeps it."""

from dataclasses import dataclass

from commonwatt.ledger.merkle import SALT_BYTES, salted
from commonwatt.model import InvalidValue, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafRow:
    """One row of the log.

    Args:
        position: Where it stands, from 0, without gaps.
        stamped_s: When the log took it in, whole seconds since 1970.
        salt: 32 bytes; with the body it makes the leaf data, see `commonwatt.ledger.merkle.salted`.
        body: What was admitted, canonical bytes with the signature.
        outcome: What became of it.

    Raises:
        InvalidValue: The position is below zero, the salt has another length, or the outcome says that the
            request was never admitted.
    """

    position: int
    stamped_s: int
    salt: bytes
    body: bytes
    outcome: Outcome

    def __post_init__(self) -> None:
        if self.position < 0:
            raise InvalidValue(f"a position is zero or more, was {self.position}")
        if len(self.salt) != SALT_BYTES:
            raise InvalidValue(f"the salt of leaf {self.position} has {SALT_BYTES} bytes, was {len(self.salt)}")
        if not self.outcome.admitted:
            raise InvalidValue(f"only an admitted request stands in the log, leaf {self.position} was {self.outcome}")

    def record(self) -> bytes:
        """Return the canonical bytes that stand for the leaf: request, outcome and time together.

        The body is canonical JSON itself, and the three names are in order, so the whole is canonical too.
        """
        head = f'{{"outcome":"{self.outcome.value}","request":'.encode()
        return head + self.body + f',"stamped_s":{self.stamped_s}}}'.encode()

    def data(self) -> bytes:
        """Return the leaf data of the log's tree: the salted hash of the record."""
        return salted(self.salt, self.record())
