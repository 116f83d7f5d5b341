"""Keep a gateway's program up to date by itself: fetch, verify, unpack beside, switch at once, and go back."""

import fcntl
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import msgspec

from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_first, save_secret
from commonwatt.adapters.witness.client import HttpDoor
from commonwatt.apps import launching
from commonwatt.flows.gateway.releases import (
    MOST_UNPACKED_BYTES,
    Artifact,
    Manifest,
    ReleaseTrust,
    Standing,
    admit,
    artifact,
    check_file,
    check_members,
    countersign,
    manifest_text,
    numbers,
    pinned,
    read_manifest,
    sign_manifest,
    text_hash,
)
from commonwatt.identity.keys import NoteKey
from commonwatt.ledger.checkpoint import split_note, vkey
from commonwatt.model import Corrupt, InvalidValue, Refused

VERSIONS = "versions"
NOTE = "release.note"
PINNED = "releases.pub"
"""In a gateway's folder: the keys whose word about releases counts, and how many it takes."""
LAUNCHER = "launch.py"
TAKEN = "taken.json"
MOST_NOTE_BYTES = 1_000_000
FETCHED_WITHIN_S = 1_800
_SPARE_BYTES = 50_000_000
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError)
"""What Python's zip module says of bytes that are no archive, or one that it cannot read."""

Fetch = Callable[[str, int], bytes]
"""Returns a file beside the manifest, of so many bytes at most."""


class Taken(msgspec.Struct, kw_only=True, frozen=True):
    """The newest release that was ever put in force: nothing older is, except by going back."""

    version: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What is in force now, and what was before."""

    version: str
    before: str


def update(folder: Path, source: str, now_s: int, trust: Path | None = None) -> Updated:
    """Put a newer release in force, on trial: the launcher goes back by itself where it does not prove its health.

    Whatever goes wrong on the way leaves the present version in force, and nothing of the new one.

    Args:
        folder: The gateway's.
        source: A folder, or where one is served by http or https: the note, and beside it the files that it names.
        now_s: By the gateway's clock, seconds since 1970.
        trust: The keys to pin, on first use; afterwards the first ones stay.

    Raises:
        Refused: See `releases.admit`; or nothing is pinned, another update runs, or the source cannot be reached.
        Corrupt: A file is not what was signed, or an archive could write outside its folder.
        OSError: The disk is full or broken.
    """
    versions = folder / VERSIONS
    versions.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(versions), _source(source) as fetch:
        keys = pinned_keys(folder, trust)
        note = _text(fetch(NOTE, MOST_NOTE_BYTES))
        if (versions / launching.TRIAL).exists():
            raise Refused("a new version proves its health before the next one comes", present=present_version(folder))
        present = present_version(folder)
        taken = _taken(versions)
        standing = Standing(present=present)
        if taken is not None:
            standing = Standing(present=present, newest=taken.version, newest_text=taken.text)
        manifest = admit(note, keys, standing, now_s)
        _sweep(versions)
        _unpack_all(versions, manifest, fetch)
        _launcher(versions)
        _switch(versions, manifest)
        _sweep(versions)
        return Updated(version=manifest.version, before=present)


def back(folder: Path) -> Updated:
    """Put the version before in force again, by hand.

    Raises:
        Refused: There is none, or an update runs.
    """
    versions = folder / VERSIONS
    if not (versions / launching.CURRENT).is_symlink():
        raise Refused("there is a version to go back from", folder=folder)
    with _alone(versions):
        before = present_version(folder)
        launching.go_back(versions)
        return Updated(version=present_version(folder), before=before)


def present_version(folder: Path) -> str:
    """Return the version in force: the one that the launcher would start, else what is installed."""
    current = folder / VERSIONS / launching.CURRENT
    return current.readlink().name if current.is_symlink() else installed_version("commonwatt")


def confirm_health() -> None:
    """Tell the launcher that this program does what it shall; to be called once devices were read and told."""
    told = os.environ.get(launching.HEALTHY)
    if told:
        Path(told).touch(mode=0o600)


def pinned_keys(folder: Path, given: Path | None = None) -> ReleaseTrust:
    """Return the release keys that a gateway was set up with.

    Raises:
        Refused: There are none, or others are given than those.
        InvalidValue: They are none.
    """
    kept = folder / PINNED
    if given is not None:
        content = given.read_bytes()
        pinned(_trust(given, content))
        save_first(kept, content)
        if kept.read_bytes() != content:
            raise Refused("release keys are pinned once; exchange the file by hand", kept=kept, given=given)
    if not kept.exists():
        raise Refused("a gateway is updated by the keys that are pinned in its folder", missing=kept)
    found = _trust(kept, kept.read_bytes())
    pinned(found)
    return found


def release(folder: Path, version: str, keys: Path, name: str, *, least: str, not_before_s: int, lasts_s: int) -> str:
    """Sign a release in its folder, or add a signature to one that others signed; return the signer's public word.

    Args:
        folder: With the wheels and zips of it; the note is put beside them.
        version: Its own.
        keys: The signer's folder; the key is made on first use.
        name: The signer's.
        least: The oldest version that it can replace.
        not_before_s: First second since 1970 at which it may be installed.
        lasts_s: For how long it may be.

    Raises:
        Refused: The note in the folder tells of something else, or this name has signed it.
        InvalidValue: There is nothing to release, or it is no version.
    """
    numbers(version)
    numbers(least)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".whl", ".zip"))
    artifacts = [artifact(path.name, path.read_bytes()) for path in files]
    if not artifacts:
        raise InvalidValue(f"a release has a wheel or a zip, {folder} has none")
    for path in files:
        _members(path.name, path.read_bytes())
    key = release_key(keys)
    note = folder / NOTE
    if note.exists():
        told = read_manifest(split_note(_text(note.read_bytes()))[0])
        if (told.version, told.files) != (version, artifacts):
            raise Refused("the note in a release's folder tells of this release", note=note, found=told.version)
        content = countersign(_text(note.read_bytes()), name, key)
    else:
        manifest = Manifest(
            version=version,
            least=least,
            not_before_s=not_before_s,
            not_after_s=not_before_s + lasts_s,
            files=artifacts,
        )
        content = sign_manifest(manifest, name, key)
    save_secret(note, content.encode())
    note.chmod(0o644)
    return vkey(name, key.public)


def release_key(folder: Path) -> NoteKey:
    """Return a signer's key, made on first use: encrypted, under a passphrase, for the folder's owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    words, path = passphrase(folder / "passphrase"), folder / "release.pem"
    if not path.exists():
        save_first(path, NoteKey.generate().to_pem(words))
    return NoteKey.from_pem(load_secret(path), words)


