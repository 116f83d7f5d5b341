"""What `commonwatt chain` and `run --chain` do with a community's chain, its app running or not."""

import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from commonwatt.adapters.chains import deployment as deployments
from commonwatt.adapters.chains.deployment import Deployment
from commonwatt.adapters.chains.embedded import opening
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.apps.asking import send, state_of
from commonwatt.apps.chain_desk import ChainDesk
from commonwatt.apps.chain_facts import BlockFact, Facts
from commonwatt.apps.chain_ground import serve_rpc
from commonwatt.apps.chain_reaching import reached_chain
from commonwatt.apps.chain_roles import bond as stake
from commonwatt.apps.chain_terms import FOLDER, ChainTerms, chain_terms, want_embedded
from commonwatt.apps.wiring import open_log
from commonwatt.apps.witnessing import open_keys as witness_keys
from commonwatt.flows.anchoring import gas_per_member
from commonwatt.flows.chain_ports import Event, TransactionSigner
from commonwatt.flows.onboard import OPERATOR, desk_body
from commonwatt.flows.replay import community_of, resume
from commonwatt.model import SLOT_SECONDS, CommonwattError, Kind, Refused

PERIODS = 10
"""Settlement periods whose cost is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a settlement period cost on the chain: one checkpoint, whatever the number of members.

    Args:
        slot_s: The slot that its checkpoint closes, seconds since 1970.
        size: Leaves of the log under that.
        gas: What anchoring it used.
        gas_per_member: That, shared by the members of today; None where there are none.
    """

    slot_s: int
    size: int
    gas: int
    gas_per_member: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a community's chain stands.

    Args:
        kind: ``embedded`` or ``network``.
        chain_id: Its number.
        head: The last block seen.
        final: The last one that stays.
        contracts: Addresses by name.
        bound: Whether the Vault was shown that the log names it.
        anchored_size: Leaves of the log under the last anchored checkpoint; 0 before the first.
        final_size: Likewise, of the last one that stays.
        log_size: Leaves of the log.
        members: Of the community, as of the log's end.
        checkpoints: How many are anchored in final blocks.
        periods: What the last of them cost, the newest first.
    """

    kind: str
    chain_id: int
    head: BlockFact
    final: BlockFact
    contracts: dict[str, str]
    bound: bool
    anchored_size: int
    final_size: int
    log_size: int
    members: int
    checkpoints: int
    periods: list[Period]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """A chain that was run again from its signed transactions: all of them make what is stored."""

    transactions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bonded:
    """What a witness staked, TSL micro."""

    witness: str
    stake_micro: int


def status(folder: Path) -> Status:
    """Return how a community's chain stands; where an app has it open, that is asked.

    Raises:
        Refused: The folder has no chain, or none that was deployed on; or who has it open shows it nowhere.
        Unreachable: The network gives no answer.
        Corrupt: The chain is damaged.
    """
    terms, found = _terms(folder), deployments.kept(folder / FOLDER)
    if found is None:
        raise Refused("a chain is opened first: `commonwatt chain deploy`, or the app", folder=folder)
    with open_log(folder) as log:
        state = resume(log, community_of(log)).state
        size = log.size
    with reached_chain(folder, terms) as chain:
        return _status(chain, terms, found, size, len(state.members()))


def recheck(folder: Path, word: Callable[[str], None] = lambda line: None) -> Rechecked:
    """Run a community's embedded chain again from its transactions, and compare every header and receipt.

    Args:
        folder: The community's; no app has its chain open.
        word: Told how it goes on.

    Raises:
        Refused: Another process has it open, or its chain is a network's.
        Corrupt: A block is not what its transactions make.
    """
    _embedded(folder)
    return Rechecked(transactions=opening.recheck(folder / FOLDER, word))


def serve(folder: Path, port: int, on_open: Callable[[str], None]) -> None:
    """Show a community's embedded chain to wallets on this machine until interrupted, without its app.

    Args:
        folder: The community's; no app has its chain open.
        port: On loopback; 0 for any free one.
        on_open: Told where.

    Raises:
        Refused: Another process has it open, or its chain is a network's.
        OSError: The port is taken.
    """
    _embedded(folder)
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    with ExitStack() as doors:
        chain = doors.enter_context(EmbeddedChain(folder / FOLDER))
        for number in (signal.SIGINT, signal.SIGTERM):
            doors.callback(signal.signal, number, signal.signal(number, end))
        on_open(serve_rpc(chain, port, doors))
        ended.wait()


def deploy(folder: Path, host: str, port: int) -> Facts:
    """Open a community's chain, put all contracts on it where they are not yet, give roles, let the log name the Vault,
    anchor what is final, and show the Vault that it is named, as far as each can be done by now.

    Args:
        folder: The community's.
        host: Where the log's door is; where none is open there, the app lets the log name the Vault.
        port: Likewise.

    Raises:
        Refused: Another process has it open, it takes no contract, or the log names a Vault and its contracts are not
            known here.
        Unreachable: The network gives no answer.
        Corrupt: A file is damaged, or log and chain contradict each other.
    """
    want_embedded(folder)
    with ChainDesk(folder, _name(folder), _terms(folder)) as desk:
        desk.look()
        if state_of(folder).crossed.vault is None:
            with suppress(OSError):
                send(folder, OPERATOR, Kind.REGISTER, desk_body(desk.keys.desk, desk.vault), host, port)
        desk.keep_solvent()
        return desk.look()


def propose(folder: Path, key: TransactionSigner) -> tuple[str, ...]:
    """Announce the roles that a community's chain waits for, with the proposer's own key; return which.

    Raises:
        Reverted: It is not the proposer's.
        Refused: There is no chain, another process has it open, or it does not take a transaction.
        Unreachable: The network gives no answer.
    """
    if deployments.kept(folder / FOLDER) is None:
        raise Refused("a chain is opened first: `commonwatt chain deploy`, or the app", folder=folder)
    with ChainDesk(folder, _name(folder), _terms(folder)) as desk:
        return desk.propose(key)


def bond(folder: Path, witness: Path) -> Bonded:
    """Stake all TSL that a witness was given on a community's chain, so that its signatures count there.

    Args:
        folder: The community's, or a copy of its ``chain.toml`` and ``chain/deployment.json``.
        witness: The witness's own folder, with its keys.

    Raises:
        Refused: It was given none, or somebody has the chain open and shows it nowhere.
        Reverted: It is not admitted yet, or on its way out.
        Unreachable: The chain gives no answer.
    """
    terms, found = _terms(folder), deployments.kept(folder / FOLDER)
    if found is None:
        raise Refused("a chain is opened first: `commonwatt chain deploy`, or the app", folder=folder)
    key = witness_keys(witness).signing
    with reached_chain(folder, terms) as chain:
        amount = stake(chain, found.contract("Tsl"), found.contract("Checkpoints"), key)
    return Bonded(witness=key.id, stake_micro=amount)


@dataclass(slots=True)
class Anchored:
    """A run's chain: after each slot its last checkpoint is taken there; trouble of it is no trouble of the run.

    Args:
        folder: The run's.
    """

    folder: Path
    facts: Facts | None = None
    trouble: str = ""
    _desk: ChainDesk | None = field(default=None, init=False)

    def look(self) -> None:
        """Anchor what is final by now."""
        try:
            if self._desk is None:
                want_embedded(self.folder)
                self._desk = ChainDesk(self.folder, _name(self.folder), _terms(self.folder))
            self.facts, self.trouble = self._desk.look(), ""
        except (CommonwattError, OSError, sqlite3.Error) as error:
            self.trouble = str(error)
            self._close()  # what is open may know less than what is on disk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()


def _status(chain: EvmChain, terms: ChainTerms, found: Deployment, log_size: int, members: int) -> Status:
    head, final, checkpoints = chain.head(), chain.final(), found.contract("Checkpoints")
    _, seen = chain.call(checkpoints, "last")
    _, stays = chain.call(checkpoints, "last", block=final.number) if final.number > found.block else (0, 0)
    anchored = chain.events(checkpoints, "Anchored", found.block + 1, final.number)
    return Status(
        kind=terms.kind,
        chain_id=chain.chain_id,
        head=BlockFact(number=head.number, hash=head.hash.hex(), time_s=head.time_s),
        final=BlockFact(number=final.number, hash=final.hash.hex(), time_s=final.time_s),
        contracts=dict(found.contracts),
        bound=chain.call(found.contract("Vault"), "bound_to") == chain.chain_id,
        anchored_size=seen,
        final_size=stays,
        log_size=log_size,
        members=members,
        checkpoints=len(anchored),
        periods=[_period(chain, event, members) for event in reversed(anchored[-PERIODS:])],
    )


def _period(chain: EvmChain, event: Event, members: int) -> Period:
    receipt = chain.receipt(event.tx)
    gas = receipt.gas if receipt else 0
    return Period(
        slot_s=event.values["epoch"] * SLOT_SECONDS,
        size=event.values["size"],
        gas=gas,
        gas_per_member=gas_per_member(gas, members) if members else None,
    )


def _terms(folder: Path) -> ChainTerms:
    terms = chain_terms(folder)
    if terms is None:
        raise Refused("this community has no chain: chain.toml says which it has", folder=folder)
    return terms


def _embedded(folder: Path) -> None:
    if _terms(folder).url is not None:
        raise Refused("the chain of this community is a network's, not its own", folder=folder)


def _name(folder: Path) -> str:
    with open_log(folder) as log:
        return community_of(log)
