"""Share what neighbours export and did not sell among those who import at the same time, by a community's key.

Four keys. ``none``: nothing is shared, the grid takes and gives the rest. ``static``: each member has a registered
part of all that is shared out, whatever they use at the time. ``dynamic``: in proportion to what each uses in the slot.
``pairs``: likewise, but written down as who gave how much to whom. Everything is whole Wh, and what leaves the
producers is to the Wh what reaches the consumers.

Source: French Code de l'energie, art. L315-2 and D315-6 (coefficients of sharing: told beforehand, or by default in
proportion to consumption at each measured step); Austrian ElWOG 2010 paragraphs 16a to 16e as of the EAG package of
2021 (static or dynamic allocation of generation, measured in quarter-hours). Read from memory of the law, for its
arithmetic alone: what else a law asks for is not here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from commonwatt.model import AccountId, InvalidValue, share_wh

ALL_PERMILLE = 1000


class Sharing(StrEnum):
    """The keys by which a community shares."""

    NONE = "none"
    STATIC = "static"
    DYNAMIC = "dynamic"
    PAIRS = "pairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingTerms:
    """How a community shares a slot's energy, and at what price.

    Args:
        key: How.
        price_micro_per_kwh: What a consumer pays a producer; below zero the money turns round.
        fee_micro_per_kwh: What the grid takes from the consumer beside it, for energy that went over its wires.
        permille: Under ``static`` the part of each account, in thousandths.
        redistribute: See `share`.
    """

    key: Sharing = Sharing.NONE
    price_micro_per_kwh: int = 0
    fee_micro_per_kwh: int = 0
    permille: Mapping[AccountId, int] = field(default_factory=dict)
    redistribute: bool = False


NO_SHARING = SharingTerms()


@dataclass(frozen=True, slots=True)
class Shared:
    """What a slot's sharing came to, in Wh.

    Args:
        given_wh: One value per producer.
        taken_wh: One value per consumer, with the same sum.
        pairs_wh: Under ``pairs`` one row per producer with one value per consumer; else nothing.
    """

    given_wh: tuple[int, ...]
    taken_wh: tuple[int, ...]
    pairs_wh: tuple[tuple[int, ...], ...] = ()

    @property
    def total_wh(self) -> int:
        """Return what was shared in all."""
        return sum(self.taken_wh)


def share(
    key: Sharing,
    exports_wh: Sequence[int],
    imports_wh: Sequence[int],
    permille: Sequence[int] = (),
    *,
    redistribute: bool = False,
) -> Shared:
    """Share what producers have left among what consumers still need.

    Args:
        key: How.
        exports_wh: What each producer exported and did not sell, Wh, zero or more.
        imports_wh: What each consumer imported and did not buy, Wh, zero or more.
        permille: Under ``static`` the registered part of each consumer, in thousandths of all that is exported.
        redistribute: Under ``static``, whether what a member cannot use goes to those who can, in proportion to what
            they still need; else the grid takes it.

    Returns:
        What each gives and takes: never more than they have, and sums that are equal.

    Raises:
        InvalidValue: An amount is below zero, or parts are not one per consumer, are below zero or above all together.
    """
    if min([*exports_wh, *imports_wh], default=0) < 0:
        raise InvalidValue(f"what is shared is zero or more, was {exports_wh} and {imports_wh} Wh")
    taken = _taken(key, sum(exports_wh), imports_wh, permille, redistribute=redistribute)
    total_wh = sum(taken)
    if not total_wh:
        return Shared((0,) * len(exports_wh), (0,) * len(imports_wh))
    given = share_wh(total_wh, exports_wh)
    pairs = matrix(given, taken) if key is Sharing.PAIRS else []
    return Shared(tuple(given), tuple(taken), tuple(map(tuple, pairs)))


def _taken(
    key: Sharing, exported_wh: int, imports_wh: Sequence[int], permille: Sequence[int], *, redistribute: bool
) -> list[int]:
    if key is Sharing.NONE:
        return [0] * len(imports_wh)
    if key is not Sharing.STATIC:
        return _pro_rata(exported_wh, imports_wh)
    if len(permille) != len(imports_wh) or min(permille, default=0) < 0 or sum(permille) > ALL_PERMILLE:
        raise InvalidValue(f"parts are one per consumer and at most {ALL_PERMILLE} together, was {permille}")
    # What nobody has a part in is the last part.
    parts = share_wh(exported_wh, [*permille, ALL_PERMILLE - sum(permille)])[:-1]
    taken = [min(part, import_wh) for part, import_wh in zip(parts, imports_wh, strict=True)]
    if redistribute:
        needed = [import_wh - wh for import_wh, wh in zip(imports_wh, taken, strict=True)]
        more = _pro_rata(exported_wh - sum(taken), needed)
        taken = [wh + extra for wh, extra in zip(taken, more, strict=True)]
    return taken


def _pro_rata(available_wh: int, needed_wh: Sequence[int]) -> list[int]:
    """Return what each gets of what is available, in proportion to what they need and never more than that."""
    shared_wh = min(available_wh, sum(needed_wh))
    return share_wh(shared_wh, needed_wh) if shared_wh else [0] * len(needed_wh)


def matrix(given_wh: Sequence[int], taken_wh: Sequence[int]) -> list[list[int]]:
    """Tell who gave how much to whom, each row and each column in proportion to the other side.

    Row by row, by largest remainders over what each column still lacks: so a column that was rounded down in one row
    comes first in the next, and rows and columns both end exact.

    Args:
        given_wh: Sums of the rows, Wh, zero or more.
        taken_wh: Sums of the columns, with the same total.

    Returns:
        Whole Wh, zero or more, one row per giver.

    Raises:
        InvalidValue: The sums differ.

    Source: largest remainders (Hamilton), see `share_wh`; the problem is that of controlled rounding, Cox 1987.
    """
    if sum(given_wh) != sum(taken_wh):
        raise InvalidValue(f"what is given is taken, was {sum(given_wh)} and {sum(taken_wh)} Wh")
    lacking = list(taken_wh)
    rows = []
    for wh in given_wh:
        row = share_wh(wh, lacking) if wh else [0] * len(lacking)
        lacking = [left - cell for left, cell in zip(lacking, row, strict=True)]
        rows.append(row)
    return rows
