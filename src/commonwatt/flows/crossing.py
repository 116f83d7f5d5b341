"""The story of tokens between ledger and chain: what the Vault took in goes to the log, what is owed to the Vault.

Only what stands in final blocks is looked at. How far the desk has come stands in the log itself: each deposit has the
Vault's own number, and the log says which is the next, so whoever is killed here tells nothing twice and leaves nothing
out.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock

from commonwatt.flows.chain_ports import (
    Account,
    Chain,
    Contract,
    Event,
    Reverted,
    TransactionSigner,
    TxHash,
    final_events,
)
from commonwatt.flows.crossing_proofs import Proof, refused_proof
from commonwatt.flows.desk import Desk
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.state import CHAIN_DESK, CHAIN_ROLE
from commonwatt.flows.rulebook.tokens.crossing import digest_of
from commonwatt.flows.rulebook.tokens.crossing_bodies import NAME, Deposited
from commonwatt.flows.sequence import Sequencer
from commonwatt.identity.keys import SigningKey
from commonwatt.ledger.checkpoint import Checkpoint
from commonwatt.model import PAYMENT_PORT, Commodity, Corrupt, Kind, Outcome, Refused

MOST_AT_ONCE = 256
"""Deposits that are told in one commit."""
MOST_BACK = 32
"""Deposits that are given back at once: who pays in what cannot be credited keeps nothing else waiting."""
_Send = Callable[[list[bytes]], list[Outcome]]


class CrossingDesk:
    """Holds the chain key: tells the log what the Vault took in, in the Vault's order.

    Args:
        sequencer: The community's one writer.
        key: The chain key.
        chain: Where the Vault is.
        vault: The Vault.
        tokens: What each of its tokens is.
        clock: The log's time, seconds since 1970.
        send: Takes requests to the writer and waits for their outcomes, where others submit to it as well.
        first_block: The first block to look at, where the log has no deposit yet.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        key: SigningKey,
        chain: Chain,
        vault: Contract,
        tokens: Mapping[Account, Commodity],
        clock: Callable[[], int],
        send: _Send | None = None,
        first_block: int = 0,
    ) -> None:
        self._sequencer, self._key, self._one_at_a_time = sequencer, key, Lock()
        self._chain, self._vault, self._tokens, self._first = chain, vault, tokens, first_block
        self._send: _Send = send or (lambda wires: sequencer.submit(wires, clock()))

    def waiting(self) -> list[Deposited]:
        """Return what stands in final blocks and not in the log, in order.

        Raises:
            Unreachable: The chain gives no answer.
            Corrupt: The node leaves a deposit out, or tells of a token that is none of ours.
        """
        crossed = self._sequencer.state.crossed
        found = deposits(self._chain, self._vault, self._tokens, max(self._first, crossed.block))
        new = [body for body in found if body.number >= crossed.count]
        if [body.number for body in new] != list(range(crossed.count, crossed.count + len(new))):
            raise Corrupt(f"the Vault counts deposits from {crossed.count} on without gap, was {new[0].number} ...")
        return new

    def round(self) -> int:
        """Tell the log what came in, and return how many deposits that were.

        Raises:
            Unreachable, Corrupt: As `waiting`.
            Refused: The log takes no word of this key, or one that contradicts what it knows: a person has to look.
        """
        self.check_key()
        with self._one_at_a_time:
            new = self.waiting()
            for begin in range(0, len(new), MOST_AT_ONCE):
                self._tell(new[begin : begin + MOST_AT_ONCE])
        return len(new)

    def check_key(self) -> None:
        """Refuse a key of which the log would refuse every word for good.

        Raises:
            Refused: It is not registered as the chain key.
        """
        record = self._sequencer.state.keys.get(self._key.id)
        if record is None or (record.role, record.account) != (CHAIN_ROLE, CHAIN_DESK):
            raise Refused(
                "deposits are told by the chain key", key=self._key.id, role=record.role if record else "none"
            )

    def _tell(self, new: Sequence[Deposited]) -> None:
        desk = Desk(self._sequencer.state)
        for body in new:
            desk.write(self._key, CHAIN_DESK, Kind.TRANSFER, body)
        for body, outcome in zip(new, self._send(desk.wires), strict=True):
            if outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
                raise Refused("what the Vault took in is taken up", number=body.number, outcome=outcome)


def deposits(chain: Chain, vault: Contract, tokens: Mapping[Account, Commodity], first: int) -> list[Deposited]:
    """Return what a Vault took in, in final blocks, as its desk tells it.

    Args:
        chain: Where the Vault is.
        vault: The Vault.
        tokens: What each of its tokens is.
        first: The first block looked at.

    Raises:
        Unreachable: The chain gives no answer.
        Corrupt: A token is none of ours.
    """
    return [_read(event, tokens) for event in final_events(chain, vault, "Deposited", first)[0]]


