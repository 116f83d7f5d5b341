"""Payment channels of members whose keys a community keeps: shown, opened and ended by its desk at the chain.

A member's own wallet does the same without it, see `commonwatt.apps.channeling`.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commonwatt.adapters.chains.deployment import WITHIN_S, Deployment
from commonwatt.adapters.chains.evm.chain import EvmChain
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.apps.chain_facts import ChannelFact
from commonwatt.apps.tilling import HELD, read_till
from commonwatt.flows.chain_ports import Account, Event, TransactionSigner, TxHash
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.terms import Terms
from commonwatt.identity.keys import SigningKey
from commonwatt.model import Corrupt, Refused
from commonwatt.tokens.channel import Config, Payee, Standing

TILL = "channels.toml"
"""In the community's folder, as `commonwatt accept --channels` takes it: whom channels pay here."""
PERMIT_S = 3_600
_NAMES = ("Ergon", "Watt", "Tsl")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSent:
    """Which channel, and by which transaction, 64 hex digits each."""

    channel: str
    tx: str


@dataclass(frozen=True, slots=True)
class ChannelDesk:
    """Of the thread of the chain.

    Args:
        chain: The chain.
        deployment: Its contracts.
        folder: The community's.
        payee: The operator's key that channels here pay, as a rule.
        now_s: The chain's time, seconds since 1970.
    """

    chain: EvmChain
    deployment: Deployment
    folder: Path
    payee: SigningKey
    now_s: Callable[[], int]

    @property
    def book(self) -> Channels:
        """The contract."""
        return Channels(self.chain, self.deployment.contract("Channel"))

    def terms(self) -> Terms | None:
        """Return what a channel has to be for the community's till; None where it has none.

        Raises:
            InvalidValue: Its file says no such thing.
            Refused: It is on another contract, or takes another token, than the community's own.
        """
        path = self.folder / TILL
        if not path.exists():
            return None
        told, places = read_till(path), self.deployment.contracts
        if (told.contract, told.token) != (places["Channel"], places["Ergon"]):
            raise Refused("a community's till takes its own ERGON", contract=told.contract, token=told.token)
        return Terms(
            community=self.deployment.origin,
            chain_id=self.chain.chain_id,
            contract=told.contract,
            payee=told.payee,
            token=told.token,
            least_delay_s=told.least_delay_s,
        )

    def facts(self, addresses: Sequence[Account]) -> list[ChannelFact]:
        """Return the payment channels that addresses pay or are paid by, in final blocks, the oldest first.

        Raises:
            Unreachable: The chain gives no answer.
        """
        found = dict[str, Event]()
        for mine in addresses:
            for side in ("payer", "payee"):
                for event in self._opened(side, mine):
                    found[event.values["channel"].hex()] = event
        return [self._fact(event, self.book.final(id_)) for id_, event in found.items()]

    def next_number(self, terms: Terms, payer: Account, account: str) -> int:
        """Return the first number that no channel of a payer's for an account has, as far as final blocks tell.

        Raises:
            Unreachable: The chain gives no answer.
        """
        taken = {int.from_bytes(event.values["salt"]) for event in self._opened("payer", payer)}
        numbers = range(len(taken) + 1)
        return next(number for number in numbers if terms.config(payer, payer, account, number).salt not in taken)

    def open(
        self, key: TransactionSigner, account: str, amount: int, signer: Account | None, number: int
    ) -> ChannelSent:
        """Open a channel from a member's address to the community's till: deposit and permit in one transaction.

        Args:
            key: The member's.
            account: For whom it pays.
            amount: Base units of ERGON.
            signer: Whose key signs vouchers; the member's where none is named.
            number: Which of the member's channels it is: whoever asks twice, for want of an answer, opens one.

        Raises:
            Reverted: The contract says no: too little is held.
            Refused: It was opened before, there is no till, or the chain does not take it.
            Unreachable: The chain gives no answer.
        """
        terms = self.terms()
        if terms is None:
            raise Refused("a channel pays a till, and this community has none", missing=TILL)
        ergon, until_s = self.deployment.contract("Ergon"), self.now_s() + PERMIT_S
        config = terms.config(key.id, signer or key.id, account, number)
        standing = self.book.seen(self.book.id(config))
        if standing.deposit or standing.closed:
            raise Refused("a channel is opened once: the next one has another number", number=number)
        return self._done(config, self.book.deposit_by_permit(key, config, amount, ergon, until_s))

    def withdraw(self, key: TransactionSigner, channel: str) -> ChannelSent:
        """Begin to take back what a payer does not owe; raises as `open`, and Refused where it is not the key's."""
        config = self._config(key, channel)
        return self._done(config, self.book.withdraw(key, config))

    def finish(self, key: TransactionSigner, channel: str) -> ChannelSent:
        """End a channel whose withdrawal has waited long enough; raises as `withdraw`."""
        config = self._config(key, channel)
        return self._done(config, self.book.finish(key, config))

    def close(self, payer: Account, channel: str) -> ChannelSent:
        """End a channel by its payee, with the last voucher that its till holds; raises as `withdraw`.

        Args:
            payer: Who asks for it.
            channel: Which.
        """
        config = self._config_of(payer, channel)
        if not self._is_ours(config.payee):
            raise Refused("a channel is closed by its payee, whose key is not kept here", payee=config.payee)
        held = self._held(channel)
        return self._done(config, self.book.close(self.payee, config, held.voucher if held else None))

    def _config(self, key: TransactionSigner, channel: str) -> Config:
        return self._config_of(key.id, channel)

    def _config_of(self, payer: Account, channel: str) -> Config:
        for event in self._opened("payer", payer):
            if event.values["channel"].hex() == channel:
                told = event.values
                parties = {name: told[name] for name in ("payer", "signer", "payee", "token")}
                return Config(**parties, delay_s=told["delay_s"], salt=int.from_bytes(told["salt"]))
        raise Refused("a channel is one that this account pays", channel=channel)

    def _opened(self, side: str, who: Account) -> list[Event]:
        first, final = self.deployment.block + 1, self.chain.final().number
        return self.chain.events(self.book.contract, "Opened", first, final, about={side: who})

    def _held(self, channel: str) -> Payee | None:
        path = self.folder / HELD
        if not path.exists():
            return None
        with HeldFile(path) as held:
            return held.of(channel)

    def _is_ours(self, payee: Account) -> bool:
        # Where the till's file is not here, its vouchers are not either, and a close without them gives all back.
        return payee == self.payee.id and (self.folder / TILL).exists()

    def _done(self, config: Config, tx: TxHash) -> ChannelSent:
        receipt = self.chain.receipt(tx, within_s=WITHIN_S)
        if receipt is None or not receipt.ok:
            raise Refused("a channel's transaction is done", tx=tx.hex(), receipt=receipt)
        return ChannelSent(channel=self.book.id(config), tx=tx.hex())

    def _fact(self, event: Event, standing: Standing) -> ChannelFact:
        told: Any = event.values
        held, readable = None, True
        try:
            held = self._held(told["channel"].hex())
        except (Corrupt, Refused, OSError, sqlite3.Error):
            readable = False  # a till's trouble keeps no payer from their own; nothing is closed without its vouchers
        tokens = {self.deployment.contracts[name]: name for name in _NAMES}
        return ChannelFact(
            channel=told["channel"].hex(),
            payer=told["payer"],
            payee=told["payee"],
            signer=told["signer"],
            token=tokens.get(told["token"], told["token"]),
            deposit=standing.deposit,
            claimed=standing.claimed,
            vouchers=held.total if held else 0,
            finish_at_s=standing.finish_at_s,
            can_finish=0 < standing.finish_at_s <= self.now_s() and not standing.closed,
            closed=standing.closed,
            can_close=readable and not standing.closed and self._is_ours(told["payee"]),
        )
