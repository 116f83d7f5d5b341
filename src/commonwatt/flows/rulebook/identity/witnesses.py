"""Who watches a community's log, as its first leaf names them: each with two keys that say so of each other."""

from collections.abc import Sequence

from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.cosign import parse_cosigner_vkey
from commonwatt.model import Corrupt, InvalidValue


def check_witnesses(witnesses: Sequence[Witness]) -> None:
    """Hold the witnesses of a founding against each other.

    Raises:
        InvalidValue: A key is none, or two of them share a name or a key: one signature would count for both.
    """
    named = []
    for witness in witnesses:
        try:
            named.append((*parse_cosigner_vkey(witness.note), VerifyingKey(bytes.fromhex(witness.public)).public))
        except Corrupt as error:
            raise InvalidValue(f"a witness is registered by the key that it cosigns with: {error}") from error
    for what, words in zip(("a name", "a note key", "a secp256k1 key"), zip(*named, strict=True), strict=False):
        if len(set(words)) < len(words):
            raise InvalidValue(f"each witness has {what} of its own, was {', '.join(w.note for w in witnesses)}")


def weights(witnesses: Sequence[Witness]) -> dict[str, int]:
    """Return each witness's weight by the word of its note key, as `commonwatt.ledger.cosign.weight` takes it."""
    return {witness.note: witness.weight for witness in witnesses}
