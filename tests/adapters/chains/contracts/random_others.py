"""Random transactions for checkpoints, the Vault and channels, which stand on the tokens."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from contract_words import compact, signed, typed_digest
from contract_yard import DELAY_S, KEYS, WHO, Yard
from eth_abi.grammar import BasicType, TupleType, parse

from commonwatt.identity.eip712 import checkpoint_digest

MEMBERS = ("anna", "ben", "carla")
ORIGIN = "random"
CHANNEL = "commonwatt channel"
"""Name of its domain."""
Call = tuple[bytes, str, str, tuple[Any, ...]]
"""Sender, contract, function, arguments."""
Config = tuple[bytes, bytes, bytes, bytes, int, bytes]
"""Payer, signer, payee, token, delay, salt."""
Point = tuple[int, int, bytes, bytes]
"""Epoch, size, log root, state root."""
ARGUMENTS: dict[str, Callable[[dict[str, bytes]], tuple[Any, ...]]] = {
    "Checkpoints": lambda at: (at["Timelock"], at["Tsl"], ORIGIN, DELAY_S, 5, 20),
    "Vault": lambda at: (at["Timelock"], at["Checkpoints"], at["Ergon"], at["Watt"], at["Tsl"], DELAY_S),
    "Channel": lambda at: (at["Timelock"],),
}
"""What each is constructed with, in the order in which they are deployed."""


def deploy_others(yard: Yard, shipped: Sequence[str]) -> list[str]:
    """Deploy what is shipped and not in the yard yet, with members as witnesses; return the names."""
    others = [name for name in ARGUMENTS if name in shipped]
    assert set(others) == set(shipped) - set(yard.places), "a new contract has no arguments here"
    for name in others:
        yard.deploy(name, *ARGUMENTS[name](yard.places))
    for who in MEMBERS:
        yard.govern("Checkpoints", "admit", WHO[who], True)
        yard.send("anna", "Tsl", "transfer", WHO[who], 10**9)
        yard.send("seller", "Ergon", "mint", WHO[who], 10**9)
        for token in ("Tsl", "Ergon"):
            for name in others:
                yard.send(who, token, "approve", yard.places[name], 2**256 - 1)
    return others


class Others:
    """Writes calls of these contracts: some of a witness's life, the rest anything that their interfaces allow."""

    def __init__(self, yard: Yard, names: Sequence[str], random: Random, place: Callable[[], bytes]) -> None:
        self._yard, self._names, self._random, self._place = yard, names, random, place
        self._last: Point = (0, 0, b"", b"")
        self._channels: list[tuple[str, str, str, Config]] = []

    def write(self) -> Call:
        """Return sender, contract, function and arguments."""
        chance = self._random.random()
        if chance < 0.4:
            return self._witness()
        if chance < 0.7 and "Channel" in self._names:
            return self._channel()
        name = self._random.choice(self._names)
        function, types = self._random.choice(sorted(self._yard.words[name].changing.items()))
        sender = WHO[self._random.choice(MEMBERS)]
        return sender, name, function, tuple(self._any(parse(one)) for one in types)

    def _witness(self) -> Call:
        who, chance = self._random.choice(MEMBERS), self._random.random()
        if chance < 0.5:
            plain = self._random.choice(["bond"] * 6 + ["fund", "fund", "unbond", "withdraw_stake", "collect"])
            amount = [self._random.randrange(1, 40)] if plain in {"bond", "fund"} else []
            return WHO[who], "Checkpoints", plain, tuple(amount)
        if chance < 0.9:
            point = self._last = self._point(self._last[0] + 1, self._last[1] + self._random.randrange(3))
            by = sorted(self._random.sample(MEMBERS, self._random.randrange(1, 4)), key=WHO.__getitem__)
            return WHO[who], "Checkpoints", "anchor", (point, [self._signature(one, point) for one in by])
        first, second = self._last, self._point(*self._last[:2])
        if not first[2]:
            first = self._point(1, 1)
        signatures = [self._signature(who, point) for point in (first, second)]
        args: tuple[Any, ...] = (first, signatures[0], second, signatures[1], bytes(32), [])
        return WHO[self._random.choice(MEMBERS)], "Checkpoints", "slash", args

    def _channel(self) -> Call:
        payer, signer, payee = (self._random.choice(MEMBERS) for _ in range(3))
        token, salt = self._yard.places[self._random.choice(["Tsl", "Ergon"])], bytes([self._random.randrange(3)]) * 32
        chance, total = self._random.random(), self._random.randrange(60)
        config = (WHO[payer], WHO[signer], WHO[payee], token, DELAY_S, salt)
        if chance < 0.4 or not self._channels:
            self._channels.append((payer, signer, payee, config))
            return WHO[payer], "Channel", "deposit", (config, total)
        payer, signer, payee, config = self._random.choice(self._channels[-8:])
        if chance < 0.55:
            return WHO[payer], "Channel", self._random.choice(["withdraw", "finish"]), (config,)
        if chance < 0.65:
            return WHO[payee], "Channel", "close", (config, total, *self._voucher(signer, config, total))
        same = [one for one in self._channels[-8:] if one[3][2:4] == config[2:4]]
        items = [
            (*one[3][:2], *one[3][4:], more, *self._voucher(one[1], one[3], more))
            for one in same
            for more in [self._random.randrange(60)]
        ]
        return WHO[payer], "Channel", "claim", (*config[2:4], items)

    def _voucher(self, who: str, config: Config, total: int) -> tuple[bytes, bytes]:
        channel = self._yard.ask("Channel", "channel_id", config)
        place, chain_id = self._yard.places["Channel"], self._yard.chain_id
        # One in ten is for more than is said.
        told = total + (self._random.randrange(10) == 0)
        both = compact(signed(KEYS[who], typed_digest(CHANNEL, place, chain_id, "Voucher", (channel, told))))
        return both[:32], both[32:]

    def _point(self, epoch: int, size: int) -> Point:
        return epoch, size, self._random.randbytes(32), self._random.randbytes(32)

    def _signature(self, who: str, point: Point) -> tuple[int, int]:
        epoch, size, log_root, state_root = point
        made = signed(KEYS[who], checkpoint_digest(ORIGIN, epoch, size, log_root, state_root))
        return int.from_bytes(made[:32]), int.from_bytes(made[32:64]) | made[64] << 255

    def _any(self, kind: Any) -> Any:
        if kind.is_array:
            few = kind.arrlist[-1][0] if kind.arrlist[-1] else self._random.randrange(3)
            return [self._any(kind.item_type) for _ in range(few)]
        if isinstance(kind, TupleType):
            return tuple(self._any(one) for one in kind.components)
        assert isinstance(kind, BasicType)
        if kind.base == "address":
            return self._place()
        if kind.base == "bool":
            return self._random.random() < 0.5
        if kind.base == "string":
            return "told"
        if kind.base == "bytes":
            return self._random.randbytes(kind.sub or self._random.randrange(100))
        most = 2 ** (kind.sub or 256) - 1
        return min(most, self._random.choice([0, 1, 27, self._random.randrange(1_000), self._yard.now_s, most]))
