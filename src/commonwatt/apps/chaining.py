"""The community's chain beside its app: checkpoints go there, deposits come from there, its trouble is not the log's.

What waits for the chain runs on one thread; what the log is told goes through its door like every other request.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from commonwatt.apps.chain_facts import Amounts, ChannelFact, Facts
from commonwatt.apps.chain_terms import ChainTerms
from commonwatt.apps.community import Community
from commonwatt.flows.chain_ports import Account
from commonwatt.flows.onboard import OPERATOR, desk_body
from commonwatt.flows.rulebook.state import CHAIN_DESK
from commonwatt.model import AccountId, CommonwattError, Corrupt, Kind, Outcome, Refused, Unreachable

if TYPE_CHECKING:
    from commonwatt.apps.chain_channels import ChannelDesk
    from commonwatt.apps.chain_desk import ChainDesk
    from commonwatt.flows.crossing_proofs import Proof

T = TypeVar("T")
RETRY_S = 5.0
"""Between two tries after trouble."""
CLAIMS_A_DAY, DAY_S = 8, 86_400.0
"""An address costs its sender a millionth of an ERGON, and a claim for it its operator what a network asks."""
_log = logging.getLogger(__name__)


class ChainKeeper:
    """Keeps a community's chain; of the loop that follows its log.

    Args:
        community: Whose.
        terms: Which chain.
        retry_s: Between two tries after trouble.
    """

    def __init__(self, community: Community, terms: ChainTerms, retry_s: float = RETRY_S) -> None:
        self._community, self._terms, self._retry_s = community, terms, retry_s
        self._thread = ThreadPoolExecutor(1, "chain")
        self._desk: ChainDesk | None = None
        self._paid_for = dict[AccountId, list[float]]()
        self.facts: Facts | None = None
        """As of the last look; None before the first."""
        self.trouble = ""
        """Why it is not kept now; empty where all is well."""
        self.on_change: Callable[[], None] = lambda: None
        """Called whenever facts or trouble became other."""

    @property
    def kind(self) -> str:
        """``embedded`` or ``network``."""
        return self._terms.kind

    async def run(self) -> None:
        """Keep it until cancelled; whatever goes wrong is said, and tried again."""
        try:
            while True:
                try:
                    await self._round()
                except Exception as error:
                    await self._stumbled(error)
                    await asyncio.sleep(self._retry_s)
                else:
                    self._say("")
                    await asyncio.sleep(self._terms.every_s)
        finally:
            self._thread.submit(self._close)
            # Whoever opens the folder next finds the chain free.
            await asyncio.to_thread(self._thread.shutdown)

    async def answers(self) -> None:
        """Say whether the chain is kept: for readiness.

        Raises:
            Refused: It is not, and why.
        """
        if self.trouble:
            raise Refused("the chain is kept", found=self.trouble)

    async def proof(self, address: Account) -> "Proof":
        """Return the proof by which the Vault pays an address; raises as `ChainDesk.proof`, and Unreachable."""
        return await self._ask(lambda desk: desk.proof(address))

    @contextmanager
    def paying_for(self, account: AccountId) -> Iterator[None]:
        """Let an account have the operator pay for a claim, as often in a day as a network's price bears; one that
        fails does not count.

        Raises:
            Refused: It was so often today: anybody can claim with the proof.
        """
        now_s, paid = time.monotonic(), self._paid_for.setdefault(account, [])
        paid[:] = [when_s for when_s in paid if now_s - when_s < DAY_S]
        if self.kind == "network" and len(paid) >= CLAIMS_A_DAY:
            raise Refused(
                "an account's claims are paid for a few times a day: its proof does as well", most=CLAIMS_A_DAY
            )
        paid.append(now_s)
        try:
            yield
        except BaseException:
            paid.remove(now_s)
            raise

    async def claim(self, address: Account) -> str:
        """Have the Vault pay what is due to an address, and return the transaction; raises as `ChainDesk.claim`."""
        told = await self._ask(lambda desk: desk.claim(address))
        await self._look()
        return told

    async def held(self, address: Account) -> Amounts:
        """Return what an address has of our tokens on the chain.

        Raises:
            Unreachable: The chain gives no answer, or is not open.
        """
        return await self._ask(lambda desk: desk.held(address))

    async def channels(self, addresses: Sequence[Account]) -> list[ChannelFact]:
        """Return the payment channels of addresses; raises as `held`."""
        return await self._ask(lambda desk: desk.channels.facts(addresses))

    async def with_channels(self, do: "Callable[[ChannelDesk], T]") -> T:
        """Have something done with channels on the chain's thread; raises as it does, and Unreachable."""
        return await self._ask(lambda desk: do(desk.channels))

    async def _round(self) -> None:
        if self._desk is None:
            await self._do(self._open)
        await self._look()
        await self._register()
        await self._ask(lambda desk: desk.keep_solvent())
        await self._credit()
        await self._look()

    async def _look(self) -> None:
        facts = await self._ask(lambda desk: desk.look())
        if facts != self.facts:
            self.facts = facts
            self.on_change()

    def _open(self) -> None:
        # Here, and not above: what executes contracts takes seconds to load, on this thread and not on the app's.
        from commonwatt.apps.chain_desk import ChainDesk  # noqa: PLC0415

        # Kept by this thread: whoever is stopped meanwhile hears nothing of it, and it is closed here all the same.
        self._desk = desk = ChainDesk(self._community.folder, self._community.name, self._terms)
        try:
            desk.serve()
        except OSError as error:
            _log.warning("wallets on this machine do not find the chain: %s", error)

    async def _register(self) -> None:
        """Let the log know the key that tells it of deposits, and the Vault: without it nothing can be sent out."""
        named = self._community.state.crossed.vault
        if named is None and not self._community.holds_key(OPERATOR):
            return
        key, vault = await self._ask(lambda desk: (desk.keys.desk, desk.vault))
        if named is not None and named != vault:
            raise Refused("a community has one Vault for ever", named=named.vault, chain_id=named.chain_id, found=vault)
        if named is not None:
            return
        done = await self._community.send(OPERATOR, Kind.REGISTER, desk_body(key, vault))
        if done.outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
            raise Refused("the log takes the chain's key", outcome=done.outcome.value)

    async def _credit(self) -> None:
        """Tell the log what the Vault took in, in the Vault's order."""
        crossed = self._community.state.crossed
        if self.facts is None or self.facts.deposits == crossed.count:
            return
        if self.facts.deposits < crossed.count:
            # A node that lags catches up; a chain that is older than the log, or another one, never does.
            raise Refused(
                "what the log credits stands on the chain", credited=crossed.count, deposits=self.facts.deposits
            )
        for body in await self._ask(lambda desk: desk.incoming(crossed.block)):
            if body.number < crossed.count:
                continue
            done = await self._community.send(CHAIN_DESK, Kind.TRANSFER, body)
            if done.outcome not in (Outcome.BOOKED, Outcome.ALREADY_THERE):
                raise Refused("what the Vault took in is credited", number=body.number, outcome=done.outcome.value)

    async def _ask(self, what: "Callable[[ChainDesk], T]") -> T:
        desk = self._desk
        if desk is None:
            raise Unreachable(f"the chain is not open: {self.trouble or 'it is being opened'}")
        return await self._do(partial(what, desk))

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _stumbled(self, error: Exception) -> None:
        foreseen = isinstance(error, (CommonwattError, OSError, sqlite3.Error))
        # Members read it: where the community rests on this machine is no affair of theirs.
        words = (str(error) or type(error).__name__).replace(str(self._community.folder), "the community's folder")
        self._say(words, None if foreseen else error)
        # After these, what is open knows less than what is on disk: it is opened anew.
        if isinstance(error, (Corrupt, OSError, sqlite3.Error, Unreachable)) or not foreseen:
            await self._do(self._close)

    def _close(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()

    def _say(self, trouble: str, error: Exception | None = None) -> None:
        if trouble == self.trouble:
            return
        if trouble:
            _log.warning("the chain is kept later: %s", trouble, exc_info=error)
        elif self.facts is not None:
            _log.info("the chain is kept, its head is block %s", self.facts.head.number)
        self.trouble = trouble
        self.on_change()
