"""Let compiled kernels call libcrypto and libsecp256k1 by name, so that what numba compiles can be cached on disk."""

import _hashlib
import ctypes
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]  # a compiled module without stubs
from coincurve.context import GLOBAL_CONTEXT
from llvmlite import binding
from numba import types

POINTER = types.uintp
SECP256K1_CONTEXT = int(ffi.cast("uintptr_t", GLOBAL_CONTEXT.ctx))
"""The address of libsecp256k1's context, to be passed in: it differs from process to process."""
SHA256_STATE_BYTES = 256
"""Room for OpenSSL's SHA256_CTX, which has 112 bytes."""


def _named(name: str, address: int, result: Any, *arguments: Any) -> Any:
    """Give an address a name that the linker of compiled code knows, and return it as a function for kernels."""
    symbol = f"commonwatt_{name}"
    binding.add_symbol(symbol, address)
    return types.ExternalFunction(symbol, result(*arguments))


def _secp256k1(name: str) -> int:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))


_kept: list[Any] = []
"""Callbacks live as long as compiled code may call them."""


def _libcrypto() -> tuple[int, int, int]:
    """Return the addresses of OpenSSL's SHA-256, which knows the machine's own instructions for it.

    Taken from the library that Python's own hashlib stands on; where that does not show it, from hashlib itself,
    right but slow.
    """
    try:
        crypto = ctypes.CDLL(_hashlib.__file__)
        names = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
        init, update, final = (ctypes.cast(getattr(crypto, name), ctypes.c_void_p).value for name in names)
        assert init and update and final
    except (OSError, AttributeError):
        return _from_hashlib()
    return init, update, final


def _from_hashlib() -> tuple[int, int, int]:
    """Return SHA-256 in three calls by hashlib; what was fed waits under the address of its state."""
    fed: dict[int, bytearray] = {}

    def init(state: int) -> int:
        fed[state] = bytearray()
        return 1

    def update(state: int, data: int, size: int) -> int:
        fed[state] += ctypes.string_at(data, size)
        return 1

    def final(out: int, state: int) -> int:
        ctypes.memmove(out, sha256(fed.pop(state)).digest(), 32)
        return 1

    shapes: list[tuple[Callable[..., int], int]] = [(init, 1), (update, 3), (final, 2)]
    callbacks = [ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_size_t] * count)(function) for function, count in shapes]
    _kept.extend(callbacks)
    addresses = [ctypes.cast(callback, ctypes.c_void_p).value or 0 for callback in callbacks]
    return addresses[0], addresses[1], addresses[2]


def _ciphers() -> list[int]:
    """Return the addresses of OpenSSL's AES-256-GCM, in the order of `_CIPHER_NAMES`; zeros where it does not show."""
    try:
        crypto = ctypes.CDLL(_hashlib.__file__)
        found = [ctypes.cast(getattr(crypto, name), ctypes.c_void_p).value or 0 for name in _CIPHER_NAMES]
        crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
        return [*found, crypto.EVP_aes_256_gcm() or 0]
    except (OSError, AttributeError):
        return [0] * (len(_CIPHER_NAMES) + 1)


_CIPHER_NAMES = (
    "EVP_CIPHER_CTX_new", "EVP_CIPHER_CTX_free", "EVP_CIPHER_CTX_ctrl",
    "EVP_EncryptInit_ex", "EVP_EncryptUpdate", "EVP_EncryptFinal_ex",
    "EVP_DecryptInit_ex", "EVP_DecryptUpdate", "EVP_DecryptFinal_ex",
)  # fmt: skip
_new, _free, _control, _e_init, _e_update, _e_last, _d_init, _d_update, _d_last, AES_256_GCM = _ciphers()
_SIZE = types.int32
cipher_new = _named("cipher_new", _new, POINTER)
cipher_free = _named("cipher_free", _free, types.void, POINTER)
cipher_control = _named("cipher_control", _control, types.int32, POINTER, _SIZE, _SIZE, POINTER)
encrypt_init = _named("encrypt_init", _e_init, types.int32, POINTER, POINTER, POINTER, POINTER, POINTER)
encrypt_update = _named("encrypt_update", _e_update, types.int32, POINTER, POINTER, POINTER, POINTER, _SIZE)
encrypt_last = _named("encrypt_last", _e_last, types.int32, POINTER, POINTER, POINTER)
decrypt_init = _named("decrypt_init", _d_init, types.int32, POINTER, POINTER, POINTER, POINTER, POINTER)
decrypt_update = _named("decrypt_update", _d_update, types.int32, POINTER, POINTER, POINTER, POINTER, _SIZE)
decrypt_last = _named("decrypt_last", _d_last, types.int32, POINTER, POINTER, POINTER)

_init, _update, _final = _libcrypto()
sha256_init = _named("sha256_init", _init, types.int32, POINTER)
sha256_update = _named("sha256_update", _update, types.int32, POINTER, POINTER, types.uintp)
sha256_final = _named("sha256_final", _final, types.int32, POINTER, POINTER)
ecdsa_parse_compact = _named(
    "ecdsa_parse_compact",
    _secp256k1("secp256k1_ecdsa_signature_parse_compact"),
    types.int32,
    POINTER,
    POINTER,
    POINTER,
)
ecdsa_verify = _named(
    "ecdsa_verify", _secp256k1("secp256k1_ecdsa_verify"), types.int32, POINTER, POINTER, POINTER, POINTER
)
