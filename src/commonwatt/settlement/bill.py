"""A bill that a person can read: what came and went over a period, line by line, and the entries behind each line.

A bill is sums over entries and nothing else: its total is what the account's ERGON changed by, but for money that was
bought in or paid out. Prices in the community's books are what people pay, so taxes are the part of a line that is in
it already, never something on top.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.model import AccountId, Commodity, Entry, InvalidValue, Memo, round_div
from commonwatt.settlement.statement import NOT_EARNED


class LineClass(StrEnum):
    """What a line is about: each class has its own rate of tax."""

    ENERGY = "energy"
    FEES = "fees"
    STORAGE = "storage"
    SERVICES = "services"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class _Tariff:
    """What a memo is called where something came to the member, and where it went from them."""

    came: str
    went: str
    kind: LineClass


def _both(name: str, kind: LineClass) -> _Tariff:
    return _Tariff(name, name, kind)


_E, _S, _V = LineClass.ENERGY, LineClass.STORAGE, LineClass.SERVICES
_ABROAD = ("WATT bought from another community", "WATT sold to another community")
_TARIFFS: dict[str, _Tariff] = {
    Memo.TRADE: _Tariff("Energy bought from neighbours", "Energy sold to neighbours", _E),
    Memo.TRADE_KEPT: _Tariff("Energy bought, though not sent", "Energy sold, though not taken", _E),
    Memo.SHARED: _Tariff("Energy shared by neighbours", "Energy shared with neighbours", _E),
    Memo.SHARED_IMPORT: _both("Energy shared by neighbours", _E),
    Memo.SHARED_EXPORT: _both("Energy shared with neighbours", _E),
    Memo.GRID_IMPORT: _both("Energy from the grid", _E),
    Memo.GRID_EXPORT: _both("Energy to the grid", _E),
    Memo.GRID_BALANCE: _Tariff("Energy from the grid", "Energy to the grid", _E),
    Memo.LATE_IMPORT: _both("Energy from the grid, read late", _E),
    Memo.LATE_EXPORT: _both("Energy to the grid, read late", _E),
    Memo.CORRECTED_IMPORT: _both("Energy from the grid, corrected", _E),
    Memo.CORRECTED_EXPORT: _both("Energy to the grid, corrected", _E),
    Memo.IMBALANCE: _both("Energy agreed and not kept", _E),
    Memo.WATT_DELIVERY: _Tariff("Stored energy called for WATT", "Stored energy given for WATT", _S),
    Memo.WATT_TRADE: _Tariff("WATT bought", "WATT sold", _S),
    Memo.WATT_BOUGHT_BACK: _both("WATT bought back for lack of energy", _S),
    Memo.WATT_MINTED: _both("WATT minted for own sun", _S),
    Memo.WATT_BURNED_ON_USE: _both("WATT used", _S),
    Memo.WATT_BURNED_ON_LOSS: _both("WATT lost with stored energy", _S),
    Memo.INTERCHANGE_PREPARED: _Tariff(*_ABROAD, _S),
    Memo.INTERCHANGE: _Tariff(*_ABROAD, _S),
    Memo.INTERCHANGE_RELEASED: _Tariff(_ABROAD[1], _ABROAD[0], _S),  # what comes back to a buyer is the buyer's money
    Memo.GRID_FEE: _both("Fee for the grid's wires", LineClass.FEES),
    Memo.CHARGING: _Tariff("Charging at a station", "Energy given to cars", _V),
    Memo.CHARGING_CORRECTED: _Tariff("Charging at a station, corrected", "Energy given to cars, corrected", _V),
    Memo.OPERATOR_COMMISSION: _both("Operator's commission on storage", _V),
    Memo.OPERATOR_COMMISSION_CORRECTED: _both("Operator's commission on storage", _V),
    Memo.LICENCE: _both("Premium licence", _V),
    Memo.FLEXIBILITY_PAYMENT: _Tariff("Flexibility called from others", "Flexibility given when called", _V),
    Memo.FLEXIBILITY_AVAILABILITY: _Tariff("Flexibility of others held ready", "Flexibility held ready", _V),
    Memo.FLEXIBILITY_PENALTY: _both("Penalty for flexibility agreed and not given", _V),
    Memo.FLEXIBILITY_SETTLEMENT: _both("Flexibility, after a dispute", _V),
    Memo.CAPACITY: _Tariff("Capacity of others, by auction", "Capacity, by auction", _V),
    Memo.BOND_FORFEITED: _both("Bond of an auction, forfeited", LineClass.OTHER),
    Memo.SEAL_LAPSED: _both("Bond of a sealed order, forfeited", LineClass.OTHER),
    Memo.EQUALISATION: _both("Equalisation among members", LineClass.OTHER),
    Memo.TRANSFER: _Tariff("Given by others", "Given to others", LineClass.OTHER),
}
"""In the order of the bill."""
_TAXED = frozenset({Memo.CORRECTED_IMPORT, Memo.INTERCHANGE_RELEASED})
"""What takes back, as a rule, something that bore tax: energy that was not used, a purchase that came to nothing."""
_UNTAXED = frozenset({Memo.CORRECTED_EXPORT, Memo.TRANSFER})
"""What takes back something that was sold, and gifts."""
_PURCHASES = frozenset(NOT_EARNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a bill.

    Args:
        label: In words; the memo itself where nobody has given it any.
        kind: Its class.
        energy_wh: What flowed: above zero to the member, below zero from the member.
        watt_wh: WATT that the member got, less what went.
        amount_micro: What the member pays; below zero what the member is paid.
        tax_micro: The tax that is in the amount.
        entries: Numbers of its entries in the journal, from 0, in order.
    """

    label: str
    kind: LineClass
    energy_wh: int
    watt_wh: int
    amount_micro: int
    tax_micro: int
    entries: tuple[int, ...]

    @property
    def price_micro_per_kwh(self) -> int | None:
        """Return the mean price, halves to even; None where there was no energy or no money."""
        quantity_wh = self.energy_wh or self.watt_wh
        if not quantity_wh or not self.amount_micro:
            return None
        return round_div(self.amount_micro * 1000 * (1 if quantity_wh > 0 else -1), abs(quantity_wh))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one account owes for the slots of a period, or is owed.

    Args:
        account: Whose it is.
        from_s: First slot, seconds since 1970.
        to_s: End of the last slot.
        lines: In the order of `_TARIFFS`; memos without a name last, by their names.
        import_wh: All energy that came in.
        export_wh: All energy that went out.
        purchases_micro: ERGON bought in less what was paid out again: no part of the total.
        final: Whether no late or corrected reading can change it any more.
        before: The bill of the period before, to compare with; None where there is none.
    """

    account: AccountId
    from_s: int
    to_s: int
    lines: tuple[Line, ...]
    import_wh: int
    export_wh: int
    purchases_micro: int
    final: bool
    before: "Bill | None" = None

    @property
    def total_micro(self) -> int:
        """What the member pays for the period: minus the change of the account's ERGON but for purchases."""
        return sum(line.amount_micro for line in self.lines)

    @property
    def tax_micro(self) -> int:
        """What of the total is tax."""
        return sum(line.tax_micro for line in self.lines)


