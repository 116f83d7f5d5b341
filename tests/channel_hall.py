"""A chain with a token and the contract of channels, and who meets there: payer, signer, payee, stranger."""

from pathlib import Path
from typing import Any

from commonwatt.adapters.chains.contracts.artifact import artifact
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.flows.chain_ports import Compiled, Receipt, TxHash
from commonwatt.flows.channels.contract import Channels
from commonwatt.identity.keys import SigningKey
from commonwatt.tokens.channel import Config, Voucher
from on_chain import COINS, Ground, HandClock

BEGAN_S = 1_750_000_000
DEPOSIT = 1_000
DELAY_S = 3_600


def key(who: str) -> SigningKey:
    return SigningKey.from_seed(b"channels", who)


PAYER, SIGNER, PAYEE, STRANGER, GUARDIAN = (key(who) for who in ("payer", "signer", "payee", "stranger", "guardian"))


class Hall(Ground):
    """Everybody, on one chain; a block a transaction, and a clock that a test moves."""

    def __init__(self, chain_id: int = 1, token: Compiled | None = None, folder: Path | None = None) -> None:
        genesis = Genesis(chain_id=chain_id, time_s=BEGAN_S, balances={PAYER.id: COINS})
        super().__init__(folder, genesis, HandClock(BEGAN_S))
        self.timelock = self.put(artifact("Timelock"), 3_600, PAYER.id, GUARDIAN.id)
        self.token = self.put(token or artifact("Tsl"), PAYER.id)
        self.channels = Channels(self.chain, self.put(artifact("Channel"), self.timelock.address))

    @property
    def next_s(self) -> int:
        """The time of the next block."""
        return max(self.clock.now_s, self.embedded.head.timestamp + 1)

    def done(self, tx: TxHash) -> Receipt:
        """Return a transaction's receipt; it did what it was sent for."""
        receipt = self.chain.receipt(tx)
        assert receipt is not None and receipt.ok
        return receipt

    def approve(self, amount: int = 10**15) -> None:
        """Let the contract of channels take so much of the payer's."""
        self.tell(PAYER, self.token, "approve", self.channels.contract.address, amount)

    def config(self, salt: int = 0, **other: Any) -> Config:
        told: dict[str, Any] = {"payer": PAYER.id, "signer": SIGNER.id, "payee": PAYEE.id, "token": self.token.address}
        return Config(**({**told, "delay_s": DELAY_S, "salt": salt} | other))

    def opened(self, amount: int = DEPOSIT, salt: int = 0, **other: Any) -> Config:
        """Open a channel; the allowance is there."""
        config = self.config(salt, **other)
        self.done(self.channels.deposit(PAYER, config, amount))
        return config

    def voucher(self, config: Config, total: int, by: SigningKey = SIGNER) -> Voucher:
        return self.channels.sign(by, self.channels.id(config), total)

    def holds(self, who: SigningKey | str) -> int:
        return int(self.ask(self.token, "balanceOf", who if isinstance(who, str) else who.id))

    def said(self, receipt: Receipt, event: str) -> list[dict[str, Any]]:
        """Return what the contract of channels said in a transaction, under one name."""
        events = self.chain.events(self.channels.contract, event, receipt.block, receipt.block)
        return [dict(one.values) for one in events if one.tx == receipt.tx]
