"""WATT: receipts for clean energy in storage, minted when it goes in and burned when it comes out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from commonwatt.model import AccountId, Asset, AssetId, InvalidValue, share_wh

Listing = tuple[tuple[int, tuple[tuple[AssetId, int], ...]], ...]
"""Slots, and for each its storages and Wh, sorted, without zeros."""


class BySlot:
    """So many Wh of each storage in each slot, remembered until `forget_before`.

    Args:
        listing: What `listing` told.
    """

    def __init__(self, listing: Iterable[tuple[int, Iterable[tuple[str, int]]]] = ()) -> None:
        self._wh = {slot_s: {AssetId(name): wh for name, wh in by_asset} for slot_s, by_asset in listing}
        self._digests: dict[int, bytes] = {}

    def get(self, asset: AssetId, slot_s: int) -> int:
        """Return what stands for one storage and slot; 0 where nothing does."""
        return self._wh.get(slot_s, {}).get(asset, 0)

    def set(self, asset: AssetId, slot_s: int, wh: int) -> None:
        """Remember an amount in place of what stood there; none for zero."""
        by_asset = self._wh.setdefault(slot_s, {})
        if wh:
            by_asset[asset] = wh
        else:
            by_asset.pop(asset, None)
        if not by_asset:
            del self._wh[slot_s]
        self._digests.pop(slot_s, None)

    def after(self, asset: AssetId, slot_s: int) -> list[tuple[int, int]]:
        """Return later slots and their amounts of one storage, in order."""
        return sorted((later_s, by[asset]) for later_s, by in self._wh.items() if later_s > slot_s and asset in by)

    def forget_before(self, slot_s: int) -> None:
        """Let go of all slots before one."""
        for old_s in [start_s for start_s in self._wh if start_s < slot_s]:
            del self._wh[old_s]
            self._digests.pop(old_s, None)

    def listing(self) -> Listing:
        """Return all of it."""
        return tuple((slot_s, tuple(sorted(by.items()))) for slot_s, by in sorted(self._wh.items()))

    def digests(self, from_s: int) -> list[tuple[int, str]]:
        """Return every slot from one on of which anything stands, and the hash of its storages and Wh, in hex."""
        for slot_s in self._wh.keys() - self._digests.keys():
            told = "".join(f"{asset} {wh}\n" for asset, wh in sorted(self._wh[slot_s].items()))
            self._digests[slot_s] = sha256(told.encode()).digest()
        return [(slot_s, self._digests[slot_s].hex()) for slot_s in sorted(self._wh) if slot_s >= from_s]


class StorageClaims:
    """How much WATT stands against each storage, in base units (1 = 1 Wh at its AC meter).

    The sum equals what all accounts hold, and after each reading no storage has more issued than it can give back.
    What was ``minted`` in which slot, and what was burned because a level was too low (``lost``), is remembered as long
    as readings of it can be corrected: a correction takes back no more than that, and nothing twice.
    """

    def __init__(self) -> None:
        self._issued_wh: dict[AssetId, int] = {}
        self.minted, self.lost = BySlot(), BySlot()

    def issue(self, asset: AssetId, minted_wh: int, slot_s: int | None = None) -> None:
        """Add what was minted for energy that entered a storage.

        Args:
            asset: The storage.
            minted_wh: Zero or more.
            slot_s: When it entered; none where that is not to be remembered.

        Raises:
            InvalidValue: The amount is below zero.
        """
        if minted_wh < 0:
            raise InvalidValue(f"WATT is minted by zero or more, was {minted_wh} Wh for {asset}")
        self._issued_wh[asset] = self.issued_wh(asset) + minted_wh
        if slot_s is not None:
            self.minted.set(asset, slot_s, self.minted.get(asset, slot_s) + minted_wh)

    def burn(self, asset: AssetId, burned_wh: int) -> None:
        """Take off what was burned for energy that left a storage.

        Raises:
            InvalidValue: The amount is below zero or more than is issued.
        """
        issued_wh = self.issued_wh(asset)
        if not 0 <= burned_wh <= issued_wh:
            raise InvalidValue(f"no more is burned than issued, was {burned_wh} Wh of {issued_wh} for {asset}")
        self._issued_wh[asset] = issued_wh - burned_wh

    def take_back(self, asset: AssetId, slot_s: int, clean_wh: int) -> int:
        """Return what of a slot's minting should not have been and still stands, and remember no more than should.

        What was minted first is burned first, so nothing of what was minted later is taken for it.
        """
        minted_wh = self.minted.get(asset, slot_s)
        if minted_wh <= clean_wh:
            return 0
        self.minted.set(asset, slot_s, clean_wh)
        later_wh = sum(wh for _, wh in self.minted.after(asset, slot_s))
        return min(minted_wh - clean_wh, max(0, self.issued_wh(asset) - later_wh))

    def discharge_left(self, asset: AssetId, slot_s: int, discharge_wh: int) -> int:
        """Return what of a discharge that was told late no later level has burned yet; what has is counted off once."""
        for later_s, lost_wh in self.lost.after(asset, slot_s):
            counted_wh = min(lost_wh, discharge_wh)
            self.lost.set(asset, later_s, lost_wh - counted_wh)
            discharge_wh -= counted_wh
        return discharge_wh

    def issued_wh(self, asset: AssetId) -> int:
        """Return what is outstanding against one storage."""
        return self._issued_wh.get(asset, 0)

    def forget_before(self, slot_s: int) -> None:
        """Let go of what no correction reaches any more."""
        self.minted.forget_before(slot_s)
        self.lost.forget_before(slot_s)

    @property
    def total_wh(self) -> int:
        """What is outstanding against all storage: the supply of WATT."""
        return sum(self._issued_wh.values())

    def listing(self) -> tuple[tuple[AssetId, int], ...]:
        """Return storage and Wh, sorted by name, without zeros."""
        return tuple(sorted((asset, wh) for asset, wh in self._issued_wh.items() if wh))

    @classmethod
    def load(
        cls,
        listing: Iterable[tuple[str, int]],
        minted: Iterable[tuple[int, Iterable[tuple[str, int]]]],
        lost: Iterable[tuple[int, Iterable[tuple[str, int]]]],
    ) -> "StorageClaims":
        """Return the claims that `listing`, and the listings of what was minted and lost, told.

        Raises:
            InvalidValue: An amount is below zero.
        """
        claims = cls()
        for name, wh in listing:
            claims.issue(AssetId(name), wh)
        claims.minted, claims.lost = BySlot(minted), BySlot(lost)
        return claims


@dataclass(frozen=True, slots=True)
class Burn:
    """WATT that a discharge used up, and where the energy of others' WATT went; accounts and Wh, no zeros.

    Args:
        burned: Whose WATT is burned, holders first, then the owner.
        delivered: To which holders the owner's export was delivered; settlement moves it at no price.
    """

    burned: tuple[tuple[AccountId, int], ...]
    delivered: tuple[tuple[AccountId, int], ...]

    @property
    def total_wh(self) -> int:
        """All that is burned, to be taken off the storage's claims."""
        return sum(wh for _, wh in self.burned)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """WATT without energy behind it: burned from the owner, and what the owner must buy back from holders, in Wh."""

    burned_wh: int
    short_wh: int