def bill(
    account: AccountId,
    entries: Iterable[tuple[int, Entry]],
    from_s: int,
    to_s: int,
    *,
    tax_permille: Mapping[LineClass, int] | None = None,
    final: bool = True,
    before: Bill | None = None,
) -> Bill:
    """Sum up what an account paid and was paid for the slots of a period.

    Args:
        account: Whose bill.
        entries: Numbers in the journal and entries; those of others, of TSL or of other slots change nothing.
        from_s: First slot, seconds since 1970.
        to_s: End of the last slot.
        tax_permille: Rates of tax by class, in thousandths of the price before tax; none where a class is not told.
        final: Whether nothing can still be corrected.
        before: The bill of the period before, to compare with.

    Returns:
        The bill. Tax is amount * rate / (1000 + rate) of what each line bought, halves to even, rounded line by line.
        What a member sells bears none, whatever the line is called: energy, WATT or a service went, and money came.

    Raises:
        InvalidValue: The period is empty, or a rate is below zero.
    """
    rates = dict(tax_permille or {})
    if to_s <= from_s or min(rates.values(), default=0) < 0:
        raise InvalidValue(f"a bill is of a period and its rates are zero or more, was {from_s} to {to_s}, {rates}")
    own = [
        (number, entry)
        for number, entry in entries
        if from_s <= entry.slot_s < to_s
        and account in (entry.source, entry.target)
        and entry.commodity is not Commodity.TSL
    ]
    moved = [(number, entry) for number, entry in own if not _is_purchase(entry)]
    energy = [_gain(entry, account) for _, entry in moved if entry.commodity is Commodity.ENERGY]
    return Bill(
        account=account,
        from_s=from_s,
        to_s=to_s,
        lines=tuple(one.line(key, rates) for key, one in sorted(_sums(account, moved).items())),
        import_wh=sum(wh for wh in energy if wh > 0),
        export_wh=-sum(wh for wh in energy if wh < 0),
        purchases_micro=sum(_gain(entry, account) for _, entry in own if _is_purchase(entry)),
        final=final,
        before=before,
    )


