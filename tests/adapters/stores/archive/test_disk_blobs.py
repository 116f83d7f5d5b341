import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commonwatt.adapters.stores.archive.blobs import DiskBlobs, blob_name
from commonwatt.adapters.stores.keyfile import sync_folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.row("W6")
def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    DiskBlobs(tmp_path / "a" / "b").put(name := blob_name("manifest/2026-04-01", b"x"), b"x")
    path = tmp_path / "a" / "b" / name
    assert mode(path) == 0o600
    while path != tmp_path:
        path = path.parent
        assert mode(path) == 0o700


def test_a_forgotten_temporary_file_is_listed_can_be_deleted_and_is_no_blob(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    blobs.put(name := blob_name("blob", b"x"), b"x")
    leftover = f"blob/.{name[-64:]}.k3j_x0"
    (tmp_path / leftover).write_bytes(b"half")
    assert {stored.name for stored in blobs.list("blob")} == {name, leftover}
    blobs.delete(leftover)
    assert [stored.name for stored in blobs.list("blob")] == [name]


def test_each_name_is_synced_also_when_somebody_else_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []

    def remember(path: Path) -> None:
        synced.append(path)
        sync_folder(path)

    monkeypatch.setattr("commonwatt.adapters.stores.archive.blobs.sync_folder", remember)
    name = blob_name("blob", b"x")
    DiskBlobs(tmp_path / "a").put(name, b"x")
    assert synced == [tmp_path / "a", tmp_path / "a" / "blob"]
    DiskBlobs(tmp_path / "a").put(name, b"x")
    assert synced[2:] == [tmp_path / "a" / name]


def test_a_full_disk_leaves_no_blob_and_no_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("commonwatt.adapters.stores.keyfile.os.fsync", full)
    blobs = DiskBlobs(tmp_path)
    (tmp_path / "blob").mkdir()
    with pytest.raises(OSError, match="No space"):
        blobs.put(blob_name("blob", b"x"), b"x")
    assert list(blobs.list("")) == []


def test_many_writers_of_one_blob_leave_one_whole_blob(tmp_path: Path) -> None:
    data = bytes(100_000)
    name = blob_name("blob/deep/down", data)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: DiskBlobs(tmp_path / "a").put(name, data), range(32)))
    assert [stored.name for stored in DiskBlobs(tmp_path / "a").list("")] == [name]
    assert DiskBlobs(tmp_path / "a").get(name) == data
