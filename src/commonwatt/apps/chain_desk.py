"""The operator's desk at the chain: opens it, anchors checkpoints, keeps the Vault able to pay, and pays out claims.

Everything here waits for a chain and reads a log from disk: it belongs to a thread of its own, see `chaining`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from commonwatt.adapters.chains.attempts import AttemptFile
from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.apps.chain_channels import ChannelDesk
from commonwatt.apps.chain_facts import Amounts, Anchored, BlockFact, Facts, Staked
from commonwatt.apps.chain_ground import open_ground, open_keys, serve_rpc
from commonwatt.apps.chain_notes import FinalState, OwnNotes
from commonwatt.apps.chain_roles import Roles, sent
from commonwatt.apps.chain_terms import FOLDER, RPC_CARD, ChainTerms
from commonwatt.apps.publishing import NOTES, open_publisher
from commonwatt.flows.anchoring import Anchor, Anchoring, Stage
from commonwatt.flows.chain_ports import Account, Block, Contract, TransactionSigner, final_events
from commonwatt.flows.crossing import bind, deposits, give_back, mint_exported, mint_sold
from commonwatt.flows.crossing_proofs import Proof, bound_proof, exported_proof, withdrawal_proof
from commonwatt.flows.publish import Publisher
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.bodies import Witness
from commonwatt.flows.rulebook.tokens.crossed import Named
from commonwatt.flows.rulebook.tokens.crossing_bodies import Deposited
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.checkpoint import Checkpoint, read_note
from commonwatt.model import CHAIN_PORT, GRID, MINT, SLOT_SECONDS, VAULT, Commodity, Refused, chain_account

ATTEMPT = "anchoring.json"
CLAIM_WITHIN_S = 60.0
"""So long a claim is waited for: meanwhile nothing else is done at the desk."""
SHOWN = 50
"""Checkpoints that are shown."""
_CHAIN = chain_account("")
TOKENS = (("Ergon", Commodity.ERGON), ("Watt", Commodity.WATT), ("Tsl", Commodity.TSL))


@dataclass(slots=True)
class _Seen:
    """What final blocks told so far, and where to go on."""

    next_block: int
    anchored: list[Anchored] = field(default_factory=list)
    count: int = 0


class ChainDesk:
    """One community's desk, of the thread that opens it.

    Args:
        folder: The community's, with log, operator's keys and chain.
        community: Its name.
        terms: Which chain.
        clock: Of the embedded chain, seconds since 1970.
    """

    def __init__(
        self, folder: Path, community: str, terms: ChainTerms, clock: Callable[[], int] = lambda: int(time.time())
    ) -> None:
        self._doors = ExitStack()
        try:
            self._folder, self._terms, self.keys = folder / FOLDER, terms, open_keys(folder)
            self._publisher = open_publisher(folder, self._doors)
            log = self._publisher.log
            self._state = FinalState(log, community)

            def named() -> Named | None:
                return FinalState(log, community).at(log.size).crossed.vault

            self.ground = open_ground(folder, community, terms, self.keys.desk, self._doors, clock, named)
            self._chain, self._places = self.ground.chain, self.ground.deployment.contracts_by_name()
            self.channels = ChannelDesk(
                self._chain, self.ground.deployment, folder, self.keys.seller, lambda: self._now_s(clock)
            )
            self._begin(folder)
        except BaseException:
            self._doors.close()
            raise

    def _begin(self, folder: Path) -> None:
        own = self._doors.enter_context(OwnNotes(folder / NOTES, self.keys.own))
        registered = self._publisher.witnesses
        self.own_word = not registered
        witnesses: Sequence[Witness] = registered or (own.card,)
        self._names = {_address(one): "" if self.own_word else one.note.partition("+")[0] for one in witnesses}
        given = self._terms.stake_micro, self._terms.ceiling_micro
        self._roles = Roles(self._chain, self.ground.deployment, self.keys, list(self._names), *given)
        notes = own if self.own_word else self._publisher.notes
        attempts = AttemptFile(folder / FOLDER / ATTEMPT)
        if self.ground.embedded is not None:
            attempts.forget()  # an embedded chain holds nothing outside of its blocks, and has just been opened
            # Of an app that was killed: whoever has its port by now would be asked as if it were the chain.
            (folder / FOLDER / RPC_CARD).unlink(missing_ok=True)
        self._anchor = Anchor(self._chain, self._places["Checkpoints"], self.keys.desk, notes, witnesses, attempts)
        self._seen = _Seen(self.ground.deployment.block + 1)
        self._waiting: tuple[str, ...] = ("not looked yet",)
        self._provable_size, self._provable = 0, dict[Account, Amounts]()
        self._claimed, self._paid_to = dict[Account, Amounts](), self.ground.deployment.block
        self._only_seen, self._claims = set[Account](), dict[Account, bytes]()
        self.rpc = ""

    @property
    def publisher(self) -> Publisher:
        """The log as it is shown to the world."""
        return self._publisher

    @property
    def vault(self) -> Named:
        """The Vault that the log is to name."""
        return Named(chain_id=self._chain.chain_id, vault=self._places["Vault"].address)

    def propose(self, key: TransactionSigner) -> tuple[str, ...]:
        """Announce the roles that are wanted, with the proposer's own key; as `Roles.propose`."""
        return self._roles.propose(key)

    def look(self) -> Facts:
        """Give what roles can be given, take the last final checkpoint to the chain, and tell how all of it stands.

        Raises:
            Refused: The chain or a contract does not take something.
            Unreachable: The chain gives no answer.
            Corrupt: Log and chain contradict each other.
        """
        if self._waiting and self._settled():
            self._waiting = self._roles.arrange()
        self._publisher.refresh()
        told = self._anchor.round()
        if told.stage is Stage.SENT:
            self._settled()
        self._learn()
        return self._facts(told)

    def keep_solvent(self) -> None:
        """Show the Vault that the ledger names it, have it hold what the ledger owes, as the last anchored state says,
        and give back what the ledger refused; and learn what can be claimed.

        Raises as `look`; and Reverted where the ledger names another Vault.
        """
        point = self._last_point()
        if point is None:
            return
        if point.size != self._provable_size and self._settled():
            state = self._state.at(point.size)
            if not state.has_chain:
                return
            self._settle(state, point)
            self._provable = _sent_out(state)
            self._provable_size = point.size
        self._ask_who_was_paid()

    def serve(self) -> None:
        """Show the embedded chain to wallets on this machine, where the community wants that, until it is closed.

        Raises:
            OSError: The port is taken.
        """
        if self.ground.embedded is not None and self._terms.port is not None:
            self.rpc = serve_rpc(self.ground.embedded, self._terms.port, self._doors)
            card = self._folder / RPC_CARD
            save_secret(card, msgspec.json.encode(self.rpc))
            self._doors.callback(card.unlink, missing_ok=True)

    def incoming(self, known_block: int) -> list[Deposited]:
        """Return what the Vault took in from a block on, in final blocks; raises as `commonwatt.flows.crossing`."""
        first = max(self.ground.deployment.block + 1, known_block)
        return deposits(self._chain, self._places["Vault"], self._tokens(), first)

    def proof(self, address: Account) -> Proof:
        """Return the proof by which the Vault pays an address, as of the last anchored checkpoint that is final.

        Raises:
            Refused: Nothing was sent there by then.
        """
        point = self._last_point()
        if point is None:
            raise Refused("a proof leads to a checkpoint that was anchored", address=address)
        return withdrawal_proof(self._state.at(point.size), point, address)

    def claim(self, address: Account) -> str:
        """Have the Vault pay what is due to an address; the operator pays for it. Return the transaction, hex.

        Raises:
            Reverted: Nothing is due there.
            Refused: Nothing was sent there by the last anchored checkpoint; or a claim for it is in no block yet.
            Unreachable: The chain gives no answer.
        """
        before = self._claims.get(address)
        if before is not None and self._chain.receipt(before) is None and not self._settled():
            raise Refused("a claim is in a block before the next one", address=address, tx=before.hex())
        args = (address, *self.proof(address).args())
        tx = self._claims[address] = self._chain.send(self.keys.desk, self._places["Vault"], "withdraw", args)
        receipt = self._chain.receipt(tx, within_s=CLAIM_WITHIN_S)
        if receipt is None or not receipt.ok:
            raise Refused("a claim is done once it stands in a block", address=address, tx=tx.hex(), receipt=receipt)
        self._claimed[address] = self._paid(address)
        return tx.hex()

    def held(self, address: Account) -> Amounts:
        """Return what an address has of our tokens on the chain."""
        ergon, watt, tsl = (int(self._chain.call(self._places[name], "balanceOf", (address,))) for name, _ in TOKENS)
        return ergon, watt, tsl

    def close(self) -> None:
        """Let go of chain and log."""
        self._doors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _settled(self) -> bool:
        """Tell whether all that was sent from here stands in blocks: before, doing it once more could do it twice.

        What waits is offered for the price of now: nothing of its key goes before it.
        """
        waiting = [key for key in (self.keys.desk, self.keys.seller, self.keys.own) if self._chain.waiting(key.id)]
        for key in waiting:
            with suppress(Refused):
                self._chain.hurry(key)
        return not waiting

    def _ask_who_was_paid(self) -> None:
        """Learn what the Vault paid out: of addresses that are new here, and of those that it paid since.

        Anybody can have a thousand addresses: to ask about all of them each time would leave no time for anchoring.
        """
        final, head = self._chain.final().number, self._chain.head().number
        paid = self._chain.events(self._places["Vault"], "Paid", self._paid_to + 1, head)
        new = self._provable.keys() - self._claimed.keys()
        for place in {event.values["to"] for event in paid} | self._only_seen | new:
            if place in self._provable:
                self._claimed[place] = self._paid(place)
        # What was only seen can be taken back: it is asked for again.
        self._only_seen = {event.values["to"] for event in paid if event.block > final}
        self._paid_to = max(self._paid_to, min(final, head))

    def _now_s(self, clock: Callable[[], int]) -> int:
        """Return the chain's time: a quiet embedded chain's next block has the clock's."""
        head_s = self._chain.head().time_s
        return head_s if self.ground.embedded is None else max(head_s, clock())

    def _last_point(self) -> Checkpoint | None:
        """Return the newest checkpoint that a final block holds and the log has."""
        for one in self._seen.anchored:
            note = self._publisher.notes.note(one.size)
            if note is not None:
                return read_note(note)
        return None

    def _tokens(self) -> dict[Account, Commodity]:
        return {self._places[name].address: commodity for name, commodity in TOKENS}

    def _settle(self, state: State, point: Checkpoint) -> None:
        vault, first = self._places["Vault"], self.ground.deployment.block + 1
        bind(self._chain, vault, self.keys.desk, bound_proof(state, point))
        give_back(self._chain, vault, self.keys.desk, self._tokens(), (state, point), first)
        ergon = self._places["Ergon"]
        mint_sold(self._chain, ergon, self.keys.seller, state)
        if state.ergon(GRID) < 0:
            mint_exported(self._chain, ergon, self.keys.desk, exported_proof(state, point))
        if not state.tsl(MINT):
            return
        short = self._owed_tsl(state) - self.held(vault.address)[2]
        left = self.held(self.keys.desk.id)[2]
        if min(short, left) > 0:
            sent(self._chain, self.keys.desk, self._places["Tsl"], "transfer", (vault.address, min(short, left)))

    def _owed_tsl(self, state: State) -> int:
        """Return the TSL that the ledger handed out at its founding and since, less what is outside of the Vault."""
        outside = sum(amounts[2] for amounts in map(self._paid, _sent_out(state)))
        came_back = -state.tsl(CHAIN_PORT)
        return -state.tsl(MINT) - state.tsl(VAULT) - outside + came_back

    def _paid(self, address: Account) -> Amounts:
        ergon, watt, tsl = self._chain.call(self._places["Vault"], "paid", (chain_account(address).encode(),))
        return int(ergon), int(watt), int(tsl)

    def _learn(self) -> None:
        checkpoints, seen = self._places["Checkpoints"], self._seen
        found, next_block = final_events(self._chain, checkpoints, "Anchored", seen.next_block)
        new = list[Anchored]()
        for event in found[-SHOWN:]:
            receipt = self._chain.receipt(event.tx)
            new.insert(0, _anchored(event.values, event.block, event.tx, receipt.gas if receipt else 0))
        # All or nothing: the node may refuse an answer in between.
        seen.anchored[:], seen.next_block = [*new, *seen.anchored][:SHOWN], next_block
        seen.count += len(found)

    def _facts(self, told: Anchoring) -> Facts:
        checkpoints = self._places["Checkpoints"]
        return Facts(
            kind=self._terms.kind,
            chain_id=self._chain.chain_id,
            head=_block(self._chain.head()),
            final=_block(self._chain.final()),
            contracts=dict(self.ground.deployment.contracts),
            operator=self.keys.desk.id,
            rpc=self.rpc,
            stage=f"{told.stage.value}: {told.why}" if told.why else told.stage.value,
            anchored=tuple(self._seen.anchored),
            anchored_count=self._seen.count,
            final_size=told.final_size,
            own_word=self.own_word,
            stakes=tuple(self._staked(checkpoints, who, name) for who, name in self._names.items()),
            bonded_micro=self._chain.call(checkpoints, "bonded"),
            pool_micro=self._chain.call(checkpoints, "pool"),
            waiting_roles=self._waiting,
            deposits=self._chain.call(self._places["Vault"], "deposits", block=self._chain.final().number),
            bound=self._chain.call(self._places["Vault"], "bound_to") == self._chain.chain_id,
            provable=dict(self._provable),
            claimed=dict(self._claimed),
        )

    def _staked(self, checkpoints: Contract, who: Account, name: str) -> Staked:
        stake, earned, free_s, admitted = self._chain.call(checkpoints, "witness", (who,))
        return Staked(witness=who, name=name, stake_micro=stake, earned_micro=earned, free_s=free_s, admitted=admitted)


def _address(witness: Witness) -> Account:
    return VerifyingKey(bytes.fromhex(witness.public)).id


def _block(block: Block) -> BlockFact:
    return BlockFact(number=block.number, hash=block.hash.hex(), time_s=block.time_s)


def _anchored(values: Mapping[str, Any], block: int, tx: bytes, gas: int) -> Anchored:
    return Anchored(
        size=values["size"],
        slot_s=values["epoch"] * SLOT_SECONDS,
        log_root=values["log_root"].hex(),
        state_root=values["state_root"].hex(),
        block=block,
        tx=tx.hex(),
        gas=gas,
        weight=values["weight"],
        bonded=values["bonded"],
    )


def _sent_out(state: State) -> dict[Account, Amounts]:
    """Return what was ever sent out to each address, as a state says."""
    found: dict[Account, list[int]] = {}
    places = {commodity: place for place, (_, commodity) in enumerate(TOKENS)}
    for account, commodity, amount in state.accounts.balances():
        if account.startswith(_CHAIN + "0x") and commodity in places:
            found.setdefault(account.removeprefix(_CHAIN), [0, 0, 0])[places[commodity]] = amount
    return {address: (ergon, watt, tsl) for address, (ergon, watt, tsl) in found.items()}
