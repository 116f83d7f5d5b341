"""Keep what members brought along in one file of a community's folder, each home under a key of its own."""

from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import save_secret
from commonwatt.adapters.stores.vault import Vault, Wrapping
from commonwatt.flows.brought import NOTHING_BROUGHT, Brought, HomePast
from commonwatt.forecasting.sun import Place
from commonwatt.model import AccountId, Corrupt

BROUGHT = "brought.json"


class _Home(msgspec.Struct, frozen=True):
    key: bytes
    sealed: bytes


class _File(msgspec.Struct, frozen=True):
    place: Place | None
    prices_from_s: int
    prices: tuple[tuple[int, int], ...]
    wear_micro_per_kwh: int
    reserve_wh: int
    homes: dict[AccountId, _Home]


def keep(folder: Path, wrapping: Wrapping, told: Brought) -> None:
    """Write it, in place of what was there."""
    vault = Vault(wrapping)
    owners = list(told.homes)
    sealed = vault.seal([(owner, 0, msgspec.json.encode(told.homes[owner])) for owner in owners])
    keys = vault.fresh()
    homes = {owner: _Home(keys[owner], text) for owner, text in zip(owners, sealed, strict=True)}
    _write(folder, _File(told.place, told.prices_from_s, told.prices, told.wear_micro_per_kwh, told.reserve_wh, homes))


def read(folder: Path, wrapping: Wrapping) -> Brought:
    """Return what a community began with; nothing where there is no such file.

    Raises:
        Corrupt: It is damaged, or another master key's.
    """
    file = _read(folder)
    if file is None:
        return NOTHING_BROUGHT
    vault = Vault(wrapping)
    vault.load({owner: home.key for owner, home in file.homes.items()})
    try:
        homes = {
            owner: msgspec.json.decode(vault.open(owner, 0, home.sealed), type=HomePast)
            for owner, home in file.homes.items()
        }
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"{folder / BROUGHT} holds no home's past: {error}") from error
    return Brought(
        place=file.place,
        prices_from_s=file.prices_from_s,
        prices=file.prices,
        wear_micro_per_kwh=file.wear_micro_per_kwh,
        reserve_wh=file.reserve_wh,
        homes=homes,
    )


def forget(folder: Path, account: AccountId) -> bool:
    """Delete a member's past with its key; tell whether there was one.

    Raises:
        Corrupt: The file is damaged.
    """
    file = _read(folder)
    if file is None or account not in file.homes:
        return False
    homes = {owner: home for owner, home in file.homes.items() if owner != account}
    _write(folder, msgspec.structs.replace(file, homes=homes))
    return True


def _read(folder: Path) -> _File | None:
    path = folder / BROUGHT
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Corrupt(f"{path} does not tell what was brought: {error}") from error


def _write(folder: Path, file: _File) -> None:
    save_secret(folder / BROUGHT, msgspec.json.encode(file))
