"""Implements the port of chains on web3: asks a node, signs here, and says what is final."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3RPCError

from commonwatt.adapters.chains.evm import answers
from commonwatt.adapters.chains.evm.answers import asking
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.adapters.chains.evm.words import call_data, creation, returned, told_args, topics_of
from commonwatt.flows.chain_ports import (
    Abi,
    Account,
    Args,
    Block,
    Compiled,
    Contract,
    Event,
    Receipt,
    TransactionSigner,
    TxHash,
)
from commonwatt.identity.keys import keccak256
from commonwatt.model import Refused, Unreachable

GAS_MARGIN = 1.25
"""What is added to the gas that a try took: the state may be another when the transaction's turn comes."""
FEE_MARGIN = 2
"""Times the base fee that is paid at most: it can double in six full blocks."""
MOST_FEE = 10**12
"""Per gas, in the coin's smallest unit: a node that names more, by mistake or to have our coins, is not followed. Dear
days on Ethereum asked for a tenth of it."""
RAISE = 1.125
"""Times the price of what waits: nodes take no other in its place for less than a tenth more."""
_MOST_OUT = 1_000
"""Transactions of a key that are remembered as long as they may wait."""
_LOOK_EVERY_S = 0.2
_WAITS_S = 120.0
"""So long a transaction is thought to wait for a block where a node does not tell."""
_BLOCKS_OF_EVENTS = 2_000
"""Asked for at a time; many nodes refuse more."""


