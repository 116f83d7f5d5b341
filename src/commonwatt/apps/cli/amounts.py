"""How amounts of money, tokens and energy are written and read on a command line."""

from commonwatt.apps import trading
from commonwatt.apps.cli.screen import ergon
from commonwatt.model import Commodity, Refused

_COIN_DECIMALS = 18


def written(commodity: Commodity, amount: int) -> str:
    """Return an amount in base units as people write it."""
    if commodity in (Commodity.ERGON, Commodity.TSL):
        return f"{ergon(amount)} {commodity.name}"
    return f"{amount} Wh{' WATT' if commodity is Commodity.WATT else ''}"


def base_units(commodity: Commodity, amount: str) -> int:
    """Return an amount in base units.

    Raises:
        Refused: It is none.
    """
    if commodity in (Commodity.ERGON, Commodity.TSL):
        return trading.micro(amount)
    if not (amount.isascii() and amount.isdigit()):
        raise Refused("an amount of energy is whole Wh", found=amount[:80])
    return int(amount)


def coins(smallest: int) -> str:
    """Return an amount of a chain's own coin, whose smallest unit is the 10^18th part (as Ethereum's wei)."""
    whole, part = divmod(smallest, 10**_COIN_DECIMALS)
    return f"{whole}.{part:0{_COIN_DECIMALS}}".rstrip("0").rstrip(".")


def smallest_of(amount: str) -> int:
    """Return an amount of a chain's own coin in its smallest unit.

    Raises:
        Refused: It is none, or has more decimals than the coin.
    """
    whole, _, part = amount.partition(".")
    digits = f"{whole}{part.ljust(_COIN_DECIMALS, '0')}"
    if not (whole and digits.isascii() and digits.isdigit()) or len(part) > _COIN_DECIMALS or len(whole) > 20:
        raise Refused("an amount of coins is a number like 0.05 with 18 decimals at most", found=amount[:80])
    return int(digits)
