"""Keep secrets in files that only their owner can read."""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from commonwatt.model import Corrupt, Refused

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def save_secret(path: Path, data: bytes) -> None:
    """Write a secret for its owner alone (mode 0600), whole or not at all, and durable on return.

    A file of that name is replaced. A crash leaves the old file or the new one, at worst with a forgotten
    temporary file beside it, as closed as the real one.

    Raises:
        OSError: The folder is missing or cannot be written.
    """
    temporary = _write_beside(path, data)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    sync_folder(path)


def load_secret(path: Path) -> bytes:
    """Return what `save_secret` wrote.

    Raises:
        Refused: Group or others may read, write or run the file: it may be secret no longer.
        FileNotFoundError: There is no such file.
    """
    with path.open("rb") as file:
        # Asks the open file, not its name: the name could stand for another file by now.
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS:
            raise Refused("secrets are for their owner alone, chmod 600", path=path, found_mode=f"{mode:04o}")
        return file.read()


def passphrase(path: Path) -> bytes:
    """Return the passphrase in a file; on first use a random one of 256 bits is put there.

    Blanks and newlines around it do not count, since people write such files with an editor.

    Raises:
        Refused: Group or others may read the file.
        Corrupt: The file is empty.
    """
    if not path.exists():
        save_first(path, secrets.token_hex(32).encode())
    words = load_secret(path).strip()
    if not words:
        raise Corrupt(f"a passphrase is not empty, {path} is")
    return words


def sync_folder(path: Path) -> None:
    """Make the name of a file durable: the file's own fsync does not cover the folder that lists it."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def save_first(path: Path, data: bytes) -> None:
    """Write a secret unless somebody else was first; then theirs stands, as keys may rest under it already.

    Raises:
        OSError: The folder is missing or cannot be written.
    """
    temporary = _write_beside(path, data)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    sync_folder(path)


def _write_beside(path: Path, data: bytes) -> Path:
    """Write a durable temporary file of mode 0600 in the same folder, so that a rename never crosses disks."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink()
        raise
    return temporary