def clean_charge_wh(charge_wh: int, load_wh: int, solar_wh: int) -> int:
    """Return how much of a charge was the member's own clean generation.

    The home's own load comes first (row E1): only what the sun gave beyond it can have gone into storage. The rest of
    the charge came from the grid, or out of another store, and mints nothing.

    Args:
        charge_wh: Into the storage, at its AC meter.
        load_wh: What the home itself used in the same time.
        solar_wh: Generated behind the same connection, less what another store there has already been credited with.

    Raises:
        InvalidValue: A count is below zero.

    Source: MISSION, rows E1 and E2.
    """
    if min(charge_wh, load_wh, solar_wh) < 0:
        raise InvalidValue(f"meters count zero or more, was {charge_wh}, {load_wh} and {solar_wh} Wh")
    return min(charge_wh, max(0, solar_wh - load_wh))


def mint_wh(asset: Asset, clean_wh: int) -> int:
    """Return the WATT for a clean charge: what the storage can give back of it, rounded down.

    Raises:
        InvalidValue: The charge is below zero, or the asset stores nothing.

    Source: RULES, Energy and money.
    """
    if clean_wh < 0 or not asset.stores:
        raise InvalidValue(f"WATT is minted for energy that enters storage, was {clean_wh} Wh into {asset.id}")
    return asset.round_trip_wh(clean_wh)


