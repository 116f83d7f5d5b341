"""Random transactions for checkpoints, the Vault and channels, which stand on the tokens."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from contract_words import signed
from contract_yard import DELAY_S, KEYS, WHO, Yard
from eth_abi.grammar import BasicType, TupleType, parse

from commonwatt.identity.eip712 import checkpoint_digest

MEMBERS = ("anna", "ben", "carla")
ORIGIN = "random"
Point = tuple[int, int, bytes, bytes]
"""Epoch, size, log root, state root."""
ARGUMENTS: dict[str, Callable[[dict[str, bytes]], tuple[Any, ...]]] = {
    "Checkpoints": lambda at: (at["Timelock"], at["Tsl"], ORIGIN, DELAY_S, 5),
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

    def write(self) -> tuple[bytes, str, str, tuple[Any, ...]]:
        """Return sender, contract, function and arguments."""
        chance = self._random.random()
        if chance < 0.5:
            return self._witness()
        name = self._random.choice(self._names)
        function, types = self._random.choice(sorted(self._yard.words[name].changing.items()))
        sender = WHO[self._random.choice(MEMBERS)]
        return sender, name, function, tuple(self._any(parse(one)) for one in types)

    def _witness(self) -> tuple[bytes, str, str, tuple[Any, ...]]:
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