class EvmChain:
    """A chain behind web3: the embedded one, or any network's node.

    Args:
        web3: Speaks to the node; nothing is added to it, and no account of the node's is used.
        sleep: Waits so many seconds between two looks for a receipt.
    """

    def __init__(self, web3: Web3, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._eth = web3.eth
        self._sleep = sleep
        self._sent: dict[str, tuple[int, float, TxHash]] = {}
        self._out: defaultdict[str, dict[int, Transaction]] = defaultdict(dict)
        self._sending: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        with asking():
            self._chain_id = int(self._eth.chain_id)

    @property
    def chain_id(self) -> int:
        """The chain's number, as the node said when this was made."""
        return self._chain_id

    def head(self) -> Block:
        """Return the last block seen."""
        return self._block("latest")

    def final(self) -> Block:
        """Return the last block that the node calls finalized; the genesis block while it calls none so."""
        try:
            return self._block("finalized")
        except Refused:
            return self._block(0)

    def block(self, number: int) -> Block:
        """Return a block by its number, see `Chain.block`."""
        return self._block(number)

    def call(self, contract: Contract, function: str, args: Args = (), *, block: int | None = None) -> Any:
        """Ask a contract, see `Chain.call`."""
        asked = {"to": _checksum(contract.address), "data": HexBytes(call_data(contract.abi, function, args))}
        with asking():
            output = self._eth.call(asked, "latest" if block is None else block)  # type: ignore[arg-type]  # TxParams
        return returned(contract.abi, function, len(args), bytes(output))

    def send(
        self,
        key: TransactionSigner,
        contract: Contract,
        function: str,
        args: Args = (),
        *,
        value: int = 0,
        gas: int | None = None,
    ) -> TxHash:
        """Tell a contract to do something, see `Chain.send`."""
        to = bytes.fromhex(contract.address[2:])
        return self._send(key, to, call_data(contract.abi, function, args), value, gas)

    def deploy(self, key: TransactionSigner, compiled: Compiled, args: Args = (), *, gas: int | None = None) -> TxHash:
        """Put a contract on the chain, see `Chain.deploy`."""
        return self._send(key, b"", creation(compiled.abi, compiled.bytecode, args), 0, gas)

    def transfer(self, key: TransactionSigner, to: Account, value: int) -> TxHash:
        """Send coins of the chain itself, see `Chain.transfer`."""
        return self._send(key, bytes.fromhex(to[2:]), b"", value, None)

    def receipt(self, tx: TxHash, *, within_s: float = 0) -> Receipt | None:
        """Return what became of a transaction, see `Chain.receipt`."""
        looks = int(within_s / _LOOK_EVERY_S)
        for look in range(looks + 1):
            if look:
                self._sleep(_LOOK_EVERY_S)
            try:
                with asking():
                    found = answers.receipt(self._eth.get_transaction_receipt(HexBytes(tx)), tx)
                # From now on the node counts it. Should it take the block back, its number is the next one's again.
                self._sent = {key: sent for key, sent in self._sent.items() if sent[2] != tx}
                return found
            except TransactionNotFound:
                continue
        return None

    def told(self, contract: Contract, function: str, tx: TxHash) -> tuple[Any, ...] | None:
        """Return what a transaction told a contract's function, see `flows.auditing.ports.AuditedChain.told`."""
        try:
            with asking():
                found = self._eth.get_transaction(HexBytes(tx))
                to, data = str(found.get("to") or "").lower(), bytes(HexBytes(found["input"]))
        except TransactionNotFound:
            return None
        return told_args(contract.abi, function, data) if to == contract.address else None

    def events(
        self, contract: Contract, event: str, first: int, last: int, *, about: Mapping[str, Account] | None = None
    ) -> list[Event]:
        """Return the events of one name that a contract said, see `Chain.events`.

        Args:
            contract: Whose events.
            event: By name.
            first: The first block looked at.
            last: The last.
            about: Only those whose indexed argument of a name is this address; the node picks them.

        Raises:
            InvalidValue: Its interface has no such event, or that no such argument.
        """
        topics = [None if topic is None else HexBytes(topic) for topic in topics_of(contract.abi, event, about or {})]
        found: list[Event] = []
        for start in range(first, last + 1, _BLOCKS_OF_EVENTS):
            end = min(last, start + _BLOCKS_OF_EVENTS - 1)
            asked: dict[str, Any] = {
                "address": _checksum(contract.address),
                "topics": topics,
                "fromBlock": start,
                "toBlock": end,
            }
            with asking():
                logs = self._eth.get_logs(asked)  # type: ignore[arg-type]  # FilterParams
                found += [
                    answers.event(contract, event, log, start, end) for log in logs if not log.get("removed", False)
                ]
        return sorted(found, key=lambda event: (event.block, event.index))

    def code(self, account: Account) -> bytes:
        """Return the code that runs at an address."""
        with asking():
            return bytes(self._eth.get_code(_checksum(account)))

    def sent(self, account: Account) -> int:
        """Return how many transactions an account has sent, those that wait for a block among them."""
        with asking():
            return self._next(account)

    def waiting(self, account: Account) -> int:
        """Return how many transactions of an account were taken and stand in no block yet, as far as anybody tells."""
        with asking():
            mined = answers.count(self._eth.get_transaction_count(_checksum(account), "latest"))
            return max(0, self._next(account) - mined)

    def hurry(self, key: TransactionSigner) -> int:
        """Offer today's price for what waits for a block, see `Chain.hurry`."""
        with self._sending[key.id], asking():
            mined = answers.count(self._eth.get_transaction_count(_checksum(key.id), "latest"))
            out = self._out[key.id]
            for nonce in [nonce for nonce in out if nonce < mined]:
                del out[nonce]
            base, tip, _ = self._price()
            fee, count = min(FEE_MARGIN * base + tip, MOST_FEE), 0
            for nonce, waits in sorted(out.items()):
                if fee < waits.fee * RAISE:
                    continue  # what it offers is enough by now
                dearer = replace(waits, fee=fee, tip=min(fee, max(tip, int(waits.tip * RAISE) + 1)))
                self._eth.send_raw_transaction(HexBytes(signed(dearer, key)))
                out[nonce], count = dearer, count + 1
            return count

    def balance(self, account: Account) -> int:
        """Return what an account has of the chain's own coin."""
        with asking():
            return int(self._eth.get_balance(_checksum(account)))

    def prepare(
        self,
        sender: Account,
        to: Account,
        function: str = "",
        args: Args = (),
        *,
        abi: Abi = (),
        value: int = 0,
    ) -> Transaction:
        """Return what would be sent, so that whoever signs sees its number, its gas and its price before.

        Args:
            sender: Whose key is to sign.
            to: A contract that is told something, or whoever gets coins.
            function: What it is told, as in `Chain.send`; nothing where coins are sent.
            args: Its arguments.
            abi: The contract's interface.
            value: Coins of the chain to send along, in its smallest unit.

        Raises:
            Reverted, Refused, InvalidValue: As `Chain.send`.
        """
        data = call_data(abi, function, args) if function else b""
        return self._prepared(sender, bytes.fromhex(to[2:]), data, value, None)

    def submit(self, key: TransactionSigner, transaction: Transaction) -> TxHash:
        """Sign what was prepared, and return when the node has taken it.

        Raises:
            Refused: The node does not take it: its number was used meanwhile, or it pays less than blocks ask by now.
            Unreachable: It gives no answer, and may have taken it all the same; names the transaction.
        """
        raw = signed(transaction, key)
        try:
            with self._sending[key.id], asking():
                return self._hand_in(key, transaction, raw)
        except Unreachable as error:
            raise Unreachable(f"{error}; transaction 0x{keccak256(raw).hex()} may have been sent") from error

    def _send(self, key: TransactionSigner, to: bytes, data: bytes, value: int, gas: int | None) -> TxHash:
        # One at a time for a key, so that its numbers have no gap.
        with self._sending[key.id], asking():
            transaction = self._prepared(key.id, to, data, value, gas)
            return self._hand_in(key, transaction, signed(transaction, key))

    def _hand_in(self, key: TransactionSigner, transaction: Transaction, raw: bytes) -> TxHash:
        told, tx = bytes(self._eth.send_raw_transaction(HexBytes(raw))), keccak256(raw)
        self._sent[key.id] = transaction.nonce + 1, time.monotonic(), tx
        out = self._out[key.id]
        out[transaction.nonce] = transaction
        if len(out) > _MOST_OUT:
            del out[min(out)]
        if told != tx:
            # By that name it would be asked what became of somebody else's.
            raise Unreachable(f"the chain's node took 0x{tx.hex()} and calls it 0x{told[:32].hex()}")
        return tx

    def _prepared(self, account: Account, to: bytes, data: bytes, value: int, gas: int | None) -> Transaction:
        sender = _checksum(account)
        asked: dict[str, Any] = {"from": sender, "data": HexBytes(data), "value": value}
        if to:
            asked["to"] = _checksum("0x" + to.hex())
        with asking():
            if gas is None:
                # Not every node tells a refusal when it is asked for gas.
                self._eth.call(asked)  # type: ignore[arg-type]  # TxParams
                gas = int(self._eth.estimate_gas(asked) * GAS_MARGIN)  # type: ignore[arg-type]  # TxParams
            base, tip, gas_limit = self._price()
            return Transaction(
                chain_id=self._chain_id,
                nonce=self._next(account),
                tip=tip,
                fee=min(FEE_MARGIN * base + tip, MOST_FEE),
                gas=min(gas, gas_limit),
                to=to,
                value=value,
                data=data,
            )

    def _price(self) -> tuple[int, int, int]:
        """Return what a block asks for per gas, base fee and tip, and how much gas fits into one."""
        try:
            latest = self._eth.get_block("latest")
        except BlockNotFound as error:
            raise Unreachable("the chain's node has no last block") from error
        base, price = answers.count(latest["baseFeePerGas"]), answers.count(self._eth.gas_price)
        # Every node tells both together; not all know eth_maxPriorityFeePerGas.
        tip = max(0, price - base)
        if base + tip > MOST_FEE:
            raise Refused("the chain's node asks for a price that nobody pays", most=MOST_FEE, found=base + tip)
        return base, tip, answers.count(latest["gasLimit"])

    def _next(self, account: Account) -> int:
        """Return the number of an account's next transaction."""
        sender = _checksum(account)
        try:
            told = answers.count(self._eth.get_transaction_count(sender, "pending"))
        except Web3RPCError:
            told = answers.count(self._eth.get_transaction_count(sender, "latest"))
        # Some nodes do not count what waits for a block, and say nothing of it: what was sent here is counted here.
        # After a while they have dropped it, or it stands in a block.
        mine, when, _ = self._sent.get(account, (0, 0.0, b""))
        return max(told, mine) if time.monotonic() - when < _WAITS_S else told

    def _block(self, which: Any) -> Block:
        try:
            with asking():
                return answers.block(self._eth.get_block(which), which if isinstance(which, int) else None)
        except BlockNotFound as error:
            raise Refused("there is no such block yet", found=which) from error


def _checksum(account: Account) -> Any:
    return Web3.to_checksum_address(account)