def _unpack_all(versions: Path, manifest: Manifest, fetch: Fetch) -> None:
    """Make a version's folder, whole or not at all."""
    partial, whole = versions / f".{manifest.version}.partial", versions / manifest.version
    if whole.exists():
        # Taken before, and gone back from since: unpacked again, since nobody watched it meanwhile.
        shutil.rmtree(whole)
    partial.mkdir(mode=0o700)
    try:
        for file in manifest.files:
            content = fetch(file.name, file.size)
            check_file(file, content)
            _unpack(partial, file, content)
        _sync_all(partial)
        partial.rename(whole)
        launching.sync(versions)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _unpack(place: Path, file: Artifact, content: bytes) -> None:
    archive = _members(file.name, content)
    needed = sum(member.file_size for member in archive.infolist())
    if shutil.disk_usage(place).free < min(needed, MOST_UNPACKED_BYTES) + _SPARE_BYTES:
        raise OSError(f"no room for {file.name}: it needs {needed} bytes and some to spare")
    for member in archive.infolist():
        target = place.joinpath(*member.orig_filename.removesuffix("/").split("/"))
        try:
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out, archive.open(member) as packed:
                shutil.copyfileobj(packed, out)
                out.flush()
                os.fsync(out.fileno())
        except (*_DAMAGED, FileExistsError, NotADirectoryError) as error:
            raise Corrupt(f"{file.name} cannot be unpacked at {member.orig_filename!r}: {error}") from error


def _members(name: str, content: bytes) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGED as error:
        raise Corrupt(f"{name} is no zip: {error}") from error
    check_members(archive.infolist())
    return archive


def _switch(versions: Path, manifest: Manifest) -> None:
    """Put a version in force. Killed at any moment, the one before or the new one is, the latter on trial."""
    current, previous = versions / launching.CURRENT, versions / launching.PREVIOUS
    if current.is_symlink():
        launching.point(previous, current.readlink())
    else:
        previous.unlink(missing_ok=True)
    taken = Taken(version=manifest.version, text=text_hash(manifest_text(manifest)))
    save_secret(versions / TAKEN, msgspec.json.encode(taken))
    launching.begin_trial(versions)
    launching.point(current, Path(manifest.version))


def _sweep(versions: Path) -> None:
    """Remove what an update that was cut off has left, and whatever is neither in force nor the version before."""
    links = [versions / name for name in (launching.CURRENT, launching.PREVIOUS)]
    stays = {link.readlink().name for link in links if link.is_symlink()}
    for path in versions.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name not in stays:
            shutil.rmtree(path)


def _launcher(versions: Path) -> None:
    """Put the launcher beside the versions, once: what watches over updates is not itself updated."""
    if not (versions / LAUNCHER).exists():
        save_first(versions / LAUNCHER, Path(launching.__file__).read_bytes())


def _taken(versions: Path) -> Taken | None:
    path = versions / TAKEN
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Taken)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"{path} does not tell which release was taken: {error}") from error


def _sync_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            launching.sync(path)


def _trust(path: Path, content: bytes) -> ReleaseTrust:
    try:
        return msgspec.json.decode(content, type=ReleaseTrust)
    except msgspec.MsgspecError as error:
        raise InvalidValue(f"{path} names no release keys: {error}") from error


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Corrupt("a release's note is text, this is not") from error


@contextmanager
def _alone(versions: Path) -> Iterator[None]:
    with (versions / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("one update at a time", folder=versions) from error
        yield


@contextmanager
def _source(source: str) -> Iterator[Fetch]:
    if source.startswith(("http://", "https://")):
        with HttpDoor(source, FETCHED_WITHIN_S) as door:
            yield lambda name, most: door.get(f"/{name}", most)
        return
    place = Path(source)

    def read(name: str, most: int) -> bytes:
        path = place / name
        if not path.is_file() or path.stat().st_size > most:
            raise Refused("a release's folder has its files, none too large", file=path, most_bytes=most)
        return path.read_bytes()

    yield read
