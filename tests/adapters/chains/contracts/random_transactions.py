"""Random transactions over all contracts, from a seed: mostly sensible ones, then spoilt signatures and garbage."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from contract_words import NOBODY, compact, mirrored, signed, vrs
from contract_yard import ACCOUNTS, DELAY_S, DOMAINS, KEYS, WHO, Yard
from evm_machines import Told
from random_others import Others

from commonwatt.identity.keys import keccak256

TOKENS = ("Tsl", "Ergon", "Watt")
MEMBERS = ("anna", "ben", "carla")
DOMAIN = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
KINDS = {
    "Permit": keccak256(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
    "Claim": keccak256(b"Claim(bytes32 device,address owner,uint256 deadline)"),
    "Rotate": keccak256(b"Rotate(bytes32 device,address key,uint64 turn)"),
}
Sent = tuple[bytes, bytes, bytes]
"""Sender, contract (nobody's address where it deploys), data."""


class Writer:
    """Writes one transaction after another, knowing what came of those before.

    Args:
        yard: Whose contracts are called.
        seed: The same seed writes the same, as long as the same comes of it.
        others: What is deployed there beside the yard's own, see `random_others.deploy_others`.
    """

    def __init__(self, yard: Yard, seed: int, others: Sequence[str] = ()) -> None:
        self._yard, self._random = yard, Random(seed)
        self._others = Others(yard, others, self._random, self._place)
        self._calls: list[tuple[bytes, bytes, bytes]] = []
        self._devices: list[bytes] = []
        self._nonces: dict[tuple[str, str], int] = {}
        self._turns: dict[bytes, int] = {}
        self._keys: dict[bytes, str] = {}
        self._owners: dict[bytes, str] = {}
        self._issued = 0
        self._learn: Callable[[], None] | None = None
        self._kinds: list[tuple[Callable[[], Sent], int]] = [
            (self._transfer, 30),
            (self._allowance, 12),
            (self._permit, 14),
            (self._supply, 10),
            (self._govern, 6),
            (self._manufacture, 3),
            (self._claim, 4),
            (self._hand_on, 5),
            (self._issue, 4),
            (self._certificates, 6),
            (self._garbage, 5),
            (self._deploy, 1),
            (self._other, 14 if others else 0),
        ]

    def write(self) -> Sent:
        """Return the next transaction; time goes on by a second or more."""
        self._yard.later(self._random.choice([1, 1, 1, 5, DELAY_S]))
        self._learn = None
        (kind,) = self._random.choices([kind for kind, _ in self._kinds], [weight for _, weight in self._kinds])
        return kind()

    def heard(self, told: Told) -> None:
        """Note what came of it."""
        if told.succeeded and self._learn:
            self._learn()

    def _call(self, who: str, contract: str, function: str, *args: Any) -> Sent:
        return WHO[who], self._yard.places[contract], self._yard.words[contract].call(function, *args)

    def _transfer(self) -> Sent:
        token, owner = self._one(TOKENS), self._one(MEMBERS)
        if self._random.random() < 0.4:
            return self._call(self._one(MEMBERS), token, "transferFrom", WHO[owner], self._place(), self._amount())
        return self._call(owner, token, "transfer", self._place(), self._amount())

    def _allowance(self) -> Sent:
        return self._call(self._one(MEMBERS), self._one(TOKENS), "approve", self._place(), self._amount() * 9)

    def _permit(self) -> Sent:
        token, owner, spender = self._one(TOKENS), self._one(MEMBERS), self._place()
        nonce, amount = self._nonces.get((token, owner), 0), self._amount()
        deadline = self._yard.now_s + self._one([-1, 0, 10, 10_000])
        signature, spoilt = self._signed(owner, token, "Permit", (WHO[owner], spender, amount, nonce, deadline))
        if not spoilt and deadline >= self._yard.now_s and spender != NOBODY:
            self._learn = lambda: self._nonces.update({(token, owner): nonce + 1})
        args = (WHO[owner], spender, amount, deadline, *vrs(signature))
        return self._call(self._one(MEMBERS), token, "permit", *args)

    def _supply(self) -> Sent:
        token, role = self._one([("Ergon", "seller"), ("Watt", "vault")])
        who = self._one([role] * 8 + [self._one(MEMBERS)])
        if self._random.random() < 0.7:
            return self._call(who, token, "mint", self._one([self._place(), WHO["vault"]]), self._amount())
        return self._call(self._one([who, *MEMBERS]), token, "burn", self._amount())

    def _govern(self) -> Sent:
        if self._random.random() < 0.3:
            contract = self._one(["Ergon", "DeviceRegistry", "Certificates"])
            # More often let in again than stopped, or little else would be seen.
            return self._call(self._one(["guardian"] * 4 + ["anna"]), contract, self._one(["pause", *["resume"] * 3]))
        if self._calls and self._random.random() < 0.6:
            call = self._one(self._calls[-4:])
            return self._call(self._one(MEMBERS), "Timelock", "execute", *call)
        if self._calls and self._random.random() < 0.2:
            return self._call(self._one(["proposer", "guardian", "ben"]), "Timelock", "cancel", *self._calls[-1])
        contract, function = self._one(
            [("Ergon", "set_seller"), ("DeviceRegistry", "set_maker"), ("Certificates", "set_issuer")]
        )
        # Of who may sell this is a ceiling: so little that it is met.
        role = self._one([60, 0]) if contract == "Ergon" else self._one([True, False])
        data = self._yard.words[contract].call(function, WHO[self._one(MEMBERS)], role)
        if self._random.random() < 0.1:
            data = self._yard.words[contract].call("resume")
        target = self._one([self._yard.places[contract]] * 5 + [self._place()])
        call = (target, self._one([data] * 5 + [data[:20]]), self._random.randbytes(32))
        self._learn = lambda: self._calls.append(call)
        return self._call(self._one(["proposer"] * 5 + ["ben"]), "Timelock", "schedule", *call)

    def _manufacture(self) -> Sent:
        number = self._random.randbytes(1) * 32
        device, key = self._yard.ask("DeviceRegistry", "id", WHO["maker"], number), self._one(MEMBERS)

        def learn() -> None:
            self._devices.append(device)
            self._keys[device] = key

        self._learn = learn
        who = self._one(["maker"] * 9 + ["anna"])
        return self._call(who, "DeviceRegistry", "manufacture", number, self._one([WHO[key]] * 9 + [NOBODY]))

    def _claim(self) -> Sent:
        device, owner = self._device(), self._one(MEMBERS)
        deadline = self._yard.now_s + self._one([-1, 0, 100, 100])
        by = self._keys.get(device, "device")
        signature, _ = self._signed(by, "DeviceRegistry", "Claim", (device, WHO[owner], deadline))
        self._learn = lambda: self._owners.update({device: owner})
        who = self._one(MEMBERS)
        return self._call(who, "DeviceRegistry", "claim", device, WHO[owner], deadline, compact(signature))

    def _hand_on(self) -> Sent:
        device, key = self._device(), self._one(MEMBERS)
        owner = self._owners.get(device, self._one(MEMBERS))
        turn = self._turns.get(device, 0)
        chance = self._random.random()
        if chance < 0.1:
            return self._call(owner, "DeviceRegistry", "retire", device)
        if chance < 0.4:
            self._learn = lambda: self._owners.update({device: key})
            return self._call(owner, "DeviceRegistry", "transfer", device, WHO[key])
        both = [
            compact(self._signed(by, "DeviceRegistry", "Rotate", (device, WHO[key], turn))[0])
            for by in (self._keys.get(device, "device"), key)
        ]

        def learn() -> None:
            self._keys[device] = key
            self._turns[device] = turn + 1

        self._learn = learn
        return self._call(owner, "DeviceRegistry", "rotate", device, WHO[key], *both)

    def _issue(self) -> Sent:
        many, who = self._random.randrange(4), self._one(["issuer"] * 9 + ["anna"])
        to, data = self._place(), [self._random.randbytes(self._random.randrange(4)) for _ in range(many)]

        def learn() -> None:
            self._issued += max(many, 1)

        self._learn = learn
        if many < 2:
            one = (self._one([b""] * 9 + [b"call"]), 1, self._random.randrange(500), self._random.randbytes(4))
            return self._call(who, "Certificates", "issue", to, *one)
        amounts = [self._random.randrange(1, 500) for _ in data]
        args = ([b""] * many, [self._random.randrange(3) for _ in data], amounts, data)
        return self._call(who, "Certificates", "batchIssue", to, *args)

    def _certificates(self) -> Sent:
        owner, to, chance = self._one(MEMBERS), self._place(), self._random.random()
        many = self._random.randrange(1, 4)
        ids = [self._random.randrange(self._issued + 1) + 1 for _ in range(many)]
        amounts = [self._random.randrange(20) for _ in ids]
        who = self._one([owner] * 3 + ["carla"])
        start = (WHO[owner], to)
        if chance < 0.15:
            return self._call(owner, "Certificates", "setApprovalForAll", to, self._one([True, False]))
        if chance < 0.4:
            return self._call(who, "Certificates", "safeTransferFrom", *start, ids[0], amounts[0], b"told")
        if chance < 0.6:
            return self._call(who, "Certificates", "safeBatchTransferFrom", *start, ids, amounts, b"")
        if chance < 0.8:
            return self._call(who, "Certificates", "safeTransferAndClaimFrom", *start, ids[0], amounts[0], b"", b"me")
        claims = [b"me"] * self._one([many] * 5 + [many - 1])
        return self._call(who, "Certificates", "safeBatchTransferAndClaimFrom", *start, ids, amounts, b"", claims)

    def _garbage(self) -> Sent:
        sender, place, data = self._one([self._transfer, self._permit, self._claim, self._issue, self._certificates])()
        self._learn = None
        bits = bytearray(data)
        chance = self._random.random()
        if chance < 0.4:
            for _ in range(self._random.randrange(1, 5)):
                bits[self._random.randrange(len(bits))] ^= 1 << self._random.randrange(8)
        elif chance < 0.6:
            del bits[self._random.randrange(len(bits)) :]
        elif chance < 0.8:
            bits += self._random.randbytes(self._random.randrange(70))
        else:
            bits = bytearray(self._random.randbytes(self._random.randrange(200)))
        return sender, self._one([place, self._yard.places["Timelock"], WHO["carla"]]), bytes(bits)

    def _deploy(self) -> Sent:
        name, arg = self._one([("Tsl", self._place()), ("Watt", self._place()), ("DeviceRegistry", self._place())])
        code = self._yard.words[name].deployment(arg)
        if self._random.random() < 0.3:
            code = code[: self._random.randrange(len(code))]
        return WHO["deployer"], b"", code

    def _other(self) -> Sent:
        sender, contract, function, args = self._others.write()
        return sender, self._yard.places[contract], self._yard.words[contract].call(function, *args)

    def _signed(self, by: str, contract: str, kind: str, values: Sequence[Any]) -> tuple[bytes, bool]:
        """Return a signature, and whether it was spoilt: one in eight is."""
        chance = self._random.randrange(32)
        chain_id = self._yard.chain_id + (chance == 0)
        words = b"".join(value.rjust(32, b"\0") if isinstance(value, bytes) else value.to_bytes(32) for value in values)
        place = self._yard.places[contract].rjust(32, b"\0")
        named = keccak256(DOMAINS[contract].encode()) + keccak256(b"1")
        domain = keccak256(DOMAIN + named + chain_id.to_bytes(32) + place)
        digest = keccak256(b"\x19\x01" + domain + keccak256(KINDS[kind] + words))
        signature = signed(KEYS["device" if chance == 1 else by], digest)
        if chance == 2:
            signature = mirrored(signature)
        if chance == 3:
            signature = self._random.randbytes(64) + b"\0"
        return signature, chance < 4

    def _device(self) -> bytes:
        if self._devices and self._random.random() < 0.95:
            return self._random.choice(self._devices[-6:])
        return self._random.randbytes(32)

    def _place(self) -> bytes:
        if self._random.random() < 0.9:
            return WHO[self._one(MEMBERS)]
        return self._random.choice([NOBODY, *self._yard.places.values(), *ACCOUNTS])

    def _amount(self) -> int:
        return self._random.choice([0, 1, 7, 40, 500, self._random.randrange(10**6), 2**63 - 1, 2**256 // 9])

    def _one(self, among: Sequence[Any]) -> Any:
        return among[self._random.randrange(len(among))]
