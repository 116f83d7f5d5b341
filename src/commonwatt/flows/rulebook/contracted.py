"""Utility contracts of a community: what stands, what could be guaranteed, which facts are heard, what meters took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from commonwatt.market.contracts.facts import Frequency, GridEvent
from commonwatt.market.contracts.standing import Acceptance, Contract, Part
from commonwatt.market.contracts.terms import Window
from commonwatt.metering.baseline import DayColumns
from commonwatt.model import AccountId, AssetId, InvalidValue

Fact = Frequency | GridEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """A device's or its owner's answer to what it can guarantee.

    Args:
        position: Where the answer stands in the log.
        account: The owner.
        start_s: From when, seconds since 1970.
        end_s: Until when.
        up_w: So much less drawn, or more supplied.
        down_w: So much more drawn, or less supplied.
        direct: Whether nobody has to be asked first; only then it backs anything.
    """

    position: int
    account: AccountId
    start_s: int
    end_s: int
    up_w: int
    down_w: int
    direct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What oracles say about one subject, by their account."""

    frequencies: dict[AccountId, Frequency] = field(default_factory=dict)
    events: dict[AccountId, GridEvent] = field(default_factory=dict)

    @property
    def over_s(self) -> int:
        """When what it is about is over, seconds since 1970: the last word on it."""
        of_frequencies = (fact.over_s for fact in self.frequencies.values())
        return max(*of_frequencies, *(fact.over_s for fact in self.events.values()), 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What became of a part, noted for whoever replays to sum up."""

    contract: str
    utility: AccountId
    window: Window
    called: bool
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractsKept:
    """Contracts at rest, see `Contracts.dump`."""

    standing: list[Contract]
    guarantees: list[tuple[str, AssetId, Guarantee]]
    heard: dict[str, Heard]
    days: list[tuple[AssetId, list[tuple[int, bytes]], list[int]]]


@dataclass(slots=True)
class Contracts:
    """All of it for one community.

    ``standing`` are the contracts from which something can still follow, ``guarantees`` the answers to each offer that
    can still be accepted, ``heard`` the facts that may still call a window, ``days`` what the meters of accepted assets
    took on days that their readings no longer tell. ``at_hand_s`` is the start of the first slot whose readings the
    running commit may look at, ``wake_s`` and ``settled_s`` when next something is to be done by the log's time, and by
    how far slots are settled, where it is known; ``past`` lists what was paid, where somebody asks for it. These mean
    nothing between commits and are no part of the state.
    """

    standing: dict[str, Contract] = field(default_factory=dict)
    guarantees: dict[str, dict[AssetId, Guarantee]] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    days: dict[AssetId, DayColumns] = field(default_factory=dict)
    at_hand_s: int = 0
    wake_s: int | None = None
    settled_s: int | None = None
    past: list[Paid] = field(default_factory=list)
    _promises: dict[AccountId, dict[str, str]] = field(default_factory=dict)

    def offer(self, contract: Contract) -> None:
        """Let a contract stand."""
        self.standing[contract.id] = contract
        self.changed()

    def promise(self, contract: Contract, acceptance: Acceptance) -> None:
        """Let a member's promise stand."""
        contract.accepted[acceptance.id] = acceptance
        self._promises.setdefault(acceptance.account, {})[acceptance.id] = contract.id
        self.days.setdefault(acceptance.asset, DayColumns())
        self.changed()

    def drop_promise(self, contract: Contract, acceptance: Acceptance) -> None:
        """Let go of a promise from which nothing can follow."""
        del contract.accepted[acceptance.id]
        of_account = self._promises[acceptance.account]
        del of_account[acceptance.id]
        if not of_account:
            del self._promises[acceptance.account]

    def promises_of(self, account: AccountId) -> list[tuple[Contract, Acceptance]]:
        """Return what an account has promised, in order of the log."""
        found = self._promises.get(account, {})
        return [(self.standing[name], self.standing[name].accepted[number]) for number, name in found.items()]

    def accepted_in(self, acceptance: str) -> Contract | None:
        """Return the contract of a promise by its place in the log, None where there is no such promise."""
        return next((each for each in self.standing.values() if acceptance in each.accepted), None)

    def watched(self) -> set[AssetId]:
        """Return the assets whose days are needed: those that are promised."""
        return {promise.asset for each in self.standing.values() for promise in each.accepted.values()}

    def changed(self) -> None:
        """Have it found anew when next something is to be done."""
        self.wake_s = self.settled_s = None

    def leaves(self) -> Iterator[Mapping[str, object]]:
        """Yield everything that decides what may happen next, in one order whatever the way that led to it."""
        for contract in self.standing.values():
            stands = {"accept_by_s": contract.accept_by_s, "called_wh": contract.called_wh, "opened": contract.opened}
            yield {"contract": contract.id, "terms": contract.terms, **stands}
            yield from ({"accepted": each, "contract": contract.id} for each in contract.accepted.values())
            # In their order, too: it is the order in which they are paid.
            yield from ({"call": call, "contract": contract.id, "number": n} for n, call in contract.calls.items())
        yield from ({"guarantee": told} for told in self._answers())
        yield from ({"heard": self.heard[subject], "subject": subject} for subject in sorted(self.heard))
        yield from ({"asset": asset, "days": self.days[asset].digest().hex()} for asset in sorted(self.days))

    def dump(self) -> ContractsKept:
        """Return all of it in plain form: a snapshot's."""
        return ContractsKept(
            standing=list(self.standing.values()),
            guarantees=self._answers(),
            heard={subject: self.heard[subject] for subject in sorted(self.heard)},
            days=[(asset, list(self.days[asset].items()), self.days[asset].calls()) for asset in sorted(self.days)],
        )

    @classmethod
    def load(cls, kept: ContractsKept) -> "Contracts":
        """Return what `dump` wrote.

        Raises:
            InvalidValue: A part contradicts itself.
        """
        contracts = cls(
            standing={contract.id: contract for contract in kept.standing},
            heard=dict(kept.heard),
            days={asset: DayColumns.load(days, called) for asset, days, called in kept.days},
        )
        for contract in kept.standing:
            for acceptance in contract.accepted.values():
                contracts.promise(contract, acceptance)
        if contracts.days.keys() != {asset for asset, _, _ in kept.days}:
            raise InvalidValue("the days of each promised asset are known")
        for name, asset, told in kept.guarantees:
            contracts.guarantees.setdefault(name, {})[asset] = told
        if not contracts.guarantees.keys() <= contracts.standing.keys():
            raise InvalidValue("a guarantee answers an offer that stands")
        return contracts

    def _answers(self) -> list[tuple[str, AssetId, Guarantee]]:
        return [
            (name, asset, self.guarantees[name][asset])
            for name in sorted(self.guarantees, key=int)
            for asset in sorted(self.guarantees[name])
        ]
