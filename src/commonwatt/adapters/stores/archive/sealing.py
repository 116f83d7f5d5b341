"""Encrypt what rests, and hold what is plain in memory alone."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from commonwatt.adapters.stores.vault import Wrapping
from commonwatt.model import CommunityId, Corrupt, InvalidValue, canonical_json

_MAGIC = b"CWARCH01"
_LENGTH_BYTES = 2
_KEY_BYTES = 32
_NONCE_BYTES = 12
_MOST_BYTES = 2**31 - 64
"""What one call of the cipher takes."""
_NO_CHANGES = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def seal(plain: bytes, wrapping: Wrapping, community: CommunityId, day: date, table: str) -> bytes:
    """Encrypt one table of one day under a data key of its own.

    Returns:
        A magic of 8 bytes, the wrapped key behind its length (2 bytes, big-endian), the nonce (12 random bytes), and
        the ciphertext with its tag. The tag covers all that stands before the nonce, and whose day and table it is.

    Raises:
        InvalidValue: The table has 2 GiB or more, or the wrapped key 64 KiB.

    Source: AES-256-GCM, NIST SP 800-38D.
    """
    if len(plain) > _MOST_BYTES:
        raise InvalidValue(f"a table of a day has less than 2 GiB, {table} of {day} had {len(plain)} bytes")
    key = AESGCM.generate_key(8 * _KEY_BYTES)
    wrapped = wrapping.wrap(key)
    if not len(wrapped) < 2 ** (8 * _LENGTH_BYTES):
        raise InvalidValue(f"a wrapped key has less than 64 KiB, was {len(wrapped)} bytes")
    head = _MAGIC + len(wrapped).to_bytes(_LENGTH_BYTES, "big") + wrapped
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return head + nonce + AESGCM(key).encrypt(nonce, plain, head + _belongs_to(community, day, table))


def unseal(blob: bytes, wrapping: Wrapping, community: CommunityId, day: date, table: str) -> bytes:
    """Return what `seal` was given.

    Raises:
        Refused: The master key is another one, or gone.
        Corrupt: The bytes are damaged, or belong to another community, day or table.
    """
    start = len(_MAGIC) + _LENGTH_BYTES
    end = start + int.from_bytes(blob[len(_MAGIC) : start], "big")
    if not blob.startswith(_MAGIC) or len(blob) < end + _NONCE_BYTES:
        raise Corrupt(f"table {table} of {day} of {community} is no sealed blob")
    key = wrapping.unwrap(blob[start:end])
    if len(key) != _KEY_BYTES:
        raise Corrupt(f"the data key of table {table} of {day} has {_KEY_BYTES} bytes, was {len(key)}")
    nonce, sealed = blob[end : end + _NONCE_BYTES], blob[end + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, sealed, blob[:end] + _belongs_to(community, day, table))
    except InvalidTag as error:
        raise Corrupt(f"table {table} of {day} of {community} does not open: damaged, or another's") from error


@contextmanager
def private_file() -> Iterator[int]:
    """Yield the descriptor of an empty file for plain bytes, which vanishes when it is closed.

    On Linux it is a piece of memory (``memfd_create``) that no disk holds, swap aside. Elsewhere it is a file of mode
    0600 whose name is removed at once, in ``/dev/shm`` where there is one; failing that in the temporary folder, whose
    disk may then see the bytes: point ``TMPDIR`` to one that is encrypted or in memory.
    """
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("commonwatt-archive", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        shared = Path("/dev/shm")  # noqa: S108 - asked for because it is memory; mkstemp makes the name safe
        file, name = tempfile.mkstemp(dir=shared if shared.is_dir() and os.access(shared, os.W_OK) else None)
        Path(name).unlink()
    try:
        yield file
    finally:
        os.close(file)


def path_of(file: int) -> str:
    """Return a path under which this process, and no other user's, can open a descriptor again."""
    folder = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"
    return f"{folder}/{file}"


def read_whole(file: int) -> bytes:
    """Return all bytes of an open file."""
    with os.fdopen(os.dup(file), "rb") as reader:
        reader.seek(0)
        return reader.read()


def fill(file: int, data: bytes) -> None:
    """Write an empty private file; where the system can, nobody can change it any more, not even through its path."""
    with os.fdopen(os.dup(file), "wb") as writer:
        writer.write(data)
    if hasattr(os, "memfd_create"):
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _NO_CHANGES)


def _belongs_to(community: CommunityId, day: date, table: str) -> bytes:
    return canonical_json({"community": community, "day": day.isoformat(), "table": table})
