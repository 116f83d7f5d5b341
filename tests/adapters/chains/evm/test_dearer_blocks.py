"""Blocks become dearer while a transaction waits: it goes in at the price of then, under whatever name."""

from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from channel_hall import PAYEE, PAYER, SIGNER, Hall
from commonwatt.adapters.chains.embedded.methods import Methods, RpcError
from commonwatt.adapters.chains.embedded.rules import read_tx
from commonwatt.adapters.chains.evm.chain import MOST_FEE, EvmChain
from commonwatt.adapters.stores.vouchers import HeldFile
from commonwatt.flows.chain_ports import Contract
from commonwatt.flows.channels.contract import Channels
from commonwatt.flows.channels.watchtower import AGAIN_AFTER_BLOCKS, Watchtower
from commonwatt.identity.keys import keccak256
from commonwatt.model import Refused
from commonwatt.tokens.channel import Payee
from on_chain import ALICE, Ground, probe

pytestmark = pytest.mark.row("H3")
PROBE, GWEI = probe(), 10**9


class Market(BaseProvider):
    """A node whose blocks have a price: what offers less waits, and gives way to what offers a tenth more."""

    def __init__(self, chain: Any) -> None:
        super().__init__()
        self._chain, self._methods = chain, Methods(chain)
        self.base, self.waits = GWEI, dict[tuple[bytes, int], Any]()

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        try:
            return {"jsonrpc": "2.0", "id": 0, "result": self._answer(method, params)}
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": 0, "error": error.told}  # type: ignore[typeddict-item]  # lacks data

    def pack(self) -> None:
        """Put into blocks what offers enough, each sender's in order."""
        for place in sorted(self.waits):
            tx = self.waits[place]
            if tx.max_fee_per_gas >= self.base and tx.nonce == self._chain.nonce(place[0]):
                self._chain.take(self.waits.pop(place).encode())

    def _answer(self, method: str, params: Any) -> Any:
        if method == "eth_gasPrice":
            return hex(self.base + 7)
        if method == "eth_sendRawTransaction":
            return self._taken(bytes.fromhex(params[0][2:]) if isinstance(params[0], str) else bytes(params[0]))
        told = self._methods.answer(method, params)
        if method == "eth_getBlockByNumber" and told:
            return told | {"baseFeePerGas": hex(self.base)}
        if method == "eth_getTransactionCount" and params[1] == "pending":
            return hex(int(told, 16) + sum(who.hex() == params[0][2:].lower() for who, _ in self.waits))
        return told

    def _taken(self, raw: bytes) -> str:
        tx = read_tx(raw, self._chain.chain_id)
        place = bytes(tx.sender), tx.nonce
        if (old := self.waits.get(place)) is not None:
            enough = tx.max_fee_per_gas * 10 >= old.max_fee_per_gas * 11
            if not enough or tx.max_priority_fee_per_gas * 10 < old.max_priority_fee_per_gas * 11:
                raise RpcError(-32000, "replacement transaction underpriced")
        self.waits[place] = tx
        return "0x" + keccak256(raw).hex()


def test_what_offered_too_little_goes_in_at_the_price_of_now() -> None:
    ground = Ground()
    market = Market(ground.embedded)
    chain = EvmChain(Web3(market), sleep=lambda seconds: None)
    tx = chain.deploy(ALICE, PROBE, (0,))
    market.pack()
    receipt = chain.receipt(tx)
    assert receipt is not None and receipt.contract is not None
    place = Contract(receipt.contract, PROBE.abi)
    for number in (5, 6, 7):
        chain.send(ALICE, place, "add", (number,), gas=100_000)
    market.base *= 10
    market.pack()
    assert (chain.waiting(ALICE.id), chain.call(place, "total")) == (3, 0)
    assert chain.hurry(ALICE) == 3
    assert chain.hurry(ALICE) == 0, "it offers enough"
    market.pack()
    assert (chain.waiting(ALICE.id), chain.hurry(ALICE), chain.call(place, "total")) == (0, 0, 18)
    chain.send(ALICE, place, "add", (1,), gas=100_000)
    market.base = MOST_FEE + 1
    with pytest.raises(Refused, match="nobody pays"):
        chain.hurry(ALICE)


def test_a_watchtowers_claim_does_not_wait_until_the_payer_is_gone(tmp_path: Path) -> None:
    hall = Hall()
    hall.approve()
    config = hall.opened()
    channel = hall.channels.id(config)
    market = Market(hall.embedded)
    over = Channels(EvmChain(Web3(market), sleep=lambda seconds: None), hall.channels.contract)
    with HeldFile(tmp_path / "held.sqlite") as held:
        held.keep(
            Payee(config=config, channel=channel, account="anna", voucher=hall.channels.sign(SIGNER, channel, 700))
        )
        hall.done(hall.channels.withdraw(PAYER, config))
        tower = Watchtower(over, held, PAYEE.id, PAYER)
        tower.look()
        market.base *= 10
        market.pack()
        assert hall.holds(PAYEE) == 0
        for _ in range(AGAIN_AFTER_BLOCKS):
            hall.embedded.make_empty_block()
        tower.look()
        market.pack()
    assert hall.holds(PAYEE) == 700
