"""A payee's side of channels from its folder: what is held, claimed in batches, closed, and watched over."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.apps.chain_wallet import ChainWallet, Offer
from commonwatt.apps.channeling import state_of
from commonwatt.apps.tilling import HELD
from commonwatt.flows.chain_ports import TransactionSigner
from commonwatt.flows.channels.claiming import BATCH, Progress, claim_all
from commonwatt.flows.channels.contract import Channels, config_parts
from commonwatt.flows.channels.watchtower import Watchtower, Withdrawal
from commonwatt.model import Corrupt, KeyId, Refused, Unreachable
from commonwatt.tokens.channel import Payee

_MANY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A channel as its payee holds it, base units.

    Args:
        channel: Its id.
        account: For whom it pays.
        payer: Who deposited.
        payee: Who is paid.
        state: In a word, see `commonwatt.apps.channeling.state_of`.
        total: What the best voucher is of.
        credited: What of it stands on the account.
        deposit: What is deposited, as last seen.
        claimed: What was claimed of it.
        owed: What a claim would pay now.
        finish_at_s: From when on the payer can take back the rest; 0 where that was not begun.
    """

    channel: str
    account: str
    payer: str
    payee: str
    state: str
    total: int
    credited: int
    deposit: int
    claimed: int
    owed: int
    finish_at_s: int


@dataclass(frozen=True, slots=True)
class PayeeDesk:
    """What a payee holds, and the contract.

    Args:
        held: Vouchers.
        here: The chain, and who is called how there.
    """

    held: HeldFile
    here: ChainWallet

    @property
    def channels(self) -> Channels:
        """The contract."""
        return Channels(self.here.chain, self.here.deployment.contract("Channel"))

    def holdings(self, now_s: int) -> Iterator[Holding]:
        """Yield every channel that is held, by id.

        Raises:
            Unreachable: The chain gives no answer.
            Corrupt: What is held is damaged, or of another contract.
        """
        last = ""
        while some := self.held.after(last, _MANY):
            last = some[-1].channel
            for one, seen in zip(some, self.channels.seen_of([one.channel for one in some]), strict=True):
                self._own(one)
                yield Holding(
                    channel=one.channel,
                    account=one.account,
                    payer=one.config.payer,
                    payee=one.config.payee,
                    state=state_of(seen, now_s),
                    total=one.total,
                    credited=one.credited,
                    deposit=seen.deposit,
                    claimed=seen.claimed,
                    owed=seen.owed(one.voucher),
                    finish_at_s=seen.finish_at_s,
                )

    def find(self, begins: str) -> Payee:
        """Return what is held of the channel whose id begins so.

        Raises:
            Refused: Nothing is held of one, or of several.
        """
        begins = begins.lower().removeprefix("0x")
        found = [one for one in self.held.after(begins, 2) if one.channel.startswith(begins)]
        if (exact := self.held.of(begins)) is not None:
            found = [exact]
        if len(found) != 1 or not begins:
            raise Refused("vouchers are held of one channel whose id begins so", begins=begins[:64], found=len(found))
        return self._own(found[0])

    def offer_close(self, one: Payee, source: KeyId, what: str) -> Offer:
        """Return the transaction that ends a channel with the last voucher and pays out both sides.

        Raises:
            Refused: The key is not the payee's.
            Reverted: The channel is not open.
        """
        if source != one.config.payee:
            raise Refused("the payee closes a channel", payee=one.config.payee, key=source)
        total, halves = 0, (bytes(32), bytes(32))
        if one.voucher is not None:
            signature = bytes.fromhex(one.voucher.signature)
            total, halves = one.voucher.total, (signature[:32], signature[32:])
        contract = self.channels.contract
        told = [config_parts(one.config), total, *halves]
        made = self.here.chain.prepare(source, contract.address, "close", told, abi=contract.abi)
        return Offer(
            what=what, source=self.here.party(source), target=self.here.party(contract.address), transaction=made
        )

    def claim(self, key: TransactionSigner, batch: int = BATCH) -> Iterator[Progress]:
        """Claim what every channel owes, a batch at a time; raises as `claim_all`."""
        for one in self.held.after("", 1):
            self._own(one)
        return claim_all(self.channels, self.held, key, batch)

    def watch(
        self, key: TransactionSigner, every_s: float, stop: threading.Event, word: Callable[[str], None]
    ) -> list[Withdrawal]:
        """Look at withdrawals until told to stop, claim what is at risk, and return the last look.

        What breaks is said, and looked at again.

        Raises:
            Refused: No vouchers are held, so that nobody knows who is the payee.
        """
        first = self.held.after("", 1)
        if not first:
            raise Refused("a watchtower watches over vouchers that are held", found=0)
        tower = Watchtower(self.channels, self.held, self._own(first[0]).config.payee, key)
        found, known = list[Withdrawal](), set[str]()
        while True:
            try:
                found = tower.look()
                for one in found:
                    if one.channel not in known:
                        word(f"a payer withdraws from channel {one.channel}: {one.owed} micro are claimed")
                known = {one.channel for one in found}
            except (Unreachable, Refused, OSError) as error:
                word(f"nobody watches over vouchers now: {error}")
            if stop.wait(every_s):
                return found

    def _own(self, one: Payee) -> Payee:
        if self.channels.id(one.config) != one.channel:
            raise Corrupt(f"vouchers of channel {one.channel} are of another chain or contract than this folder's")
        return one


@contextmanager
def payee_desk(folder: Path, here: ChainWallet) -> Iterator[PayeeDesk]:
    """Open what a community's folder holds of channels, as long as the block runs; its till may go on meanwhile.

    Raises:
        Refused: No till ever took a voucher there.
        Corrupt: What is held is damaged.
    """
    if not (folder / HELD).exists():
        raise Refused("a community's folder holds vouchers once its till took one", folder=folder)
    with HeldFile(folder / HELD) as held:
        yield PayeeDesk(held, here)


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """Give an event that is set once somebody interrupts or ends the process."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
