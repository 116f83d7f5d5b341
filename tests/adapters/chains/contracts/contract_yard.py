"""The tokens, the timelock, the registry and the certificates on one machine, with roles given, called by name."""

from typing import Any

from coincurve import PrivateKey
from contract_words import Event, Outcome, Words, reason_of, signed, typed_digest
from evm_machines import CHAIN_ID, START_S, PyEvm, Told

from commonwatt.adapters.chains.contracts.artifact import Artifact, Fork, artifact
from commonwatt.identity.keys import keccak256

DELAY_S = 3_600
SELL_PERIOD_S, CEILING = 7_200, 2**64
"""Of the seller, who is stopped by what can be counted first; others get less where they become one."""
NAMES = ("anna", "ben", "carla", "deployer", "proposer", "guardian", "seller", "maker", "issuer", "vault", "device")
KEYS = {name: PrivateKey(keccak256(name.encode())) for name in NAMES}
WHO = {name: keccak256(key.public_key.format(compressed=False)[1:])[12:] for name, key in KEYS.items()}
"""Addresses; `vault` stands in for the Vault here: Watt only asks who calls."""
ACCOUNTS = tuple(WHO.values())
DOMAINS = {
    "Tsl": "commonwatt TSL",
    "Ergon": "commonwatt ERGON",
    "Watt": "commonwatt WATT",
    "DeviceRegistry": "commonwatt DeviceRegistry",
}


class Yard:
    """All of them deployed; `send` is a transaction, `ask` changes nothing.

    Args:
        machine: Runs transactions; py-evm in memory where none is given.
        fork: Rules that the contracts are compiled for.
        chain_id: Of the chain.
        tick_s: How long each transaction takes.
    """

    def __init__(self, machine: Any = None, fork: Fork = "cancun", chain_id: int = CHAIN_ID, tick_s: int = 0) -> None:
        self.machine = machine or PyEvm(ACCOUNTS, fork, chain_id)
        self.fork, self.chain_id, self.now_s, self._tick_s = fork, chain_id, START_S, tick_s
        self.places: dict[str, bytes] = {}
        self.names: dict[bytes, str] = {}
        self.words: dict[str, Words] = {}
        self.deploy("Timelock", DELAY_S, WHO["proposer"], WHO["guardian"])
        timelock = self.places["Timelock"]
        self.deploy("Tsl", WHO["anna"])
        self.deploy("Watt", WHO["vault"])
        # Neither is asked in these tests, which know nothing of checkpoints.
        self.deploy("Ergon", timelock, WHO["deployer"], WHO["vault"], SELL_PERIOD_S)
        self.deploy("DeviceRegistry", timelock)
        self.deploy("Certificates", timelock)
        self.govern("Ergon", "set_seller", WHO["seller"], CEILING)
        self.govern("DeviceRegistry", "set_maker", WHO["maker"], True)
        self.govern("Certificates", "set_issuer", WHO["issuer"], True)

    def deploy(self, name: str, *args: Any, made: Artifact | None = None) -> bytes:
        """Deploy a contract as shipped, or as `made`, and know it by its name."""
        words = Words(name, made or artifact(name, self.fork))
        self.later(self._tick_s)
        told = self.machine.send(WHO["deployer"], b"", words.deployment(*args))
        assert told.succeeded, reason_of(told.answer)
        self.places[name], self.names[told.created], self.words[name] = told.created, name, words
        return bytes(told.created)

    def govern(self, contract: str, function: str, *args: Any) -> Outcome:
        """Have the Timelock do something, waiting for as long as that takes."""
        call = (self.places[contract], self.words[contract].call(function, *args), keccak256(b"%d" % self.now_s))
        assert self.send("proposer", "Timelock", "schedule", *call).reason is None
        self.later(DELAY_S)
        return self.send("anna", "Timelock", "execute", *call)

    def later(self, seconds: int) -> None:
        """Let time pass."""
        self.now_s += seconds
        self.machine.at(self.now_s)

    def send(self, who: str | bytes, contract: str, function: str, *args: Any) -> Outcome:
        """Call a function in a transaction of somebody's."""
        sender = WHO[who] if isinstance(who, str) else who
        self.later(self._tick_s)
        told = self.machine.send(sender, self.places[contract], self.words[contract].call(function, *args))
        return self._outcome(told, contract, function)

    def ask(self, contract: str, function: str, *args: Any) -> Any:
        """Return what a function answers; one value alone, several as a tuple."""
        words = self.words[contract]
        told = self.machine.ask(self.places[contract], words.call(function, *args), WHO["anna"])
        outcome = self._outcome(told, contract, function)
        assert outcome.reason is None, outcome
        return outcome.answer[0] if len(outcome.answer) == 1 else outcome.answer

    def sign(self, by: str, contract: str, kind: str, *values: Any, chain_id: int | None = None) -> bytes:
        """Return r, s and parity of a wallet's signature of typed data in a contract's domain."""
        chain_id = self.chain_id if chain_id is None else chain_id
        return signed(KEYS[by], typed_digest(DOMAINS[contract], self.places[contract], chain_id, kind, values))

    def logged(self, told: Told) -> tuple[Event, ...]:
        """Return logs in plain values."""
        return tuple(self.words[self.names[place]].event(topics, data) for place, topics, data in told.logs)

    def _outcome(self, told: Told, contract: str, function: str) -> Outcome:
        if not told.succeeded:
            return Outcome(reason_of(told.answer))
        return Outcome(None, self.logged(told), self.words[contract].answer(function, told.answer))
