"""What the contracts should do, in plain Python: who calls what, what is refused and why, and what is logged."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from coincurve import PublicKey
from contract_words import ORDER, Event, Outcome, Words, typed_digest

from commonwatt.identity.keys import keccak256


class Refusal(Exception):
    """A rule said no, in the contract's words."""


def insist(holds: bool, words: str) -> None:
    """Refuse where a rule does not hold."""
    if not holds:
        raise Refusal(words)


class Modelled:
    """A contract: public methods are functions, called with who calls first; attributes are its state."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name

    def log(self, event: str, *values: Any) -> None:
        """Log an event."""
        self.world.events.append(Event(self.name, event, values))

    @property
    def place(self) -> bytes:
        """Its address."""
        return self.world.places[self.name]

    def digest(self, kind: str, *values: Any) -> bytes:
        """Return what a wallet signs for typed data in its domain."""
        return typed_digest(self.world.domains[self.name], self.place, self.world.chain_id, kind, values)

    def __deepcopy__(self, seen: dict[int, Any]) -> "Modelled":
        copied = type(self).__new__(type(self))
        for key, value in self.__dict__.items():
            copied.__dict__[key] = value if key == "world" else deepcopy(value, seen)
        return copied


class World:
    """All contracts, a clock, and what was logged in the transaction that runs.

    Args:
        places: Addresses of the contracts.
        words: Their interfaces, to read what the Timelock is to call.
        domains: Names in the domains of typed data.
        chain_id: Of the chain.
        now_s: Since 1970.
    """

    def __init__(
        self, places: dict[str, bytes], words: dict[str, Words], domains: dict[str, str], chain_id: int, now_s: int
    ) -> None:
        self.places, self.words, self.domains, self.chain_id, self.now_s = places, words, domains, chain_id, now_s
        self.names = {place: name for name, place in places.items()}
        self.contracts: dict[str, Any] = {}
        self.events: list[Event] = []

    def add(self, name: str, make: Callable[..., Modelled], *args: Any) -> None:
        """Have a contract; what its constructor logs is of no interest."""
        self.contracts[name] = make(self, name, *args)
        self.events.clear()

    def send(self, sender: bytes, contract: str, function: str, *args: Any) -> Outcome:
        """Run a transaction: all of it, or nothing."""
        before = deepcopy(self.contracts)
        try:
            answered = self.enter(sender, contract, function, *args)
            return Outcome(None, tuple(self.events), () if answered is None else (answered,))
        except Refusal as refused:
            self.contracts = before
            return Outcome(str(refused))
        finally:
            self.events = []

    def enter(self, sender: bytes, contract: str, function: str, *args: Any) -> Any:
        """Call a function within a transaction."""
        return getattr(self.contracts[contract], function)(sender, *args)

    def carry_out(self, sender: bytes, target: bytes, data: bytes) -> None:
        """Call whatever these bytes call."""
        name = self.names[target]
        call = self.words[name].read(data)
        if call is None:
            raise Refusal("")
        self.enter(sender, name, call[0], *call[1])


def signer_of(digest: bytes, v: int, r: bytes, s: bytes) -> bytes:
    """Return who signed, or refuse: low-s alone, and somebody."""
    insist(int.from_bytes(s) <= ORDER // 2, "signature: high s")
    try:
        insist(v in {27, 28}, "signature: nobody's")
        point = PublicKey.from_signature_and_message(r + s + bytes([v - 27]), digest, hasher=None)
    except Exception:
        raise Refusal("signature: nobody's") from None
    return keccak256(point.format(compressed=False)[1:])[12:]


def signer(digest: bytes, signature: bytes) -> bytes:
    """Return who made a 64-byte signature, or refuse."""
    insist(len(signature) == 64, "signature: not 64 bytes")
    s = bytes([signature[32] & 0x7F]) + signature[33:]
    return signer_of(digest, 27 + (signature[32] >> 7), signature[:32], s)
