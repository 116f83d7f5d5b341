"""Check many secp256k1 signatures at once."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.kernels.native import SECP256K1_CONTEXT, ecdsa_parse_compact, ecdsa_verify

POINT_BYTES = 64
"""A public key as libsecp256k1 keeps it in memory; never to be stored."""


def verify_many(
    points: NDArray[np.uint8], digests: NDArray[np.uint8], signatures: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Tell for each signature whether its key signed its digest; releases the interpreter's lock.

    Args:
        points: (n, 64) bytes, parsed public keys.
        digests: (n, 32) bytes.
        signatures: (n, 64) bytes, r and s, low-s; a high-s twin is false.

    Returns:
        n truth values.
    """
    good = np.zeros(len(digests), np.bool_)
    if len(digests):
        _verify(SECP256K1_CONTEXT, points, digests, signatures, good)
    return good


@njit(nogil=True, cache=True)
def _verify(context: Any, points: Any, digests: Any, signatures: Any, good: Any) -> None:
    parsed = np.empty(64, np.uint8)
    for i in range(len(digests)):
        place = np.uint64(parsed.ctypes.data)
        if ecdsa_parse_compact(context, place, signatures[i].ctypes.data):
            good[i] = ecdsa_verify(context, place, digests[i].ctypes.data, points[i].ctypes.data) == 1