def call_stored(
    discharge_wh: int,
    export_wh: int,
    issued_wh: int,
    owner: AccountId,
    holders: Sequence[tuple[AccountId, int, int]],
    *,
    owner_balance_wh: int,
) -> Burn:
    """Decide whose WATT a discharge uses up: importing holders' first, then the owner's.

    Holders can only have what left through the connection point, each up to their WATT and their import; where it is
    not enough for all, in proportion to what each could have, by largest remainders. The owner's burns for the rest,
    used at home or exported.

    Args:
        discharge_wh: Out of the storage in the slot, at its AC meter.
        export_wh: Out of the owner's connection point in the slot, as far as it is not delivered to anyone yet.
        issued_wh: WATT outstanding against this storage; nothing beyond it is burned.
        owner: Who owns the storage.
        holders: Other members: account, WATT in Wh, import in Wh that nothing has been delivered to yet. Of equal
            remainders the earlier one's comes first.
        owner_balance_wh: The owner's own WATT in Wh.

    Raises:
        InvalidValue: An amount is below zero, or the owner stands among the holders.

    Source: RULES, Energy and money.
    """
    if min(discharge_wh, export_wh, issued_wh, owner_balance_wh) < 0:
        raise InvalidValue(f"a discharge of {owner} counts zero or more, was {discharge_wh} Wh of {issued_wh} issued")
    left_wh = min(discharge_wh, issued_wh)
    for holder, balance_wh, import_wh in holders:
        if holder == owner or min(balance_wh, import_wh) < 0:
            raise InvalidValue(f"holders are others and count zero or more, was {holder} for storage of {owner}")
    wanted_wh = [min(balance_wh, import_wh) for _, balance_wh, import_wh in holders]
    called_wh = min(left_wh, export_wh, sum(wanted_wh))
    shares_wh = share_wh(called_wh, wanted_wh) if called_wh else []
    delivered = [(holder, wh) for (holder, _, _), wh in zip(holders, shares_wh, strict=False) if wh]
    left_wh -= called_wh
    own_wh = min(left_wh, owner_balance_wh)
    own = ((owner, own_wh),) if own_wh else ()
    return Burn(burned=(*delivered, *own), delivered=tuple(delivered))


def shortfall(level_wh: int, asset: Asset, issued_wh: int, owner_balance_wh: int) -> Shortfall:
    """Compare WATT with the reported level: standby loss and driving burn the owner's, and what it lacks is short.

    Args:
        level_wh: Stored energy that the storage reports.
        asset: The storage.
        issued_wh: WATT outstanding against it.
        owner_balance_wh: The owner's own WATT in Wh.

    Raises:
        InvalidValue: An amount is below zero.

    Source: RULES, Energy and money.
    """
    if min(level_wh, issued_wh, owner_balance_wh) < 0:
        raise InvalidValue(f"a level of {asset.id} is zero or more, was {level_wh} Wh with {issued_wh} Wh issued")
    missing_wh = max(0, issued_wh - asset.recoverable_wh(level_wh))
    burned_wh = min(missing_wh, owner_balance_wh)
    return Shortfall(burned_wh, missing_wh - burned_wh)


def buy_back(short_wh: int, holders: Sequence[tuple[AccountId, int]]) -> list[tuple[AccountId, int]]:
    """Split what an owner must buy back among the holders, in proportion to what they hold.

    Args:
        short_wh: WATT in Wh without energy behind it; the owner pays for it at the imbalance price.
        holders: Every account that holds WATT, the owner's own being spent, and how much in Wh.

    Returns:
        Accounts and Wh, no zeros, never more than held; equal remainders favour the earlier holder.

    Raises:
        InvalidValue: All together hold less than is short: then the books are wrong, since what is issued is held.
    """
    held_wh = [balance_wh for _, balance_wh in holders]
    if not 0 <= short_wh <= sum(held_wh):
        raise InvalidValue(f"no more is bought back than is held, was {short_wh} Wh of {sum(held_wh)}")
    if short_wh == 0:
        return []
    shares_wh = share_wh(short_wh, held_wh)
    return [(account, wh) for (account, _), wh in zip(holders, shares_wh, strict=True) if wh]


def b_max_wh(cost_micro: int, price_micro_per_kwh: int) -> int:
    """Return the most WATT that a member may hold, from what their storage may cost; rounded down to Wh.

    Members hold half of it on average and storage is sized at 150 % of the average, so a storage cost per member is
    C = 1.5 * P * B_max / 2.

    Args:
        cost_micro: Target storage cost per member, C, in micro.
        price_micro_per_kwh: What a kWh of storage capacity costs, P, in micro.

    Raises:
        InvalidValue: The cost is below zero, or the price is not above zero.

    Source: energo-dae, Equation 1, as in MISSION, Formulas of the Energo document: B_max = 4 * C / (3 * P).
    """
    if cost_micro < 0 or price_micro_per_kwh <= 0:
        raise InvalidValue(f"storage costs something, was {cost_micro} micro at {price_micro_per_kwh} micro per kWh")
    return 4 * cost_micro * 1000 // (3 * price_micro_per_kwh)


def thresholds(b_max_wh: int) -> tuple[int, int]:
    """Return the balances in Wh at which a Zero-Intelligence agent buys and sells: 10 % and 90 %, rounded down.

    Source: MISSION, Formulas of the Energo document.
    """
    return b_max_wh // 10, b_max_wh * 9 // 10
