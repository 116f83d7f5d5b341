"""Every blob store keeps the same promises, on a disk and on a real S3 server."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import sleep

import pytest
from s3_server import FORGETS_S, S3Server

from commonwatt.adapters.stores.archive.blobs import Blobs, DiskBlobs, blob_name
from commonwatt.model import Corrupt, InvalidValue

DATA = b"what rests is encrypted " * 100


@dataclass(frozen=True)
class Place:
    blobs: Blobs
    again: Callable[[], Blobs]
    folder: Path
    """Where this store's blobs are files that a test can look at and damage."""


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "disk":
        folder = tmp_path / "archive"
        yield Place(DiskBlobs(folder), lambda: DiskBlobs(folder), folder)
        return
    server: S3Server = request.getfixturevalue("s3_server")
    blobs = server.blobs()
    yield Place(blobs, server.blobs, server.bucket)
    for stored in list(blobs.list("")):
        blobs.delete(stored.name)


@pytest.mark.row("X8")
@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 40, os.urandom(6_000_000)], ids=len)
def test_what_was_put_comes_back_also_to_somebody_else(place: Place, data: bytes) -> None:
    name = blob_name("blob", data)
    assert not place.blobs.exists(name)
    place.blobs.put(name, data)
    assert place.again().get(name) == data
    assert place.again().exists(name)
    (stored,) = place.again().list("blob")
    assert (stored.name, stored.size_bytes) == (name, len(data))
    assert abs(stored.written_s - (place.folder / name).stat().st_mtime) <= 1


def test_a_list_shows_one_folder_and_all_below_it(place: Place) -> None:
    names = {folder: blob_name(folder, DATA) for folder in ("blob", "blob-2", "day/2026-04-01", "day/2026-04-02")}
    for name in names.values():
        place.blobs.put(name, DATA)
    assert [stored.name for stored in place.blobs.list("blob")] == [names["blob"]]
    assert {stored.name for stored in place.blobs.list("day")} == {names["day/2026-04-01"], names["day/2026-04-02"]}
    assert {stored.name for stored in place.blobs.list("")} == set(names.values())
    assert list(place.blobs.list("nowhere")) == []


def test_what_is_not_ours_is_neither_listed_nor_deleted(place: Place) -> None:
    place.blobs.put(blob_name("blob", DATA), DATA)
    (place.folder / "blob" / "README").write_bytes(b"somebody's")
    assert [stored.name for stored in place.blobs.list("")] == [blob_name("blob", DATA)]
    with pytest.raises(InvalidValue, match="README"):
        place.blobs.delete("blob/README")


@pytest.mark.parametrize("folder", ["..", "blob/..", "/", "/etc", "blob//x", ".", "Blob", "blob/", "a\n", "\0", "blöb"])
def test_a_name_cannot_wander(place: Place, folder: str) -> None:
    name = blob_name(folder, DATA)
    with pytest.raises(InvalidValue):
        place.blobs.put(name, DATA)
    for ask in (place.blobs.get, place.blobs.exists, place.blobs.delete):
        with pytest.raises(InvalidValue):
            ask(name)
    with pytest.raises(InvalidValue):
        list(place.blobs.list(folder))
    assert list(place.blobs.list("")) == []


def test_bytes_under_the_name_of_others_are_refused(place: Place) -> None:
    with pytest.raises(InvalidValue, match="is another's"):
        place.blobs.put(blob_name("blob", DATA), DATA[:-1])
    assert list(place.blobs.list("")) == []


def test_putting_what_is_there_is_no_write(place: Place) -> None:
    name = blob_name("blob", DATA)
    place.blobs.put(name, DATA)
    os.utime(place.folder / name, (1, 1))
    before = (place.folder / name).stat()
    place.again().put(name, DATA)
    after = (place.folder / name).stat()
    assert (after.st_ino, after.st_mtime) == (before.st_ino, 1)


@pytest.mark.parametrize("place_of_bit", [0, 7, 9_999, 8 * len(DATA) - 1])
def test_a_flipped_bit_is_found_and_the_blob_named(place: Place, place_of_bit: int) -> None:
    name = blob_name("blob", DATA)
    place.blobs.put(name, DATA)
    damaged = bytearray(DATA)
    damaged[place_of_bit // 8] ^= 1 << place_of_bit % 8
    (place.folder / name).write_bytes(damaged)
    sleep(2 * FORGETS_S)
    with pytest.raises(Corrupt, match=f"{name} is damaged"):
        place.blobs.get(name)


@pytest.mark.parametrize("left", [0, 1, len(DATA) - 1])
def test_a_truncated_blob_is_found_and_putting_it_again_repairs_it(place: Place, left: int) -> None:
    name = blob_name("blob", DATA)
    place.blobs.put(name, DATA)
    os.truncate(place.folder / name, left)
    sleep(2 * FORGETS_S)
    with pytest.raises(Corrupt, match=f"{name} is damaged: its {left} bytes"):
        place.again().get(name)
    place.again().put(name, DATA)
    assert place.again().get(name) == DATA


def test_a_missing_blob_is_said_to_be_missing_and_deleting_it_is_no_error(place: Place) -> None:
    name = f"blob/{sha256(b'never').hexdigest()}"
    assert not place.blobs.exists(name)
    with pytest.raises(FileNotFoundError, match=name):
        place.blobs.get(name)
    place.blobs.delete(name)


def test_a_deleted_blob_is_gone(place: Place) -> None:
    name = blob_name("blob", DATA)
    place.blobs.put(name, DATA)
    place.blobs.delete(name)
    assert not place.again().exists(name)
    assert list(place.again().list("")) == []
