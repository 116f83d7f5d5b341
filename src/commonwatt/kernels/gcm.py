"""AES-256-GCM over many texts at once, each under a key of its own."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from commonwatt.kernels.native import (
    AES_256_GCM,
    cipher_control,
    cipher_free,
    cipher_new,
    decrypt_init,
    decrypt_last,
    decrypt_update,
    encrypt_init,
    encrypt_last,
    encrypt_update,
)

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
_GET_TAG, _SET_TAG = 0x10, 0x11


def seal_many(keys: Bytes, nonces: Bytes, texts: Bytes, ends: Offsets, bound: Bytes, bound_ends: Offsets) -> Bytes:
    """Encrypt each text and authenticate what it is bound to; releases the interpreter's lock.

    Args:
        keys: (n, 32) bytes.
        nonces: (n, 12) bytes, never twice under one key.
        texts: All texts end to end.
        ends: Where each ends, after a leading 0; n + 1 values.
        bound: What each is bound to, end to end.
        bound_ends: Likewise; n + 1 values.

    Returns:
        For each text its nonce, then as many bytes as it has, then 16 of its tag; end to end.

    Raises:
        OSError: The library did not do its work.

    Source: AES-256-GCM, NIST SP 800-38D.
    """
    count = len(keys)
    out = np.empty(len(texts) + count * (NONCE_BYTES + TAG_BYTES), np.uint8)
    if count and not _seal(AES_256_GCM, keys, nonces, texts, ends, bound, bound_ends, out, np.zeros(1, np.int32)):
        raise OSError("libcrypto could not encrypt")
    return out


def open_many(
    keys: Bytes, sealed: Bytes, ends: Offsets, bound: Bytes, bound_ends: Offsets
) -> tuple[Bytes, NDArray[np.bool_]]:
    """Decrypt what `seal_many` wrote; releases the interpreter's lock.

    Args:
        keys: (n, 32) bytes.
        sealed: All of it end to end, each piece with its nonce and tag.
        ends: Where each ends, after a leading 0; n + 1 values, none nearer than 28 to the one before.
        bound: What each is bound to, end to end.
        bound_ends: Likewise; n + 1 values.

    Returns:
        The texts end to end, 28 bytes shorter each; and n truth values, false where one is not what was sealed there.
    """
    out = np.empty(len(sealed) - len(keys) * (NONCE_BYTES + TAG_BYTES), np.uint8)
    good = np.zeros(len(keys), np.bool_)
    if len(keys):
        room = np.zeros(1, np.int32), np.empty(TAG_BYTES, np.uint8)
        _open(AES_256_GCM, keys, sealed, ends, bound, bound_ends, out, good, *room)
    return out, good


@njit(nogil=True, cache=True)
def _seal(
    cipher: Any, keys: Any, nonces: Any, texts: Any, ends: Any, bound: Any, bound_ends: Any, out: Any, written: Any
) -> bool:
    # The library writes lengths to an argument: an array made here would be let go of after its address was taken.
    context, done, at, none = cipher_new(), True, 0, np.uint64(0)
    for i in range(len(keys)):
        out[at : at + NONCE_BYTES] = nonces[i]
        at += NONCE_BYTES
        size, tied = ends[i + 1] - ends[i], bound_ends[i + 1] - bound_ends[i]
        done &= encrypt_init(context, cipher, none, keys[i].ctypes.data, nonces[i].ctypes.data) == 1
        done &= (
            encrypt_update(context, none, written.ctypes.data, bound[bound_ends[i] :].ctypes.data, np.int32(tied)) == 1
        )
        done &= (
            encrypt_update(
                context, out[at:].ctypes.data, written.ctypes.data, texts[ends[i] :].ctypes.data, np.int32(size)
            )
            == 1
        )
        at += size
        done &= encrypt_last(context, out[at:].ctypes.data, written.ctypes.data) == 1
        done &= cipher_control(context, np.int32(_GET_TAG), np.int32(TAG_BYTES), out[at:].ctypes.data) == 1
        at += TAG_BYTES
    cipher_free(context)
    return done


@njit(nogil=True, cache=True)
def _open(
    cipher: Any,
    keys: Any,
    sealed: Any,
    ends: Any,
    bound: Any,
    bound_ends: Any,
    out: Any,
    good: Any,
    written: Any,
    spare: Any,
) -> None:
    context, at, none = cipher_new(), 0, np.uint64(0)
    for i in range(len(keys)):
        begin, tied = ends[i], bound_ends[i + 1] - bound_ends[i]
        size = ends[i + 1] - begin - NONCE_BYTES - TAG_BYTES
        text, tag = sealed[begin + NONCE_BYTES :], sealed[begin + NONCE_BYTES + size :]
        done = decrypt_init(context, cipher, none, keys[i].ctypes.data, sealed[begin:].ctypes.data) == 1
        done &= (
            decrypt_update(context, none, written.ctypes.data, bound[bound_ends[i] :].ctypes.data, np.int32(tied)) == 1
        )
        done &= (
            decrypt_update(context, out[at:].ctypes.data, written.ctypes.data, text.ctypes.data, np.int32(size)) == 1
        )
        done &= cipher_control(context, np.int32(_SET_TAG), np.int32(TAG_BYTES), tag.ctypes.data) == 1
        good[i] = done and decrypt_last(context, spare.ctypes.data, written.ctypes.data) == 1
        at += size
    cipher_free(context)
