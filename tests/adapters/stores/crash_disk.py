"""Record what SQLite does to a disk, and bring back all that a power cut may leave of it."""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Self

import apsw

SECTOR = 512
# How much of what was not synced arrives, and how much of that in pieces. Each crash draws anew for each file.
_KEPT = (0.0, 0.1, 0.5, 0.9, 1.0, 1.0)
_TORN = (0.0, 0.0, 0.1, 1.0)


@dataclass(frozen=True, slots=True)
class Make:
    """A name appears in the folder, for a new file. Files have numbers, since a name may come back for another one."""

    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Unlink:
    name: str


@dataclass(frozen=True, slots=True)
class Write:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A completed fsync of a file. It covers the content, not the name: that is the folder's."""

    file: int


@dataclass(frozen=True, slots=True)
class SyncFolder:
    pass


@dataclass(frozen=True, slots=True)
class Say:
    """What the program has told the world by now; it touches no disk."""

    known: Any


Event = Make | Unlink | Write | Truncate | Sync | SyncFolder | Say


@dataclass(frozen=True, slots=True)
class Crash:
    """What stands in the folder when power is back, what was known, and after which event it went out."""

    files: dict[str, bytes]
    known: Any
    after: int


# Pure logic: which states a crash may leave.


def crashes(events: Sequence[Event], count: int, chance: Random) -> Iterator[Crash]:
    """Yield different states that a power cut at any moment may leave, in random passes from first event to last.

    Moments at which much is on its way to the disk get more of the draws, every moment gets some. Before the
    first `Say` there is no crash: such events tell how the disk was found.

    Args:
        events: What was recorded.
        count: How many to yield; fewer where no more are found.
        chance: The seed decides the states.
    """
    freedom = [disk.freedom for disk, _ in _moments(events)]
    seen: set[bytes] = set()
    while len(seen) < count:
        # Some draws repeat others, so the passes get shorter; the last ones are drawn at least once a moment.
        draws_per_change = 0.9 * (count - len(seen)) / max(1, sum(freedom))
        before = len(seen)
        for after, (disk, known) in enumerate(_moments(events)):
            if known is None:
                continue
            for _ in range(1 + int(draws_per_change * freedom[after])):
                files, key = disk.crash(chance)
                key = _digest(key + repr(known).encode())
                if key in seen:
                    continue
                seen.add(key)
                yield Crash(files, known, after)
                if len(seen) == count:
                    return
        if len(seen) == before:
            return


class Disk:
    """A disk that owes us only what was synced: all the rest it may keep, drop, tear and reorder.

    - A write that no completed fsync of its file covers arrives or not, in any order, each sector for itself; so
      does a truncation. Bytes beside a write are not harmed; SQLite counts on the same, see
      ``SQLITE_IOCAP_POWERSAFE_OVERWRITE``.
    - A file that was made or unlinked since the last fsync of the folder stands there or does not, each name for
      itself, with what became of its content.
    """

    def __init__(self) -> None:
        self._durable: dict[int, bytes] = {}
        self._digests: dict[int, bytes] = {}
        # A change is a new size, or the sectors of one write, each with its offset.
        self._pending: dict[int, list[int | list[tuple[int, bytes]]]] = {}
        # The file that a name has stood for, from the last fsync of the folder on.
        self._names: dict[str, list[int | None]] = {}

    def take(self, event: Event) -> None:
        """Do what was recorded."""
        match event:
            case Make(name, file):
                self._names.setdefault(name, [None]).append(file)
                self._pending[file] = []
                self._settle(file, b"")
            case Unlink(name):
                self._names[name].append(None)
            case Write(file, offset, data):
                self._pending[file].append(_sectors(offset, data))
            case Truncate(file, size):
                self._pending[file].append(size)
            case Sync(file):
                self._settle(file, _changed(self._durable[file], self._pending[file]))
                self._pending[file] = []
            case SyncFolder():
                self._names = {name: files[-1:] for name, files in self._names.items()}

    @property
    def freedom(self) -> int:
        """How many things may have happened or not: sectors, truncations, and changes of names."""
        files = {file for files in self._names.values() for file in files if file is not None}
        changes = [change for file in files for change in self._pending[file]]
        names = sum(len(files) - 1 for files in self._names.values())
        return names + sum(1 if isinstance(change, int) else len(change) for change in changes)

    def crash(self, chance: Random) -> tuple[dict[str, bytes], bytes]:
        """Return the files by name that one crash leaves, and a key that equal ones share."""
        found, keys = {}, []
        for name, files in self._names.items():
            file = files[-1] if len(files) == 1 else chance.choice(files)
            if file is None:
                continue
            found[name], digest = self._durable[file], self._digests[file]
            if self._pending[file]:
                found[name] = _survivors(found[name], self._pending[file], chance)
                digest = _digest(found[name])
            keys.append(name.encode() + digest)
        return found, b"".join(sorted(keys))

    def _settle(self, file: int, content: bytes) -> None:
        self._durable[file], self._digests[file] = content, _digest(content)


