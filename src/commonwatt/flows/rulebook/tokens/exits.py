"""What contracts are shown beside balances: rows for the state's last section, where a community has a chain.

Four kinds of rows, a name and 20 bytes each. No account is called as the last two, whose names have a colon:

* an account: the address to which its own goes if the operator stops;
* `CHAIN_PORT`: how many deposits were told. The Vault gives back all later ones once nobody is there to tell them;
* ``chain-vault:`` and the chain's number: the one Vault that this ledger names;
* ``chain-refused:`` and a deposit's number: it was not credited, and the Vault gives it back. Who sent it stands there.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from commonwatt.flows.rulebook.tokens.crossed import Crossed
from commonwatt.identity.directory import Directory, KeyRecord
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.accounts import NAME_BYTES
from commonwatt.model import CHAIN_PORT, SYSTEM_ACCOUNTS, AccountId

ADDRESS_BYTES = 20
ROW_BYTES = NAME_BYTES + ADDRESS_BYTES


def exit_rows(keys: Directory, wallet_roles: tuple[str, ...], crossed: Crossed) -> NDArray[np.uint8]:
    """Return the rows, sorted by name.

    Args:
        keys: All that are registered.
        wallet_roles: Of whoever can hold tokens.
        crossed: What crossed so far.

    Returns:
        (n, 84) bytes: the name, filled up with zeros to 64 bytes, and the address, or a number as big-endian uint160.
    """
    told: dict[str, str] = {
        account: address[2:] for account, address in exit_addresses(keys, wallet_roles, crossed).items()
    }
    told[CHAIN_PORT] = f"{crossed.count:040x}"
    if crossed.vault is not None:
        told[vault_name(crossed.vault.chain_id)] = crossed.vault.vault[2:]
    told.update((refused_name(number), sender[2:]) for number, sender in crossed.refused.items())
    rows = b"".join(
        name.encode().ljust(NAME_BYTES, b"\0") + bytes.fromhex(digits) for name, digits in sorted(told.items())
    )
    return np.frombuffer(rows, np.uint8).reshape(-1, ROW_BYTES)


def exit_addresses(keys: Iterable[KeyRecord], wallet_roles: tuple[str, ...], crossed: Crossed) -> dict[AccountId, str]:
    """Return to which address each account's own goes if the operator stops.

    It is the one that the account named, else that of the secp256k1 key that was registered last in the account's role:
    where a key was lost, another took its place.

    Args:
        keys: Of the accounts that are asked about, in order of registration.
        wallet_roles: Of whoever can hold tokens.
        crossed: Who named what.
    """
    found: dict[AccountId, str] = {}
    roles: dict[AccountId, str] = {}
    for record in keys:
        if record.role not in wallet_roles or record.account in SYSTEM_ACCOUNTS:
            continue
        # A station's or car's key for a member's account does not take the place of the member's own.
        own = roles.setdefault(record.account, record.role) == record.role
        if record.account in crossed.exits:
            found[record.account] = crossed.exits[record.account]
        elif own and isinstance(record.verifying, VerifyingKey):
            found[record.account] = record.verifying.id
    return found


def vault_name(chain_id: int) -> AccountId:
    """Return the name of the row that tells which Vault a ledger names on a chain."""
    return AccountId(f"chain-vault:{chain_id}")


def refused_name(number: int) -> AccountId:
    """Return the name of the row that tells that a deposit was refused."""
    return AccountId(f"chain-refused:{number}")
