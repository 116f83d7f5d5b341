"""To which address of the chain each wallet's balance goes if the operator stops: rows for the state's last section."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.identity.directory import Directory
from commonwatt.identity.keys import VerifyingKey
from commonwatt.ledger.accounts import NAME_BYTES
from commonwatt.model import CHAIN_PORT, SYSTEM_ACCOUNTS, AccountId

ADDRESS_BYTES = 20
ROW_BYTES = NAME_BYTES + ADDRESS_BYTES


def exit_rows(keys: Directory, wallet_roles: tuple[str, ...], deposits: int) -> NDArray[np.uint8]:
    """Return account and address of the first secp256k1 key of everyone who can hold tokens, sorted by name.

    The row of `CHAIN_PORT` tells in place of an address how many deposits were credited: the Vault gives back all
    later ones once nobody is there to credit them.

    Args:
        keys: All that are registered.
        wallet_roles: Of whoever can hold tokens.
        deposits: How many were credited.

    Returns:
        (n, 84) bytes: the name, filled up with zeros to 64 bytes, and the address, or the number as big-endian uint160.
    """
    first: dict[AccountId, str] = {CHAIN_PORT: f"{deposits:040x}"}
    for record in keys:
        holds = record.role in wallet_roles and record.account not in SYSTEM_ACCOUNTS
        if holds and isinstance(record.verifying, VerifyingKey):
            first.setdefault(record.account, record.verifying.id[2:])
    told = b"".join(
        name.encode().ljust(NAME_BYTES, b"\0") + bytes.fromhex(address) for name, address in sorted(first.items())
    )
    return np.frombuffer(told, np.uint8).reshape(-1, ROW_BYTES)
