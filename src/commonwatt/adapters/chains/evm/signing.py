"""Sign a transaction here, with a key that may live anywhere: only 32 bytes are handed to it."""

from dataclasses import dataclass

import rlp

from commonwatt.flows.chain_ports import TransactionSigner
from commonwatt.identity.keys import keccak256, recovered
from commonwatt.model import Refused

_DYNAMIC_FEE = b"\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What is signed.

    Args:
        chain_id: Of which chain.
        nonce: The sender's number for it, from 0 without gap.
        tip: The most of the price per gas that goes to whoever puts it into a block, in the coin's smallest unit.
        fee: The most per gas altogether.
        gas: The most gas that it may use.
        to: 20 bytes; empty makes a contract.
        value: Coins sent along.
        data: What a contract is told, or is made from.
    """

    chain_id: int
    nonce: int
    tip: int = 0
    fee: int = 0
    gas: int
    to: bytes = b""
    value: int = 0
    data: bytes = b""


def signed(transaction: Transaction, key: TransactionSigner) -> bytes:
    """Return a signed transaction as nodes take it, its hash being their Keccak-256.

    Raises:
        Refused: What the key returned is no signature by its account.

    Source: EIP-1559, transaction type 2, with an empty access list; EIP-2718.
    """
    t = transaction
    fields = [t.chain_id, t.nonce, t.tip, t.fee, t.gas, t.to, t.value, t.data, []]
    digest = keccak256(_DYNAMIC_FEE + rlp.encode(fields))
    signature = bytes.fromhex(key.sign_digest(digest))
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    return bytes(_DYNAMIC_FEE + rlp.encode([*fields, parity(digest, signature, key.id), r, s]))


def parity(digest: bytes, signature: bytes, account: str) -> int:
    """Return what tells the one of two keys from the other that a signature of 64 bytes could be by: 0 or 1.

    Raises:
        Refused: It is by neither.
    """
    for odd in (0, 1):
        if recovered(digest, signature, odd) == account:
            return odd
    raise Refused("a signature is by the key that it is asked of", account=account)
