"""Orders for slots as packed records: signed once as a whole, and any single one still provable."""

import numpy as np
from numpy.typing import NDArray

from commonwatt.kernels.sha256 import leaf_hashes, tree_root
from commonwatt.kernels.slot_orders import MOST_EACH, SELLS
from commonwatt.market.slot_rows import NEAR, STRICT
from commonwatt.model import SLOT_SECONDS, InvalidValue, Source

ORDER_BYTES = 24
MOST_ORDERS = 672
"""A week of slots, 16 KiB."""
MOST_WH = MOST_PRICE = 10**9
LATEST_S = 32_503_680_000
"""The year 3000, as for every moment in a request."""
ORDER_DTYPE = np.dtype(
    [
        ("start_s", "<i8"),
        ("wh", "<i4"),
        ("limit", "<i4"),
        ("premium", "<i4"),
        ("source", "u1"),
        ("flags", "u1"),
        ("zero", "<u2"),
    ]
)
"""One order: the slot's start, Wh, limit and premium in micro per kWh, see `Source`, and `NEAR`, `STRICT`, `SELLS`."""
_FLAG_BITS = NEAR | STRICT | SELLS


def faulty(records: NDArray[np.void], begins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which records break a rule, for many batches laid end to end in one array.

    Of one batch, records stand by slot; those of one slot are on one side, and not more than an account may have.

    Args:
        records: n records of `ORDER_DTYPE`.
        begins: Where each batch begins.

    Returns:
        n truth values; a batch is good if none of its records is told.
    """
    start_s = records["start_s"]
    wrong: NDArray[np.bool_] = (start_s < 0) | (start_s > LATEST_S) | (start_s % SLOT_SECONDS != 0)
    wrong |= (records["wh"] < 1) | (records["wh"] > MOST_WH)
    for name in ("limit", "premium"):
        wrong |= (records[name] < 0) | (records[name] > MOST_PRICE)
    wrong |= (
        (records["source"] > max(Source)) | (records["flags"] & ~np.uint8(_FLAG_BITS) != 0) | (records["zero"] != 0)
    )
    first = np.zeros(len(records), np.bool_)
    first[begins] = True
    same = np.zeros(len(records), np.bool_)
    same[1:] = (start_s[1:] == start_s[:-1]) & ~first[1:]
    unlike = np.zeros(len(records), np.bool_)
    unlike[1:] = (records["flags"][1:] ^ records["flags"][:-1]) & SELLS != 0
    backwards = np.zeros(len(records), np.bool_)
    backwards[1:] = (start_s[1:] < start_s[:-1]) & ~first[1:]
    # How many before it in a row are of the same slot and batch.
    place = np.arange(len(records))
    run = place - np.maximum.accumulate(np.where(same, 0, place))
    return wrong | backwards | (same & unlike) | (run >= MOST_EACH)


def read_orders(data: bytes) -> NDArray[np.void]:
    """Read the records of one batch as an array; it shares the bytes' memory.

    Raises:
        InvalidValue: They are no whole records, none or too many, or one breaks a rule; says which.
    """
    count, rest = divmod(len(data), ORDER_BYTES)
    if rest or not 1 <= count <= MOST_ORDERS:
        raise InvalidValue(f"a batch has 1 to {MOST_ORDERS} orders of {ORDER_BYTES} bytes, was {len(data)} bytes")
    records = np.frombuffer(data, ORDER_DTYPE)
    wrong = np.flatnonzero(faulty(records, np.zeros(1, np.int64)))
    if len(wrong):
        raise InvalidValue(f"order {wrong[0]} of a batch is no order, or out of order, was {records[wrong[0]]}")
    return records


def orders_root(items: bytes) -> bytes:
    """Return the 32-byte Merkle root over the records of a batch, each of them a leaf.

    Source: RFC 6962 section 2.1; hashing as in the ledger's own tree, so that one verifier reads both.
    """
    return tree_root(leaf_hashes(np.frombuffer(items, np.uint8).reshape(-1, ORDER_BYTES)))
