"""The embedded chain as a machine that transactions are run on, each in a block of its own."""

from contract_yard import KEYS, WHO
from evm_machines import CHAIN_ID, GAS, START_S, Told

from commonwatt.adapters.chains.embedded.chain import EmbeddedChain
from commonwatt.adapters.chains.embedded.rules import Genesis, Message
from commonwatt.adapters.chains.evm.signing import Transaction, signed
from commonwatt.identity.keys import SigningKey

SIGNERS = {WHO[name]: SigningKey(key.secret) for name, key in KEYS.items()}


class Embedded:
    """A chain in memory. No two of its blocks have one time, so time has to go on before each transaction."""

    def __init__(self, chain_id: int = CHAIN_ID) -> None:
        self._now_s = START_S
        self._chain_id = chain_id
        rich = {"0x" + who.hex(): 10**30 for who in WHO.values()}
        genesis = Genesis(chain_id=chain_id, time_s=START_S - 1, balances=rich)
        self.chain = EmbeddedChain(None, genesis, clock=lambda: self._now_s)

    def at(self, now_s: int) -> None:
        self._now_s = now_s

    def send(self, sender: bytes, to: bytes, data: bytes) -> Told:
        tried = self.ask(to, data, sender)
        assert self._now_s > self.chain.head.timestamp
        sent = Transaction(chain_id=self._chain_id, nonce=self.chain.nonce(sender), gas=GAS, to=to, data=data)
        self.chain.take(signed(sent, SIGNERS[sender]))
        block = self.chain.block(self.chain.head.block_number)
        assert block is not None
        (receipt,) = block.receipts
        logs = tuple(
            (bytes(log.address), tuple(topic.to_bytes(32) for topic in log.topics), log.data) for log in receipt.logs
        )
        # A receipt tells neither what was answered nor why it was refused; what was tried just before does.
        return Told(receipt.state_root == b"\x01", tried.answer, logs, receipt.gas_used, tried.created)

    def ask(self, to: bytes, data: bytes, sender: bytes) -> Told:
        """Try a transaction that leaves nothing behind."""
        done = self.chain.run(Message(sender=sender, to=to, data=data, gas=GAS))
        created = bytes(done.msg.storage_address) if not to and done.is_success else b""
        return Told(done.is_success, b"" if created else done.output, (), 0, created)

    def slot(self, address: bytes, slot: int) -> int:
        head = self.chain.state(self.chain.head.block_number)
        return head.get_storage(address, slot)  # type: ignore[arg-type]  # an Address is bytes