def _moments(events: Sequence[Event]) -> Iterator[tuple[Disk, Any]]:
    disk, known = Disk(), None
    for event in events:
        if isinstance(event, Say):
            known = event.known
        else:
            disk.take(event)
        yield disk, known


def _survivors(durable: bytes, pending: Sequence[int | list[tuple[int, bytes]]], chance: Random) -> bytes:
    changes, kept, torn = list(pending), chance.choice(_KEPT), chance.choice(_TORN)
    match chance.randrange(3):
        case 0:
            chance.shuffle(changes)
        case 1:
            del changes[chance.randint(0, len(changes)) :]
    left: list[int | list[tuple[int, bytes]]] = []
    for change in changes:
        if chance.random() >= kept:
            continue
        if isinstance(change, int) or chance.random() >= torn:
            left.append(change)
        else:
            left.append([sector for sector in change if chance.random() < 0.5])
    return _changed(durable, left)


def _changed(content: bytes, changes: Sequence[int | list[tuple[int, bytes]]]) -> bytes:
    new = bytearray(content)
    for change in changes:
        if isinstance(change, int):
            del new[change:]
            new.extend(bytes(change - len(new)))
            continue
        for offset, data in change:
            if offset > len(new):
                new.extend(bytes(offset - len(new)))
            new[offset : offset + len(data)] = data
    return bytes(new)


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    cuts = [offset, *range(offset - offset % SECTOR + SECTOR, offset + len(data), SECTOR), offset + len(data)]
    return [(start, data[start - offset : end - offset]) for start, end in itertools.pairwise(cuts)]


def _digest(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


# Recording: a VFS that passes everything on to SQLite's own for this system, and writes down what it does.


class Recorder(apsw.VFS):
    """A VFS for one folder that remembers every effect on it; use it with ``with``, and ``vfs=recorder.name``.

    Files that stand there already are recorded as written and durable; shared memory (``-shm``) is not recorded,
    as SQLite trusts none that it finds after a crash.

    Source: where fsync of the folder is hidden inside SQLite's unix VFS, see ``UNIXFILE_DIRSYNC`` in os_unix.c: the
    first fsync of a journal or WAL that was opened to be created, and deletions that ask for it.
    """

    _count = itertools.count()

    def __init__(self, folder: Path) -> None:
        self.name = f"recorder-{next(self._count)}"
        self.events: list[Event] = []
        self._files: dict[str, int] = {}
        self._numbers = itertools.count()
        for path in sorted(folder.iterdir()):
            self.make(path.name)
            self.events += [Write(self._files[path.name], 0, path.read_bytes()), Sync(self._files[path.name])]
        self.events.append(SyncFolder())
        super().__init__(self.name, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unregister()

    def make(self, name: str) -> None:
        self._files[name] = next(self._numbers)
        self.events.append(Make(name, self._files[name]))

    def file_of(self, path: str) -> int:
        """Return the number of the file, which is made first where it is missing."""
        name = Path(path).name
        if name not in self._files:
            self.make(name)
        return self._files[name]

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _RecordedFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        del self._files[Path(filename).name]
        self.events.append(Unlink(Path(filename).name))
        if syncdir:
            self.events.append(SyncFolder())


class _RecordedFile(apsw.VFSFile):
    def __init__(self, vfs: Recorder, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        assert name is not None, "temporary files are none of a log's"
        self._note: Callable[[Event], None] = vfs.events.append
        self._file = vfs.file_of(name.filename() if isinstance(name, apsw.URIFilename) else name)
        journals = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
        self._owes_folder = bool(flags[0] & journals and flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._note(Write(self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._note(Truncate(self._file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._note(Sync(self._file))
        if self._owes_folder:
            self._note(SyncFolder())
            self._owes_folder = False
