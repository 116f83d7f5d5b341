"""The certificates in plain Python; a contract of the house takes none."""

from collections.abc import Sequence
from dataclasses import dataclass

from contract_words import NOBODY
from model_roles import Governed
from model_world import World, insist

from commonwatt.identity.keys import keccak256


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was certified."""

    issuer: bytes
    topic: int
    validity_data: bytes
    data: bytes


class Certificates(Governed):
    """Balances and claims by certificate and owner. No issuer here answers whether a certificate still counts."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.issuers: set[bytes] = set()
        self.certificates: dict[int, Certificate] = {}
        self.balances: dict[tuple[int, bytes], int] = {}
        self.claimed: dict[tuple[int, bytes], int] = {}
        self.approved: set[tuple[bytes, bytes]] = set()

    def set_issuer(self, sender: bytes, issuer: bytes, allowed: bool) -> None:
        self.only_timelock(sender)
        (self.issuers.add if allowed else self.issuers.discard)(issuer)
        self.log("IssuerSet", issuer, allowed)

    def setApprovalForAll(self, sender: bytes, operator: bytes, allowed: bool) -> None:  # noqa: N802  ERC-1155's name
        insist(operator != NOBODY, "token: nobody's address")
        (self.approved.add if allowed else self.approved.discard)((sender, operator))
        self.log("ApprovalForAll", sender, operator, allowed)

    def issue(self, sender: bytes, to: bytes, validity_data: bytes, topic: int, amount: int, data: bytes) -> int:
        number = self._issue(sender, to, validity_data, topic, amount, data)
        self.log("TransferSingle", sender, NOBODY, to, number, amount)
        self.log("IssuanceSingle", sender, topic, number, amount)
        self._ask(to)
        return number

    def batchIssue(  # noqa: N802  ERC-1888's name
        self,
        sender: bytes,
        to: bytes,
        validity_data: Sequence[bytes],
        topics: Sequence[int],
        amounts: Sequence[int],
        data: Sequence[bytes],
    ) -> tuple[int, ...]:
        for others in (amounts, validity_data, data):
            _same(topics, others)
        each = zip(validity_data, topics, amounts, data, strict=True)
        numbers = tuple(self._issue(sender, to, *one) for one in each)
        self.log("TransferBatch", sender, NOBODY, to, numbers, tuple(amounts))
        self.log("IssuanceBatch", sender, _hashed(topics), numbers, tuple(amounts))
        self._ask(to)
        return numbers

    def safeTransferFrom(  # noqa: N802
        self, sender: bytes, owner: bytes, to: bytes, number: int, amount: int, data: bytes
    ) -> None:
        self._may(sender, owner)
        self._move(owner, to, number, amount)
        self.log("TransferSingle", sender, owner, to, number, amount)
        self._ask(to)

    def safeBatchTransferFrom(  # noqa: N802
        self, sender: bytes, owner: bytes, to: bytes, numbers: Sequence[int], amounts: Sequence[int], data: bytes
    ) -> None:
        self._may(sender, owner)
        self._move_many(owner, to, numbers, amounts)
        self.log("TransferBatch", sender, owner, to, tuple(numbers), tuple(amounts))
        self._ask(to)

    def safeTransferAndClaimFrom(  # noqa: N802
        self, sender: bytes, owner: bytes, to: bytes, number: int, amount: int, data: bytes, claim_data: bytes
    ) -> None:
        self._may(sender, owner)
        self._move(owner, to, number, amount)
        topic = self._claim(to, number, amount)
        if owner != to:
            self.log("TransferSingle", sender, owner, to, number, amount)
        self.log("TransferSingle", sender, to, NOBODY, number, amount)
        self.log("ClaimSingle", owner, to, topic, number, amount, claim_data)
        self._ask(to)

    def safeBatchTransferAndClaimFrom(  # noqa: N802
        self,
        sender: bytes,
        owner: bytes,
        to: bytes,
        numbers: Sequence[int],
        amounts: Sequence[int],
        data: bytes,
        claim_data: Sequence[bytes],
    ) -> None:
        self._may(sender, owner)
        _same(numbers, claim_data)
        self._move_many(owner, to, numbers, amounts)
        topics = [self._claim(to, *one) for one in zip(numbers, amounts, strict=True)]
        if owner != to:
            self.log("TransferBatch", sender, owner, to, tuple(numbers), tuple(amounts))
        self.log("TransferBatch", sender, to, NOBODY, tuple(numbers), tuple(amounts))
        self.log("ClaimBatch", owner, to, _hashed(topics), tuple(numbers), tuple(amounts), tuple(claim_data))
        self._ask(to)

    def _issue(self, sender: bytes, to: bytes, validity_data: bytes, topic: int, amount: int, data: bytes) -> int:
        self.while_open()
        insist(sender in self.issuers, "certificates: not an issuer")
        insist(to != NOBODY, "certificates: nobody's address")
        insist(amount > 0, "certificates: of nothing")
        same = [one for one in self.certificates.values() if (one.topic, one.data) == (topic, data)]
        insist(not same, "certificates: issued already")
        insist(not validity_data, "certificates: nobody answers")
        number = len(self.certificates) + 1
        self.certificates[number] = Certificate(sender, topic, validity_data, data)
        self.balances[number, to] = amount
        return number

    def _ask(self, to: bytes) -> None:
        # None of the house's contracts has the function that a receiver is asked by.
        insist(to not in self.world.names, "")

    def _may(self, sender: bytes, owner: bytes) -> None:
        insist(sender == owner or (owner, sender) in self.approved, "token: not approved")

    def _move_many(self, owner: bytes, to: bytes, numbers: Sequence[int], amounts: Sequence[int]) -> None:
        _same(numbers, amounts)
        for number, amount in zip(numbers, amounts, strict=True):
            self._move(owner, to, number, amount)

    def _move(self, owner: bytes, to: bytes, number: int, amount: int) -> None:
        insist(to != NOBODY, "token: nobody's address")
        self._take(owner, number, amount)
        self.balances[number, to] = self.balances.get((number, to), 0) + amount

    def _claim(self, owner: bytes, number: int, amount: int) -> int:
        self._take(owner, number, amount)
        self.claimed[number, owner] = self.claimed.get((number, owner), 0) + amount
        found = self.certificates.get(number)
        return found.topic if found else 0

    def _take(self, owner: bytes, number: int, amount: int) -> None:
        held = self.balances.get((number, owner), 0)
        insist(amount <= held, "token: more than is held")
        self.balances[number, owner] = held - amount


def _same(many: Sequence[object], others: Sequence[object]) -> None:
    insist(len(many) == len(others) > 0, "token: not as many")


def _hashed(topics: Sequence[int]) -> bytes:
    return keccak256(b"".join(topic.to_bytes(32) for topic in topics))
