"""Keep bytes under the name of their own hash: the port that archives stand on, and its door to a folder."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from commonwatt.adapters.stores.keyfile import save_secret, sync_folder
from commonwatt.model import Corrupt, InvalidValue

_FOLDER = r"[a-z0-9][a-z0-9-]{0,63}"
_NAME = re.compile(rf"(?:{_FOLDER}/){{0,8}}[0-9a-f]{{64}}")
_LEFTOVER = re.compile(rf"(?:{_FOLDER}/){{0,8}}\.[0-9a-f]{{64}}\.[A-Za-z0-9_]+")
_FOLDERS = re.compile(rf"(?:{_FOLDER}(?:/{_FOLDER}){{0,7}})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One blob as a store lists it.

    Args:
        name: Its name; a forgotten temporary file has one that only `delete` takes.
        size_bytes: Its length as the store tells it.
        written_s: When the store's own clock wrote it, whole seconds since 1970.
    """

    name: str
    size_bytes: int
    written_s: int


class Blobs(Protocol):
    """A store of blobs. A name is folders and the SHA-256 of the bytes: ``manifest/2026-04-22/<64 hex digits>``.

    Every method may raise OSError while the store fails or cannot be reached (try again later), and Refused when it
    does not let us in.
    """

    def put(self, name: str, data: bytes) -> None:
        """Keep the bytes, whole or not at all, and return once they are durable; those already there are no write.

        Raises:
            InvalidValue: The name is no blob's, or not that of these bytes.
        """

    def get(self, name: str) -> bytes:
        """Return the bytes of that name, their hash rechecked.

        Raises:
            FileNotFoundError: There is no such blob.
            Corrupt: The bytes are not those that the name stands for; the message names the blob.
        """

    def exists(self, name: str) -> bool:
        """Tell whether there is such a blob, not whether it is whole."""

    def list(self, folder: str) -> Iterator[Stored]:
        """Yield what lies in a folder and all below it, in no order; the empty folder stands for all."""

    def delete(self, name: str) -> None:
        """Remove a blob, or a leftover that `list` named; one that is not there is no error."""


class DiskBlobs:
    """Blobs as files of mode 0600 in a folder of this machine.

    Args:
        folder: Where they lie; made, with mode 0700, where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, data: bytes) -> None:
        """Keep the bytes; see `Blobs.put`."""
        check_content(name, data)
        path = self._folder / name
        if path.exists() and path.stat().st_size == len(data):
            # Whoever wrote it may have been killed before the name was durable.
            sync_folder(path)
            return
        _make_folder(path.parent)
        save_secret(path, data)

    def get(self, name: str) -> bytes:
        """Return the bytes; see `Blobs.get`."""
        check_name(name)
        return checked(name, (self._folder / name).read_bytes())

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        check_name(name)
        return (self._folder / name).is_file()

    def list(self, folder: str) -> Iterator[Stored]:
        """Yield the blobs, and temporary files that a killed writer forgot; other files are not ours."""
        check_folder(folder)
        for path in (self._folder / folder).rglob("*"):
            name = path.relative_to(self._folder).as_posix()
            if not is_ours(name):
                continue
            try:
                found = path.stat()
            except FileNotFoundError:
                # A writer has renamed its temporary file, or a sweep was faster.
                continue
            yield Stored(name=name, size_bytes=found.st_size, written_s=int(found.st_mtime))

    def delete(self, name: str) -> None:
        """Remove the file; see `Blobs.delete`."""
        check_ours(name)
        path = self._folder / name
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(path)


def blob_name(folder: str, data: bytes) -> str:
    """Return the name under which a folder keeps these bytes."""
    return f"{folder}/{sha256(data).hexdigest()}"


def checked(name: str, data: bytes) -> bytes:
    """Return the bytes if they are those that the name stands for.

    Raises:
        Corrupt: They are not.
    """
    found = sha256(data).hexdigest()
    if found != name[-64:]:
        raise Corrupt(f"blob {name} is damaged: its {len(data)} bytes have the SHA-256 {found}")
    return data


def is_blob(name: str) -> bool:
    """Tell whether a name can be that of a blob."""
    return _NAME.fullmatch(name) is not None


def is_ours(name: str) -> bool:
    """Tell whether a name is that of a blob or of a temporary file beside one."""
    return is_blob(name) or _LEFTOVER.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raise InvalidValue unless the name can be that of a blob: it becomes a path, so it must not wander."""
    if not is_blob(name):
        raise InvalidValue(f"a blob's name is folders and 64 hex digits, was {name!r}")


def check_ours(name: str) -> None:
    """Raise InvalidValue unless the name is that of a blob or of a temporary file beside one."""
    if not is_ours(name):
        raise InvalidValue(f"a blob's name is folders and 64 hex digits, was {name!r}")


def check_content(name: str, data: bytes) -> None:
    """Raise InvalidValue unless the name is that of these bytes."""
    check_name(name)
    if sha256(data).hexdigest() != name[-64:]:
        raise InvalidValue(f"a blob is named by the SHA-256 of its bytes, {name!r} is another's")


def check_folder(folder: str) -> None:
    """Raise InvalidValue unless this can be a folder of blobs."""
    if not _FOLDERS.fullmatch(folder):
        raise InvalidValue(f"a folder of blobs is lower-case letters, digits and dashes, was {folder!r}")


def _make_folder(folder: Path) -> None:
    """Make a folder and all above it, for their owner alone, each name durable."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        # Another writer was first.
        return
    sync_folder(folder)
