"""What crossed to the chain and back: every deposit that was told, how much was sent out, and to which Vault."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from commonwatt.model import AccountId, Commodity

_NOTHING = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The one Vault of a community: its chain's number, and its address there in lower case."""

    chain_id: int
    vault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCrossed:
    """It at rest, see `Crossed.dump`."""

    deposits: list[bytes]
    block: int
    sent: dict[str, int]
    bought_wh: int
    vault: Named | None
    refused: dict[int, str]
    exits: dict[AccountId, str]


class Crossed:
    """All of it for one community; nothing, and no part of the state root, where no chain was ever asked for.

    Args:
        deposits: The digests of all deposits, by number.
        block: Of the last of them.
        sent: What was ever sent out, in base units.
        bought_wh: WATT outside whose energy was used here, and whose money `CHAIN_HELD` keeps.

    ``vault`` is the one that the community named, ``refused`` says who paid in the deposits that could not be
    credited, by number, and ``exits`` where accounts want their own to go if the operator stops.
    """

    def __init__(
        self, deposits: Iterable[bytes] = (), block: int = 0, sent: Mapping[str, int] | None = None, bought_wh: int = 0
    ) -> None:
        self._deposits: list[bytes] = []
        self._head = _NOTHING
        self.vault: Named | None = None
        self.refused: dict[int, str] = {}
        self.exits: dict[AccountId, str] = {}
        self.block, self.bought_wh = block, bought_wh
        self.sent: Counter[Commodity] = Counter({Commodity(name): amount for name, amount in (sent or {}).items()})
        for digest in deposits:
            self.took(digest, block)

    @property
    def count(self) -> int:
        """How many deposits were told: the number of the next."""
        return len(self._deposits)

    def digest(self, number: int) -> bytes:
        """Return the digest of a deposit that was told."""
        return self._deposits[number]

    def took(self, digest: bytes, block: int) -> None:
        """Remember the next deposit, and in which block it stood."""
        self._deposits.append(digest)
        self._head = sha256(self._head + digest).digest()
        self.block = block

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next; deposits as one chain of hashes."""
        if self.count:
            yield {"block": self.block, "deposits": self.count, "head": self._head.hex()}
        yield from ({"commodity": name, "sent_out": amount} for name, amount in self._sent().items())
        if self.bought_wh:
            yield {"bought_outside_wh": self.bought_wh}
        if self.vault is not None:
            yield {"named": self.vault}
        yield from ({"refused": number, "sender": sender} for number, sender in sorted(self.refused.items()))
        yield from ({"account": account, "exits_to": self.exits[account]} for account in sorted(self.exits))

    def dump(self) -> KeptCrossed:
        """Return all of it in plain form: a snapshot's."""
        return KeptCrossed(
            deposits=self._deposits,
            block=self.block,
            sent=self._sent(),
            bought_wh=self.bought_wh,
            vault=self.vault,
            refused=self.refused,
            exits=self.exits,
        )

    @classmethod
    def load(cls, kept: KeptCrossed) -> "Crossed":
        """Return what `dump` wrote.

        Raises:
            ValueError: It counts a commodity that there is none of.
        """
        loaded = cls(kept.deposits, kept.block, kept.sent, kept.bought_wh)
        loaded.vault, loaded.refused, loaded.exits = kept.vault, kept.refused, kept.exits
        return loaded

    def _sent(self) -> dict[str, int]:
        return {name.value: self.sent[name] for name in sorted(self.sent)}