def label_of(account: AccountId, entry: Entry) -> str:
    """Return what an account's bill calls one entry; the memo itself where bills have no word for it."""
    came = entry.target == account
    if entry.commodity is Commodity.ERGON and entry.memo != Memo.TRANSFER:
        came = not came  # who pays is the one who got
    return _line(entry.memo, inward=came)[1]


def labels() -> list[str]:
    """Return all that a bill's lines may be called, each once; for whoever translates them."""
    return list(dict.fromkeys(label for one in _TARIFFS.values() for label in (one.came, one.went)))


_Key = tuple[int, str, LineClass]


@dataclass(slots=True)
class _Sum:
    gains: Counter[Commodity] = field(default_factory=Counter)
    entries: list[int] = field(default_factory=list)
    bought_micro: int = 0
    """What was paid for energy or WATT that came."""
    alone_micro: int = 0
    """What was paid, less what was got, where nothing else moved."""

    def pay(self, memo: str, micro: int, came: bool | None) -> None:
        """Add an amount that was paid, or got where it is below zero, and whether what it was for came or went."""
        if memo in _TAXED or (came and memo not in _UNTAXED):
            self.bought_micro += micro
        elif came is None and memo not in _UNTAXED:
            self.alone_micro += micro

    def line(self, key: _Key, rates: Mapping[LineClass, int]) -> Line:
        _, label, kind = key
        permille = rates.get(kind, 0)
        # Who is paid for a service sells it, so what is left of such a line bears tax only where the member pays.
        taxed_micro = self.bought_micro + max(0, self.alone_micro)
        return Line(
            label=label,
            kind=kind,
            energy_wh=self.gains[Commodity.ENERGY],
            watt_wh=self.gains[Commodity.WATT],
            amount_micro=-self.gains[Commodity.ERGON],
            tax_micro=round_div(taxed_micro * permille, 1000 + permille),
            entries=tuple(self.entries),
        )


def _sums(account: AccountId, own: Sequence[tuple[int, Entry]]) -> dict[_Key, _Sum]:
    """Sum entries by line."""
    came = {_thing(entry): entry.target == account for _, entry in own if entry.commodity is not Commodity.ERGON}
    sums: dict[_Key, _Sum] = {}
    for number, entry in own:
        inward, what_came = entry.target == account, None
        if entry.commodity is Commodity.ERGON and entry.memo != Memo.TRANSFER:
            # Money goes to the line of what it was paid for; where nothing else moved, whoever pays is the one who got.
            what_came = came.get(_thing(entry))
            inward = not inward if what_came is None else what_came
        line = sums.setdefault(_line(entry.memo, inward=inward), _Sum())
        if entry.commodity is Commodity.ERGON:
            line.pay(entry.memo, -_gain(entry, account), what_came)
        line.entries.append(number)
        line.gains[entry.commodity] += _gain(entry, account)
    return sums


def _thing(entry: Entry) -> tuple[str, int, str]:
    """Return what an entry is about: money and energy of one trade share it."""
    return entry.memo, entry.slot_s, entry.ref


def _line(memo: str, *, inward: bool) -> _Key:
    if memo not in _TARIFFS:
        return len(_TARIFFS), memo, LineClass.OTHER
    tariff = _TARIFFS[memo]
    label = tariff.came if inward else tariff.went
    # Lines of one name are one line, in the place of the first that has it.
    place = next(n for n, other in enumerate(_TARIFFS.values()) if label in (other.came, other.went))
    return place, label, tariff.kind


def _gain(entry: Entry, account: AccountId) -> int:
    return entry.amount if entry.target == account else -entry.amount


def _is_purchase(entry: Entry) -> bool:
    return entry.commodity is Commodity.ERGON and entry.memo in _PURCHASES