def unfounded(
    state: State, chain: Chain, vault: Contract, tokens: Mapping[Account, Commodity], first_block: int = 0
) -> list[int]:
    """Return the numbers of deposits that a log credits and the chain does not know so: for witnesses to look before
    they cosign, since credit that nobody paid in is paid out to somebody else's loss.

    Args:
        state: Of the log.
        chain: As the witness sees it itself.
        vault: The Vault.
        tokens: What each of its tokens is.
        first_block: Where the Vault was made.

    Raises:
        Unreachable, Corrupt: As `deposits`.
    """
    known = {body.number: digest_of(body) for body in deposits(chain, vault, tokens, first_block)}
    return [number for number in range(state.crossed.count) if known.get(number) != state.crossed.digest(number)]


def mint_sold(chain: Chain, ergon: Contract, seller: TransactionSigner, state: State) -> TxHash | None:
    """Have a seller mint into the Vault what was bought in the ledger, less what was given back and paid out.

    It is a running total: what is told twice is minted once, and while less is owed than before, nothing is. What is
    beyond the seller's ceiling is minted in the next period.

    Args:
        chain: Where ERGON is.
        ergon: The token.
        seller: Admitted there.
        state: Of the ledger; of a final checkpoint, where nothing is to be minted that could be taken back.

    Returns:
        The transaction; None where nothing is owed beyond what was minted, or may be minted now.

    Raises:
        Unreachable, Refused: As `Chain.send`.
    """
    sold = int(chain.call(ergon, "sold"))
    total = min(-state.ergon(PAYMENT_PORT), sold + int(chain.call(ergon, "left", (seller.id,))))
    if total <= sold:
        return None
    return chain.send(seller, ergon, "mint_sold", (total,))


def bind(chain: Chain, vault: Contract, key: TransactionSigner, proof: Proof) -> TxHash | None:
    """Show a Vault that the ledger names it: before, it takes in and pays nothing; by anybody who pays for it.

    Args:
        chain: Where the Vault is.
        vault: The Vault.
        key: Who pays.
        proof: `commonwatt.flows.crossing_proofs.bound_proof`, of a checkpoint that was anchored.

    Returns:
        The transaction; None where it was shown before.

    Raises:
        Reverted: The ledger names another one.
        Unreachable, Refused: As `Chain.send`.
    """
    if chain.call(vault, "bound_to"):
        return None
    return chain.send(key, vault, "bind", proof.args())


def give_back(
    chain: Chain,
    vault: Contract,
    key: TransactionSigner,
    tokens: Mapping[Account, Commodity],
    final: tuple[State, Checkpoint],
    first_block: int = 0,
) -> list[TxHash]:
    """Have a Vault give back deposits that the ledger refused, `MOST_BACK` at most; by anybody who pays for it.

    Args:
        chain: Where the Vault is.
        vault: The Vault.
        key: Who pays.
        tokens: What each of its tokens is.
        final: A checkpoint that was anchored, and its state.
        first_block: Where the Vault was made.

    Returns:
        The transactions. What the Vault cannot pay now is left out, for a later time.

    Raises:
        Unreachable, Refused, Corrupt: As `Chain.send` and `deposits`.
    """
    state, point = final
    if not state.crossed.refused:
        return []
    done = {event.values["number"] for event in chain.events(vault, "Returned", first_block, chain.head().number)}
    places = {commodity: token for token, commodity in tokens.items()}
    due = [
        one
        for one in deposits(chain, vault, tokens, first_block)
        if one.number in state.crossed.refused and one.number not in done
    ]
    sent = []
    for one in due[:MOST_BACK]:
        told = one.number, one.sender, places[one.commodity], one.amount
        with suppress(Reverted):
            sent.append(chain.send(key, vault, "reclaim", (*told, *refused_proof(state, point, one.number).args())))
    return sent


def mint_exported(chain: Chain, ergon: Contract, key: TransactionSigner, proof: Proof) -> TxHash | None:
    """Mint into the Vault what the retailer owes for exports; by anybody who pays for it.

    Args:
        chain: Where ERGON is.
        ergon: The token.
        key: Who pays.
        proof: `commonwatt.flows.crossing_proofs.exported_proof`, of a checkpoint that was anchored.

    Returns:
        The transaction; None where nothing is owed beyond what was minted.

    Raises:
        Unreachable, Refused: As `Chain.send`.
    """
    if proof.owes(Commodity.ERGON) <= chain.call(ergon, "exported"):
        return None
    return chain.send(key, ergon, "mint_exported", proof.args())


def _read(event: Event, tokens: Mapping[Account, Commodity]) -> Deposited:
    told = event.values
    commodity = tokens.get(told["token"])
    if commodity is None:
        raise Corrupt(f"the Vault takes in tokens of ours, was {told['token']} in deposit {told['number']}")
    return Deposited(
        number=told["number"],
        tx=event.tx.hex(),
        block=event.block,
        sender=told["sender"],
        account=_name(told["account"]),
        commodity=commodity,
        amount=told["amount"],
    )


def _name(told: bytes) -> str:
    """Return an account's name; no text where these bytes are none, since anybody can write anything there."""
    text = told.decode("ascii", errors="replace")
    return text if NAME.fullmatch(text) else ""
