"""A chain with a token and the contract of channels, and who meets there: payer, signer, payee, stranger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commonwatt.adapters.chains.contracts.artifact import artifact
from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis
from commonwatt.adapters.chains.rpc import embedded
from commonwatt.flows.chain_ports import Compiled, Contract, Receipt, TxHash, deployed
from commonwatt.flows.channels.contract import Channels
from commonwatt.identity.keys import SigningKey
from commonwatt.tokens.channel import Config, Voucher

BEGAN_S = 1_750_000_000
DEPOSIT = 1_000
DELAY_S = 3_600


def key(who: str) -> SigningKey:
    return SigningKey.from_seed(b"channels", who)


PAYER, SIGNER, PAYEE, STRANGER, GUARDIAN = (key(who) for who in ("payer", "signer", "payee", "stranger", "guardian"))


class Hall:
    """Everybody, on one chain; a block a transaction, and a clock that a test moves."""

    def __init__(self, chain_id: int = 1, token: Compiled | None = None, folder: Path | None = None) -> None:
        self.now_s = BEGAN_S
        genesis = Genesis(chain_id=chain_id, time_s=BEGAN_S, balances={PAYER.id: 10**18})
        self.inside = EmbeddedChain(folder, genesis, clock=lambda: self.now_s)
        self.chain = embedded(self.inside)
        self.timelock = self.deploy(artifact("Timelock"), [3_600, PAYER.id, GUARDIAN.id])
        self.token = self.deploy(token or artifact("Tsl"), [PAYER.id])
        self.channels = Channels(self.chain, self.deploy(artifact("Channel"), [self.timelock.address]))

    @property
    def next_s(self) -> int:
        """The time of the next block."""
        return max(self.now_s, self.inside.head.timestamp + 1)

    def deploy(self, compiled: Compiled, args: Sequence[Any] = ()) -> Contract:
        return deployed(self.chain.receipt(self.chain.deploy(STRANGER, compiled, args)), compiled)

    def done(self, tx: TxHash) -> Receipt:
        """Return a transaction's receipt; it did what it was sent for."""
        receipt = self.chain.receipt(tx)
        assert receipt is not None and receipt.ok
        return receipt

    def approve(self, amount: int = 10**15, who: SigningKey = PAYER) -> None:
        self.done(self.chain.send(who, self.token, "approve", [self.channels.contract.address, amount]))

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
        account = who if isinstance(who, str) else who.id
        return int(self.chain.call(self.token, "balanceOf", [account]))

    def said(self, receipt: Receipt, event: str) -> list[dict[str, Any]]:
        """Return what the contract of channels said in a transaction, under one name."""
        events = self.chain.events(self.channels.contract, event, receipt.block, receipt.block)
        return [dict(one.values) for one in events if one.tx == receipt.tx]
