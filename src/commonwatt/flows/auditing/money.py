"""What went into the Vault, what came out of it, and whether it holds what the ledger owes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from commonwatt.flows.auditing.ports import AuditedChain, Contracts
from commonwatt.flows.chain_ports import Account, Event
from commonwatt.flows.crossing import deposits
from commonwatt.flows.rulebook import State
from commonwatt.flows.rulebook.tokens.crossing import digest_of
from commonwatt.flows.rulebook.tokens.crossing_bodies import Deposited
from commonwatt.ledger.accounts import NAME_BYTES
from commonwatt.model import AccountId, Commodity, chain_account, is_system

TOKENS = (Commodity.ERGON, Commodity.WATT, Commodity.TSL)
_UNITS = {Commodity.ERGON: "micro ERGON", Commodity.WATT: "Wh WATT", Commodity.TSL: "micro TSL"}
_CHAIN = chain_account("")


@dataclass(slots=True)
class Payments:
    """What the Vault paid, held against what states say, from the smallest checkpoint to the last.

    Args:
        paid: What it said of it, in order.
        closed_at: The checkpoint from which everybody went with their own; None where nobody did.
    """

    paid: Sequence[Event]
    closed_at: int | None = None
    _by_size: dict[int, list[tuple[Account, Commodity, int]]] = field(init=False)
    _sums: dict[tuple[Account, Commodity], int] = field(init=False)

    def __post_init__(self) -> None:
        self._by_size, sums = defaultdict(list), defaultdict[tuple[Account, Commodity], int](int)
        for event in self.paid:
            to = event.values["to"]
            for commodity, name in zip(TOKENS, ("ergon", "watt", "tsl"), strict=True):
                sums[to, commodity] += event.values[name]
                if event.values[name]:
                    self._by_size[event.values["size"]].append((to, commodity, sums[to, commodity]))
        self._sums = dict(sums)

    def at(self, size: int, state: State) -> list[str]:
        """Return what was paid by a checkpoint beyond what its state says, in words."""
        return _beyond(self._by_size.get(size, ()), state, with_own=size == self.closed_at)

    def at_last(self, state: State) -> list[str]:
        """Return what was ever paid beyond what the last state says: what stands there for an address only grows."""
        told = [(to, commodity, amount) for (to, commodity), amount in self._sums.items()]
        return _beyond(told, state, with_own=self.closed_at is not None)

    def left(self, state: State, commodity: Commodity) -> int:
        """Return what members took of their own once everybody went, base units: what no address was owed."""
        if self.closed_at is None:
            return 0
        paid = ((to, amount) for (to, one), amount in self._sums.items() if one is commodity)
        return sum(max(0, amount - state.accounts.balance(chain_account(to), commodity)) for to, amount in paid)

    def unpaid(self, state: State, commodity: Commodity) -> int:
        """Return what was sent out to addresses and not paid there yet, base units."""
        rows = (row for row in state.accounts.balances() if row[0].startswith(f"{_CHAIN}0x") and row[1] is commodity)
        return sum(
            max(0, amount - self._sums.get((account.removeprefix(_CHAIN), commodity), 0)) for account, _, amount in rows
        )


def _beyond(told: Iterable[tuple[Account, Commodity, int]], state: State, *, with_own: bool) -> list[str]:
    own = _exits(state) if with_own else {}
    found = []
    for to, commodity, paid in told:
        names = [chain_account(to), *own.get(to, ())]
        owed = sum(max(0, state.accounts.balance(name, commodity)) for name in names)
        if paid > owed:
            found.append(f"{to} was paid {paid} {_UNITS[commodity]} and the state owes it {owed}")
    return found


def _exits(state: State) -> dict[Account, list[AccountId]]:
    """Return whose balances go to which address once everybody takes their own."""
    found = defaultdict[Account, list[AccountId]](list)
    for row in state.exit_rows():
        name = row[:NAME_BYTES].tobytes().rstrip(b"\0").decode()
        if not is_system(AccountId(name)):
            found["0x" + row[NAME_BYTES:].tobytes().hex()].append(AccountId(name))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """What the Vault took in and what the log says of it.

    Args:
        known: What stands in final blocks, by number.
        invented: Numbers that the log credits and the chain does not know so.
        late: What is not credited although two checkpoints were anchored since.
        waiting: What is not credited yet.
    """

    known: int
    invented: Sequence[int]
    late: Sequence[Deposited]
    waiting: Sequence[Deposited]


def crossings(chain: AuditedChain, contracts: Contracts, state: State, late_before: int, last: int) -> Crossings:
    """Compare what the Vault took in with what a log's state credits.

    Args:
        chain: Where the Vault is.
        contracts: Where.
        state: As of the log's end.
        late_before: What came in before this block should be credited by now.
        last: The last block that stays.

    Raises:
        Unreachable: The chain gives no answer.
        Corrupt: It tells of a token that is none of the community's.
    """
    found = deposits(chain, contracts.vault, contracts.named(), contracts.first_block)
    by_number = {one.number: digest_of(one) for one in found if one.block <= last}
    count = state.crossed.count
    invented = [number for number in range(count) if by_number.get(number) != state.crossed.digest(number)]
    open_ = [one for one in found if one.number >= count]
    return Crossings(
        known=len(by_number),
        invented=invented,
        late=[one for one in open_ if one.block < late_before],
        waiting=[one for one in open_ if one.block >= late_before],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Solvency:
    """Of one token, base units.

    Args:
        commodity: Which.
        held: What the Vault has.
        unpaid: What stands for addresses and was not fetched yet.
        inside: What all members have together, less what some owe.
    """

    commodity: Commodity
    held: int
    unpaid: int
    inside: int

    @property
    def short(self) -> int:
        """What is missing, should everybody come."""
        return max(0, self.unpaid + self.inside - self.held)

    def words(self) -> str:
        """Say it."""
        unit = _UNITS[self.commodity]
        told = f"holds {self.held} {unit}, owes {self.unpaid} to addresses and {self.inside} to members"
        return f"{told}: {self.short} are missing" if self.short else told


def solvency(
    chain: AuditedChain, contracts: Contracts, state: State, payments: Payments, commodity: Commodity, block: int
) -> Solvency:
    """Return what the Vault holds of ERGON or TSL, and what the ledger owes; WATT is made when it is paid out.

    Raises:
        Unreachable: The chain gives no answer.
    """
    held = int(chain.call(contracts.tokens[commodity], "balanceOf", (contracts.vault.address,), block=block))
    rows = state.accounts.balances()
    inside = sum(amount for account, one, amount in rows if one is commodity and not is_system(account))
    inside = max(0, inside - payments.left(state, commodity))
    return Solvency(commodity=commodity, held=held, unpaid=payments.unpaid(state, commodity), inside=inside)
