"""Machines that run transactions, alike to look at: py-evm, by which the embedded chain runs, and revm as an oracle."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyrevm
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.shanghai import ShanghaiVM
from eth.vm.forks.shanghai.state import ShanghaiState
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address

from commonwatt.adapters.chains.contracts.artifact import Fork
from commonwatt.kernels.depth import bound_depth

bound_depth()
CHAIN_ID = 7
PRICE = 10**9
GAS = 4_000_000
START_S = 1_800_000_000
Log = tuple[bytes, tuple[bytes, ...], bytes]
"""Address, topics, data."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a transaction; the answer is what was returned, or the data of a revert."""

    succeeded: bool
    answer: bytes
    logs: tuple[Log, ...]
    gas: int
    created: bytes


class Machine(Protocol):
    """What the tests ask of an EVM; addresses are 20 bytes."""

    def at(self, now_s: int) -> None: ...

    def send(self, sender: bytes, to: bytes, data: bytes) -> Told: ...

    def slot(self, address: bytes, slot: int) -> int: ...


class PyEvm:
    """The EVM of the embedded chain, in memory; it notes which storage was written."""

    def __init__(self, accounts: tuple[bytes, ...], fork: Fork = "cancun", chain_id: int = CHAIN_ID) -> None:
        states = {"cancun": (CancunVM, CancunState), "shanghai": (ShanghaiVM, ShanghaiState)}
        vm_class, state_class = states[fork]
        self.written: set[tuple[bytes, int]] = set()
        machine = self

        class Watched(state_class):  # type: ignore[misc, valid-type]  # chosen by fork
            @property
            def timestamp(self) -> int:
                return machine.now_s

            def set_storage(self, address: bytes, slot: int, value: int) -> None:
                machine.written.add((address, slot))
                super().set_storage(address, slot, value)

        self.now_s = START_S
        vm = vm_class.configure("WatchedVM", _state_class=Watched)
        chain = MiningChain.configure("Watching", vm_configuration=((0, vm),), chain_id=chain_id)
        rich: Any = {who: {"balance": 10**30, "nonce": 0, "code": b"", "storage": {}} for who in accounts}
        genesis: Any = {"difficulty": 0, "gas_limit": 100_000_000, "timestamp": 0, "base_fee_per_gas": PRICE}
        self._vm = chain.from_genesis(AtomicDB(), genesis, rich).get_vm()
        self._state: Any = self._vm.state

    def at(self, now_s: int) -> None:
        self.now_s = now_s

    def send(self, sender: bytes, to: bytes, data: bytes) -> Told:
        told = self._run(sender, to, data)
        self._state.lock_changes()
        return told

    def ask(self, to: bytes, data: bytes, sender: bytes) -> Told:
        """Run a transaction that leaves nothing behind."""
        before, written = self._state.snapshot(), set(self.written)
        told = self._run(sender, to, data)
        self._state.revert(before)
        self.written = written
        return told

    def slot(self, address: bytes, slot: int) -> int:
        found: int = self._state.get_storage(address, slot)
        return found

    def code(self, address: bytes) -> bytes:
        """Return what runs at an address."""
        return bytes(self._state.get_code(address))

    def _run(self, sender: bytes, to: bytes, data: bytes) -> Told:
        transaction = self._vm.create_unsigned_transaction(
            nonce=self._state.get_nonce(sender), gas_price=PRICE, gas=GAS, to=Address(to), value=0, data=data
        )
        unsigned = SpoofTransaction(transaction, from_=sender)
        done = self._state.apply_transaction(unsigned)
        used = GAS - done.get_gas_remaining()
        logs = tuple(
            (address, tuple(topic.to_bytes(32) for topic in topics), data)
            for address, topics, data in (done.get_log_entries() if done.is_success else ())
        )
        refund = min(done.get_gas_refund(), used // 5) if done.is_success else 0
        created = done.msg.storage_address if not to and done.is_success else b""
        return Told(done.is_success, b"" if created else done.output, logs, used - refund, created)


class Revm:
    """Another EVM, in Rust. It keeps what one transaction warmed for the next, so its gas is not to be believed.

    It does not count calls among a sender's transactions: addresses are right only where who deploys does nothing else.
    """

    def __init__(self, accounts: tuple[bytes, ...], fork: Fork = "cancun", chain_id: int = CHAIN_ID) -> None:
        self._evm = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id)), spec_id=fork.upper())
        self.at(START_S)
        for who in accounts:
            self._evm.set_balance(_hex(who), 10**30)

    def at(self, now_s: int) -> None:
        block = pyrevm.BlockEnv(number=1, timestamp=now_s, gas_limit=100_000_000, basefee=PRICE)
        self._evm.set_block_env(block)

    def send(self, sender: bytes, to: bytes, data: bytes) -> Told:
        created, answer = b"", b""
        try:
            if to:
                answer = self._evm.message_call(_hex(sender), _hex(to), data, gas=GAS, gas_price=PRICE)
            else:
                deploy: Any = self._evm.deploy  # its stub knows of no price
                created = bytes.fromhex(deploy(_hex(sender), data, gas=GAS, gas_price=PRICE)[2:])
        except RuntimeError as refused:
            answer = _reverted_with(str(refused))
        done = self._evm.result
        assert done is not None
        logs = tuple(
            (bytes.fromhex(log.address[2:]), tuple(bytes.fromhex(topic[2:]) for topic in log.topics), log.data[1])
            for log in (done.logs if done.is_success else ())
        )
        return Told(done.is_success, answer, logs, done.gas_used, created)

    def slot(self, address: bytes, slot: int) -> int:
        return self._evm.storage(_hex(address), slot)


def _hex(address: bytes) -> str:
    return "0x" + address.hex()


def _reverted_with(words: str) -> bytes:
    """Return the data of a revert, which pyrevm tells only in words: ``Revert { gas_used: 1, output: 0x }``."""
    output = words.partition("output: 0x")[2]
    return bytes.fromhex(output.split(" ")[0].split("}")[0]) if output else b""


class Alike:
    """Several machines that have to tell the same: status, answer, logs, the address of what is created, and storage.

    Args:
        first: py-evm, which knows what storage is written.
        others: What is compared with it.
        gas: Whether gas is compared, too.
    """

    def __init__(self, first: PyEvm, *others: Machine, gas: bool = False) -> None:
        self._first, self._others, self._gas = first, others, gas
        self.slots: set[tuple[bytes, int]] = set()
        """All that were ever written."""

    def at(self, now_s: int) -> None:
        for machine in (self._first, *self._others):
            machine.at(now_s)

    def send(self, sender: bytes, to: bytes, data: bytes) -> Told:
        self._first.written.clear()
        told = self._first.send(sender, to, data)
        for other in self._others:
            found = other.send(sender, to, data)
            alike = found if self._gas else replace(found, gas=told.gas)
            assert alike == told, (sender.hex(), to.hex(), data[:100].hex())
            self.compare(other, self._first.written)
        self.slots |= self._first.written
        return told

    def ask(self, to: bytes, data: bytes, sender: bytes) -> Told:
        """Ask the first alone."""
        return self._first.ask(to, data, sender)

    def compare(self, other: Machine, slots: set[tuple[bytes, int]]) -> None:
        """Compare what storage holds."""
        for place, slot in slots:
            assert other.slot(place, slot) == self._first.slot(place, slot), (place.hex(), slot)

    def compare_all(self) -> None:
        """Compare all that was ever written."""
        for other in self._others:
            self.compare(other, self.slots)
